/* DIEs of a unit: see die.h, and chapters 2.3 and 7.5 of the DWARF 5 standard. */
#include "symbolize/dwarf/die.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/elf/object.h"

#define ABBREVIATIONS_LIMIT (1u << 20)

/* An attribute that is of interest, or whose length only its value tells; the others are passed by together. */
struct sp_abbreviation_attribute {
	uint32_t before; /* bytes of the attributes passed by since the one kept before */
	uint16_t name, form;
};

struct sp_abbreviation {
	uint64_t code;
	size_t first; /* of the attributes kept */
	uint32_t attributes;
	uint32_t rest; /* bytes of the attributes behind the last one kept */
	uint16_t tag;
	bool children;
};

/* --- abbreviations ---------------------------------------------------------------------------- */

static bool is_of_interest(unsigned name)
{
	return name == DW_AT_sibling || name == DW_AT_low_pc || name == DW_AT_high_pc || name == DW_AT_ranges;
}

/* Reads an abbreviation's attributes. */
static void read_attributes(struct sp_dies *dies, struct sp_abbreviation *abbreviation, struct sp_input *in)
{
	struct sp_abbreviations *all = &dies->abbreviations;
	uint64_t name, form;

	while (sp_attribute_take(in, &name, &form)) {
		int bytes;

		form = form > UINT16_MAX ? UINT16_MAX : form;
		name = name > UINT16_MAX ? 0 : name;
		bytes = sp_form_bytes(&dies->format, (unsigned)form);
		if (bytes != SP_FORM_VARIABLE && !is_of_interest((unsigned)name)) {
			abbreviation->rest += (uint32_t)bytes;
			continue;
		}
		sp_grow(&all->attributes, &all->attribute_capacity, all->attribute_count + 1, sizeof(*all->attributes));
		all->attributes[all->attribute_count++] = (struct sp_abbreviation_attribute){
			.before = abbreviation->rest, .name = (uint16_t)name, .form = (uint16_t)form};
		abbreviation->attributes++;
		abbreviation->rest = 0;
	}
}

static int compare_codes(const void *left, const void *right)
{
	const struct sp_abbreviation *a = left, *b = right;

	return a->code < b->code ? -1 : a->code > b->code;
}

