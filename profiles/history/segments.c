/* The best cut of a series into levels. */
#include "profiles/history/segments.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

#define FREEDOM 4.0
#define QUARTILE 0.740697 /* half of its numbers are closer to it, in its scale */
#define NORMAL_QUARTILE 0.674490
#define FLUSH 1e150

/* Numbers in order of size, and of those that are in the segment at the moment, sums by a binary indexed tree. */
struct tree {
	size_t n, top; /* top: the largest power of two up to n */
	size_t *rank;  /* from 1 */
	const double **sorted;
	double *weight, *product; /* of those below */
	double all_weight, all_product;
};

static int by_number(const void *a, const void *b)
{
	double x = **(const double *const *)a, y = **(const double *const *)b;

	return (x > y) - (x < y);
}

static void plant(struct tree *t, const double *x, size_t n)
{
	*t = (struct tree){.n = n,
		.top = 1,
		.rank = sp_alloc(n, sizeof(*t->rank)),
		.sorted = sp_alloc(n, sizeof(*t->sorted)),
		.weight = sp_alloc(n + 1, sizeof(*t->weight)),
		.product = sp_alloc(n + 1, sizeof(*t->product))};
	while (t->top * 2 <= n)
		t->top *= 2;
	for (size_t i = 0; i < n; i++)
		t->sorted[i] = x + i;
	qsort(t->sorted, n, sizeof(*t->sorted), by_number);
	for (size_t i = 0; i < n; i++)
		t->rank[t->sorted[i] - x] = i + 1;
}

static void fell(struct tree *t)
{
	free(t->rank);
	free(t->sorted);
	free(t->weight);
	free(t->product);
}

static void empty(struct tree *t)
{
	memset(t->weight, 0, (t->n + 1) * sizeof(*t->weight));
	memset(t->product, 0, (t->n + 1) * sizeof(*t->product));
	t->all_weight = t->all_product = 0;
}

static void add(struct tree *t, size_t rank, double x, double weight)
{
	for (size_t at = rank; at <= t->n; at += at & -at) {
		t->weight[at] += weight;
		t->product[at] += weight * x;
	}
	t->all_weight += weight;
	t->all_product += weight * x;
}

/* Weighted distances of all in the tree from their weighted median. */
static double distances(const struct tree *t, double *median)
{
	double weight = 0, product = 0;
	size_t at = 0;

	for (size_t step = t->top; step > 0; step /= 2)
		if (at + step <= t->n && weight + t->weight[at + step] < t->all_weight / 2 * (1 - 1e-12)) {
			at += step;
			weight += t->weight[at];
			product += t->product[at];
		}
	*median = *t->sorted[at < t->n ? at : t->n - 1];
	return *median * weight - product + (t->all_product - product) - *median * (t->all_weight - weight);
}

size_t sp_segments_cut(const double *x, const double *weights, size_t n, size_t least, double penalty, size_t *ends)
{
	double *best = sp_alloc(n + 1, sizeof(*best)), median;
	size_t *from = sp_alloc(n + 1, sizeof(*from)), count = 0;
	struct tree tree;

	plant(&tree, x, n);
	for (size_t end = 1; end <= n; end++)
		best[end] = INFINITY;
	for (size_t begin = 0; begin + least <= n; begin++) {
		if (isinf(best[begin]))
			continue;
		empty(&tree);
		for (size_t end = begin + 1; end <= n; end++) {
			double cost;

			add(&tree, tree.rank[end - 1], x[end - 1], weights[end - 1]);
			cost = end - begin < least ? INFINITY : best[begin] + distances(&tree, &median) + penalty;
			if (cost < best[end]) {
				best[end] = cost;
				from[end] = begin;
			}
		}
	}
	for (size_t end = n; end > 0; end = from[end])
		count++;
	for (size_t end = n, at = count; at > 0; end = from[end])
		ends[--at] = end;
	fell(&tree);
	free(best);
	free(from);
	return count;
}

