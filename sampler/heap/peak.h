/* How much was in use at the peak, without the bias of a largest estimate.
 *
 * The estimate of what is in use is unbiased at any time, but its largest value is that of the luckiest moment: where
 * few samples are alive it was 1.2 to 12 times the truth. Exact are the bytes and calls of allocations, and the calls of
 * frees. A second estimate is kept from those: every allocation adds its size, and every free takes the mean of what is
 * there. It has no noise, but where the program frees other sizes than the mean it is off by a factor, which
 * the samples tell: the ratio of the two estimates' means over the last SP_PEAK_WINDOW samples, as far as it differs
 * from 1 by more than chance. Where both together contradict the samples of the moment, the samples are believed.
 * Blocks that are sampled for certain stand outside of all that. A reader makes the peak of what is kept here: sp_peak_of
 * in profiles/. */
#ifndef SP_SAMPLER_HEAP_PEAK_H
#define SP_SAMPLER_HEAP_PEAK_H

#include "sampler/agent.h"

#define SP_PEAK_WINDOW 512

/* A sampled allocation has been added to the totals: returns true when it made a new peak. Inside the guard, the thread's
 * counters flushed. */
bool sp_peak_allocated(void) SP_HIDDEN;

/* A sampled allocation has been taken off the totals, which lived since `born` (sp_peak_clock then). */
void sp_peak_freed(double born, bool exact) SP_HIDDEN;

/* Bytes allocated so far, each in units of the interval then in force. */
double sp_peak_clock(void) SP_HIDDEN;

#endif
