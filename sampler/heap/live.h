/* The live set: sampled allocations that have not been freed yet. The entries stand in the spool,
 * where a reader finds what was alive even after a kill; the hash over them is private.
 *
 * Lock-free. A key belongs to whoever owns the pointer: a correct program neither frees it twice
 * nor before it has it, so insertion and removal of one key never race; different keys meet only
 * in compare-and-swap on a slot. Bounded: the table never grows. */
#ifndef SP_SAMPLER_HEAP_LIVE_H
#define SP_SAMPLER_HEAP_LIVE_H

#include "sampler/agent.h"

/* What free() looks at: a byte that is not zero means that a sampled pointer with this place may be
 * alive. A multiplication by `factor` maps neighbours to neighbours, so that what a program frees together
 * shares cache lines. There are two: while samples are far apart the coarse one is in force, a byte of which
 * stands for 207 bytes of address space; else the fine one, 13 bytes. Never freed. */
struct sp_live_filter {
	uint64_t factor;
	uint8_t bytes[];
};
extern struct sp_live_filter *sp_live_filter SP_HIDDEN; /* one pointer: factor and bytes belong together */

#define SP_LIVE_PLACE_BITS 18

static inline uint64_t sp_live_hash(const void *p)
{
	return ((uint64_t)(uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ULL >> 40;
}

static inline uint64_t sp_live_place(const struct sp_live_filter *f, const void *p)
{
	return (uint64_t)(uintptr_t)p * f->factor >> (64 - SP_LIVE_PLACE_BITS);
}

/* True when p need not be looked up. */
static inline bool sp_live_surely_not(const void *p)
{
	const struct sp_live_filter *f = sp_load(&sp_live_filter);

	return sp_likely(!f->bytes[sp_live_place(f, p)]);
}

/* The fine filter's word on a pointer that the one in force lets through. Any context. */
bool sp_live_may_have(const void *p) SP_HIDDEN;

/* Maps the hash; needs a spool. 0 or a negative errno. In a forked child its contents are gone. Any context. */
int sp_live_init(void) SP_HIDDEN;

/* Whether the address lies in what sp_live_init has mapped. */
bool sp_live_holds(const void *p) SP_HIDDEN;

/* Makes the next free() of the agent's own memory take the slow path: see sp_arena_owns. */
void sp_live_mark_arena(const void *p) SP_HIDDEN;

/* Makes the free() of a pointer sampled while the agent is dormant take the slow path, and no longer so. */
void sp_live_mark_early(const void *p) SP_HIDDEN;
void sp_live_unmark_early(const void *p) SP_HIDDEN;

/* The real free() is known: only the arena's pointers need the slow path from now on. */
void sp_live_boot_done(void) SP_HIDDEN;

/* Nothing is alive, in a forked child. */
void sp_live_reset(void) SP_HIDDEN;

/* Enters p, which must not be there. Returns 0, or -ENOSPC when there is no room (or p is no address an
 * allocator returns: below 2^47 and a multiple of 8). */
int sp_live_insert(const void *p, const struct sp_live *entry) SP_HIDDEN;

/* Takes p out into *entry; false when it is not there. Any context, the application's signal
 * handlers included. */
bool sp_live_remove(const void *p, struct sp_live *entry) SP_HIDDEN;

/* Offers every entry to fn, which may change it; it is taken out when fn returns false. One
 * caller at a time. */
void sp_live_sweep(bool (*fn)(struct sp_live *, void *), void *arg) SP_HIDDEN;

/* Entries now, in permille of the room there is. */
uint32_t sp_live_permille(void) SP_HIDDEN;

#endif
