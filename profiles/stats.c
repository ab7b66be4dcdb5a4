/* Statistics of comparisons. */
#include "profiles/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/memory.h"

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

double sp_stats_median(const double *values, size_t n)
{
	double *sorted = sp_alloc(n, sizeof(*sorted)), median;

	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_value);
	median = median_of_sorted(sorted, n);
	free(sorted);
	return median;
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

struct ranks {
	size_t *doubled; /* twice the mid-rank of every value, a's first */
	size_t sum;      /* of a's */
	double ties;     /* sum of t³ - t over groups of t equal values */
};

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
		size_t below = 0, equal = 0;

		while (below < n && sorted[below] < value)
			below++;
		while (below + equal < n && sorted[below + equal] == value)
			equal++;
		r->doubled[i] = 2 * below + equal + 1;
		r->ties += (double)equal * (double)equal - 1;
		if (i < na)
			r->sum += r->doubled[i];
	}
	free(sorted);
}

/* The number of ways to choose `chosen` of the n numbers, by their sum; *size sums. free() it. */
static double *count_sums(const size_t *numbers, size_t n, size_t chosen, size_t *size)
{
	size_t all = 0;
	double *ways, *result;

	for (size_t i = 0; i < n; i++)
		all += numbers[i];
	*size = all + 1;
	ways = sp_alloc((chosen + 1) * *size, sizeof(*ways));
	ways[0] = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1 < chosen ? i + 1 : chosen; k > 0; k--)
			for (size_t sum = all; sum >= numbers[i]; sum--)
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

	rank_all(&r, a, na, b, nb);
	p = na * nb < SP_STATS_EXACT_PAIRS ? exact_p(&r, na, nb) : approximate_p(&r, (double)na, (double)nb);
	free(r.doubled);
	return p;
}

double sp_stats_rank_least(size_t na, size_t nb)
{
	double ways = lgamma((double)(na + nb + 1)) - lgamma((double)na + 1) - lgamma((double)nb + 1);

	return fmin(2 * exp(-ways), 1);
}

/* The largest c with P(U < c) <= alpha / 2 when nothing differs. */
static size_t critical(size_t na, size_t nb, double alpha)
{
	double m = (double)na, n = (double)nb, below = 0, all = exp(lgamma(m + n + 1) - lgamma(m + 1) - lgamma(n + 1));
	size_t *numbers, c = 0, size;
	double *ways;

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

struct sp_shift sp_stats_shift(const double *a, size_t na, const double *b, size_t nb, double alpha)
{
	size_t n = na * nb, c = critical(na, nb, alpha);
	double *differences = sp_alloc(n, sizeof(*differences));
	struct sp_shift shift = {.low = -INFINITY, .high = INFINITY};

	for (size_t i = 0; i < na; i++)
		for (size_t k = 0; k < nb; k++)
			differences[i * nb + k] = b[k] - a[i];
	qsort(differences, n, sizeof(*differences), by_value);
	shift.estimate = median_of_sorted(differences, n);
	if (c > 0) {
		shift.low = differences[c - 1];
		shift.high = differences[n - c];
	}
	free(differences);
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
