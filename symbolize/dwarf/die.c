/* Entries of a unit: see die.h, and chapters 2.3 and 7.5 of the DWARF 5 standard. */
#include "symbolize/dwarf/die.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/array.h"
#include "symbolize/base/input.h"
#include "symbolize/elf/object.h"

#define ABBREVIATIONS_LIMIT (1u << 20)
#define VARIABLE (-1)

/* An attribute that is of interest, or whose length only its value tells; the others are passed by together. */
struct sp_step {
	uint32_t before; /* bytes of the attributes since the last step */
	uint16_t name, form;
};

struct sp_abbreviation {
	uint64_t code;
	size_t first; /* step */
	uint32_t steps;
	uint32_t rest; /* bytes of the attributes behind the last step */
	uint16_t tag;
	bool children;
};

/* --- abbreviations ---------------------------------------------------------------------------- */

/* Bytes of a value; VARIABLE: to be read; of an unknown form too. */
static int form_bytes(const struct sp_entries *entries, unsigned form)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return entries->address_bytes;
	case DW_FORM_ref_addr:
		return entries->version < 3 ? entries->address_bytes : entries->offset_bytes;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return entries->offset_bytes;
	default:
		return VARIABLE;
	}
}

static bool is_of_interest(unsigned name)
{
	return name == DW_AT_sibling || name == DW_AT_low_pc || name == DW_AT_high_pc || name == DW_AT_ranges;
}

/* Reads an abbreviation's attributes. Returns 0 or -ENOMEM. */
static int read_attributes(struct sp_entries *entries, struct sp_abbreviation *abbreviation, struct sp_input *in)
{
	struct sp_abbreviations *all = &entries->abbreviations;
	uint64_t name, form;

	while (!in->bad) {
		int bytes;

		name = sp_take_leb(in, false);
		form = sp_take_leb(in, false);
		if (!name && !form)
			break;
		if (form == DW_FORM_implicit_const)
			sp_take_leb(in, true);
		form = form > UINT16_MAX ? UINT16_MAX : form;
		name = name > UINT16_MAX ? 0 : name;
		bytes = form_bytes(entries, (unsigned)form);
		if (bytes != VARIABLE && !is_of_interest((unsigned)name)) {
			abbreviation->rest += (uint32_t)bytes;
			continue;
		}
		if (sp_array_room(&all->steps, &all->steps_capacity, all->steps_count + 1, sizeof(*all->steps)))
			return -ENOMEM;
		all->steps[all->steps_count++] =
			(struct sp_step){.before = abbreviation->rest, .name = (uint16_t)name, .form = (uint16_t)form};
		abbreviation->steps++;
		abbreviation->rest = 0;
	}
	return 0;
}

static int compare_codes(const void *left, const void *right)
{
	const struct sp_abbreviation *a = left, *b = right;

	return a->code < b->code ? -1 : a->code > b->code;
}

static int read_abbreviations(struct sp_entries *entries, struct sp_input in)
{
	struct sp_abbreviations *all = &entries->abbreviations;
	bool ascending = true;
	int rc = 0;

	while (!rc && all->count < ABBREVIATIONS_LIMIT) {
		struct sp_abbreviation next = {.code = sp_take_leb(&in, false), .first = all->steps_count};
		uint64_t tag = sp_take_leb(&in, false);

		next.tag = tag > UINT16_MAX ? UINT16_MAX : (uint16_t)tag;
		next.children = sp_take(&in, 1) != 0;
		if (in.bad || !next.code)
			break;
		rc = read_attributes(entries, &next, &in);
		if (!rc)
			rc = sp_array_room(&all->list, &all->capacity, all->count + 1, sizeof(next));
		if (rc)
			break;
		ascending = ascending && (!all->count || all->list[all->count - 1].code < next.code);
		all->list[all->count++] = next;
	}
	if (!ascending)
		qsort(all->list, all->count, sizeof(*all->list), compare_codes);
	return rc;
}

static const struct sp_abbreviation *find_abbreviation(const struct sp_abbreviations *all, uint64_t code)
{
	/* as compilers number them */
	if (code - 1 < all->count && all->list[code - 1].code == code)
		return &all->list[code - 1];
	if (!all->count)
		return NULL;
	return bsearch(&(struct sp_abbreviation){.code = code}, all->list, all->count, sizeof(*all->list),
		compare_codes);
}

/* --- the unit --------------------------------------------------------------------------------- */

