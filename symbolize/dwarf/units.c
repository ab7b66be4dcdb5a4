/* Indices over DWARF: see units.h.
 *
 * Debug information may be damaged or hostile: see die.h. */
#include "symbolize/dwarf/units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolize/base/array.h"

#define DEPTH_LIMIT 256u
#define RANGES_LIMIT 65536u

struct walk {
	struct sp_entry_walk entries;
	const struct sp_spans *code;
	const struct sp_wanted *wanted;
	bool deep;
	int rc;
};

static bool is_wanted(const struct sp_wanted *wanted, uint64_t low, uint64_t high)
{
	size_t from = 0, to = wanted->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (wanted->list[middle] < low)
			from = middle + 1;
		else
			to = middle;
	}
	return from < wanted->count && wanted->list[from] < high;
}

/* Adds a range, if it is wanted; one outside of code is what remains of a function the linker dropped. */
static int add_range(const struct walk *walk, struct sp_spans *spans, uint64_t low, uint64_t high, uint32_t rank,
	size_t index)
{
	if ((walk->code && !sp_spans_find(walk->code, low)) || (walk->wanted && !is_wanted(walk->wanted, low, high)))
		return 0;
	return sp_spans_add(spans, low, high, rank, (uint32_t)index);
}

/* Adds those of the entry. */
static int add_ranges(const struct walk *walk, struct sp_spans *spans, Dwarf_Die *die, uint32_t rank, size_t index)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;
	int rc = 0;

	for (unsigned i = 0; i < RANGES_LIMIT && !rc; i++) {
		offset = dwarf_ranges(die, offset, &base, &low, &high);
		if (offset <= 0)
			break;
		rc = add_range(walk, spans, low, high, rank, index);
	}
	return rc;
}

static bool has_code(Dwarf_Die *die)
{
	return dwarf_hasattr(die, DW_AT_low_pc) || dwarf_hasattr(die, DW_AT_ranges);
}

static int add_unit(struct sp_units *units, const Dwarf_Die *die)
{
	if (sp_array_room(&units->list, &units->capacity, units->count + 1, sizeof(*units->list)))
		return -ENOMEM;
	units->list[units->count++] = (struct sp_unit){.die = *die};
	return 0;
}

/* Units that do not tell their ranges themselves may have them in .debug_aranges. */
static int add_aranges(struct sp_units *units, Dwarf *dwarf, const struct sp_spans *code)
{
	struct sp_unit *unit = NULL;
	Dwarf_Aranges *aranges;
	size_t count = 0;
	int rc = 0;

	if (dwarf_getaranges(dwarf, &aranges, &count))
		return 0;
	for (size_t i = 0; i < count && !rc; i++) {
		Dwarf_Addr low;
		Dwarf_Word bytes;
		Dwarf_Off offset;
		Dwarf_Die die;

		if (dwarf_getarangeinfo(dwarf_onearange(aranges, i), &low, &bytes, &offset))
			continue;
		if (!sp_spans_find(code, low) || !dwarf_offdie(dwarf, offset, &die) || has_code(&die))
			continue;
		if (!unit || unit->die.addr != die.addr) {
			rc = add_unit(units, &die);
			unit = rc ? NULL : &units->list[units->count - 1];
		}
		if (!rc)
			rc = sp_spans_add(&units->spans, low, low + bytes, 0, (uint32_t)units->count - 1);
	}
	return rc;
}

int sp_units_load(struct sp_units *units, Dwarf *dwarf, const struct sp_spans *code)
{
	struct walk walk = {.code = code};
	bool rangeless = false;
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	int rc = 0;

	while (!rc && !dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL)) {
		size_t before = units->spans.count;

		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (!has_code(&die)) {
			rangeless = true;
			continue;
		}
		rc = add_ranges(&walk, &units->spans, &die, 0, units->count);
		if (!rc && units->spans.count > before)
			rc = add_unit(units, &die);
	}
	if (!rc && rangeless)
		rc = add_aranges(units, dwarf, code);
	sp_spans_sort(&units->spans);
	return rc;
}

static void free_functions(struct sp_unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		struct sp_inlines *inlines = unit->functions[i].inlines;

		if (!inlines)
			continue;
		sp_spans_free(&inlines->spans);
		free(inlines->list);
		free(inlines);
	}
	free(unit->functions);
	sp_spans_free(&unit->spans);
	unit->functions = NULL;
	unit->count = unit->capacity = 0;
}

void sp_unit_release(struct sp_unit *unit)
{
	free_functions(unit);
	sp_lines_free(&unit->lines);
	sp_files_free(&unit->files);
	sp_entries_close(&unit->entries);
	unit->depth = SP_UNIT_UNREAD;
}

void sp_units_free(struct sp_units *units)
{
	for (size_t i = 0; i < units->count; i++) {
		sp_unit_release(&units->list[i]);
		sp_files_free(&units->list[i].body_files);
	}
	free(units->list);
	sp_spans_free(&units->spans);
	*units = (struct sp_units){0};
}

/* Adds those of a list; -ENOENT: libdw must read it. */
static int add_list(const struct walk *walk, struct sp_spans *spans, uint64_t offset, uint32_t rank, size_t index)
{
	struct sp_range_walk ranges = sp_ranges_begin(&walk->entries.entries->lists, offset);
	uint64_t low, high;
	int rc = 0;

	for (unsigned i = 0; i < RANGES_LIMIT && !rc && sp_ranges_next(&ranges, &low, &high); i++)
		rc = add_range(walk, spans, low, high, rank, index);
	return ranges.foreign ? -ENOENT : rc;
}

