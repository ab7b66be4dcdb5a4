/* What moved: functions that were renamed, and cost that went from one function to another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/normal_name.h"
#include "profiles/compare/calls.h"
#include "profiles/compare/compare.h"
#include "profiles/compare/stages.h"

#define RENAMED_ALIKE 0.25   /* cost of a function under its old and its new name, where only that is known */
#define RENAMED_KNOWN 0.5    /* where callers and callees are known */
#define RENAMED_CONTEXT 0.75 /* of these, how much must be the same */
#define SHIFTED 0.25         /* of a rise: what may remain of it where it moved within */

static bool is_large(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side)
{
	return sp_row_mean(c, row, side) >= SP_COMPARE_SHARE * c->row_totals[row->kind][side];
}

static double unlikeness(double a, double b)
{
	return fabs(a - b) / fmax(fmax(a, b), 1);
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static bool in_different_files(const struct sp_row *a, const struct sp_row *b)
{
	const char *x = base_name(a->file), *y = base_name(b->file);

	return x && y && *x && *y && strcmp(x, y) != 0;
}

double sp_row_distance(const struct sp_comparison *c, const struct sp_row *old, const struct sp_row *new)
{
	double self = unlikeness(sp_row_mean(c, old, SP_BASELINE), sp_row_mean(c, new, SP_CURRENT));
	double total = unlikeness(old->total[SP_BASELINE], new->total[SP_CURRENT]);

	if (!sp_calls_known(c->calls, old->kind))
		return (self + total) / 2;
	return (self + total + 2 - sp_calls_alike(c->calls, old->kind, false, old->node, new->node) -
		       sp_calls_alike(c->calls, old->kind, true, old->node, new->node)) /
		4;
}

/* How unlike the two rows are; from 1 on they are not the same function. By what calls them and what they call, or,
 * where stacks are not known, by file and cost. */
static double rename_distance(const struct sp_comparison *c, const struct sp_row *old, const struct sp_row *new)
{
	double self = unlikeness(sp_row_mean(c, old, SP_BASELINE), sp_row_mean(c, new, SP_CURRENT));
	double total = unlikeness(old->total[SP_BASELINE], new->total[SP_CURRENT]);
	bool known = sp_calls_known(c->calls, old->kind);
	double most = known ? RENAMED_KNOWN : RENAMED_ALIKE;

	if (old->kind != new->kind || strcmp(old->module, new->module) != 0 || self > most || total > most ||
		sp_name_is_unnamed(old->function) || sp_name_is_unnamed(new->function))
		return 1;
	if (!known ? in_different_files(old, new)
		   : sp_calls_alike(c->calls, old->kind, false, old->node, new->node) < RENAMED_CONTEXT ||
				sp_calls_alike(c->calls, old->kind, true, old->node, new->node) < RENAMED_CONTEXT)
		return 1;
	return sp_row_distance(c, old, new);
}

void sp_row_become(struct sp_row *new, const struct sp_row *old)
{
	new->costs[SP_BASELINE] = old->costs[SP_BASELINE];
	new->sum[SP_BASELINE] = old->sum[SP_BASELINE];
	new->variance[SP_BASELINE] = old->variance[SP_BASELINE];
	new->total[SP_BASELINE] = old->total[SP_BASELINE];
	new->presence = SP_ROW_RENAMED;
	new->old_function = old->function;
}

void sp_compare_renames(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++) {
		struct sp_row *new = &c->rows[i], *best = NULL;
		double least = 1;

		if (new->presence != SP_ROW_APPEARED || !is_large(c, new, SP_CURRENT))
			continue;
		for (size_t k = 0; k < c->row_count; k++) {
			struct sp_row *old = &c->rows[k];
			double distance;

			if (old->presence != SP_ROW_DISAPPEARED || old->gone || !is_large(c, old, SP_BASELINE))
				continue;
			distance = rename_distance(c, old, new);
			if (distance < least) {
				least = distance;
				best = old;
			}
		}
		if (best) {
			sp_row_become(new, best);
			best->gone = true;
		}
	}
}

/* --- cost shifts */

/* Where cost may have moved within: all that a function calls and itself, or, where stacks are not known, a file
 * (where that is not known: a module). */
struct place {
	const struct sp_row *row; /* whose place it is */
	bool *reached;            /* NULL: not known */
};

static bool is_in(const struct place *place, const struct sp_row *row)
{
	const struct sp_row *a = place->row;

	if (row->kind != a->kind || row->gone)
		return false;
	if (place->reached)
		return place->reached[row->node];
	if (strcmp(row->module, a->module) != 0)
		return false;
	return a->file && row->file ? strcmp(a->file, row->file) == 0 : !a->file && !row->file;
}

/* Whether the known falls there make up for the rise. If so, all of them are marked, except a fall that is larger
 * than the rise, which is a gain. */
static bool mark_shift(struct sp_comparison *c, const struct place *place, const char *within)
{
	double rises = 0, falls = 0;

	for (size_t i = 0; i < c->row_count; i++)
		if (is_in(place, &c->rows[i])) {
			rises += c->rows[i].state == SP_ROW_REGRESSION ? c->rows[i].change : 0;
			falls -= c->rows[i].state == SP_ROW_IMPROVEMENT ? c->rows[i].change : 0;
		}
	if (rises - falls > SHIFTED * rises)
		return false;
	for (size_t i = 0; i < c->row_count; i++) {
		struct sp_row *row = &c->rows[i];

		if (is_in(place, row) &&
			(row->state == SP_ROW_REGRESSION ||
				(row->state == SP_ROW_IMPROVEMENT && falls - rises <= SHIFTED * rises))) {
			row->state = SP_ROW_SHIFT;
			row->within = within;
		}
	}
	return true;
}

/* In what the function calls itself, else below the one that calls it most. */
static void find_shift(struct sp_comparison *c, const struct sp_row *row)
{
	struct place place = {.row = row};
	uint32_t parent;

	if (!sp_calls_known(c->calls, row->kind)) {
		mark_shift(c, &place, NULL);
		return;
	}
	place.reached = sp_alloc(sp_calls_nodes(c->calls), sizeof(*place.reached));
	sp_calls_reach(c->calls, row->kind, row->node, place.reached);
	parent = sp_calls_parent(c->calls, row->kind, row->node);
	if (!mark_shift(c, &place, row->function) && parent != SP_NO_NODE) {
		sp_calls_reach(c->calls, row->kind, parent, place.reached);
		mark_shift(c, &place, c->nodes[parent].function);
	}
	free(place.reached);
}

void sp_compare_shifts(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++) {
		const struct sp_total *total = &c->totals[sp_row_metric(c->rows[i].kind)];

		if (c->rows[i].state == SP_ROW_REGRESSION && !(total->evidence && total->ratio > 1))
			find_shift(c, &c->rows[i]);
	}
}
