/* The end: the spool is completed and rendered. */
#include <errno.h>
#include <string.h>

#include "preload/agent.h"
#include "sampler/clock.h"
#include "sampler/found.h"
#include "sampler/sample.h"
#include "sampler/sys.h"
#include "sampler/thread.h"
#include "sampler/usage.h"

#define WAIT_MS 10000 /* for another thread that is at it */
#define LEAST_CPU_NS 20000000u

static void flush_thread(struct sp_thread *t, void *arg)
{
	(void)arg;
	sp_thread_flush(t, true);
}

static void complete_spool(enum sp_exit_kind kind, int value)
{
	struct sp_spool_header *h = sp_agent.spool;

	sp_found_finish();
	sp_thread_each(flush_thread, NULL);
	sp_timeline_step(sp_now_ns(), true);
	h->exit_kind = kind;
	h->exit_value = value;
	h->end_ns = sp_now_ns();
	__atomic_store_n(&h->state, SP_STATE_ENDED, __ATOMIC_RELEASE);
}

static bool is_worth_a_profile(void)
{
	struct sp_usage usage;

	if (sp_is_stale_child() || sp_is_vfork_child())
		return false;
	sp_process_usage(&usage);
	return usage.user_ns + usage.sys_ns >= LEAST_CPU_NS;
}

/* No signal of ours came through: what was used until now is unsampled. */
static void activate_late(void)
{
	sp_activate();
	if (sp_agent.spool)
		sp_agent.spool->cpu.before_user_ns = sp_agent.spool->cpu.before_sys_ns = 0;
}

void sp_finish(enum sp_exit_kind kind, int value)
{
	static uint32_t ending, ended; /* atomic; ending: tid of the thread that is at it */
	static int ending_pid;
	int saved_errno = errno, err, i;
	bool held;
	uint32_t tid, none = 0;
	uint64_t mask;

	if (sp_load(&sp_agent.state) == SP_AGENT_DORMANT && !sp_agent.sealed && is_worth_a_profile())
		activate_late();
	if (sp_process.verbose && sp_load(&sp_agent.state) == SP_AGENT_DORMANT && !sp_is_vfork_child())
		sp_verbose("no profile", "the process used next to no CPU time and memory");
	if (sp_agent.sealed || sp_load(&sp_agent.state) < SP_AGENT_ACTIVE || sp_is_stale_child() || sp_is_vfork_child())
		return;
	if (sp_load(&ending_pid) != sp_agent.pid) {
		ending = ended = 0; /* a forked child's own end */
		sp_store(&ending_pid, sp_agent.pid);
	}
	mask = sp_block_signals();
	tid = (uint32_t)sp_sys(SYS_gettid);
	if (!__atomic_compare_exchange_n(&ending, &none, tid, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		/* Another thread is at it: the process must not end under it. When it is this very
		 * thread, a signal has come in between: it need not wait, the renderer is on its own. */
		struct timespec nap = {0, 10000000};

		sp_restore_signals(mask);
		for (i = 0; i < WAIT_MS / 10 && !sp_load(&ended) && sp_load(&ending) != tid; i++)
			sp_sys(SYS_nanosleep, &nap, NULL);
		return;
	}
	if (sp_load(&sp_agent.state) == SP_AGENT_ACTIVE) {
		held = sp_park_threads();
		sp_hold_signals(mask);
		if (sp_tls.thread)
			sp_clock_disarm(sp_tls.thread);
		sp_clock_stop_process();
		sp_store(&sp_agent.state, SP_AGENT_STOPPED);
		complete_spool(kind, value);
		err = sp_render(held);
		if (err)
			sp_verbose("the profile is not rendered yet; `smartprof recover` will do it",
				strerrordesc_np(-err));
		sp_hold_end();
		sp_park_end();
	} else {
		sp_restore_signals(mask);
	}
	sp_store(&ended, 1);
	errno = saved_errno;
}
