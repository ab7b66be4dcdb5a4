/* Heap samples of a process that has no spool yet.
 *
 * A process is not worth a spool until it has allocated sp_agent.dormant_bytes, but what it allocates until
 * then is no smaller part of its truth: from sp_pre_activation_skip_bytes on it is sampled at a wide interval
 * into a small table in private memory, which the spool takes over when it is made. One thread only:
 * a second one makes the spool. */
#ifndef SP_SAMPLER_HEAP_PRE_ACTIVATION_H
#define SP_SAMPLER_HEAP_PRE_ACTIVATION_H

#include "sampler/agent.h"

/* Of a tree's members most never have a spool: a quarter is skipped instead of an eighth, and half as many samples are taken. The walks
 * are most of what sampling costs such a process, because all code is new to it. */
static inline bool sp_pre_activation_spares(void)
{
	return sp_agent.dormant_bytes > SP_DORMANT_BYTES;
}

static inline uint64_t sp_pre_activation_skip_bytes(void)
{
	return sp_agent.dormant_bytes / (sp_pre_activation_spares() ? 4 : 8);
}

/* Bytes between the samples, on average. */
static inline uint64_t sp_pre_activation_interval(void)
{
	return sp_agent.dormant_bytes / (sp_pre_activation_spares() ? 8 : 16);
}

/* Bytes until the first that sp_pre_activation_allocated is to be called for. */
static inline uint64_t sp_pre_activation_first_bytes(void)
{
	return sp_agent.pre_activation_heap ? sp_pre_activation_skip_bytes() : sp_agent.dormant_bytes;
}

/* The dormant process allocated `size` bytes at `p`, and had allocated `before` bytes until then; the
 * allocation is counted already. Returns the bytes until this is to be called again. Inside the guard. */
int64_t sp_pre_activation_allocated(const void *p, size_t size, uint64_t before) SP_HIDDEN;

/* True when the countdown that has run out was one to a sample: a process that has become active in
 * between owes it. Asked once. */
bool sp_pre_activation_due(void) SP_HIDDEN;

/* p is about to be freed: its number in the table, or 0. sp_pre_activation_restore: it was not freed. */
uint32_t sp_pre_activation_forget(const void *p) SP_HIDDEN;
void sp_pre_activation_restore(uint32_t number, const void *p) SP_HIDDEN;

/* Bytes and calls that no sample covers; false when nothing has been sampled yet. */
bool sp_pre_activation_before(uint64_t *bytes, uint64_t *count) SP_HIDDEN;

/* Gives the samples to fn: its stack, and p, NULL when it has been freed again. Empties the table. */
struct sp_pre_activation_sample {
	const void *p;
	size_t size;
	uint64_t born_tsc;
	uint32_t thread_allocs;
	uint32_t depth, flags; /* of the stack */
	uint64_t *frames;
};
void sp_pre_activation_replay(void (*fn)(const struct sp_pre_activation_sample *, void *), void *arg) SP_HIDDEN;

/* In a forked child: nothing has been sampled. */
void sp_pre_activation_forked(void) SP_HIDDEN;

#endif
