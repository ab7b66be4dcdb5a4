/* Functions that compilers number: one lambda more in front, and all behind it have other names. They are told apart
 * by what they cost, who calls them and what they call. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/calls.h"
#include "profiles/compare/compare.h"
#include "profiles/compare/stages.h"

#define GAP 0.35     /* what it costs to leave one without a partner; as much as one that is other by twice that */
#define CONTEXT 0.75 /* of callers and of callees: as much in common keeps a number */
#define SMALL 0.005  /* of the cost: what has less on both sides stays by its number */

struct member {
	uint32_t family;
	enum sp_row_kind kind;
	size_t row;
};

/* By kind and family, in the order of their numbers. */
static int by_family(const void *a, const void *b, void *comparison)
{
	const struct member *x = a, *y = b;
	const struct sp_comparison *c = comparison;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return strverscmp(c->rows[x->row].function, c->rows[y->row].function);
}

/* Nothing came or went, and each has the callers and callees it had. */
static bool all_the_same(const struct sp_comparison *c, const struct member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sp_row *row = &c->rows[members[i].row];

		if (row->presence != SP_ROW_BOTH)
			return false;
		if (sp_calls_known(c->calls, row->kind) &&
			(sp_calls_alike(c->calls, row->kind, false, row->node, row->node) < CONTEXT ||
				sp_calls_alike(c->calls, row->kind, true, row->node, row->node) < CONTEXT))
			return false;
	}
	return true;
}

/* What is left of a row's baseline when the row has become another's. */
static void append_old(struct sp_comparison *c, const struct sp_row *old)
{
	struct sp_row *row;

	sp_grow(&c->rows, &c->row_capacity, c->row_count + 1, sizeof(*c->rows));
	row = &c->rows[c->row_count++];
	*row = *old;
	row->costs[SP_CURRENT] = 0;
	row->sum[SP_CURRENT] = row->variance[SP_CURRENT] = row->total[SP_CURRENT] = 0;
	row->presence = SP_ROW_DISAPPEARED;
}

/* olds: the rows as they were; from[k]: 1 + the member whose baseline member k's row takes, 0 none. */
static void exchange(struct sp_comparison *c, const struct member *members, size_t count, const struct sp_row *olds,
	const size_t *from)
{
	bool *used = sp_alloc(count, sizeof(*used));
	const struct sp_row none = {0};

	for (size_t k = 0; k < count; k++) {
		struct sp_row *row = &c->rows[members[k].row];

		if (from[k])
			used[from[k] - 1] = true;
		if (from[k] == k + 1)
			continue;
		sp_row_become(row, from[k] ? &olds[from[k] - 1] : &none);
		if (!from[k])
			sp_row_set_presence(row);
		row->gone = row->sum[SP_BASELINE] <= 0 && row->sum[SP_CURRENT] <= 0;
	}
	for (size_t i = 0; i < count; i++)
		if (!used[i] && olds[i].sum[SP_BASELINE] > 0)
			append_old(c, &olds[i]);
	free(used);
}

/* The cheapest way to go through both sides in order, each with a partner or none (as texts are compared). cost[]
 * is of (count + 1)² numbers: of what is left from (old, new) on. */
static void align(const struct sp_comparison *c, const struct member *members, size_t count, double *cost, size_t *from)
{
	const size_t width = count + 1;

	for (size_t i = count + 1; i-- > 0;)
		for (size_t k = count + 1; k-- > 0;) {
			const struct sp_row *old = i < count ? &c->rows[members[i].row] : NULL;
			const struct sp_row *new = k < count ? &c->rows[members[k].row] : NULL;
			bool has_old = old && old->sum[SP_BASELINE] > 0, has_new = new &&new->sum[SP_CURRENT] > 0;
			double least = old || new ? INFINITY : 0;

			if (old)
				least = cost[(i + 1) * width + k] + (has_old ? GAP : 0);
			if (new)
				least = fmin(least, cost[i * width + k + 1] + (has_new ? GAP : 0));
			if (has_old && has_new)
				least = fmin(least, cost[(i + 1) * width + k + 1] + sp_row_distance(c, old, new));
			cost[i * width + k] = least;
		}
	for (size_t i = 0, k = 0; i < count && k < count;) {
		double left = cost[i * width + k];
		const struct sp_row *old = &c->rows[members[i].row], *new = &c->rows[members[k].row];

		if (left == cost[(i + 1) * width + k] + (old->sum[SP_BASELINE] > 0 ? GAP : 0)) {
			i++;
		} else if (left == cost[i * width + k + 1] + (new->sum[SP_CURRENT] > 0 ? GAP : 0)) {
			k++;
		} else {
			from[k++] = ++i;
		}
	}
}

/* What has no partner stays with its number where that has none either. */
static void match(struct sp_comparison *c, const struct member *members, size_t count)
{
	struct sp_row *olds = sp_alloc(count, sizeof(*olds));
	size_t *from = sp_alloc(count, sizeof(*from));
	bool *taken = sp_alloc(count, sizeof(*taken));
	double *cost = sp_alloc((count + 1) * (count + 1), sizeof(*cost));

	align(c, members, count, cost, from);
	for (size_t i = 0; i < count; i++) {
		olds[i] = c->rows[members[i].row];
		if (from[i])
			taken[from[i] - 1] = true;
	}
	for (size_t i = 0; i < count; i++)
		if (!taken[i] && !from[i] && olds[i].presence == SP_ROW_BOTH)
			from[i] = i + 1;
	exchange(c, members, count, olds, from);
	free(cost);
	free(taken);
	free(from);
	free(olds);
}

static bool is_small(const struct sp_comparison *c, const struct sp_row *row)
{
	for (int side = 0; side < SP_SIDES; side++)
		if (sp_row_mean(c, row, side) >= SMALL * c->row_totals[row->kind][side])
			return false;
	return true;
}

void sp_compare_numbered(struct sp_comparison *c)
{
	struct member *members = sp_alloc(c->row_count + 1, sizeof(*members));
	size_t count = 0;

	for (size_t i = 0; i < c->row_count; i++)
		if (!is_small(c, &c->rows[i]))
			members[count++] = (struct member){c->family[c->rows[i].node], c->rows[i].kind, i};
	qsort_r(members, count, sizeof(*members), by_family, c);
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count && members[end].kind == members[first].kind &&
			members[end].family == members[first].family;)
			end++;
		if (end - first > 1 && !all_the_same(c, members + first, end - first))
			match(c, members + first, end - first);
	}
	free(members);
}
