/* Walking a stack. */
#ifndef SP_SAMPLER_WALK_UNWIND_H
#define SP_SAMPLER_WALK_UNWIND_H

#include <ucontext.h>

#include "sampler/agent.h"

#define SP_UNWIND_TABLE_BYTES 262144u /* outside of the spool */

struct sp_walk {
	const uint64_t *frames; /* in the thread's buffer: valid until its next walk */
	uint32_t depth;
	uint32_t flags; /* enum sp_stack_flags */
};

/* Walks the interrupted stack described by `context` (CPU sample), or with NULL the caller's own
 * (heap sample; frames inside the agent are left out). Must run on the thread's private stack. Takes no lock, allocates
 * nothing, and touches nothing thread-local. */
void sp_unwind(struct sp_thread *t, const ucontext_t *context, struct sp_walk *walk) SP_HIDDEN;

/* Before a process's first walk: what the first walks use is touched, by writing, as the kernel makes a page twice that is read first. Any
 * context. */
void sp_unwind_begin(void) SP_HIDDEN;

/* Learns where stacks end: `entry` is the executable's entry point, `ldso` where the dynamic linker is
 * loaded, `top` an address on the main thread's stack above its frames. Called once from the constructor. */
void sp_unwind_init(uint64_t entry, uint64_t ldso, uint64_t top) SP_HIDDEN;

#endif
