/* Parts of the search for changes. */
#ifndef SP_PROFILES_HISTORY_SEGMENTS_H
#define SP_PROFILES_HISTORY_SEGMENTS_H

#include <stddef.h>

/* Cuts n numbers into segments of `least` or more: the sum of weighted distances from each segment's weighted median, plus
 * `penalty` for each segment, is as small as it gets. Writes the ends of the segments, the last of which is n; room for n / least + 1.
 * Returns their number: one when n < 2 * least. */
size_t sp_segments_cut(const double *x, const double *weights, size_t n, size_t least, double penalty, size_t *ends);

/* The best cut into two: how many are in the first. The first of equals; n >= 2 * least. */
size_t sp_segments_split(const double *x, const double *weights, size_t n, size_t least);

/* Where else the cut into two may be that was found at `at`: the narrowest range around it, within which the second level begins with that
 * confidence. Each place is as likely as the numbers are, if it was there, by Student's t with few degrees of freedom around the
 * medians of both sides, so that an outlier proves little; what goes on from number to number makes all of them prove less. */
struct sp_reach {
	size_t least;      /* numbers on a side */
	double spread;     /* what a number of weight 1 varies by, at the least: a standard deviation */
	double carried;    /* how much of a number's distance from its level goes on to the next one: from 0, below 1 */
	double confidence; /* below 1 */
	size_t from, to;   /* found: how many numbers may be in the first level, from `least` on */
};
void sp_segments_reach(struct sp_reach *reach, const double *x, const double *weights, size_t n, size_t at);

/* n > 0. */
double sp_weighted_median(const double *x, const double *weights, size_t n);

/* The chance that `before` of n numbers, drawn together with their weights, differ in weighted rank from the rest by as much as the
 * first `before` do. All draws are counted when they are fewer than SP_DRAWS_MOST or weights are equal (then as
 * sp_stats_rank_test does); else the normal approximation. */
#define SP_DRAWS_MOST 200000.0
double sp_permutation_test(const double *x, const double *weights, size_t before, size_t n);

#endif
