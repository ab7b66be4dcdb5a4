/* Indices over DWARF: see dwarf_index.h.
 *
 * Debug information may be damaged or hostile. Walks go strictly forward through a unit (`cursor`),
 * so that neither loops nor entries that claim the same children again can hold us up. */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolize/array.h"
#include "symbolize/dwarf_index.h"

#define DEPTH_LIMIT 256u
#define RANGES_LIMIT 65536u

struct walk {
	const struct sp_spans *code;
	const void *cursor; /* entries up to here have been seen */
	bool deep;
	int rc;
};

static bool advance(struct walk *walk, const Dwarf_Die *die)
{
	if (walk->rc || (const char *)die->addr <= (const char *)walk->cursor)
		return false;
	walk->cursor = die->addr;
	return true;
}

/* Adds the entry's ranges; those outside of code are remains of functions the linker dropped. */
static int add_ranges(struct sp_spans *spans, Dwarf_Die *die, const struct sp_spans *code, uint32_t rank, size_t index)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;
	int rc = 0;

	for (unsigned i = 0; i < RANGES_LIMIT && !rc; i++) {
		offset = dwarf_ranges(die, offset, &base, &low, &high);
		if (offset <= 0)
			break;
		if (!code || sp_spans_find(code, low))
			rc = sp_spans_add(spans, low, high, rank, (uint32_t)index);
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
		rc = add_ranges(&units->spans, &die, code, 0, units->count);
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

void sp_units_free(struct sp_units *units)
{
	for (size_t i = 0; i < units->count; i++) {
		free_functions(&units->list[i]);
		sp_lines_free(&units->list[i].lines);
		sp_files_free(&units->list[i].files);
		sp_files_free(&units->list[i].body_files);
	}
	free(units->list);
	sp_spans_free(&units->spans);
	*units = (struct sp_units){0};
}

static int add_function(struct sp_unit *unit, Dwarf_Die *die, const struct sp_spans *code)
{
	size_t before = unit->spans.count;
	int rc;

	if (!has_code(die))
		return 0;
	if (sp_array_room(&unit->functions, &unit->capacity, unit->count + 1, sizeof(*unit->functions)))
		return -ENOMEM;
	rc = add_ranges(&unit->spans, die, code, 0, unit->count);
	if (!rc && unit->spans.count > before)
		unit->functions[unit->count++] = (struct sp_function){.die = *die};
	return rc;
}

/* Where compilers put functions: in units and namespaces. The deep walk, made only when that was
 * not enough, also looks into types and other functions. */
static bool may_hold_functions(Dwarf_Die *die, int tag, bool deep)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || (deep && dwarf_haschildren(die) > 0);
}

static void collect_functions(struct walk *walk, struct sp_unit *unit, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return;
	do {
		int tag;

		if (!advance(walk, &die))
			return;
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram)
			walk->rc = add_function(unit, &die, walk->code);
		if (depth < DEPTH_LIMIT && may_hold_functions(&die, tag, walk->deep))
			collect_functions(walk, unit, &die, depth + 1);
	} while (!dwarf_siblingof(&die, &die));
}

static void read_functions(struct sp_unit *unit, enum sp_unit_depth depth, const struct sp_spans *code, size_t *cost)
{
	struct walk walk = {.code = code, .deep = depth == SP_UNIT_DEEP};

	free_functions(unit);
	collect_functions(&walk, unit, &unit->body, 0);
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

static int add_inline(struct sp_inlines *inlines, Dwarf_Die *die, uint32_t parent, unsigned depth)
{
	if (sp_array_room(&inlines->list, &inlines->capacity, inlines->count + 1, sizeof(*inlines->list)))
		return -ENOMEM;
	inlines->list[inlines->count] = (struct sp_inline){.die = *die, .parent = parent};
	return add_ranges(&inlines->spans, die, NULL, depth, inlines->count++);
}

static bool is_scope(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
		tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

/* Blocks are entered whatever their own ranges say: compilers do not always let a block cover what
 * was inlined in it. */
static void collect_inlines(struct walk *walk, struct sp_inlines *inlines, Dwarf_Die *parent, uint32_t around,
	unsigned depth)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return;
	do {
		uint32_t inner = around;
		int tag;

		if (!advance(walk, &die))
			return;
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_inlined_subroutine) {
			inner = (uint32_t)inlines->count;
			walk->rc = add_inline(inlines, &die, around, depth);
		}
		if (depth < DEPTH_LIMIT && is_scope(tag))
			collect_inlines(walk, inlines, &die, inner, depth + 1);
	} while (!dwarf_siblingof(&die, &die));
}

const struct sp_inlines *sp_function_inlines(struct sp_function *function, size_t *cost)
{
	struct walk walk = {0};

	if (!function->inlines) {
		function->inlines = calloc(1, sizeof(*function->inlines));
		if (!function->inlines)
			return NULL;
		collect_inlines(&walk, function->inlines, &function->die, SP_INLINE_NONE, 0);
		sp_spans_sort(&function->inlines->spans);
		*cost += function->inlines->count * 2;
	}
	return function->inlines;
}
