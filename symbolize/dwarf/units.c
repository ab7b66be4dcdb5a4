/* Indices over DWARF: see units.h.
 *
 * Debug information may be damaged or hostile: see die.h. */
#include "symbolize/dwarf/units.h"

#include <dwarf.h>
#include <stdlib.h>

#include "symbolize/base/memory.h"

#define DEPTH_LIMIT 256u
#define RANGES_LIMIT 65536u

struct walk {
	struct sp_die_walk dies;
	const struct sp_interval_map *code;
	const struct sp_wanted *wanted;
	bool deep;
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
static void add_range(const struct walk *walk, struct sp_interval_map *intervals, uint64_t low, uint64_t high,
	uint32_t rank, size_t index)
{
	if ((walk->code && !sp_interval_map_find(walk->code, low)) ||
		(walk->wanted && !is_wanted(walk->wanted, low, high)))
		return;
	sp_interval_map_add(intervals, low, high, rank, (uint32_t)index);
}

/* Adds those of the DIE. */
static void add_ranges(const struct walk *walk, struct sp_interval_map *intervals, Dwarf_Die *libdw_die, uint32_t rank,
	size_t index)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	for (unsigned i = 0; i < RANGES_LIMIT; i++) {
		offset = dwarf_ranges(libdw_die, offset, &base, &low, &high);
		if (offset <= 0)
			break;
		add_range(walk, intervals, low, high, rank, index);
	}
}

static bool has_code(Dwarf_Die *libdw_die)
{
	return dwarf_hasattr(libdw_die, DW_AT_low_pc) || dwarf_hasattr(libdw_die, DW_AT_ranges);
}

static void add_unit(struct sp_units *units, const Dwarf_Die *libdw_die)
{
	sp_grow(&units->list, &units->capacity, units->count + 1, sizeof(*units->list));
	units->list[units->count++] = (struct sp_unit){.die = *libdw_die};
}

/* Units that do not tell their ranges themselves may have them in .debug_aranges. */
static void add_aranges(struct sp_units *units, Dwarf *dwarf, const struct sp_interval_map *code)
{
	struct sp_unit *unit = NULL;
	Dwarf_Aranges *aranges;
	size_t count = 0;

	if (dwarf_getaranges(dwarf, &aranges, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		Dwarf_Addr low;
		Dwarf_Word bytes;
		Dwarf_Off offset;
		Dwarf_Die libdw_die;

		if (dwarf_getarangeinfo(dwarf_onearange(aranges, i), &low, &bytes, &offset))
			continue;
		if (!sp_interval_map_find(code, low) || !dwarf_offdie(dwarf, offset, &libdw_die) ||
			has_code(&libdw_die))
			continue;
		if (!unit || unit->die.addr != libdw_die.addr) {
			add_unit(units, &libdw_die);
			unit = &units->list[units->count - 1];
		}
		sp_interval_map_add(&units->intervals, low, low + bytes, 0, (uint32_t)units->count - 1);
	}
}

void sp_units_load(struct sp_units *units, Dwarf *dwarf, const struct sp_interval_map *code)
{
	struct walk walk = {.code = code};
	bool rangeless = false;
	Dwarf_CU *cu = NULL;
	Dwarf_Die libdw_die;
	uint8_t type;

	while (!dwarf_get_units(dwarf, cu, &cu, NULL, &type, &libdw_die, NULL)) {
		size_t before = units->intervals.count;

		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (!has_code(&libdw_die)) {
			rangeless = true;
			continue;
		}
		add_ranges(&walk, &units->intervals, &libdw_die, 0, units->count);
		if (units->intervals.count > before)
			add_unit(units, &libdw_die);
	}
	if (rangeless)
		add_aranges(units, dwarf, code);
	sp_interval_map_sort(&units->intervals);
}

static void free_functions(struct sp_unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		struct sp_inlines *inlines = unit->functions[i].inlines;

		if (!inlines)
			continue;
		sp_interval_map_free(&inlines->intervals);
		free(inlines->list);
		free(inlines);
	}
	free(unit->functions);
	sp_interval_map_free(&unit->intervals);
	unit->functions = NULL;
	unit->count = unit->capacity = 0;
}

void sp_unit_release(struct sp_unit *unit)
{
	free_functions(unit);
	sp_line_table_free(&unit->lines);
	sp_file_table_free(&unit->files);
	sp_dies_close(&unit->dies);
	unit->depth = SP_UNIT_UNREAD;
}

void sp_units_free(struct sp_units *units)
{
	for (size_t i = 0; i < units->count; i++) {
		sp_unit_release(&units->list[i]);
		sp_file_table_free(&units->list[i].body_files);
	}
	free(units->list);
	sp_interval_map_free(&units->intervals);
	*units = (struct sp_units){0};
}

/* Adds those of a list; false: libdw must read it. */
static bool add_list(const struct walk *walk, struct sp_interval_map *intervals, uint64_t offset, uint32_t rank,
	size_t index)
{
	struct sp_range_walk ranges = sp_ranges_begin(&walk->dies.dies->lists, offset);
	uint64_t low, high;

	for (unsigned i = 0; i < RANGES_LIMIT && sp_ranges_next(&ranges, &low, &high); i++)
		add_range(walk, intervals, low, high, rank, index);
	return !ranges.foreign;
}

