/* Hashes of machine code: see code_hash.h. */
#include "symbolize/elf/code_hash.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/disk/disk.h"
#include "symbolize/disk/patience.h"

struct hasher {
	uint64_t low, high, image_low, image_high, state;
};

static bool is_address(const struct hasher *h, uint64_t number)
{
	return number >= h->image_low && number < h->image_high;
}

/* Zeroes the field unless it is the same wherever the code lies. */
static void mask(const struct hasher *h, uint8_t *field, unsigned bits, uint64_t value, bool relative, uint64_t next)
{
	uint64_t target = next + value;

	if (relative ? target < h->low || target >= h->high : bits >= 32 && is_address(h, value))
		memset(field, 0, bits / 8);
}

static void add_instruction(struct hasher *h, const ZydisDecodedInstruction *i, const uint8_t *code, uint64_t address)
{
	uint8_t copy[ZYDIS_MAX_INSTRUCTION_LENGTH];
	uint64_t next = address + i->length;
	bool by_place = (i->attributes & ZYDIS_ATTRIB_HAS_MODRM) && i->raw.modrm.mod == 0 && i->raw.modrm.rm == 5;

	memcpy(copy, code, i->length);
	if (i->raw.disp.size)
		mask(h, copy + i->raw.disp.offset, i->raw.disp.size, (uint64_t)i->raw.disp.value, by_place, next);
	for (unsigned k = 0; k < 2; k++)
		if (i->raw.imm[k].size)
			mask(h, copy + i->raw.imm[k].offset, i->raw.imm[k].size, i->raw.imm[k].value.u,
				i->raw.imm[k].is_relative, next);
	h->state = sp_code_hash_add(h->state, copy, i->length);
}

uint64_t sp_code_hash(const uint8_t *code, size_t bytes, uint64_t address, uint64_t image_low, uint64_t image_high)
{
	struct hasher h = {address, address + bytes, image_low, image_high, SP_CODE_HASH_START};
	ZydisDecodedInstruction instruction;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t at = 0; at < bytes; at += instruction.length) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code + at, bytes - at, &instruction)))
			return 0;
		add_instruction(&h, &instruction, code + at, address + at);
	}
	return h.state ? h.state : 1;
}

/* Where it stands in the file; 0: it does not, wholly. */
static uint64_t file_place(const struct sp_object *object, uint64_t low, uint64_t high)
{
	size_t count = 0;
	GElf_Phdr segment;

	elf_getphdrnum(object->elf, &count);
	for (size_t i = 0; i < count && gelf_getphdr(object->elf, (int)i, &segment); i++)
		if (segment.p_type == PT_LOAD && low >= segment.p_vaddr && high - segment.p_vaddr <= segment.p_memsz)
			return low - segment.p_vaddr + segment.p_offset;
	return 0;
}

void sp_object_image(const struct sp_object *object, uint64_t *low, uint64_t *high)
{
	GElf_Ehdr header;
	GElf_Phdr segment;
	size_t count = 0;

	*low = *high = 0;
	if (!gelf_getehdr(object->elf, &header) || header.e_type != ET_EXEC)
		return;
	elf_getphdrnum(object->elf, &count);
	for (size_t i = 0; i < count && gelf_getphdr(object->elf, (int)i, &segment); i++) {
		if (segment.p_type != PT_LOAD)
			continue;
		*low = *high && *low < segment.p_vaddr ? *low : segment.p_vaddr;
		*high = segment.p_vaddr + segment.p_memsz > *high ? segment.p_vaddr + segment.p_memsz : *high;
	}
}

struct reading {
	const struct sp_object *object;
	uint64_t from, bytes;
	uint8_t *code;
};

static int read_code(void *arg)
{
	struct reading *r = arg;
	struct sp_symbol_file now;
	struct sp_disk_file file;
	int rc = sp_disk_open(&file, r->object->path);

	if (rc)
		return rc;
	now = sp_symbol_file_of(&file.status);
	rc = memcmp(&now, &r->object->file, sizeof(now)) ? -ESTALE : sp_disk_read(&file, r->code, r->bytes, r->from);
	if (!rc)
		rc = sp_disk_check(&file);
	sp_disk_close(&file);
	return rc;
}

uint8_t *sp_object_bytes(const struct sp_object *object, uint64_t low, uint64_t high)
{
	struct reading r = {.object = object, .bytes = high - low};

	r.from = object->path && low < high ? file_place(object, low, high) : 0;
	r.code = r.from ? malloc(r.bytes) : NULL;
	if (r.code && sp_patiently(read_code, &r, object->path)) {
		free(r.code);
		return NULL;
	}
	return r.code;
}

uint64_t sp_object_code_hash(const struct sp_object *object, uint64_t low, uint64_t high)
{
	uint64_t image_low, image_high, hash = 0;
	GElf_Ehdr header;
	uint8_t *code;

	if (!object->elf || low >= high || high - low > SP_CODE_HASH_BYTES_MAX)
		return 0;
	if (!gelf_getehdr(object->elf, &header) || (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64))
		return 0;
	code = sp_object_bytes(object, low, high);
	sp_object_image(object, &image_low, &image_high);
	if (code)
		hash = header.e_machine == EM_AARCH64 ? sp_code_hash_aarch64(code, high - low, low)
						      : sp_code_hash(code, high - low, low, image_low, image_high);
	free(code);
	return hash;
}
