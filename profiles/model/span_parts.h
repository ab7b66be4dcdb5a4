/* Stage 3b, second half: what spans are made of, by function. */
#ifndef SP_PROFILES_MODEL_SPAN_PARTS_H
#define SP_PROFILES_MODEL_SPAN_PARTS_H

#include "profiles/model/log.h"
#include "profiles/model/spans.h"

/* What threads wait in: a call, and the function that made it. */
struct sp_span_wait {
	uint32_t call, function;
	uint32_t lock; /* of the snapshot; 0: none, or several */
};

/* Samples added up by function, of CPU stacks (microseconds) or of heap stacks (bytes), or by what was waited in (microseconds). */
struct sp_span_sums {
	struct sp_sum *all, *slow; /* by that, 0 where it is not in `touched` */
	uint32_t *touched;
	size_t touched_count;
	struct sp_sum total, slow_total;
};

/* place: of the snapshot's nodes in spans[], UINT32_MAX none. site_frame: of heap stacks. */
void sp_span_parts_add_up(struct sp_profile *profile, const uint32_t *place, const uint32_t *site_frame);

/* What was sampled in a span, and in its slow ones. */
struct sp_span_sampled {
	struct sp_span_sums cpu, heap, waits;
	const struct sp_span_wait *waited_in; /* what `waits` counts by */
};

/* What the slow ones of the span have more. */
void sp_span_slow_judge(struct sp_profile *profile, struct sp_span_info *span, const struct sp_span_sampled *had);

#endif
