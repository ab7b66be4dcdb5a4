/* Thread blocks: a struct sp_thread and a private stack each, from a pool in the agent's own memory. */
#ifndef SP_SAMPLER_THREADS_BLOCK_H
#define SP_SAMPLER_THREADS_BLOCK_H

#include "sampler/agent.h"

#define SP_BLOCKS 32768u /* threads at once */

/* Takes a block from the pool; NULL when memory is refused. Any context, lock-free. The block
 * belongs to no thread until sp_thread_adopt or sp_thread_assign. */
struct sp_thread *sp_block_take(void) SP_HIDDEN;

/* Why sp_block_take had none, a negative errno: -ENOSYS where the kernel cannot wipe memory for a forked child. */
int sp_block_error(void) SP_HIDDEN;

/* Gives back a block that no thread has, or has any more. Any context. */
void sp_block_give_back(struct sp_thread *t) SP_HIDDEN;

/* The block at a place in the pool; NULL when there is none. */
struct sp_thread *sp_block_at(uint32_t index) SP_HIDDEN;

/* Whether the address lies in the pool. */
bool sp_block_holds(const void *p) SP_HIDDEN;

/* Calls fn for every block that is some thread's now. */
void sp_block_each(void (*fn)(struct sp_thread *, void *), void *arg) SP_HIDDEN;

/* Waits until done(t, arg): what another thread has begun with the block comes to an end within a moment. False: it does not.
 * Normal context. */
bool sp_block_await(struct sp_thread *t, bool (*done)(struct sp_thread *t, void *arg), void *arg) SP_HIDDEN;

/* No thread has any block any more: in a forked child, whose blocks are wiped, or where no other thread can be inside the agent. */
void sp_block_forget(void) SP_HIDDEN;

#endif
