/* Thresholds: the process marks by itself when its memory or its use of the CPU becomes worth a look.
 *
 * The mark is set at the first look that is above, so that the heap is that of the crossing, and taken back if not all looks of a
 * window are. Then the rule is quiet until the value fell below 90 % of the threshold or grew by a quarter. Of a sequence,
 * which ends when all rules are armed again and an hour has passed, at most five crossings are marked, and one that is
 * crossed again leaves room for those that have not been. */
#ifndef SP_SAMPLER_UPKEEP_THRESHOLDS_H
#define SP_SAMPLER_UPKEEP_THRESHOLDS_H

#include "sampler/agent.h"

/* To be called often: it reads a file of the kernel's only as often as memory can have grown to the next threshold. `now` is
 * sp_now_ns(). Any context. */
void sp_thresholds_step(uint64_t now) SP_HIDDEN;

/* A slow response was counted in the spool: when there were several within some seconds, that is marked. Any context. */
void sp_thresholds_slow_response(uint64_t now) SP_HIDDEN;

void sp_thresholds_forked(void) SP_HIDDEN;

/* A rule, and what a look at it does. */
struct sp_threshold {
	uint64_t limit;    /* 0: there is no such rule */
	uint64_t high;     /* what it fired at; 0: it is armed */
	uint64_t since_ns; /* it is above since then, and has been marked ... */
	uint32_t marked;   /* ... with this number; 0: it is no question whether it stays above */
};

enum sp_threshold_action { SP_THRESHOLD_NOTHING, SP_THRESHOLD_MARK, SP_THRESHOLD_WITHDRAW };

/* may_again: one that has fired may do so again when it has grown by a quarter. The caller sets `marked`. */
enum sp_threshold_action sp_threshold_look(struct sp_threshold *rule, uint64_t value, uint64_t now, uint64_t window_ns,
	bool may_again) SP_HIDDEN;

/* What the value has to come to for anything to happen. */
uint64_t sp_threshold_next(const struct sp_threshold *rule) SP_HIDDEN;

#endif
