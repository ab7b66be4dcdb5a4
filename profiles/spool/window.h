/* A window: what a process did between two snapshots of it. Counters of a spool only grow, so it is a difference.
 *
 * The result is a snapshot that renders as any other, of a run that began at the earlier one: CPU time, samples,
 * allocations, threads, timeline and log are those of the window, and in use is what was allocated in it and is still
 * there. What blocks of before were freed shows in `growth` alone, which adds up: from A to B and from B to C is from A
 * to C. What only the process itself could have kept, the heap's peak within the window, is not known. */
#ifndef SP_PROFILES_SPOOL_WINDOW_H
#define SP_PROFILES_SPOOL_WINDOW_H

#include "profiles/spool/read.h"

/* What a heap site held more at the end than at the beginning. */
struct sp_growth {
	int64_t bytes, count; /* less than nothing: it shrank */
	double variance;      /* of bytes, SP_VARIANCE_UNIT: of the blocks that are there at one end only */
	uint64_t samples;     /* of those */
};

/* Makes `later` what happened since `earlier`. Returns 0, or a negative errno and a phrase in *why that stands
 * between the names of the later and of the earlier one; the later is then as it was. */
int sp_window_take(struct sp_snapshot *later, const struct sp_snapshot *earlier, const char **why);

/* What a counter has grown by. Counters are read one after the other while the process runs: one may seem to have gone back. */
static inline uint64_t sp_window_since(uint64_t later, uint64_t earlier)
{
	return later > earlier ? later - earlier : 0;
}

/* The same of one record, which becomes what was counted in it since, for who looks often (follow.h). */
void sp_window_stack(struct sp_stack *is, const struct sp_stack *was);

/* was: NULL where it is new. growth: without its variance, which the live set tells. */
void sp_window_site(struct sp_site *is, const struct sp_site *was, struct sp_growth *growth);

/* Of all threads; nothing else of the two is looked at, but when the earlier was taken. */
void sp_window_threads(struct sp_snapshot *later, const struct sp_snapshot *earlier);

#endif
