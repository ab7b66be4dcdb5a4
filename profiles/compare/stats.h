/* Statistics of comparisons: pure functions of numbers. All p-values are two-sided. */
#ifndef SP_PROFILES_STATS_H
#define SP_PROFILES_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* P(T > t) for Student's t with so many degrees of freedom, INFINITY for the normal distribution.
 * Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4; freedom is rounded down
 * to a whole number, which is the cautious side. */
double sp_stats_t_tail(double t, double freedom);

/* The t that a share p < 0.5 lies above. */
double sp_stats_t_quantile(double p, double freedom);

/* n > 0. */
double sp_stats_median(const double *values, size_t n);
double sp_stats_least(const double *values, size_t n);
double sp_stats_most(const double *values, size_t n);

/* Pooled standard deviation within the sides; *freedom = na + nb - 2, or 0 (and 0 is returned) when there is
 * but one value a side. */
double sp_stats_spread(const double *a, size_t na, const double *b, size_t nb, double *freedom);

/* Mann & Whitney, Annals of Mathematical Statistics 18 (1947): the p-value of the rank sum, exact and conditional
 * on ties (mid-ranks), twice the smaller tail. From SP_STATS_EXACT_PAIRS pairs on the normal approximation with the
 * corrections for ties and continuity (Lehmann, Nonparametrics, 1.3 and 1.4). Neither takes more than a few milliseconds
 * and 1 MB, and 32 bytes a run, however unequal the sides are. */
#define SP_STATS_EXACT_PAIRS 900u
double sp_stats_rank_test(const double *a, size_t na, const double *b, size_t nb);

/* The smallest p-value that the test can give for so many runs: 2 / (na + nb choose na), or the approximation's, which is
 * never small for one run against many. */
double sp_stats_rank_least(size_t na, size_t nb);

/* Hodges & Lehmann, Annals of Mathematical Statistics 34 (1963): how much larger b is than a, the median of all
 * differences; the interval of confidence 1 - alpha are the differences at the critical values of the rank
 * sum (Hollander & Wolfe, Nonparametric Statistical Methods, 4.3). Infinite when too few runs. */
struct sp_shift {
	double estimate, low, high;
};
struct sp_shift sp_stats_shift(const double *a, size_t na, const double *b, size_t nb, double alpha);

/* Wilcoxon, Biometrics Bulletin 1 (1945), of differences of pairs: the p-value of the signed rank sum, exact and conditional on
 * ties; differences of 0 are left out. From SP_STATS_PAIRS_EXACT pairs on the normal approximation. */
#define SP_STATS_PAIRS_EXACT 200u
double sp_stats_signed_rank_test(const double *differences, size_t n);

/* Hodges & Lehmann of pairs: the median of all means of two differences, and the interval that the test belongs to (Hollander & Wolfe,
 * 3.2 and 3.3). Infinite when too few pairs. */
struct sp_shift sp_stats_paired_shift(const double *differences, size_t n, double alpha);

/* Adjusted p-values, in the order given. Holm, Scandinavian Journal of Statistics 6 (1979): the chance
 * of any false finding, shared out by weights (his section 4; NULL: evenly); Benjamini & Hochberg, JRSS B 57
 * (1995): the expected share of false ones. */
void sp_stats_holm(const double *p, const double *weights, size_t n, double *adjusted);
void sp_stats_benjamini_hochberg(const double *p, size_t n, double *adjusted);

/* How many runs a side tell an effect from none in nine of ten cases, with a rank test at level alpha, when
 * single runs have that standard deviation: 2 (z_alpha/2 + z_.1)² spread² / effect², over the rank test's efficiency
 * of 3/π (Lehmann, Nonparametrics, 2.4); at least what makes significance possible. At most SP_STATS_RUNS_MAX. */
#define SP_STATS_RUNS_MAX 9999u
size_t sp_stats_runs_needed(double spread, double effect, double alpha);

#endif
