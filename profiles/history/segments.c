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

/* Numbers that are added one after the other, and the weighted median of those that are there. With each one it moves by few places. */
struct pile {
	size_t n, count; /* that may come, that are there */
	size_t *rank;    /* of a number, among all that may come */
	const double **sorted;
	double *weight;                     /* by rank, */
	uint64_t *there;                    /* and a bit for each that is there */
	size_t median;                      /* its rank */
	double below_weight, below_product; /* of those of lower rank */
	double all_weight, all_product;
};

static int by_number(const void *a, const void *b)
{
	double x = **(const double *const *)a, y = **(const double *const *)b;

	return (x > y) - (x < y);
}

static void lay(struct pile *p, const double *x, size_t n)
{
	*p = (struct pile){.n = n,
		.rank = sp_alloc(n, sizeof(*p->rank)),
		.sorted = sp_alloc(n, sizeof(*p->sorted)),
		.weight = sp_alloc(n, sizeof(*p->weight)),
		.there = sp_alloc(n / 64 + 1, sizeof(*p->there))};
	for (size_t i = 0; i < n; i++)
		p->sorted[i] = x + i;
	qsort(p->sorted, n, sizeof(*p->sorted), by_number);
	for (size_t i = 0; i < n; i++)
		p->rank[p->sorted[i] - x] = i;
}

static void remove_pile(struct pile *p)
{
	free(p->rank);
	free(p->sorted);
	free(p->weight);
	free(p->there);
}

static void clear(struct pile *p)
{
	memset(p->there, 0, (p->n / 64 + 1) * sizeof(*p->there));
	p->all_weight = p->all_product = p->below_weight = p->below_product = 0;
	p->count = 0;
}

/* The next rank above, or below, that is there; n: none is. */
static size_t above(const struct pile *p, size_t rank)
{
	size_t word = ++rank / 64;
	uint64_t bits = p->there[word] >> rank % 64 << rank % 64;

	while (!bits && word < p->n / 64)
		bits = p->there[++word];
	return bits ? word * 64 + (size_t)__builtin_ctzll(bits) : p->n;
}

static size_t below(const struct pile *p, size_t rank)
{
	size_t word = rank / 64;
	uint64_t bits = p->there[word] & ((UINT64_C(1) << rank % 64) - 1);

	while (!bits && word > 0)
		bits = p->there[--word];
	return bits ? word * 64 + 63 - (size_t)__builtin_clzll(bits) : p->n;
}

static void move_below(struct pile *p, size_t rank, double sign)
{
	p->below_weight += sign * p->weight[rank];
	p->below_product += sign * p->weight[rank] * *p->sorted[rank];
}

/* Rounding decides nothing: a half is a little less. Weights may be 0. */
static void settle(struct pile *p)
{
	double half = p->all_weight / 2 * (1 - 1e-12);
	size_t next;

	while (p->below_weight >= half && (next = below(p, p->median)) < p->n) {
		p->median = next;
		move_below(p, next, -1);
	}
	while (p->below_weight + p->weight[p->median] < half && (next = above(p, p->median)) < p->n) {
		move_below(p, p->median, 1);
		p->median = next;
	}
}

static void add(struct pile *p, size_t rank, double weight)
{
	if (p->count++ == 0)
		p->median = rank;
	p->there[rank / 64] |= UINT64_C(1) << rank % 64;
	p->weight[rank] = weight;
	p->all_weight += weight;
	p->all_product += weight * *p->sorted[rank];
	if (rank < p->median)
		move_below(p, rank, 1);
	settle(p);
}

static double median_of(const struct pile *p)
{
	return *p->sorted[p->median];
}

/* Weighted distances of all that are there from their weighted median. */
static double distances(const struct pile *p)
{
	double median = median_of(p);

	return median * p->below_weight - p->below_product + (p->all_product - p->below_product) -
		median * (p->all_weight - p->below_weight);
}

size_t sp_segments_cut(const double *x, const double *weights, size_t n, size_t least, double penalty, size_t *ends)
{
	double *best = sp_alloc(n + 1, sizeof(*best));
	size_t *from = sp_alloc(n + 1, sizeof(*from)), count = 0;
	struct pile pile;

	lay(&pile, x, n);
	for (size_t end = 1; end <= n; end++)
		best[end] = INFINITY;
	for (size_t begin = 0; begin + least <= n; begin++) {
		if (isinf(best[begin]))
			continue;
		clear(&pile);
		for (size_t end = begin + 1; end <= n; end++) {
			double cost;

			add(&pile, pile.rank[end - 1], weights[end - 1]);
			cost = end - begin < least ? INFINITY : best[begin] + distances(&pile) + penalty;
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
	remove_pile(&pile);
	free(best);
	free(from);
	return count;
}

size_t sp_segments_split(const double *x, const double *weights, size_t n, size_t least)
{
	double *first = sp_alloc(n + 1, sizeof(*first)), best = INFINITY;
	struct pile pile;
	size_t at = least;

	lay(&pile, x, n);
	for (size_t i = 0; i < n; i++) {
		add(&pile, pile.rank[i], weights[i]);
		first[i + 1] = distances(&pile);
	}
	clear(&pile);
	for (size_t i = n; i-- > least;) {
		double cost;

		add(&pile, pile.rank[i], weights[i]);
		cost = n - i < least ? INFINITY : first[i] + distances(&pile);
		if (cost <= best) {
			best = cost;
			at = i;
		}
	}
	remove_pile(&pile);
	free(first);
	return at;
}

double sp_weighted_median(const double *x, const double *weights, size_t n)
{
	struct pile pile;
	double median;

	lay(&pile, x, n);
	for (size_t i = 0; i < n; i++)
		add(&pile, pile.rank[i], weights[i]);
	median = median_of(&pile);
	remove_pile(&pile);
	return median;
}

/* --- where a cut may be */

/* Medians of the first i numbers and of the rest, for every i that leaves some. */
static void find_levels(const double *x, const double *weights, size_t n, double *first, double *rest)
{
	struct pile pile;

	lay(&pile, x, n);
	for (size_t i = 0; i < n; i++) {
		add(&pile, pile.rank[i], weights[i]);
		first[i + 1] = median_of(&pile);
	}
	clear(&pile);
	for (size_t i = n; i-- > 0;) {
		add(&pile, pile.rank[i], weights[i]);
		rest[i] = median_of(&pile);
	}
	remove_pile(&pile);
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
