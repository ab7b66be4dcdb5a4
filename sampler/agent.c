/* The agent's two globals, entering and leaving, and the cycle counter. */
#include "sampler/agent.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>

#include "sampler/sys.h"

struct sp_agent sp_agent;
__thread struct sp_tls sp_tls __attribute__((tls_model("initial-exec")));

#define TSC_PER_US_ASSUMED_X1024 2560000u

uint64_t sp_now_ns(void)
{
	return sp_clock_read_ns(CLOCK_MONOTONIC) - sp_agent.start_monotonic_ns;
}

void sp_calibrate_tsc(void)
{
	uint64_t before_ns = sp_now_ns(), cycles = sp_tsc_first() - sp_agent.start_tsc,
		 gap_ns = sp_now_ns() - before_ns, us = (before_ns + gap_ns / 2) / 1000;

	/* It is too early to tell, or others had the processor in between. What a parent knew, or else 2.5 GHz, has to do
	 * until the governor or a span asks again. */
	if (us >= 500 && gap_ns <= before_ns / 128 && !sp_load(&sp_agent.tsc_forbidden)) {
		sp_store(&sp_agent.tsc_per_us_x1024, sp_scale(cycles, 1024, us));
		sp_store(&sp_agent.tsc_measured, 1);
	} else if (!sp_agent.tsc_per_us_x1024) {
		sp_store(&sp_agent.tsc_per_us_x1024, TSC_PER_US_ASSUMED_X1024);
	}
	if (sp_agent.spool)
		sp_store(&sp_agent.spool->tsc_per_us_x1024, sp_load(&sp_agent.tsc_per_us_x1024));
}

uint64_t sp_tsc_made(void)
{
	uint64_t scale = sp_load(&sp_agent.tsc_per_us_x1024);

	if (sp_load(&sp_agent.tsc_forbidden) & SP_TSC_SEALED) /* a system call is not allowed either */
		return sp_agent.start_tsc;
	return sp_agent.start_tsc + sp_scale(sp_now_ns(), scale ? scale : TSC_PER_US_ASSUMED_X1024, 1024000);
}

uint64_t sp_tsc_first(void)
{
	int may = PR_TSC_ENABLE;

	if (!sp_load(&sp_agent.tsc_forbidden) && sp_sys(SYS_prctl, PR_GET_TSC, &may, 0, 0, 0) == 0 &&
		may == PR_TSC_SIGSEGV)
		__atomic_fetch_or(&sp_agent.tsc_forbidden, SP_TSC_DISABLED, __ATOMIC_RELAXED);
	return sp_tsc();
}

struct sp_thread *sp_enter(void)
{
	struct sp_tls *tls = &sp_tls;

	if (tls->guard) {
		sp_drop(SP_DROP_REENTRY);
		return NULL;
	}
	tls->guard = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!tls->thread || sp_load(&sp_agent.state) != SP_AGENT_ACTIVE)
		goto refuse;
	return tls->thread;
refuse:
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tls->guard = 0;
	return NULL;
}

void sp_leave(struct sp_thread *t)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->tls->guard = 0;
}

uint64_t sp_block_others(bool own_stack)
{
	uint64_t set = ~0ull, before = 0;
	stack_t now;

	/* Inside a handler on an alternate stack, a signal that finds us on a private one would begin at its top
	 * again and overwrite that handler. */
	if (!sp_load(&sp_agent.shut) &&
		(own_stack || (sp_sys(SYS_sigaltstack, NULL, &now) == 0 && !(now.ss_flags & SS_ONSTACK))))
		set &= ~(1ull << (sp_agent.config.signal - 1));
	sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &set, &before, 8);
	return before;
}

bool sp_read_memory(void *to, const void *from, size_t bytes)
{
	/* The kernel finds out whether it is there. */
	struct iovec local = {to, bytes}, remote = {(void *)(uintptr_t)from, bytes};

	return sp_sys(SYS_process_vm_readv, sp_agent.pid, &local, 1, &remote, 1, 0) == (long)bytes;
}
