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

/* n > 0. */
double sp_weighted_median(const double *x, const double *weights, size_t n);

/* The chance that `before` of n numbers, drawn together with their weights, differ in weighted rank from the rest by as much as the
 * first `before` do. All draws are counted when they are fewer than SP_DRAWS_MOST or weights are equal (then as
 * sp_stats_rank_test does); else the normal approximation. */
#define SP_DRAWS_MOST 200000.0
double sp_permutation_test(const double *x, const double *weights, size_t before, size_t n);

#endif
