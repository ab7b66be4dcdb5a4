/* Statistics of pairs. */
#include <math.h>
#include <stdlib.h>

#include "profiles/compare/stats.h"
#include "symbolize/base/memory.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int by_size(const void *a, const void *b)
{
	double x = fabs(*(const double *)a), y = fabs(*(const double *)b);

	return (x > y) - (x < y);
}

/* share[s]: of all ways to give signs, that in which the positive numbers sum up to s; with one number more. */
static void add_number(double *share, size_t largest, size_t number)
{
	for (size_t at = largest + 1; at-- > 0;)
		share[at] = (share[at] + (at >= number ? share[at - number] : 0)) / 2;
}

/* The share of all ways to give signs to the numbers in which the sum of the positive ones is at most `most`. */
static double share_at_most(const size_t *numbers, size_t n, size_t most)
{
	size_t largest = 0;
	double *share, sum = 0;

	for (size_t i = 0; i < n; i++)
		largest += numbers[i];
	share = sp_alloc(largest + 1, sizeof(*share));
	share[0] = 1;
	for (size_t i = 0; i < n; i++)
		add_number(share, largest, numbers[i]);
	for (size_t at = 0; at <= most && at <= largest; at++)
		sum += share[at];
	free(share);
	return sum;
}

static double approximate(const size_t *doubled, size_t n, size_t smaller)
{
	double mean = 0, variance = 0, distance;

	for (size_t i = 0; i < n; i++) {
		mean += (double)doubled[i] / 4;
		variance += (double)doubled[i] * (double)doubled[i] / 16;
	}
	distance = mean - (double)smaller / 2 - 0.5;
	return distance > 0 && variance > 0 ? 2 * sp_stats_t_tail(distance / sqrt(variance), INFINITY) : 1;
}

double sp_stats_signed_rank_test(const double *differences, size_t n)
{
	double *sorted = sp_alloc(n + 1, sizeof(*sorted)), p = 1;
	size_t *doubled = sp_alloc(n + 1, sizeof(*doubled)), count = 0, positive = 0, all = 0, smaller;

	for (size_t i = 0; i < n; i++)
		if (differences[i] != 0)
			sorted[count++] = differences[i];
	qsort(sorted, count, sizeof(*sorted), by_size);
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first; end < count && fabs(sorted[end]) == fabs(sorted[first]);)
			end++;
		for (size_t i = first; i < end; i++)
			doubled[i] = first + 1 + end;
	}
	for (size_t i = 0; i < count; i++) {
		all += doubled[i];
		positive += sorted[i] > 0 ? doubled[i] : 0;
	}
	smaller = positive < all - positive ? positive : all - positive;
	if (count)
		p = count < SP_STATS_PAIRS_EXACT ? 2 * share_at_most(doubled, count, smaller)
						 : approximate(doubled, count, smaller);
	free(sorted);
	free(doubled);
	return fmin(p, 1);
}

/* The largest c with P(sum of the positive ranks < c) <= alpha / 2. */
static size_t critical(size_t n, double alpha)
{
	double mean = (double)n * (double)(n + 1) / 4, below = 0, *share;
	size_t largest = n * (n + 1) / 2, c;

	if (n >= SP_STATS_PAIRS_EXACT) {
		double at = mean - sp_stats_t_quantile(alpha / 2, INFINITY) * sqrt(mean * (double)(2 * n + 1) / 6);

		return at > 0 ? (size_t)at : 0;
	}
	share = sp_alloc(largest + 1, sizeof(*share));
	share[0] = 1;
	for (size_t rank = 1; rank <= n; rank++)
		add_number(share, largest, rank);
	for (c = 0; c < largest; c++) {
		below += share[c];
		if (below > alpha / 2 * (1 + 1e-12))
			break;
	}
	free(share);
	return c;
}

struct sp_shift sp_stats_paired_shift(const double *differences, size_t n, double alpha)
{
	size_t count = n * (n + 1) / 2, c = critical(n, alpha), next = 0;
	double *means = sp_alloc(count, sizeof(*means));
	struct sp_shift shift = {.low = -INFINITY, .high = INFINITY};

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k <= i; k++)
			means[next++] = (differences[i] + differences[k]) / 2;
	qsort(means, count, sizeof(*means), by_value);
	shift.estimate = sp_stats_median(means, count);
	if (c > 0) {
		shift.low = means[c - 1];
		shift.high = means[count - c];
	}
	free(means);
	return shift;
}
