/* Names for the linker's call stubs: see plt.h.
 *
 * A stub jumps through a slot of the global offset table, and a relocation says whose address goes
 * into that slot. Decoding the jump is safer than counting: linkers order stubs differently, and
 * with -z ibtplt the jumps live in a section of their own. */
#include "symbolize/elf/plt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

#define STUB_BYTES 16u
#define SHORT_STUB_BYTES 8u
#define SECTION_LIMIT_BYTES (16u << 20)

struct slot {
	uint64_t address;
	const char *target;
};

struct slots {
	struct slot *list;
	size_t count, capacity;
};

static void add_slot(struct slots *slots, uint64_t address, const char *target)
{
	sp_grow(&slots->list, &slots->capacity, slots->count + 1, sizeof(*slots->list));
	slots->list[slots->count++] = (struct slot){.address = address, .target = target};
}

static int compare_slots(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static bool is_of_slot(uint16_t machine, uint64_t type)
{
	return machine == EM_AARCH64 ? type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT
				     : type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
}

static void load_relocations(struct slots *slots, const struct sp_object *object, uint16_t machine, const char *section)
{
	GElf_Shdr header, symbols_header;
	Elf_Scn *scn = sp_object_section(object, section, &header);
	Elf_Scn *symbols_scn = scn ? elf_getscn(object->elf, header.sh_link) : NULL;
	Elf_Data *data = scn && header.sh_type == SHT_RELA ? elf_getdata(scn, NULL) : NULL;
	Elf_Data *symbols = symbols_scn ? elf_getdata(symbols_scn, NULL) : NULL;

	if (!data || !symbols || !gelf_getshdr(symbols_scn, &symbols_header))
		return;
	for (size_t i = 0; i < data->d_size / sizeof(Elf64_Rela); i++) {
		GElf_Rela rela;
		GElf_Sym symbol;

		if (!gelf_getrela(data, (int)i, &rela))
			break;
		if (!is_of_slot(machine, GELF_R_TYPE(rela.r_info)))
			continue;
		if (gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &symbol))
			add_slot(slots, rela.r_offset, elf_strptr(object->elf, symbols_header.sh_link, symbol.st_name));
	}
}

static const char *target_of(const struct slots *slots, uint64_t address)
{
	struct slot key = {.address = address};
	const struct slot *slot = NULL;

	if (slots->count)
		slot = bsearch(&key, slots->list, slots->count, sizeof(key), compare_slots);
	return slot && slot->target && *slot->target ? slot->target : NULL;
}

/* Finds `jmp *slot(%rip)` at the start of a stub; returns the slot's address or 0. */
static uint64_t decode_jump(const unsigned char *code, size_t bytes, uint64_t address)
{
	static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	size_t at = 0;
	int32_t offset;

	if (bytes >= sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64)))
		at += sizeof(endbr64);
	if (at < bytes && code[at] == 0xf2) /* the `bnd` prefix */
		at++;
	if (at + 6 > bytes || code[at] != 0xff || code[at + 1] != 0x25)
		return 0;
	memcpy(&offset, code + at + 2, sizeof(offset));
	return address + at + 6 + (uint64_t)(int64_t)offset;
}

static void add_stub(struct sp_plt *plt, uint64_t address, size_t bytes, const char *target)
{
	sp_grow(&plt->stubs, &plt->capacity, plt->count + 1, sizeof(*plt->stubs));
	plt->stubs[plt->count] = (struct sp_plt_stub){.target = target, .address = address};
	sp_interval_map_add(&plt->intervals, address, address + bytes, 0, (uint32_t)plt->count++);
}

static uint32_t word_at(const uint8_t *code, size_t index)
{
	uint32_t word;

	memcpy(&word, code + sizeof(word) * index, sizeof(word));
	return word;
}

/* `adrp x16, page; ldr x17, [x16, #n]` somewhere in each, between a landing pad that may stand before and `br x17` (AAELF64, 5.7);
 * linkers make them of 16 bytes, or 24. */
static void load_aarch64_stubs(struct sp_plt *plt, const struct slots *slots, const uint8_t *code, size_t count,
	uint64_t address)
{
	enum { LANDING = 0xd503245f, BRANCH = 0xd61f0220 };

	for (size_t i = 0, end; i + 1 < count; i++) {
		uint32_t page = word_at(code, i), load = word_at(code, i + 1);
		size_t start = i && word_at(code, i - 1) == LANDING ? i - 1 : i;
		int64_t pages = (int32_t)((page >> 5 << 2 | (page >> 29 & 3)) << 11) >> 11;
		uint64_t slot = ((address + 4 * i) & ~4095ull) + (uint64_t)(pages * 4096) + 8ull * (load >> 10 & 0xfff);

		if ((page & 0x9f00001f) != 0x90000010 || (load & 0xffc003ff) != 0xf9400211)
			continue;
		for (end = i + 2; end < count && word_at(code, end - 1) != BRANCH; end++)
			;
		add_stub(plt, address + 4 * start, 4 * (end - start), target_of(slots, slot));
		i = end - 1;
	}
}

static void load_stubs(struct sp_plt *plt, const struct slots *slots, const struct sp_object *object, uint16_t machine,
	const char *section)
{
	GElf_Shdr header = {0};
	Elf_Scn *scn = sp_object_section(object, section, &header);
	Elf_Data *data = scn && (header.sh_flags & SHF_EXECINSTR) ? elf_rawdata(scn, NULL) : NULL;
	size_t step = header.sh_entsize == SHORT_STUB_BYTES ? SHORT_STUB_BYTES : STUB_BYTES;

	if (!data || !data->d_buf || data->d_size > SECTION_LIMIT_BYTES)
		return;
	if (machine == EM_AARCH64) {
		load_aarch64_stubs(plt, slots, data->d_buf, data->d_size / sizeof(uint32_t), header.sh_addr);
		return;
	}
	for (size_t at = 0; at < data->d_size; at += step) {
		size_t bytes = data->d_size - at < step ? data->d_size - at : step;
		uint64_t slot = decode_jump((const unsigned char *)data->d_buf + at, bytes, header.sh_addr + at);

		add_stub(plt, header.sh_addr + at, bytes, slot ? target_of(slots, slot) : NULL);
	}
}

void sp_plt_load(struct sp_plt *plt, const struct sp_object *object)
{
	static const char *const sections[] = {".plt", ".plt.sec", ".plt.got"};
	struct slots slots = {0};
	GElf_Ehdr header;

	if (!gelf_getehdr(object->elf, &header) || (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64) ||
		gelf_getclass(object->elf) != ELFCLASS64)
		return;
	load_relocations(&slots, object, header.e_machine, ".rela.plt");
	load_relocations(&slots, object, header.e_machine, ".rela.dyn");
	if (slots.count)
		qsort(slots.list, slots.count, sizeof(*slots.list), compare_slots);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		load_stubs(plt, &slots, object, header.e_machine, sections[i]);
	sp_interval_map_sort(&plt->intervals);
	free(slots.list);
}

void sp_plt_free(struct sp_plt *plt)
{
	free(plt->stubs);
	sp_interval_map_free(&plt->intervals);
	*plt = (struct sp_plt){0};
}

const struct sp_plt_stub *sp_plt_find(const struct sp_plt *plt, uint64_t address)
{
	const struct sp_interval *interval = sp_interval_map_find(&plt->intervals, address);

	return interval ? &plt->stubs[interval->index] : NULL;
}
