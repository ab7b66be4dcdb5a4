/* Statistics of comparisons. */
#include "profiles/compare/stats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

#define RANK_EFFICIENCY (3 / M_PI)
#define POWER_MISSED 0.1

double sp_stats_t_tail(double t, double freedom)
{
	double angle, cosine, term, sum;
	long n;

	if (freedom > 1e6)
		return erfc(t / M_SQRT2) / 2;
	n = freedom < 1 ? 1 : (long)freedom;
	angle = atan(t / sqrt((double)n));
	cosine = cos(angle);
	term = sum = n % 2 ? cosine : 1;
	for (long k = n % 2 ? 3 : 2; k < n; k += 2) {
		term *= cosine * cosine * (double)(k - 1) / (double)k;
		sum += term;
	}
	if (n % 2)
		sum = 2 / M_PI * (angle + (n > 1 ? sin(angle) * sum : 0));
	else
		sum *= sin(angle);
	return (1 - sum) / 2;
}

double sp_stats_t_quantile(double p, double freedom)
{
	double low = 0, high = 1e6;

	for (int i = 0; i < 200; i++) {
		double middle = (low + high) / 2;

		if (sp_stats_t_tail(middle, freedom) > p)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of_sorted(const double *sorted, size_t n)
{
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double *sorted_copy(const double *values, size_t n)
{
	double *sorted = sp_alloc(n, sizeof(*sorted));

	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_value);
	return sorted;
}

double sp_stats_median(const double *values, size_t n)
{
	double *sorted = sorted_copy(values, n), median = median_of_sorted(sorted, n);

	free(sorted);
	return median;
}

double sp_stats_least(const double *values, size_t n)
{
	double least = values[0];

	for (size_t i = 1; i < n; i++)
		least = fmin(least, values[i]);
	return least;
}

double sp_stats_most(const double *values, size_t n)
{
	double most = values[0];

	for (size_t i = 1; i < n; i++)
		most = fmax(most, values[i]);
	return most;
}

static double squares(const double *values, size_t n)
{
	double mean = 0, sum = 0;

	for (size_t i = 0; i < n; i++)
		mean += values[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		sum += (values[i] - mean) * (values[i] - mean);
	return sum;
}

double sp_stats_spread(const double *a, size_t na, const double *b, size_t nb, double *freedom)
{
	*freedom = na + nb > 2 ? (double)(na + nb - 2) : 0;
	return *freedom > 0 ? sqrt((squares(a, na) + squares(b, nb)) / *freedom) : 0;
}

/* --- ranks */

/* In these functions the side with fewer runs comes first: what is counted grows with it. */

struct ranks {
	size_t *doubled; /* twice the mid-rank of every value of both */
	size_t sum;      /* of the first side's */
	double ties;     /* sum of t³ - t over groups of t equal values */
};

/* Of n sorted values, how many are below; with `equal` also those that equal it. */
static size_t count_below(const double *sorted, size_t n, double value, bool equal)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (sorted[middle] < value || (equal && sorted[middle] == value))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void rank_all(struct ranks *r, const double *a, size_t na, const double *b, size_t nb)
{
	size_t n = na + nb;
	double *sorted = sp_alloc(n, sizeof(*sorted));

	memcpy(sorted, a, na * sizeof(*sorted));
	memcpy(sorted + na, b, nb * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_value);
	*r = (struct ranks){.doubled = sp_alloc(n, sizeof(*r->doubled))};
	for (size_t i = 0; i < n; i++) {
		double value = i < na ? a[i] : b[i - na];
		size_t below = count_below(sorted, n, value, false);
		size_t equal = count_below(sorted, n, value, true) - below;

		r->doubled[i] = 2 * below + equal + 1;
		r->ties += (double)equal * (double)equal - 1;
		if (i < na)
			r->sum += r->doubled[i];
	}
	free(sorted);
}

/* The number of ways to choose `chosen` of the n numbers, by their sum; *size sums. Room and time go with the square
 * of `chosen` times n at the most: choose from the smaller side. free() it. */
static double *count_sums(const size_t *numbers, size_t n, size_t chosen, size_t *size)
{
	size_t largest = 0;
	double *ways, *result;

	for (size_t i = 0; i < n; i++)
		largest = numbers[i] > largest ? numbers[i] : largest;
	*size = chosen * largest + 1;
	ways = sp_alloc((chosen + 1) * *size, sizeof(*ways));
	ways[0] = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1 < chosen ? i + 1 : chosen; k > 0; k--)
			for (size_t sum = numbers[i]; sum <= k * largest; sum++)
				ways[k * *size + sum] += ways[(k - 1) * *size + sum - numbers[i]];
	result = sp_alloc(*size, sizeof(*result));
	memcpy(result, ways + chosen * *size, *size * sizeof(*result));
	free(ways);
	return result;
}

static double exact_p(const struct ranks *r, size_t na, size_t nb)
{
	double below = 0, above = 0, all = 0, p;
	size_t size;
	double *ways = count_sums(r->doubled, na + nb, na, &size);

	for (size_t sum = 0; sum < size; sum++) {
		all += ways[sum];
		below += sum <= r->sum ? ways[sum] : 0;
		above += sum >= r->sum ? ways[sum] : 0;
	}
	free(ways);
	p = 2 * fmin(below, above) / all;
	return fmin(p, 1);
}

static double approximate_p(const struct ranks *r, double na, double nb)
{
	double n = na + nb;
	double u = (double)r->sum / 2 - na * (na + 1) / 2;
	double variance = na * nb / 12 * (n + 1 - r->ties / (n * (n - 1)));
	double distance = fabs(u - na * nb / 2) - 0.5;

	if (variance <= 0 || distance <= 0)
		return 1;
	return 2 * sp_stats_t_tail(distance / sqrt(variance), INFINITY);
}

double sp_stats_rank_test(const double *a, size_t na, const double *b, size_t nb)
{
	struct ranks r;
	double p;

	if (nb < na)
		return sp_stats_rank_test(b, nb, a, na);
	rank_all(&r, a, na, b, nb);
	p = na * nb < SP_STATS_EXACT_PAIRS ? exact_p(&r, na, nb) : approximate_p(&r, (double)na, (double)nb);
	free(r.doubled);
	return p;
}

double sp_stats_rank_least(size_t na, size_t nb)
{
	double m = (double)na, n = (double)nb;

	if (na * nb >= SP_STATS_EXACT_PAIRS)
		return 2 * sp_stats_t_tail((m * n - 1) / 2 / sqrt(m * n * (m + n + 1) / 12), INFINITY);
	return fmin(2 * exp(lgamma(m + 1) + lgamma(n + 1) - lgamma(m + n + 1)), 1);
}

/* The largest c with P(U < c) <= alpha / 2 when nothing differs. */
static size_t critical(size_t na, size_t nb, double alpha)
{
	double m = (double)na, n = (double)nb, below = 0, all = exp(lgamma(m + n + 1) - lgamma(m + 1) - lgamma(n + 1));
	size_t *numbers, c = 0, size;
	double *ways;

	if (nb < na)
		return critical(nb, na, alpha);
	if (na * nb >= SP_STATS_EXACT_PAIRS) {
		double at = m * n / 2 - sp_stats_t_quantile(alpha / 2, INFINITY) * sqrt(m * n * (m + n + 1) / 12);

		return at > 0 ? (size_t)at : 0;
	}
	numbers = sp_alloc(na + nb, sizeof(*numbers));
	for (size_t i = 0; i < na + nb; i++)
		numbers[i] = i + 1;
	ways = count_sums(numbers, na + nb, na, &size);
	for (size_t least = na * (na + 1) / 2; least + c < size; c++) {
		below += ways[least + c];
		if (below > alpha / 2 * all * (1 + 1e-12))
			break;
	}
	free(ways);
	free(numbers);
	return c;
}

/* Numbers in the order of the doubles they are the bits of. */
static uint64_t to_ordered(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static double from_ordered(uint64_t ordered)
{
	uint64_t bits = ordered >> 63 ? ordered & ~(1ull << 63) : ~ordered;
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* How many of the differences b[k] - a[i] are at most x. */
static size_t count_differences(const double *a, size_t na, const double *b, size_t nb, double x)
{
	size_t count = 0, k = 0;

	for (size_t i = 0; i < na; i++) {
		while (k < nb && b[k] - a[i] <= x)
			k++;
		count += k;
	}
	return count;
}

/* The difference at index k of all of them in order, without writing them down: by halving the numbers it may be.
 * Both sides are sorted. */
static double difference_at(const double *a, size_t na, const double *b, size_t nb, size_t k)
{
	uint64_t low = to_ordered(b[0] - a[na - 1]), high = to_ordered(b[nb - 1] - a[0]);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (count_differences(a, na, b, nb, from_ordered(middle)) > k)
			high = middle;
		else
			low = middle + 1;
	}
	return from_ordered(low) + 0.0; /* -0 is 0 */
}

struct sp_shift sp_stats_shift(const double *a, size_t na, const double *b, size_t nb, double alpha)
{
	size_t n = na * nb, c = critical(na, nb, alpha);
	double *x = sorted_copy(a, na), *y = sorted_copy(b, nb);
	struct sp_shift shift = {.low = -INFINITY, .high = INFINITY};

	shift.estimate = difference_at(x, na, y, nb, n / 2);
	if (n % 2 == 0)
		shift.estimate = (difference_at(x, na, y, nb, n / 2 - 1) + shift.estimate) / 2;
	if (c > 0) {
		shift.low = difference_at(x, na, y, nb, c - 1);
		shift.high = difference_at(x, na, y, nb, n - c);
	}
	free(x);
	free(y);
	return shift;
}

/* --- several tests at once */

struct ordered {
	double p;
	size_t index;
};

static int by_p(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

static struct ordered *in_order(const double *p, size_t n)
{
	struct ordered *order = sp_alloc(n, sizeof(*order));

	for (size_t i = 0; i < n; i++)
		order[i] = (struct ordered){p[i], i};
	qsort(order, n, sizeof(*order), by_p);
	return order;
}

void sp_stats_holm(const double *p, const double *weights, size_t n, double *adjusted)
{
	double *scaled = sp_alloc(n, sizeof(*scaled)), left = 0, most = 0;
	struct ordered *order;

	for (size_t i = 0; i < n; i++) {
		scaled[i] = p[i] / (weights ? weights[i] : 1);
		left += weights ? weights[i] : 1;
	}
	order = in_order(scaled, n);
	for (size_t i = 0; i < n; i++) {
		most = fmax(most, fmin(order[i].p * left, 1));
		adjusted[order[i].index] = most;
		left -= weights ? weights[order[i].index] : 1;
	}
	free(order);
	free(scaled);
}

void sp_stats_benjamini_hochberg(const double *p, size_t n, double *adjusted)
{
	struct ordered *order = in_order(p, n);
	double least = 1;

	for (size_t i = n; i-- > 0;) {
		least = fmin(least, order[i].p * (double)n / (double)(i + 1));
		adjusted[order[i].index] = least;
	}
	free(order);
}

size_t sp_stats_runs_needed(double spread, double effect, double alpha)
{
	double z = sp_stats_t_quantile(alpha / 2, INFINITY) + sp_stats_t_quantile(POWER_MISSED, INFINITY);
	double runs = ceil(2 * z * z * spread * spread / (effect * effect) / RANK_EFFICIENCY);
	size_t n = runs < SP_STATS_RUNS_MAX ? (size_t)runs : SP_STATS_RUNS_MAX;

	while (n < SP_STATS_RUNS_MAX && sp_stats_rank_least(n ? n : 1, n ? n : 1) > alpha)
		n++;
	return n;
}
