/* The end: the spool is completed and rendered. */
#include "preload/finish/finish.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "preload/finish/hold.h"
#include "preload/finish/park.h"
#include "preload/finish/renderer.h"
#include "preload/finish/tree.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/spool_place.h"
#include "sampler/clock/clock.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/threads/usage.h"
#include "sampler/upkeep/discovery.h"
#include "sampler/upkeep/throttle.h"
#include "sampler/upkeep/timeline.h"
#include "sampler/waits/cut_off.h"
#include "sampler/waits/shorts.h"

#define TOO_LITTLE "it used less than 20 ms of CPU and 1 MB of memory: too little for a profile"
#define WAIT_MS 10000 /* how long to wait for another thread that does this */

static void flush_thread(struct sp_thread *t, void *arg)
{
	(void)arg;
	sp_short_settle(t);
	sp_thread_flush(t, true);
}

static void complete_spool(enum sp_exit_kind kind, int value)
{
	struct sp_spool_header *h = sp_agent.spool;

	sp_discovery_finish();
	sp_block_each(flush_thread, NULL);
	sp_timeline_step(sp_now_ns(), true);
	sp_throttle_step(sp_now_ns(), true);
	h->exit_kind = kind;
	h->exit_value = value;
	h->end_ns = sp_now_ns();
	__atomic_store_n(&h->state, SP_STATE_ENDED, __ATOMIC_RELEASE);
}

bool sp_is_worth_a_profile(void)
{
	return !sp_agent.sealed && sp_process_clock_ns() >= SP_SMALL_CPU_NS && !sp_is_stale_child() &&
		!sp_is_vfork_child();
}

/* No signal of ours came through: what was used until now is unsampled. */
static void activate_late(void)
{
	sp_agent.activate();
	if (sp_agent.has_spool)
		sp_agent.spool->cpu.before_user_ns = sp_agent.spool->cpu.before_sys_ns = 0;
}

/* Whether the process is too small for a profile, as the renderer will decide it (profiles/output/render.c). */
static bool is_small(struct sp_spool_header *h)
{
	const struct sp_stack *stacks = sp_section(SP_SEC_STACKS);
	const struct sp_thread_record *threads = sp_section(SP_SEC_THREADS);
	uint64_t sampled_ns = 0, bytes = 0;
	uint32_t i;

	if (h->control.asleep && !h->control.starts)
		return true;
	for (i = 0; i < sp_spool_count(SP_SEC_STACKS); i++)
		sampled_ns += stacks[i].user_ns + stacks[i].sys_ns;
	for (i = 0; i < sp_spool_count(SP_SEC_THREADS); i++)
		bytes += (uint64_t)threads[i].heap.bytes_base - (uint64_t)threads[i].heap.countdown;
	return h->cpu.self_user_ns + h->cpu.self_sys_ns < SP_SMALL_CPU_NS && sampled_ns < SP_SMALL_CPU_NS &&
		(int64_t)bytes < SP_SMALL_BYTES;
}

/* Completes a member's end without a renderer, if it can: its spool is left to the tree, or removed because it is too small. */
static bool leave_spool(void)
{
	const char *due;

	if (!sp_process.is_root && is_small(sp_agent.spool)) {
		sp_spool_remove(sp_process.spool_path);
		sp_verbose("no profile", TOO_LITTLE);
		return true;
	}
	if (!sp_tree_leave(sp_spool_trim(sp_agent.spool), &due))
		return false;
	if (due)
		sp_render(NULL, due, false);
	return true;
}

static void render(const char *spool, const char *tree, bool patient)
{
	int err = sp_render(spool, tree, patient);

	if (err)
		sp_verbose("the profile is not rendered yet; `smartprof recover` will do it", strerrordesc_np(-err));
	else if (!patient)
		sp_verbose("the profile is not waited for, because a thread cannot be held meanwhile",
			"it comes a little later");
}

static void complete(enum sp_exit_kind kind, int value)
{
	if (sp_agent_state() != SP_AGENT_ACTIVE)
		return;
	sp_wait_note_cut_off();
	if (sp_tls.thread)
		sp_clock_disarm(sp_tls.thread);
	sp_clock_stop_process();
	sp_store(&sp_agent.state, SP_AGENT_STOPPED);
	complete_spool(kind, value);
}

/* A few descriptors are needed from here on. A program that has none left when it ends may in most cases raise its
 * limit, so we do. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (sp_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	sp_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

/* tree: path of its file, if members may have left something. A process that leaves its spool goes at once, as it would
 * without us: neither threads nor signals are held. `mask` is that of the calling thread, in which all are blocked. */
static void end_process(enum sp_exit_kind kind, int value, const char *tree, uint64_t mask)
{
	bool active = sp_agent_state() == SP_AGENT_ACTIVE, held;

	if (sp_agent.attached) { /* the command that has put us here renders */
		sp_clock_stop_all();
		complete(kind, value);
		sp_restore_signals(mask);
		return;
	}
	allow_descriptors();
	if (active)
		sp_discovery_note_waits(); /* which are over when threads are held */
	if (!tree && active && sp_tree_is_theirs()) {
		complete(kind, value);
		if (leave_spool()) {
			sp_restore_signals(mask);
			return;
		}
	}
	held = sp_park_threads();
	sp_hold_signals(mask);
	complete(kind, value);
	render(active ? sp_process.spool_path : NULL, tree, held);
	sp_hold_end();
	sp_park_end();
}

static uint32_t SP_WRITTEN_AT_FORK ending, ended; /* atomic; ending: tid of the thread that is at it */

SP_AT_FORK void sp_finish_forked(void)
{
	ending = ended = 0;
}

void sp_finish(enum sp_exit_kind kind, int value)
{
	int saved_errno = errno, i;
	const char *tree;
	uint32_t tid, none = 0;
	uint64_t mask;

	if (sp_agent_state() == SP_AGENT_DORMANT && !sp_agent.sealed && sp_is_worth_a_profile())
		activate_late();
	if (sp_process.verbose && sp_agent_state() == SP_AGENT_DORMANT && !sp_is_vfork_child())
		sp_verbose("no profile", "the process used next to no CPU time and memory");
	if (sp_agent.sealed || sp_is_stale_child() || (!sp_tree_is_held() && sp_agent_state() < SP_AGENT_ACTIVE) ||
		sp_is_vfork_child())
		return;
	mask = sp_block_signals();
	if (sp_unlikely(sp_is_stale_child())) { /* a handler has forked meanwhile */
		sp_restore_signals(mask);
		return;
	}
	tid = (uint32_t)sp_sys(SYS_gettid);
	if (!__atomic_compare_exchange_n(&ending, &none, tid, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		/* Another thread is at it: the process must not end under it. If it is this very thread, a signal
		 * has come in between: there is nothing to wait for, the renderer works on by itself. */
		struct timespec nap = {0, 10000000};

		sp_restore_signals(mask);
		for (i = 0; i < WAIT_MS / 10 && !sp_load(&ended) && sp_load(&ending) != tid; i++)
			sp_sys(SYS_nanosleep, &nap, NULL);
		return;
	}
	tree = sp_tree_close();
	if (tree || sp_agent_state() == SP_AGENT_ACTIVE)
		end_process(kind, value, tree, mask);
	else
		sp_restore_signals(mask);
	sp_store(&ended, 1);
	errno = saved_errno;
}
