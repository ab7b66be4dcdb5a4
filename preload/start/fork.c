/* Forks: a child starts again with a spool of its own. */
#include "preload/start/fork.h"

#include "preload/finish/finish.h"
#include "preload/finish/tree.h"
#include "preload/hooks/children.h"
#include "preload/hooks/handed_on.h"
#include "preload/hooks/signals.h"
#include "preload/hooks/threads.h"
#include "preload/process.h"
#include "preload/start/api.h"
#include "preload/real.h"

#include <string.h>

#include "preload/libc.h"
#include "sampler/clock/clock.h"
#include "sampler/heap/live.h"
#include "sampler/heap/pre_activation.h"
#include "sampler/spans/async.h"
#include "sampler/spans/context.h"
#include "sampler/spans/log.h"
#include "sampler/spans/names.h"
#include "sampler/spans/slow.h"
#include "sampler/spool/mapping.h"
#include "sampler/sys.h"
#include "sampler/threads/self.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/discovery.h"
#include "sampler/upkeep/memory.h"
#include "sampler/upkeep/thresholds.h"
#include "sampler/upkeep/timeline.h"
#include "sampler/upkeep/unblocked.h"
#include "sampler/waits/waits.h"
#include "sampler/walk/generated.h"

static bool begun; /* this process is a child that has forgotten its parent, and has had no child since */

/* With one thread, a signal that is directed at the process waits for it. */
static bool held; /* atomic */

static void hold_process(void)
{
	if (sp_is_single_threaded() && !sp_self_discovered())
		return;
	sp_clock_hold_process(true);
	sp_store(&held, true); /* a handler that forks in between lets it go again */
}

/* What nearly every child calls is looked up once, and not in each of them. */
static void before_fork(void)
{
	if (!sp_agent.attached) {
		sp_children_expect();
		sp_handed_on_expect();
		(void)SP_REAL(execve);
		(void)SP_REAL(_exit);
	}
	if (sp_unlikely(begun))
		begun = false;
	if (!sp_agent.sealed)
		hold_process();
}

static void after_fork_in_parent(void)
{
	if (sp_unlikely(sp_load(&held)) && __atomic_exchange_n(&held, false, __ATOMIC_RELAXED) && !sp_agent.sealed)
		sp_clock_hold_process(false);
}

/* What is not listed here is true in a child too. The governor and calibrate.c begin anew with every spool. */
SP_AT_FORK void sp_fork_forget(void)
{
	sp_context_forked();
	sp_clock_forked();
	sp_usage_forked();
	sp_thread_forked();
	sp_live_forked();
	sp_pre_activation_forked();
	sp_timeline_forked();
	sp_thresholds_forked();
	sp_self_forked();
	sp_discovery_forked();
	sp_unblocked_forked();
	sp_tree_forked();
	sp_finish_forked();
	sp_generated_forked();
	sp_span_names_forget();
	sp_span_slow_forget();
	sp_span_log_forked();
	sp_async_forked();
	sp_memory_forked();
	sp_waits_forked();
	sp_api_forked();
}

SP_AT_FORK void sp_fork_child(void)
{
	int state = sp_agent.state;

	if (sp_agent.sealed)
		return; /* stopped already, and system calls may be deadly */
	sp_mapping_leave();
	sp_agent.pid = (int)sp_sys(SYS_getpid);
	sp_agent.alive = NULL;
	sp_agent.stopped = 0;
	begun = true;
	held = false;
	sp_fork_forget();
	sp_process_start_time();
	sp_tls.guard = 0;
	sp_process.spool_path = NULL;
	sp_process.is_root = false;
	sp_agent.dormant_bytes = SP_DORMANT_CHILD_BYTES;
	memset(&sp_tls.heap, 0, sizeof sp_tls.heap);
	sp_tls.heap.bytes_base = sp_tls.heap.countdown = (int64_t)sp_pre_activation_first_bytes();
	sp_process.inherits_locks = sp_threads_made();
	sp_process.ppid = (int)sp_sys(SYS_getppid);
	sp_store(&sp_agent.state, state == SP_AGENT_OFF || sp_process.follow_none ? SP_AGENT_OFF : SP_AGENT_DORMANT);
	if (sp_agent.state == SP_AGENT_OFF)
		sp_waits_off();
	if (sp_agent.state == SP_AGENT_DORMANT) {
		sp_signals_after_fork();
		sp_process_arm_start();
	}
}

/* The program's handlers may have come first, and one of them to us. */
static void after_fork_in_child(void)
{
	if (!sp_agent.sealed && !begun)
		sp_fork_child();
}

void sp_fork_watch(void)
{
	static bool watched;

	if (!sp_load(&watched) && !__atomic_exchange_n(&watched, true, __ATOMIC_RELAXED))
		__register_atfork(before_fork, after_fork_in_parent, after_fork_in_child, &sp_agent);
}