/* Adds the DIE's ranges, as far as they are code (NULL: all) and wanted. */
static void add_code(struct walk *walk, struct sp_interval_map *intervals, const struct sp_die *die, uint32_t rank,
	size_t index)
{
	size_t before = intervals->count;
	Dwarf_Die libdw_die;

	if (die->code == SP_CODE_NONE)
		return;
	if (die->code == SP_CODE_RANGE) {
		add_range(walk, intervals, die->low, die->high, rank, index);
		return;
	}
	if (die->code == SP_CODE_LIST && add_list(walk, intervals, die->low, rank, index))
		return;
	intervals->count = before;
	if (sp_die_for_libdw(walk->dies.dies, die->at, &libdw_die))
		add_ranges(walk, intervals, &libdw_die, rank, index);
}

static void add_function(struct walk *walk, struct sp_unit *unit, const struct sp_die *die)
{
	size_t before = unit->intervals.count;

	if (die->code == SP_CODE_NONE)
		return;
	sp_grow(&unit->functions, &unit->capacity, unit->count + 1, sizeof(*unit->functions));
	add_code(walk, &unit->intervals, die, 0, unit->count);
	if (unit->intervals.count > before)
		unit->functions[unit->count++] = (struct sp_subprogram){.at = die->at};
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
	struct sp_die die;

	while (sp_die_next(&walk->dies, &die)) {
		if (die.tag == DW_TAG_subprogram)
			add_function(walk, unit, &die);
		if (die.children && depth < DEPTH_LIMIT && may_hold_functions(die.tag, walk->deep))
			collect_functions(walk, unit, depth + 1);
		else
			sp_die_skip_children(&walk->dies, &die);
	}
}

static void read_functions(struct sp_unit *unit, enum sp_unit_depth depth, const struct sp_interval_map *code,
	size_t *cost)
{
	struct walk walk = {.code = code, .deep = depth == SP_UNIT_DEEP};
	struct sp_die body;

	free_functions(unit);
	if (!unit->dies.header)
		sp_dies_open(&unit->dies, &unit->body, unit->body.addr == unit->die.addr);
	walk.dies = (struct sp_die_walk){.dies = &unit->dies, .at = unit->body.addr};
	if (sp_die_next(&walk.dies, &body) && body.children)
		collect_functions(&walk, unit, 0);
	sp_interval_map_sort(&unit->intervals);
	unit->depth = depth;
	*cost += unit->count * 2;
}

struct sp_subprogram *sp_unit_function(struct sp_unit *unit, uint64_t address, const struct sp_interval_map *code,
	size_t *cost)
{
	const struct sp_interval *interval;

	if (unit->depth == SP_UNIT_UNREAD)
		read_functions(unit, SP_UNIT_SHALLOW, code, cost);
	interval = sp_interval_map_find(&unit->intervals, address);
	if (!interval && unit->depth == SP_UNIT_SHALLOW) {
		read_functions(unit, SP_UNIT_DEEP, code, cost);
		interval = sp_interval_map_find(&unit->intervals, address);
	}
	return interval ? &unit->functions[interval->index] : NULL;
}

static void add_inline(struct walk *walk, struct sp_inlines *inlines, const struct sp_die *die, uint32_t parent,
	unsigned depth)
{
	sp_grow(&inlines->list, &inlines->capacity, inlines->count + 1, sizeof(*inlines->list));
	inlines->list[inlines->count] = (struct sp_inline){.at = die->at, .parent = parent};
	add_code(walk, &inlines->intervals, die, depth, inlines->count++);
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
	struct sp_die die;

	while (sp_die_next(&walk->dies, &die)) {
		uint32_t inner = around;

		if (die.tag == DW_TAG_inlined_subroutine) {
			inner = (uint32_t)inlines->count;
			add_inline(walk, inlines, &die, around, depth);
		}
		if (die.children && depth < DEPTH_LIMIT && is_scope(die.tag))
			collect_inlines(walk, inlines, inner, depth + 1);
		else
			sp_die_skip_children(&walk->dies, &die);
	}
}

const struct sp_inlines *sp_subprogram_inlines(const struct sp_unit *unit, struct sp_subprogram *function,
	const struct sp_wanted *wanted, size_t *cost)
{
	struct walk walk = {.dies = {.dies = &unit->dies, .at = function->at}, .wanted = wanted->count ? wanted : NULL};
	struct sp_die die;

	if (!function->inlines) {
		function->inlines = sp_alloc(1, sizeof(*function->inlines));
		if (sp_die_next(&walk.dies, &die) && die.children)
			collect_inlines(&walk, function->inlines, SP_INLINE_NONE, 0);
		sp_interval_map_sort(&function->inlines->intervals);
		*cost += function->inlines->count * 2;
	}
	return function->inlines;
}
