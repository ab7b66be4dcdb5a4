/* Whether two levels differ, by what else could have been drawn. */
#include "profiles/history/segments.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

/* What each number adds to the side it is on: its weight times the distance of its rank from the weighted mean rank. Over all
 * numbers it sums up to 0. free() it. */
static double *make_scores(const double *x, const double *weights, size_t n)
{
	double *scores = sp_alloc(n, sizeof(*scores)), mean = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++)
			scores[i] += x[k] < x[i] ? 1 : x[k] == x[i] ? 0.5 : 0;
		mean += weights[i] * scores[i];
		all += weights[i];
	}
	for (size_t i = 0; i < n; i++)
		scores[i] = weights[i] * (scores[i] - mean / all);
	return scores;
}

struct draws {
	const double *scores;
	size_t n;
	double least; /* sums this far from 0 count */
	double counted, all;
};

static void draw(struct draws *d, size_t at, size_t left, double sum)
{
	if (left == 0) {
		d->all++;
		d->counted += fabs(sum) >= d->least;
		return;
	}
	for (; at + left <= d->n; at++)
		draw(d, at + 1, left - 1, sum + d->scores[at]);
}

static double draws_of(size_t before, size_t n)
{
	double a = (double)before, all = (double)n;

	return exp(lgamma(all + 1) - lgamma(a + 1) - lgamma(all - a + 1));
}

static double by_scores(const double *scores, size_t before, size_t n)
{
	double sum = 0, squares = 0, variance, all = (double)n, part = (double)before;
	struct draws d = {.scores = scores, .n = n};

	for (size_t i = 0; i < n; i++) {
		sum += i < before ? scores[i] : 0;
		squares += scores[i] * scores[i];
	}
	if (squares <= 0)
		return 1;
	if (draws_of(before, n) <= SP_DRAWS_MOST) {
		d.least = fabs(sum) - 1e-9 * sqrt(squares);
		draw(&d, 0, before < n - before ? before : n - before, 0);
		return d.counted / d.all;
	}
	variance = part * (all - part) / (all * (all - 1)) * squares;
	return 2 * sp_stats_t_tail(fabs(sum) / sqrt(variance), INFINITY);
}

static bool all_equal(const double *weights, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (weights[i] != weights[0])
			return false;
	return true;
}

double sp_permutation_test(const double *x, const double *weights, size_t before, size_t n)
{
	double *scores, p;

	if (all_equal(weights, n))
		return sp_stats_rank_test(x, before, x + before, n - before);
	scores = make_scores(x, weights, n);
	p = by_scores(scores, before, n);
	free(scores);
	return p;
}