size_t sp_segments_split(const double *x, const double *weights, size_t n, size_t least)
{
	double *first = sp_alloc(n + 1, sizeof(*first)), best = INFINITY, median;
	struct tree tree;
	size_t at = least;

	plant(&tree, x, n);
	for (size_t i = 0; i < n; i++) {
		add(&tree, tree.rank[i], x[i], weights[i]);
		first[i + 1] = distances(&tree, &median);
	}
	empty(&tree);
	for (size_t i = n; i-- > least;) {
		double cost;

		add(&tree, tree.rank[i], x[i], weights[i]);
		cost = n - i < least ? INFINITY : first[i] + distances(&tree, &median);
		if (cost <= best) {
			best = cost;
			at = i;
		}
	}
	fell(&tree);
	free(first);
	return at;
}

double sp_weighted_median(const double *x, const double *weights, size_t n)
{
	struct tree tree;
	double median;

	plant(&tree, x, n);
	for (size_t i = 0; i < n; i++)
		add(&tree, tree.rank[i], x[i], weights[i]);
	distances(&tree, &median);
	fell(&tree);
	return median;
}

/* --- where a cut may be */

/* Medians of the first i numbers and of the rest, for every i that leaves some. */
static void find_levels(const double *x, const double *weights, size_t n, double *first, double *rest)
{
	struct tree tree;

	plant(&tree, x, n);
	for (size_t i = 0; i < n; i++) {
		add(&tree, tree.rank[i], x[i], weights[i]);
		distances(&tree, &first[i + 1]);
	}
	empty(&tree);
	for (size_t i = n; i-- > 0;) {
		add(&tree, tree.rank[i], x[i], weights[i]);
		distances(&tree, &rest[i]);
	}
	fell(&tree);
}

/* What half of the numbers are closer to their level than, as the t distribution's scale. */
static double find_scale(const double *x, const double *weights, size_t n, size_t at, double low, double high)
{
	double *off = sp_alloc(n, sizeof(*off)), scale;

	for (size_t i = 0; i < n; i++)
		off[i] = weights[i] * fabs(x[i] - (i < at ? low : high));
	scale = sp_stats_median(off, n) / QUARTILE;
	free(off);
	return scale;
}

/* Logarithm of how likely the numbers are, but for what is the same wherever the cut is. */
static double likelihood(const double *x, const double *weights, size_t n, size_t at, double low, double high)
{
	double sum = 0, product = 1;

	for (size_t i = 0; i < n; i++) {
		double off = weights[i] * (x[i] - (i < at ? low : high));

		product *= 1 + off * off / FREEDOM;
		if (product > FLUSH) {
			sum += log(product);
			product = 1;
		}
	}
	return -(FREEDOM + 1) / 2 * (sum + log(product));
}

/* From `at` on to where more is, until it is enough. */
static void widen(struct sp_reach *reach, const double *chances, size_t n, size_t at)
{
	size_t first = reach->least, last = n - reach->least;
	double all = 0, within = chances[at];

	for (size_t i = first; i <= last; i++)
		all += chances[i];
	reach->from = reach->to = at;
	while (within < reach->confidence * all && (reach->from > first || reach->to < last))
		if (reach->to == last || (reach->from > first && chances[reach->from - 1] > chances[reach->to + 1]))
			within += chances[--reach->from];
		else
			within += chances[++reach->to];
}

void sp_segments_reach(struct sp_reach *reach, const double *x, const double *weights, size_t n, size_t at)
{
	double *first = sp_alloc(n + 1, sizeof(*first)), *rest = sp_alloc(n + 1, sizeof(*rest));
	double *scaled = sp_alloc(n, sizeof(*scaled)), *chances = sp_alloc(n + 1, sizeof(*chances)), most = -INFINITY;
	double proves = (1 - reach->carried) / (1 + reach->carried), scale;

	find_levels(x, weights, n, first, rest);
	scale = fmax(find_scale(x, weights, n, at, first[at], rest[at]), reach->spread * NORMAL_QUARTILE / QUARTILE);
	for (size_t i = 0; i < n; i++)
		scaled[i] = weights[i] / scale;
	for (size_t i = reach->least; i + reach->least <= n; i++) {
		chances[i] = proves * likelihood(x, scaled, n, i, first[i], rest[i]);
		most = fmax(most, chances[i]);
	}
	for (size_t i = reach->least; i + reach->least <= n; i++)
		chances[i] = exp(chances[i] - most);
	widen(reach, chances, n, at);
	free(first);
	free(rest);
	free(scaled);
	free(chances);
}