static void read_abbreviations(struct sp_dies *dies, struct sp_input in)
{
	struct sp_abbreviations *all = &dies->abbreviations;
	bool ascending = true;

	while (all->count < ABBREVIATIONS_LIMIT) {
		struct sp_abbreviation next = {.first = all->attribute_count};
		uint64_t tag;

		if (!sp_abbreviation_take(&in, &next.code, &tag, &next.children))
			break;
		next.tag = tag > UINT16_MAX ? UINT16_MAX : (uint16_t)tag;
		read_attributes(dies, &next, &in);
		sp_grow(&all->list, &all->capacity, all->count + 1, sizeof(next));
		ascending = ascending && (!all->count || all->list[all->count - 1].code < next.code);
		all->list[all->count++] = next;
	}
	if (!ascending)
		qsort(all->list, all->count, sizeof(*all->list), compare_codes);
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
static void find_lists(struct sp_dies *dies, Elf *elf, Dwarf_Die *unit)
{
	Elf_Data *data = sp_elf_debug_section(elf, dies->format.version < 5 ? ".debug_ranges" : ".debug_rnglists");
	Dwarf_Addr base = 0;

	if (data && (!dwarf_hasattr(unit, DW_AT_low_pc) || !dwarf_lowpc(unit, &base)) &&
		!dwarf_hasattr(unit, DW_AT_entry_pc))
		dies->lists = (struct sp_range_lists){.section = data->d_buf,
			.bytes = data->d_size,
			.base = base,
			.version = dies->format.version,
			.address_bytes = dies->format.address_bytes};
}

static bool holds(const Elf_Data *data, const uint8_t *at)
{
	const uint8_t *start = data ? data->d_buf : NULL;

	return start && at >= start && at < start + data->d_size;
}

/* Reads the unit's header. Returns where in the section of abbreviations its table begins; dies->header
 * stays NULL when it cannot be read. */
static uint64_t read_header(struct sp_dies *dies, const uint8_t *header, const uint8_t *section_end)
{
	struct sp_input in = {.at = header, .end = section_end};
	uint64_t length = sp_take(&in, 4), abbreviations;

	dies->format.offset_bytes = 4;
	if (length == 0xffffffffu) {
		dies->format.offset_bytes = 8;
		length = sp_take(&in, 8);
	}
	dies->end = length < (uint64_t)(section_end - in.at) ? in.at + length : section_end;
	dies->format.version = (uint16_t)sp_take(&in, 2);
	if (dies->format.version >= 5) {
		sp_skip(&in, 1);
		dies->format.address_bytes = (uint8_t)sp_take(&in, 1);
		abbreviations = sp_take(&in, dies->format.offset_bytes);
	} else {
		abbreviations = sp_take(&in, dies->format.offset_bytes);
		dies->format.address_bytes = (uint8_t)sp_take(&in, 1);
	}
	if (!in.bad && dies->format.version >= 2 && dies->format.version <= 5)
		dies->header = header;
	return abbreviations;
}

void sp_dies_open(struct sp_dies *dies, Dwarf_Die *unit, bool own_lists)
{
	Dwarf *dwarf = dwarf_cu_getdwarf(unit->cu);
	Elf *elf = dwarf_getelf(dwarf);
	const uint8_t *header = (const uint8_t *)unit->addr - dwarf_cuoffset(unit);
	Elf_Data *info = sp_elf_debug_section(elf, ".debug_info"), *abbrev;
	bool split = !holds(info, header);
	uint64_t offset;

	*dies = (struct sp_dies){.dwarf = dwarf};
	if (split)
		info = sp_elf_debug_section(elf, ".debug_info.dwo");
	abbrev = sp_elf_debug_section(elf, split ? ".debug_abbrev.dwo" : ".debug_abbrev");
	if (!holds(info, header) || !abbrev)
		return;
	offset = read_header(dies, header, (const uint8_t *)info->d_buf + info->d_size);
	if (!dies->header || offset >= abbrev->d_size)
		return;
	if (!split && own_lists)
		find_lists(dies, elf, unit);
	read_abbreviations(dies,
		(struct sp_input){.at = (const uint8_t *)abbrev->d_buf + offset,
			.end = (const uint8_t *)abbrev->d_buf + abbrev->d_size});
}

void sp_dies_close(struct sp_dies *dies)
{
	free(dies->abbreviations.list);
	free(dies->abbreviations.attributes);
	*dies = (struct sp_dies){0};
}

bool sp_die_for_libdw(const struct sp_dies *dies, const uint8_t *at, Dwarf_Die *die)
{
	return dwarf_die_addr_die(dies->dwarf, (void *)at, die);
}

/* --- DIEs ------------------------------------------------------------------------------------- */

/* A number of a form that has a fixed length or is a LEB128. */
static uint64_t take_number(const struct sp_dies *dies, struct sp_input *in, unsigned form)
{
	int bytes = sp_form_bytes(&dies->format, form);

	return bytes == SP_FORM_VARIABLE ? sp_take_leb(in, false) : sp_take(in, (size_t)bytes);
}

/* A function's length. */
static bool take_length(const struct sp_dies *dies, struct sp_input *in, unsigned form, uint64_t *length)
{
	switch (form) {
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_udata:
		*length = take_number(dies, in, form);
		return true;
	default:
		return false;
	}
}

static const uint8_t *sibling_at(const struct sp_dies *dies, struct sp_input in, unsigned form)
{
	uint64_t offset;

	switch (form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		offset = take_number(dies, &in, form);
		break;
	default:
		return NULL;
	}
	return in.bad || offset >= (uint64_t)(dies->end - dies->header) ? NULL : dies->header + offset;
}

/* What is known of the code after its attributes so far. */
struct pieces {
	bool low, length, address, listed, list;
	uint64_t offset; /* of the list */
};

static void read_attribute(const struct sp_dies *dies, const struct sp_abbreviation_attribute *attribute,
	struct sp_input value, struct sp_die *die, struct pieces *pieces)
{
	switch (attribute->name) {
	case DW_AT_sibling:
		die->sibling = sibling_at(dies, value, attribute->form);
		break;
	case DW_AT_low_pc:
		pieces->listed = true;
		pieces->low = attribute->form == DW_FORM_addr;
		die->low = pieces->low ? sp_take(&value, dies->format.address_bytes) : 0;
		break;
	case DW_AT_high_pc:
		pieces->address = attribute->form == DW_FORM_addr;
		if (pieces->address)
			die->high = sp_take(&value, dies->format.address_bytes);
		else
			pieces->length = take_length(dies, &value, attribute->form, &die->high);
		break;
	case DW_AT_ranges:
		pieces->listed = true;
		pieces->list = attribute->form == DW_FORM_sec_offset && dies->lists.section;
		pieces->offset = pieces->list ? sp_take(&value, dies->format.offset_bytes) : 0;
		break;
	}
}

static void settle_code(struct sp_die *die, const struct pieces *pieces)
{
	if (!pieces->low || (!pieces->length && !pieces->address)) {
		die->code = pieces->list ? SP_CODE_LIST : pieces->listed ? SP_CODE_LISTED : SP_CODE_NONE;
		die->low = pieces->offset;
		return;
	}
	die->code = SP_CODE_RANGE;
	if (pieces->length)
		die->high += die->low;
}

bool sp_die_next(struct sp_die_walk *walk, struct sp_die *die)
{
	const struct sp_dies *dies = walk->dies;
	struct sp_input in = {.at = walk->at, .end = dies->end};
	const struct sp_abbreviation *abbreviation;
	struct pieces pieces = {0};
	uint64_t code;

	if (!dies->header || in.at >= in.end)
		return false;
	*die = (struct sp_die){.at = in.at};
	code = sp_take_leb(&in, false);
	abbreviation = code ? find_abbreviation(&dies->abbreviations, code) : NULL;
	if (!abbreviation) {
		walk->at = code ? in.end : in.at; /* damage, or the end of a list */
		return false;
	}
	for (size_t i = 0; i < abbreviation->attributes; i++) {
		const struct sp_abbreviation_attribute *attribute =
			&dies->abbreviations.attributes[abbreviation->first + i];

		sp_skip(&in, attribute->before);
		read_attribute(dies, attribute, in, die, &pieces);
		sp_form_skip(&dies->format, &in, attribute->form);
	}
	sp_skip(&in, abbreviation->rest);
	settle_code(die, &pieces);
	die->tag = abbreviation->tag;
	die->children = abbreviation->children;
	walk->at = in.bad ? in.end : in.at;
	return !in.bad;
}

void sp_die_skip_children(struct sp_die_walk *walk, const struct sp_die *die)
{
	struct sp_die inner = *die;
	size_t depth = 0;

	do {
		if (inner.children && inner.sibling && inner.sibling > walk->at)
			walk->at = inner.sibling;
		else
			depth += inner.children;
		while (depth && !sp_die_next(walk, &inner)) {
			depth--;
			inner.children = false;
		}
	} while (depth);
}