/* Lists of split units are relative to what their skeletons say: libdw reads those. */
static void find_lists(struct sp_entries *entries, Elf *elf, Dwarf_Die *unit)
{
	Elf_Data *data = sp_elf_debug_section(elf, entries->version < 5 ? ".debug_ranges" : ".debug_rnglists");
	Dwarf_Addr base = 0;

	if (data && (!dwarf_hasattr(unit, DW_AT_low_pc) || !dwarf_lowpc(unit, &base)) &&
		!dwarf_hasattr(unit, DW_AT_entry_pc))
		entries->lists = (struct sp_range_lists){.section = data->d_buf,
			.bytes = data->d_size,
			.base = base,
			.version = entries->version,
			.address_bytes = entries->address_bytes};
}

static bool holds(const Elf_Data *data, const uint8_t *at)
{
	const uint8_t *start = data ? data->d_buf : NULL;

	return start && at >= start && at < start + data->d_size;
}

/* Reads the unit's header. Returns where in the section of abbreviations its table begins; entries->header
 * stays NULL when it cannot be read. */
static uint64_t read_header(struct sp_entries *entries, const uint8_t *header, const uint8_t *section_end)
{
	struct sp_input in = {.at = header, .end = section_end};
	uint64_t length = sp_take(&in, 4), abbreviations;

	entries->offset_bytes = 4;
	if (length == 0xffffffffu) {
		entries->offset_bytes = 8;
		length = sp_take(&in, 8);
	}
	entries->end = length < (uint64_t)(section_end - in.at) ? in.at + length : section_end;
	entries->version = (uint16_t)sp_take(&in, 2);
	if (entries->version >= 5) {
		sp_skip(&in, 1);
		entries->address_bytes = (uint8_t)sp_take(&in, 1);
		abbreviations = sp_take(&in, entries->offset_bytes);
	} else {
		abbreviations = sp_take(&in, entries->offset_bytes);
		entries->address_bytes = (uint8_t)sp_take(&in, 1);
	}
	if (!in.bad && entries->version >= 2 && entries->version <= 5)
		entries->header = header;
	return abbreviations;
}

int sp_entries_open(struct sp_entries *entries, Dwarf_Die *unit, bool own_lists)
{
	Dwarf *dwarf = dwarf_cu_getdwarf(unit->cu);
	Elf *elf = dwarf_getelf(dwarf);
	const uint8_t *header = (const uint8_t *)unit->addr - dwarf_cuoffset(unit);
	Elf_Data *info = sp_elf_debug_section(elf, ".debug_info"), *abbrev;
	bool split = !holds(info, header);
	uint64_t offset;

	*entries = (struct sp_entries){.dwarf = dwarf};
	if (split)
		info = sp_elf_debug_section(elf, ".debug_info.dwo");
	abbrev = sp_elf_debug_section(elf, split ? ".debug_abbrev.dwo" : ".debug_abbrev");
	if (!holds(info, header) || !abbrev)
		return 0;
	offset = read_header(entries, header, (const uint8_t *)info->d_buf + info->d_size);
	if (!entries->header || offset >= abbrev->d_size)
		return 0;
	if (!split && own_lists)
		find_lists(entries, elf, unit);
	return read_abbreviations(entries,
		(struct sp_input){.at = (const uint8_t *)abbrev->d_buf + offset,
			.end = (const uint8_t *)abbrev->d_buf + abbrev->d_size});
}

void sp_entries_close(struct sp_entries *entries)
{
	free(entries->abbreviations.list);
	free(entries->abbreviations.steps);
	*entries = (struct sp_entries){0};
}

