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

static void load_relocations(struct slots *slots, const struct sp_object *object, const char *section)
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
		if (GELF_R_TYPE(rela.r_info) != R_X86_64_JUMP_SLOT && GELF_R_TYPE(rela.r_info) != R_X86_64_GLOB_DAT)
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

static void load_stubs(struct sp_plt *plt, const struct slots *slots, const struct sp_object *object,
	const char *section)
{
	GElf_Shdr header = {0};
	Elf_Scn *scn = sp_object_section(object, section, &header);
	Elf_Data *data = scn && (header.sh_flags & SHF_EXECINSTR) ? elf_rawdata(scn, NULL) : NULL;
	size_t step = header.sh_entsize == SHORT_STUB_BYTES ? SHORT_STUB_BYTES : STUB_BYTES;

	if (!data || !data->d_buf || data->d_size > SECTION_LIMIT_BYTES)
		return;
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

	if (!gelf_getehdr(object->elf, &header) || header.e_machine != EM_X86_64 ||
		gelf_getclass(object->elf) != ELFCLASS64)
		return;
	load_relocations(&slots, object, ".rela.plt");
	load_relocations(&slots, object, ".rela.dyn");
	if (slots.count)
		qsort(slots.list, slots.count, sizeof(*slots.list), compare_slots);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		load_stubs(plt, &slots, object, sections[i]);
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
