/* Walking a stack with libunwind. */
#ifndef SP_SAMPLER_UNWIND_H
#define SP_SAMPLER_UNWIND_H

#include <ucontext.h>

#include "sampler/agent.h"

#define SP_UNWIND_TABLE_BYTES 262144u /* outside of the spool */

struct sp_walk {
	const uint64_t *frames; /* in the thread's buffer: valid until its next walk */
	uint32_t depth;
	uint32_t flags; /* enum sp_stack_flags */
};

/* Walks the interrupted stack described by `context` (CPU sample), or with NULL the caller's own
 * (heap sample; frames inside the agent are left out). Must run on the thread's private stack.
 * Returns false when that is not
 * possible at the moment (counted). Never takes the loader lock; anything libunwind allocates comes from the agent's arena. */
bool sp_unwind(struct sp_thread *t, const ucontext_t *context, struct sp_walk *walk) SP_HIDDEN;

/* Learns where stacks end: `entry` is the executable's entry point, `ldso` where the dynamic linker is
 * loaded, `top` an address on the main thread's stack above its frames. Called once from the constructor. */
void sp_unwind_init(uint64_t entry, uint64_t ldso, uint64_t top) SP_HIDDEN;

/* Forgets what libunwind has cached about code that is gone. Normal context. */
void sp_unwind_flush(void) SP_HIDDEN;

/* libunwind asks whether memory can be read by writing it into a pipe, whose descriptors the
 * application may have closed and reused. This answers instead, without a descriptor: 1 when the
 * byte at `address` is readable. Any context. */
bool sp_unwind_readable(const void *address) SP_HIDDEN;

#endif
