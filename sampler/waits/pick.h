/* Which waits are sampled: a Poisson process over the time that is waited, as heap samples are one over bytes. */
#ifndef SP_SAMPLER_WAITS_PICK_H
#define SP_SAMPLER_WAITS_PICK_H

#include "sampler/agent.h"
#include "sampler/clock/governor.h"
#include "sampler/waits/sites.h"

/* What samples of waits may take, and as much again what asks for the run queue's part: this in advance, however little the process runs, some
 * hundred samples or a third as many questions at a budget of 10 percent, ... */
static inline uint64_t sp_wait_grace_ns(void)
{
	return 20000ull * sp_agent.config.budget_permille;
}

/* ... and a fifth of the budget for CPU time. */
#define SP_WAIT_BUDGET_PART 5u
static inline uint64_t sp_wait_share_ns(uint64_t cpu_ns)
{
	return cpu_ns / 1000 * sp_budget_ppm(sp_agent.config.budget_permille) / 1000 / SP_WAIT_BUDGET_PART;
}

/* The intervals of a new process. */
void sp_pick_configure(void) SP_HIDDEN;

/* A wait of w->ns is over: takes it off what is left to the next one that is picked, and if that is this one, samples
 * it. caller: 0: the thread's stack is walked now; else others wait for what the thread has just got, and if w->stack is 0 all
 * that is known is what has called. In thread t, the caller's, which is not inside the agent. */
void sp_pick_wait(struct sp_thread *t, struct sp_waited *w, uint64_t caller) SP_HIDDEN;

/* A wait that has lasted so long will be sampled; UINT64_MAX: none will. */
uint64_t sp_pick_patience(struct sp_thread *t) SP_HIDDEN;

/* The calling thread's stack: index into SP_SEC_STACKS, 0 when it cannot be taken. */
uint32_t sp_pick_stack(struct sp_thread *t) SP_HIDDEN;

/* Adds to what timing and sampling waits has cost. */
void sp_pick_cost(uint64_t ns) SP_HIDDEN;

#endif
