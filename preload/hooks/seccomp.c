/* Programs that give up rights: one that installs a seccomp filter is left alone from then on, and of one that may not read
 * the cycle counter it is not read. */
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "preload/export.h"
#include "preload/finish/finish.h"
#include "preload/finish/tree.h"
#include "preload/hooks/signals.h"
#include "preload/hooks/threads.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/clock/clock.h"
#include "sampler/sys.h"
#include "sampler/threads/open_wait.h"
#include "sampler/threads/thread.h"
#include "sampler/waits/waits.h"

/* The filter may be for all threads, and not allow one that is inside the agent to come out of it. */
static void let_others_out(void)
{
	struct timespec nap = {0, 1000000};
	bool busy = true;
	int i;

	for (i = 0; i < 50 && busy; i++) {
		sp_sys(SYS_nanosleep, &nap, NULL);
		busy = sp_thread_any_inside();
	}
}

static void forbid_tsc(uint32_t why)
{
	__atomic_fetch_or(&sp_agent.tsc_forbidden, why, __ATOMIC_RELAXED);
}

/* No more sampling and no more system calls: the application is about to install a seccomp filter. */
static void seal(void)
{
	if (sp_unlikely(sp_is_stale_child()))
		sp_agent.forked();
	if (sp_agent_state() == SP_AGENT_DORMANT)
		sp_clock_arm_start(0);
	else if (sp_agent_state() != SP_AGENT_ACTIVE)
		return;
	sp_tree_give_up();
	sp_clock_stop_all();
	if (sp_threads_made())
		let_others_out();
	forbid_tsc(SP_TSC_SEALED);
	sp_agent.sealed = 1 + (uint32_t)sp_agent_state();
	if (sp_agent.has_spool)
		sp_agent.spool->sealed_ns = sp_now_ns();
	sp_store(&sp_agent.state, SP_AGENT_STOPPED);
}

/* It did not. */
static void unseal(void)
{
	if (!sp_agent.sealed)
		return;
	sp_store(&sp_agent.state, (int)sp_agent.sealed - 1);
	sp_agent.sealed = 0;
	__atomic_fetch_and(&sp_agent.tsc_forbidden, ~SP_TSC_SEALED, __ATOMIC_RELAXED);
	if (sp_agent.has_spool)
		sp_agent.spool->sealed_ns = 0;
	if (sp_agent.state == SP_AGENT_DORMANT)
		sp_process_arm_start();
	else
		sp_clock_resume_all();
}

/* All the words a caller of a variadic prctl or syscall may have passed. */
SP_EXPORT int sp_export_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
	unsigned long d) __asm__("prctl");
SP_EXPORT long sp_export_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

int sp_export_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	int result;

	/* Under one filter there may be no call to see whose child this is. */
	if (sp_unlikely(option == PR_SET_TSC && a == PR_TSC_SIGSEGV))
		forbid_tsc(SP_TSC_DISABLED);
	if (sp_likely(option != PR_SET_SECCOMP) || sp_agent.sealed || sp_is_vfork_child())
		return SP_REAL(prctl)(option, a, b, c, d);
	seal();
	result = SP_REAL(prctl)(option, a, b, c, d);
	if (result < 0)
		unseal();
	return result;
}

static bool installs_filter(long number, long a)
{
	return (number == SYS_seccomp && (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER)) ||
		(number == SYS_prctl && a == PR_SET_SECCOMP);
}

long sp_export_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	int call = sp_wait_of_system_call(number, (uint64_t)b);
	struct sp_timed_call wait;
	bool seals, timed;
	long result;

	if (sp_unlikely(number == SYS_exit_group))
		sp_finish(SP_EXIT_CODE, (int)a & 0xff);
	if (sp_unlikely(number == SYS_prctl) && a == PR_SET_TSC && b == PR_TSC_SIGSEGV)
		forbid_tsc(SP_TSC_DISABLED);
	seals = sp_unlikely(installs_filter(number, a)) && !sp_agent.sealed && !sp_is_vfork_child();
	if (seals)
		seal();
	timed = call >= 0 && sp_wait_begin(&wait, (enum sp_wait_call)call);
	result = sp_sys6(number, a, b, c, d, e, f);
	if (timed)
		sp_wait_end(&wait, (enum sp_wait_call)call, number == SYS_futex ? (uint64_t)a : 0);
	if (sp_unlikely(number == SYS_rt_sigaction) && !sp_agent.sealed && !sp_is_vfork_child())
		sp_signals_look();
	if (result >= 0 || result < -4095)
		return result;
	if (seals)
		unseal();
	errno = (int)-result;
	return -1;
}