bool sp_entry_die(const struct sp_entries *entries, const uint8_t *at, Dwarf_Die *die)
{
	return dwarf_die_addr_die(entries->dwarf, (void *)at, die);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Passes by a value of variable length. */
static void skip_value(const struct sp_entries *entries, struct sp_input *in, unsigned form)
{
	int bytes = form_bytes(entries, form);

	if (form == DW_FORM_indirect) {
		form = (unsigned)sp_take_leb(in, false);
		bytes = form_bytes(entries, form);
	}
	if (bytes != VARIABLE) {
		sp_skip(in, (uint64_t)bytes);
		return;
	}
	switch (form) {
	case DW_FORM_string:
		sp_skip(in, strnlen((const char *)in->at, (size_t)(in->end - in->at)) + 1);
		break;
	case DW_FORM_sdata:
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		sp_take_leb(in, false);
		break;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		sp_skip(in, sp_take_leb(in, false));
		break;
	case DW_FORM_block1:
		sp_skip(in, sp_take(in, 1));
		break;
	case DW_FORM_block2:
		sp_skip(in, sp_take(in, 2));
		break;
	case DW_FORM_block4:
		sp_skip(in, sp_take(in, 4));
		break;
	default:
		in->bad = true;
	}
}

/* A number of a form that has a fixed length or is a LEB128. */
static uint64_t take_number(const struct sp_entries *entries, struct sp_input *in, unsigned form)
{
	int bytes = form_bytes(entries, form);

	return bytes == VARIABLE ? sp_take_leb(in, false) : sp_take(in, (size_t)bytes);
}

/* A function's length. */
static bool take_length(const struct sp_entries *entries, struct sp_input *in, unsigned form, uint64_t *length)
{
	switch (form) {
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_udata:
		*length = take_number(entries, in, form);
		return true;
	default:
		return false;
	}
}

static const uint8_t *sibling_at(const struct sp_entries *entries, struct sp_input in, unsigned form)
{
	uint64_t offset;

	switch (form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		offset = take_number(entries, &in, form);
		break;
	default:
		return NULL;
	}
	return in.bad || offset >= (uint64_t)(entries->end - entries->header) ? NULL : entries->header + offset;
}

/* What is known of the code after its attributes so far. */
struct pieces {
	bool low, length, address, listed, list;
	uint64_t offset; /* of the list */
};

static void read_step(const struct sp_entries *entries, const struct sp_step *step, struct sp_input value,
	struct sp_entry *entry, struct pieces *pieces)
{
	switch (step->name) {
	case DW_AT_sibling:
		entry->sibling = sibling_at(entries, value, step->form);
		break;
	case DW_AT_low_pc:
		pieces->listed = true;
		pieces->low = step->form == DW_FORM_addr;
		entry->low = pieces->low ? sp_take(&value, entries->address_bytes) : 0;
		break;
	case DW_AT_high_pc:
		pieces->address = step->form == DW_FORM_addr;
		if (pieces->address)
			entry->high = sp_take(&value, entries->address_bytes);
		else
			pieces->length = take_length(entries, &value, step->form, &entry->high);
		break;
	case DW_AT_ranges:
		pieces->listed = true;
		pieces->list = step->form == DW_FORM_sec_offset && entries->lists.section;
		pieces->offset = pieces->list ? sp_take(&value, entries->offset_bytes) : 0;
		break;
	}
}

static void settle_code(struct sp_entry *entry, const struct pieces *pieces)
{
	if (!pieces->low || (!pieces->length && !pieces->address)) {
		entry->code = pieces->list ? SP_CODE_LIST : pieces->listed ? SP_CODE_LISTED : SP_CODE_NONE;
		entry->low = pieces->offset;
		return;
	}
	entry->code = SP_CODE_RANGE;
	if (pieces->length)
		entry->high += entry->low;
}

bool sp_entry_next(struct sp_entry_walk *walk, struct sp_entry *entry)
{
	const struct sp_entries *entries = walk->entries;
	struct sp_input in = {.at = walk->at, .end = entries->end};
	const struct sp_abbreviation *abbreviation;
	struct pieces pieces = {0};
	uint64_t code;

	if (!entries->header || in.at >= in.end)
		return false;
	*entry = (struct sp_entry){.at = in.at};
	code = sp_take_leb(&in, false);
	abbreviation = code ? find_abbreviation(&entries->abbreviations, code) : NULL;
	if (!abbreviation) {
		walk->at = code ? in.end : in.at; /* damage, or the end of a list */
		return false;
	}
	for (size_t i = 0; i < abbreviation->steps; i++) {
		const struct sp_step *step = &entries->abbreviations.steps[abbreviation->first + i];

		sp_skip(&in, step->before);
		read_step(entries, step, in, entry, &pieces);
		skip_value(entries, &in, step->form);
	}
	sp_skip(&in, abbreviation->rest);
	settle_code(entry, &pieces);
	entry->tag = abbreviation->tag;
	entry->children = abbreviation->children;
	walk->at = in.bad ? in.end : in.at;
	return !in.bad;
}

void sp_entry_skip_children(struct sp_entry_walk *walk, const struct sp_entry *entry)
{
	struct sp_entry inner = *entry;
	size_t depth = 0;

	do {
		if (inner.children && inner.sibling && inner.sibling > walk->at)
			walk->at = inner.sibling;
		else
			depth += inner.children;
		while (depth && !sp_entry_next(walk, &inner)) {
			depth--;
			inner.children = false;
		}
	} while (depth);
}