/* Adds the entry's ranges, as far as they are code (NULL: all) and wanted. */
static int add_code(struct walk *walk, struct sp_spans *spans, const struct sp_entry *entry, uint32_t rank,
	size_t index)
{
	size_t before = spans->count;
	Dwarf_Die die;
	int rc;

	if (entry->code == SP_CODE_NONE)
		return 0;
	if (entry->code == SP_CODE_RANGE)
		return add_range(walk, spans, entry->low, entry->high, rank, index);
	rc = entry->code == SP_CODE_LIST ? add_list(walk, spans, entry->low, rank, index) : -ENOENT;
	if (rc != -ENOENT)
		return rc;
	spans->count = before;
	return sp_entry_die(walk->entries.entries, entry->at, &die) ? add_ranges(walk, spans, &die, rank, index) : 0;
}

static void add_function(struct walk *walk, struct sp_unit *unit, const struct sp_entry *entry)
{
	size_t before = unit->spans.count;

	if (entry->code == SP_CODE_NONE)
		return;
	walk->rc = sp_array_room(&unit->functions, &unit->capacity, unit->count + 1, sizeof(*unit->functions));
	if (!walk->rc)
		walk->rc = add_code(walk, &unit->spans, entry, 0, unit->count);
	if (!walk->rc && unit->spans.count > before)
		unit->functions[unit->count++] = (struct sp_function){.at = entry->at};
}

/* Where compilers put functions: in units and namespaces. The deep walk, made only when that was
 * not enough, also looks into types and other functions. */
static bool may_hold_functions(unsigned tag, bool deep)
{
	return deep || tag == DW_TAG_namespace || tag == DW_TAG_module;
}

/* The walk stands at the first child. */
static void collect_functions(struct walk *walk, struct sp_unit *unit, unsigned depth)
{
	struct sp_entry entry;

	while (!walk->rc && sp_entry_next(&walk->entries, &entry)) {
		if (entry.tag == DW_TAG_subprogram)
			add_function(walk, unit, &entry);
		if (entry.children && depth < DEPTH_LIMIT && may_hold_functions(entry.tag, walk->deep))
			collect_functions(walk, unit, depth + 1);
		else
			sp_entry_skip_children(&walk->entries, &entry);
	}
}

static void read_functions(struct sp_unit *unit, enum sp_unit_depth depth, const struct sp_spans *code, size_t *cost)
{
	struct walk walk = {.code = code, .deep = depth == SP_UNIT_DEEP};
	struct sp_entry body;

	free_functions(unit);
	if (!unit->entries.header)
		walk.rc = sp_entries_open(&unit->entries, &unit->body, unit->body.addr == unit->die.addr);
	walk.entries = (struct sp_entry_walk){.entries = &unit->entries, .at = unit->body.addr};
	if (!walk.rc && sp_entry_next(&walk.entries, &body) && body.children)
		collect_functions(&walk, unit, 0);
	sp_spans_sort(&unit->spans);
	unit->depth = depth;
	*cost += unit->count * 2;
}

struct sp_function *sp_unit_function(struct sp_unit *unit, uint64_t address, const struct sp_spans *code, size_t *cost)
{
	const struct sp_span *span;

	if (unit->depth == SP_UNIT_UNREAD)
		read_functions(unit, SP_UNIT_SHALLOW, code, cost);
	span = sp_spans_find(&unit->spans, address);
	if (!span && unit->depth == SP_UNIT_SHALLOW) {
		read_functions(unit, SP_UNIT_DEEP, code, cost);
		span = sp_spans_find(&unit->spans, address);
	}
	return span ? &unit->functions[span->index] : NULL;
}

static void add_inline(struct walk *walk, struct sp_inlines *inlines, const struct sp_entry *entry, uint32_t parent,
	unsigned depth)
{
	walk->rc = sp_array_room(&inlines->list, &inlines->capacity, inlines->count + 1, sizeof(*inlines->list));
	if (walk->rc)
		return;
	inlines->list[inlines->count] = (struct sp_inline){.at = entry->at, .parent = parent};
	walk->rc = add_code(walk, &inlines->spans, entry, depth, inlines->count++);
}

static bool is_scope(unsigned tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
		tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

/* The walk stands at the first child. Blocks are entered whatever their own ranges say: compilers do not
 * always let a block cover what was inlined in it. */
static void collect_inlines(struct walk *walk, struct sp_inlines *inlines, uint32_t around, unsigned depth)
{
	struct sp_entry entry;

	while (!walk->rc && sp_entry_next(&walk->entries, &entry)) {
		uint32_t inner = around;

		if (entry.tag == DW_TAG_inlined_subroutine) {
			inner = (uint32_t)inlines->count;
			add_inline(walk, inlines, &entry, around, depth);
		}
		if (entry.children && depth < DEPTH_LIMIT && is_scope(entry.tag))
			collect_inlines(walk, inlines, inner, depth + 1);
		else
			sp_entry_skip_children(&walk->entries, &entry);
	}
}

const struct sp_inlines *sp_function_inlines(const struct sp_unit *unit, struct sp_function *function,
	const struct sp_wanted *wanted, size_t *cost)
{
	struct walk walk = {
		.entries = {.entries = &unit->entries, .at = function->at}, .wanted = wanted->count ? wanted : NULL};
	struct sp_entry entry;

	if (!function->inlines) {
		function->inlines = calloc(1, sizeof(*function->inlines));
		if (!function->inlines)
			return NULL;
		if (sp_entry_next(&walk.entries, &entry) && entry.children)
			collect_inlines(&walk, function->inlines, SP_INLINE_NONE, 0);
		sp_spans_sort(&function->inlines->spans);
		*cost += function->inlines->count * 2;
	}
	return function->inlines;
}
