/* How precise the shares of a profile's CPU time are. */
#ifndef SP_PROFILES_MODEL_ERROR_H
#define SP_PROFILES_MODEL_ERROR_H

#include "profiles/model/log.h"
#include "profiles/model/model.h"

#define SP_NO_PART UINT32_MAX

/* errors[i] is half the width of the 95 % interval of the share that part i is of total_ns, as a
 * fraction; 0 for a part without samples. Frame f belongs to part part_of[f] < count, or to
 * SP_NO_PART; a sample counts for the part of its leaf frame or, with `total`, once for every part in
 * its stack.
 *
 * If samples were independent draws, with weights w, their sum W and p the part's share of it, to
 * first order  Var p = (sum of w² over the part · (1 - 2p) + p² · sum of all w²) / W²; for equal
 * weights that is the binomial p(1-p)/n. One sample's square is added to the part's sum, which is
 * what few samples need.
 *
 * They are not: they come at jittered but regular intervals, so a function that runs for longer
 * than the interval is measured more precisely, and one in step with it less. The log shows which:
 * it is cut in B <= 48 blocks of equal weight, r_b = W(part, b) - p W(b), and the variance is
 * estimated from successive differences, sum (r_b - r_b+1)² / 2 · B/(B-1) (Wolter, Introduction to
 * Variance Estimation, 2nd ed., ch. 8, systematic sampling: differences of neighbours, because
 * the program's own phases would otherwise look like error). The ratio to the variance of independent
 * draws, the design effect, is estimated with 2(B-1)/3 degrees of freedom (von Neumann 1941) and
 * drawn towards 1 with the weight of 6; Student's t for their sum multiplies it. A
 * difference beyond 3 standard deviations is a change of phase and counts as 3; the effect is
 * taken to be at most 1.5: so much denser than the mean can the multiples of the period, spread over
 * [1/2, 3/2] of the interval, lie on multiples of a cycle of the program. The
 * effect of the logged beginning is applied to the whole run. Below 20 samples it is 1. */
void sp_share_errors(const struct sp_profile *profile, const uint32_t *part_of, bool total, double *errors,
	size_t count);

/* The same for independent draws: of the share of all samples' weight that the part's is. `all` has some weight, and the part a
 * sample. */
double sp_independent_error(const struct sp_sum *part, const struct sp_sum *all);

#endif
