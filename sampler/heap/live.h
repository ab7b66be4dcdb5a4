/* The live set: sampled allocations that have not been freed yet. The entries stand in the spool,
 * where a reader finds what was alive even after a kill; the hash over them is private.
 *
 * Lock-free. A key belongs to whoever owns the pointer: a correct program neither frees it twice
 * nor before it has it, so insertion and removal of one key never race; different keys meet only
 * in compare-and-swap on a slot. Bounded: the table never grows. */
#ifndef SP_SAMPLER_HEAP_LIVE_H
#define SP_SAMPLER_HEAP_LIVE_H

#include "sampler/agent.h"

static inline uint64_t sp_live_hash(const void *p)
{
	return ((uint64_t)(uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ULL >> 40;
}

/* Whether p may be there, by the fine filter. Any context. */
bool sp_live_may_have(const void *p) SP_HIDDEN;

/* Maps the hash; needs a spool. 0 or a negative errno. In a forked child its contents are gone. Any context. */
int sp_live_init(void) SP_HIDDEN;

/* Whether the address lies in what sp_live_init has mapped. */
bool sp_live_holds(const void *p) SP_HIDDEN;

/* Nothing is alive, in a forked child. */
void sp_live_forked(void) SP_HIDDEN;

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
