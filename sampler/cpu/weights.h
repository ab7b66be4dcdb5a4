/* What a sample stands for.
 *
 * An event sample stands for one period of user time, corrected a little so that their sum follows the thread's user
 * time as getrusage has it. A tick that found the thread in the kernel gives what its system time has grown to the
 * interrupted stack: after a system call that is its caller's, after an exception that of the instruction. What
 * interrupts took, our own clock's among them, goes to the next event samples a little each, since it belongs to none of
 * the program's code. With the timer alone a tick carries the growth of both. These are functions of the thread's figures
 * and their arguments alone. */
#ifndef SP_SAMPLER_CPU_WEIGHTS_H
#define SP_SAMPLER_CPU_WEIGHTS_H

#include <ucontext.h>

#include "sampler/agent.h"
#include "sampler/threads/thread.h"

struct sp_weight {
	uint64_t user_ns, sys_ns;
};

/* Of the event sample that is being taken. Signal context. */
struct sp_weight sp_weight_event(struct sp_thread *t) SP_HIDDEN;

/* Of a tick that found the thread at `context` when it had used `usage`; nothing when there is no sample to take of it
 * or it would stand for less than `least_ns` (its time is then a later tick's). Call at every tick. Signal context. */
struct sp_weight sp_weight_tick(struct sp_thread *t, const struct sp_usage *usage, const ucontext_t *context,
	uint64_t least_ns) SP_HIDDEN;

/* The thread is not at a tick, and has used `usage`: the next tick is told by what it adds to that. */
void sp_weight_look(struct sp_thread *t, const struct sp_usage *usage) SP_HIDDEN;

/* At a tick: judges now and then whether hardly any of the thread's time is the kernel's (sp_thread.calm). */
void sp_weight_judge(struct sp_thread *t, const struct sp_usage *usage) SP_HIDDEN;

/* The sample was taken. */
void sp_weight_given(struct sp_thread *t, const struct sp_usage *usage) SP_HIDDEN;

#endif
