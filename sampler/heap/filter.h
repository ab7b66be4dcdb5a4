/* The filter of free(): which pointers need not be looked up in the live set.
 *
 * A byte that is not zero means that a sampled pointer with this place may be alive. A multiplication by `factor` maps
 * neighbours to neighbours, so that what a program frees together shares cache lines. There are two tables: while
 * samples are far apart the coarse one is in force, a byte of which stands for 207 bytes of address space; else the
 * fine one, 13 bytes. Lock-free. */
#ifndef SP_SAMPLER_HEAP_FILTER_H
#define SP_SAMPLER_HEAP_FILTER_H

#include "sampler/agent.h"

struct sp_free_filter {
	uint64_t factor;
	uint8_t bytes[];
};
extern struct sp_free_filter *sp_free_filter
	SP_HIDDEN; /* in force; one pointer: factor and bytes belong together. Never freed */

#define SP_FILTER_PLACE_BITS 18
#define SP_FILTER_BYTES (sizeof(struct sp_free_filter) + (1u << SP_FILTER_PLACE_BITS))
#define SP_FILTER_COARSE_BYTES (4096u + (1u << SP_FILTER_PLACE_BITS)) /* of the agent's own data */

static inline uint64_t sp_filter_place(const struct sp_free_filter *f, const void *p)
{
	return (uint64_t)(uintptr_t)p * f->factor >> (64 - SP_FILTER_PLACE_BITS);
}

/* True when p need not be looked up. */
static inline bool sp_filter_surely_not(const void *p)
{
	const struct sp_free_filter *f = sp_load(&sp_free_filter);

	return sp_likely(!f->bytes[sp_filter_place(f, p)]);
}

/* Whether the fine table has p, which the table in force has; true without a fine table. Any context. */
bool sp_filter_fine_has(const void *p) SP_HIDDEN;

/* The real free() is known: only the arena's pointers need the slow path from now on. */
void sp_filter_boot_done(void) SP_HIDDEN;

/* Makes SP_FILTER_BYTES zeroed bytes the fine table; NULL: there is none. */
void sp_filter_set_fine(void *memory) SP_HIDDEN;

/* A sampled pointer comes into the live set, or goes out of it. */
void sp_filter_add(const void *p) SP_HIDDEN;
void sp_filter_remove(const void *p) SP_HIDDEN;

/* The same of one that is sampled while the agent is dormant, when there is no fine table. */
void sp_filter_add_pre_activation(const void *p) SP_HIDDEN;
void sp_filter_remove_pre_activation(const void *p) SP_HIDDEN;

/* Makes every free() of the agent's own memory take the slow path: see sp_arena_owns. */
void sp_filter_mark_arena(const void *p) SP_HIDDEN;

/* Puts the table in force that fits so many samples in so many bytes. Both tables are always up to date. */
void sp_filter_choose(uint64_t inuse_bytes, uint64_t samples) SP_HIDDEN;

/* Nothing is alive any more, not even the arena's: in a forked child. Returns whether any of the arena's has been, and so is to be marked
 * again. */
bool sp_filter_reset(void) SP_HIDDEN;

/* Whether any pointer was marked by sp_filter_mark_arena. */
bool sp_filter_has_arenas(void) SP_HIDDEN;

#endif
