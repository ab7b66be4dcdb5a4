/* Threads that let the signal through without a hook. */
#include "sampler/upkeep/unblocked.h"

#include "sampler/clock/clock.h"
#include "sampler/sys.h"
#include "sampler/threads/block.h"
#include "sampler/threads/task_file.h"
#include "sampler/threads/thread.h"
#include "sampler/threads/usage.h"
#include "sampler/upkeep/totals.h"

#define WORTH_NS 1000000u
#define PERIOD_NS 10000000u
#define COST_FACTOR 200u /* a look is paid for by this many times its duration without one ... */
#define FREE_LOOKS 64u   /* ... after so many: a run time makes its first threads within a moment */

#define STEADY_NS 500000u /* in so short a time no thread begins and ends a wait for signals that has to sleep */

static struct {
	uint32_t busy;          /* sp_try_lock of what follows */
	uint32_t begins;        /* looks by threads that began */
	uint64_t not_before_ns; /* atomic */
} looks;
static bool any; /* atomic: a thread has begun so; else there is nobody to be looked at */

/* To what the kernel tells of another thread, which is up to a tick less than the thread itself learns. */
static void skip_until_now(struct sp_thread *t, const struct sp_task *task)
{
	struct sp_usage usage = {.user_ns = task->user_ns, .sys_ns = task->sys_ns};

	if (usage.user_ns < t->user_base_ns + t->user_assigned_ns)
		usage.user_ns = t->user_base_ns + t->user_assigned_ns;
	if (usage.sys_ns < t->sys_seen_ns)
		usage.sys_ns = t->sys_seen_ns;
	sp_thread_skip(t, &usage, SP_THREAD_BLOCKED);
}

/* Has used more than `worth_ns` since it was last looked at: one that has slept is as it was. */
static bool is_worth(const struct sp_thread *t, uint64_t worth_ns)
{
	const struct sp_thread_record *r = sp_load(&t->record);

	return sp_load(&t->waits) == SP_SIGNAL_BLOCKED && r && t->tid != (int)sp_sys(SYS_gettid) &&
		sp_thread_clock(t->tid) > r->cpu_user_ns + r->cpu_sys_ns + worth_ns;
}

/* Calls that have another mask for as long as they take: that is not the thread's. */
static bool has_other_mask(long call)
{
	static const long calls[] = {SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_ppoll, SYS_pselect6, SYS_epoll_pwait,
		SYS_epoll_pwait2, SYS_io_uring_enter, SYS_io_pgetevents};
	size_t i;

	for (i = 0; i < sizeof calls / sizeof *calls; i++)
		if (call == calls[i])
			return true;
	return false;
}

/* Only what is certain counts, for a thread that takes whichever signal comes must not be handed ours. The mask is the thread's own
 * while it sleeps in another call; of one that runs it may be that of a call it has been woken from and has not left yet. But then
 * it has slept since it was last looked at, or has used nothing. */
static bool lets_it_through(struct sp_thread *t, uint64_t used_ns)
{
	uint64_t began = sp_now_ns(), sleeps = t->unblocked_sleeps, arguments[3];
	long call = sp_task_call(t->tid, arguments);
	struct sp_task_signals signals;

	t->unblocked_sleeps = 0;
	if (has_other_mask(call) || sp_task_signals(t->tid, &signals) != 0 ||
		signals.blocked >> (sp_agent.config.signal - 1) & 1)
		return false;
	t->unblocked_sleeps = signals.sleeps + 1;
	if (call >= 0)
		return sp_task_call(t->tid, arguments) == call && sp_now_ns() - began < STEADY_NS;
	return sleeps && sleeps == signals.sleeps + 1 && used_ns >= WORTH_NS;
}

/* The thread does not end while this goes on. */
static uint8_t arm_if_it_comes(struct sp_thread *t)
{
	struct sp_thread_record *r = t->record;
	uint64_t used = sp_thread_clock(t->tid);
	struct sp_task task;

	if (!r || !sp_task_read(t->tid, &task) || task.exiting)
		return SP_SIGNAL_BLOCKED;
	if (!lets_it_through(t, used - r->cpu_user_ns - r->cpu_sys_ns)) {
		if (used > r->cpu_user_ns + r->cpu_sys_ns)
			sp_thread_divide(r, used, &task);
		return SP_SIGNAL_BLOCKED;
	}
	skip_until_now(t, &task);
	sp_clock_arm(t);
	return SP_SIGNAL_COMES;
}

static void look_at(struct sp_thread *t, void *worth_ns)
{
	uint8_t expected = SP_SIGNAL_BLOCKED;

	if (is_worth(t, *(const uint64_t *)worth_ns) &&
		__atomic_compare_exchange_n(&t->waits, &expected, SP_SIGNAL_LOOKED_AT, false, __ATOMIC_ACQ_REL,
			__ATOMIC_RELAXED))
		__atomic_store_n(&t->waits, arm_if_it_comes(t), __ATOMIC_RELEASE);
}

static bool is_time(bool begins, uint64_t now)
{
	return (begins && looks.begins++ < FREE_LOOKS) || now >= looks.not_before_ns;
}

static void look(bool begins, uint64_t worth_ns)
{
	uint64_t now = sp_now_ns(), ended;

	if (sp_agent.sealed || sp_agent_state() != SP_AGENT_ACTIVE || !sp_try_lock(&looks.busy))
		return;
	if (is_time(begins, now)) {
		sp_block_each(look_at, &worth_ns);
		ended = sp_now_ns();
		sp_store(&looks.not_before_ns, ended + (ended - now) * COST_FACTOR + PERIOD_NS);
	}
	sp_unlock(&looks.busy);
}

void sp_unblocked_look(uint64_t now)
{
	if (sp_load(&any) && now >= sp_load(&looks.not_before_ns))
		look(false, WORTH_NS);
}

void sp_unblocked_begin(void)
{
	sp_store(&any, true);
	look(true, 0);
	sp_totals_follow(sp_tsc());
}

SP_AT_FORK void sp_unblocked_forked(void)
{
	if (looks.not_before_ns)
		looks.not_before_ns = 0;
	if (looks.begins)
		looks.begins = 0;
}

static bool has_left(struct sp_thread *t, void *waited)
{
	uint8_t expected = SP_SIGNAL_BLOCKED;

	*(bool *)waited = __atomic_compare_exchange_n(&t->waits, &expected, SP_SIGNAL_COMES, false, __ATOMIC_ACQ_REL,
		__ATOMIC_ACQUIRE);
	return *(bool *)waited || expected == SP_SIGNAL_COMES;
}

bool sp_unblocked_leave(struct sp_thread *t, bool *waited)
{
	return sp_block_await(t, has_left, waited);
}
