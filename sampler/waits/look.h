/* Looks at how long a thread was not on a CPU: the cycle counter's time less the CPU time that the kernel tells. */
#ifndef SP_SAMPLER_WAITS_LOOK_H
#define SP_SAMPLER_WAITS_LOOK_H

#include "sampler/agent.h"
#include "sampler/clock/governor.h"

/* What a look takes, a system call: in virtual machines 450 ns. */
#define SP_LOOK_NS 400u
#define SP_EACH_NS (2 * SP_LOOK_NS) /* ... and with the question whether it has slept */

/* sp_waits.look_cycles is doubled so often at the most. */
#define SP_LOOK_DOUBLINGS 4u

/* How long the calling thread, whose block `t` is, was not on a CPU since it was last looked at, less what it has waited since
 * without a look. Nanoseconds. Normal context, or an application's signal handler. */
uint64_t sp_wait_look(struct sp_thread *t) SP_HIDDEN;

/* What looks of either kind, at each call or at some of the short ones, may have taken: a tenth of the budget, whatever the first
 * ones have. */
#define SP_FREE_LOOKS 64u
static inline uint64_t sp_look_allowance_ns(const struct sp_thread_waits *w)
{
	return SP_FREE_LOOKS * SP_EACH_NS +
		w->looked_cpu_ns / 1000 * sp_budget_ppm(sp_agent.config.budget_permille) / 10000;
}

/* Looks at each call have taken so little that shorter ones may be looked at, too. */
static inline void sp_look_relax(struct sp_thread_waits *w)
{
	if (w->look_doublings && w->looks * SP_EACH_NS < sp_look_allowance_ns(w) / 4)
		w->look_doublings--;
}

/* What of a call of `ns` the thread was off the CPU, if it was for `off` since it was last looked at. The second only if it
 * has gone to sleep since that was last asked. */
uint64_t sp_wait_off(uint64_t ns, uint64_t off) SP_HIDDEN;
uint64_t sp_wait_slept(struct sp_thread *t, uint64_t ns, uint64_t off) SP_HIDDEN;

#endif
