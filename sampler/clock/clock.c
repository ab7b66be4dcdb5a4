/* Which clocks a thread gets, and whose a signal is. */
#include "sampler/clock/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "sampler/clock/governor.h"
#include "sampler/cost.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/threads/usage.h"

#define MIN_PERIOD_NS 20000u
#define START_LATER_NS 1000000u

#ifndef SIGEV_THREAD_ID
#define SIGEV_THREAD_ID 4
#endif
#define sigev_tid _sigev_un._tid

/* A thread that has used less has not shown yet whether it switches all the time. Where samples are no closer than ticks, they
 * do as long as the thread is short: an event takes 0.1 ms to make and to end. So they do for a tree's members that are
 * not worth a profile for their CPU time: in a compiler of 12 ms an event and its signals would take 0.7 ms. */
#define EVIDENCE_NS 1000000u
#define EVIDENCE_INTERVALS 5u

/* Where so many threads have ended before a tick hit them, new threads have events from the start: without events
 * little would be seen of such threads. */
#define FEW_THREADS 4u

#define RARE_TICKS 4u /* one in so many is looked at, where little is to be told by them */

#define PAUSED_TICK_NS 100000000u

/* Of a thread's clock_state. Whoever wishes anything of its clocks says so and settles it: one does, also what others have
 * wished meanwhile. */
#define CLOCK_WANTED 1u
#define CLOCK_BUSY SP_CLOCK_BUSY /* somebody is at it ... */
#define CLOCK_AGAIN 4u           /* ... and is to look again */

#define STOPPED_FOR_GOOD 1u /* until it turns out otherwise */
#define STOPPED_FOR_NOW 2u

static uint32_t short_lived; /* atomic */
static int start_timer = -1;
static uint32_t starts_later; /* atomic: sp_clock_start_later has been called */
static uint32_t stopped;      /* atomic: STOPPED_..., why no clock is to be armed */

uint64_t sp_clock_tick_ns(void)
{
	struct timespec ts;

	/* The coarse clock moves once a tick, and says so. */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &ts) != 0 || ts.tv_sec || ts.tv_nsec < 100000)
		return 4000000;
	return (uint64_t)ts.tv_nsec;
}

int sp_clock_create_timer(int32_t clock, int tid, void *cookie, int *timer)
{
	struct sigevent event;

	memset(&event, 0, sizeof event);
	event.sigev_notify = tid ? SIGEV_THREAD_ID : SIGEV_SIGNAL;
	event.sigev_signo = sp_agent.config.signal;
	event.sigev_value.sival_ptr = cookie;
	event.sigev_tid = tid;
	return (int)sp_sys(SYS_timer_create, clock, &event, timer);
}

int sp_clock_set_timer(int timer, uint64_t first_ns, uint64_t interval_ns)
{
	struct itimerspec when = {{(time_t)(interval_ns / 1000000000u), (long)(interval_ns % 1000000000u)},
		{(time_t)(first_ns / 1000000000u), (long)(first_ns % 1000000000u)}};

	return (int)sp_sys(SYS_timer_settime, timer, 0, &when, NULL);
}

static int arm_start(int32_t clock, int tid, uint64_t cpu_ns)
{
	int err;

	if (start_timer >= 0)
		sp_sys(SYS_timer_delete, start_timer);
	start_timer = -1;
	if (!cpu_ns)
		return 0;
	if (sp_clock_are_stopped())
		return -ENOTSUP;
	err = sp_clock_create_timer(clock, tid, SP_COOKIE_START, &start_timer);
	if (err)
		start_timer = -1;
	return err ? err : sp_clock_set_timer(start_timer, cpu_ns, 0);
}

int sp_clock_arm_start(uint64_t cpu_ns)
{
	/* The signal goes to the thread that uses the time: it may be one that nobody has seen being made. */
	if (!cpu_ns || sp_clock_prefers_running_thread())
		return arm_start(CLOCK_PROCESS_CPUTIME_ID, 0, cpu_ns);
	return arm_start(CLOCK_THREAD_CPUTIME_ID, (int)sp_sys(SYS_gettid), cpu_ns);
}

bool sp_clock_starts_later(void)
{
	return sp_load(&starts_later);
}

void sp_clock_start_later(void)
{
	if (__atomic_exchange_n(&starts_later, 1, __ATOMIC_RELAXED))
		return;
	arm_start(sp_clock_of_thread(sp_agent.pid), sp_agent.pid, START_LATER_NS);
}

/* Uniform within a quarter of the interval: a loop in step with it falls out of it. (Simulated for cycles of 0.6 to
 * 3 ms at 340 to 430 us: the largest error of ten functions is 0.51 to 0.54 points whatever the width, from 0.15 to
 * 0.5 of the interval; the narrower, the less those suffer whose cycle is twice the interval or more.) */
static uint64_t jittered(struct sp_thread *t, uint64_t interval_ns)
{
	uint64_t period = interval_ns * 3 / 4 + sp_random(t) % (interval_ns / 2 + 1);
	return period < MIN_PERIOD_NS ? MIN_PERIOD_NS : period;
}

void sp_clock_rearm_event(struct sp_thread *t)
{
	uint64_t interval = sp_load(&sp_agent.spool->cpu.interval_ns);

	if (sp_clock_are_stopped())
		return;
	t->drawn_ns = interval;
	t->period_left = SP_PERIOD_SAMPLES - 1;
	if (sp_clock_event.set_interval(t, jittered(t, interval)) == 0) {
		t->clocks |= SP_THREAD_EVENT;
		if (t->record)
			t->record->clocks |= SP_THREAD_EVENT;
		if (sp_clock_are_stopped())
			sp_clock_event.disarm(t);
		return;
	}
	sp_drop(SP_DROP_CLOCK);
	sp_clock_leave_event(t);
}

void sp_clock_leave_event(struct sp_thread *t)
{
	sp_clock_event.disarm(t);
	t->clocks &= ~SP_THREAD_EVENT;
	t->user_seen_ns = t->user_base_ns + t->user_assigned_ns; /* what no sample covers yet */
}

/* A timer fires at ticks only; finer than that, it fires at every tick that hits the thread. A thread that
 * is preempted has run for less than a tick at some, and the system time which those account for would
 * go to the stack that a later one finds. However long the interval is, ticks look whether memory has crossed a threshold. */
static uint64_t timer_interval(void)
{
	const struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	uint64_t interval = sp_load(&cpu->interval_ns), rare = RARE_TICKS * (uint64_t)cpu->tick_ns;

	if (interval <= cpu->tick_ns)
		return cpu->tick_ns / 8;
	return interval < rare ? interval : rare;
}

/* Ticks tell what a thread's system time is spent on, which costs as much where there is hardly any. A rare one is told by an
 * event sample right before it. */
static uint64_t thread_timer_interval(const struct sp_thread *t)
{
	uint64_t interval = timer_interval(), tick = sp_agent.spool->cpu.tick_ns;

	return t->calm && t->event_page && interval < 2 * tick ? RARE_TICKS * tick : interval;
}

void sp_clock_follow(struct sp_thread *t)
{
	if (t->clocks & SP_THREAD_TIMER)
		sp_clock_timer.set_interval(t, thread_timer_interval(t));
	else if (t->clocks & SP_THREAD_PROCESS)
		sp_clock_process.set_interval(t, timer_interval());
}

uint64_t sp_clock_switch_ns(void)
{
	const struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	return sp_switch_cost_ns(cpu->switch_timer_ns, sp_load(&cpu->interval_ns), cpu->tick_ns);
}

static uint64_t usual_evidence_ns(void)
{
	uint64_t interval = sp_load(&sp_agent.spool->cpu.interval_ns);

	return interval < sp_agent.spool->cpu.tick_ns ? EVIDENCE_NS : EVIDENCE_INTERVALS * interval;
}

uint64_t sp_clock_evidence_ns(void)
{
	const struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	bool is_small = sp_load(&cpu->self_user_ns) + sp_load(&cpu->self_sys_ns) < SP_SMALL_CPU_NS;

	if (sp_load(&cpu->interval_ns) < cpu->tick_ns && !sp_agent.spool->is_root && is_small)
		return SP_SMALL_CPU_NS;
	return usual_evidence_ns();
}

static bool bears_event(const struct sp_thread *t, uint64_t evidence_ns)
{
	struct sp_usage usage;
	uint64_t cpu_ns;

	if (!sp_clock_is_callers(t) || sp_thread_blocks_signal())
		return false;
	sp_thread_usage(t->tid, &usage);
	cpu_ns = usage.user_ns + usage.sys_ns;
	if (cpu_ns < evidence_ns)
		return sp_load(&short_lived) >= FEW_THREADS;
	return sp_governor_allows_event(false, usage.switches * sp_clock_switch_ns(), cpu_ns,
		sp_budget_ppm(sp_agent.config.budget_permille));
}

bool sp_clock_wants_event(const struct sp_thread *t)
{
	return bears_event(t, sp_clock_evidence_ns());
}

bool sp_clock_bears_event(const struct sp_thread *t)
{
	return bears_event(t, usual_evidence_ns());
}

static bool arm_one(struct sp_thread *t, const struct sp_clock *clock, uint64_t first_ns, uint64_t interval_ns)
{
	if (clock->arm(t, first_ns, interval_ns) != 0) {
		sp_drop(SP_DROP_CLOCK);
		return false;
	}
	t->clocks |= clock->flag;
	return true;
}

/* A first period anywhere in the interval, so that threads shorter than it are seen in proportion to what they use. A
 * moment too soon to be met is one in our own system calls here: moved to later, it would make short threads out to be
 * half again as long. */
static void arm_event(struct sp_thread *t, uint64_t interval)
{
	uint64_t first = sp_random(t) % interval;

	t->first_weight_ns = interval;
	arm_one(t, &sp_clock_event, first < MIN_PERIOD_NS ? first + jittered(t, interval) : first, interval);
}

static void arm(struct sp_thread *t)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t interval = sp_load(&h->cpu.interval_ns), tick = timer_interval();
	uint64_t first;

	sp_store(&t->armed, true);
	t->first_sample = true;
	t->period_left = 0;
	t->clocks = 0;
	t->event_waits = h->cpu.clock == SP_CLOCK_EVENT && !sp_clock_wants_event(t);
	if (h->cpu.clock == SP_CLOCK_EVENT && !t->event_waits)
		arm_event(t, interval);
	first = 1 + sp_random(t) % tick;
	if (h->cpu.clock == SP_CLOCK_PROCESS || !arm_one(t, &sp_clock_timer, first, tick))
		if (sp_clock_process.arm(t, first, tick) == 0)
			t->clocks |= SP_THREAD_PROCESS;
	if (t->event_waits && !(t->clocks & SP_THREAD_TIMER)) { /* it would wait for a tick that does not come */
		t->event_waits = false;
		arm_event(t, interval);
	}
	if (t->record)
		t->record->clocks |= t->clocks;
}

static void disarm(struct sp_thread *t)
{
	static const struct sp_clock *const all[] = {&sp_clock_event, &sp_clock_timer, &sp_clock_process};
	size_t i;

	sp_store(&t->armed, false);
	if (t->event_waits)
		sp_add(&short_lived, 1);
	for (i = 0; i < sizeof all / sizeof *all; i++)
		if (t->clocks & all[i]->flag)
			all[i]->disarm(t);
	t->clocks = 0;
}

/* False: somebody else is at it. */
static bool settle(struct sp_thread *t)
{
	uint32_t state = __atomic_fetch_or(&t->clock_state, CLOCK_BUSY | CLOCK_AGAIN, __ATOMIC_SEQ_CST);
	bool wanted;

	if (state & CLOCK_BUSY)
		return false;
	do {
		state = __atomic_and_fetch(&t->clock_state, ~CLOCK_AGAIN, __ATOMIC_SEQ_CST);
		wanted = state & CLOCK_WANTED && !sp_clock_are_stopped();
		if (wanted != sp_load(&t->armed))
			(wanted ? arm : disarm)(t);
	} while (!__atomic_compare_exchange_n(&t->clock_state, &state, state & ~CLOCK_BUSY, false, __ATOMIC_SEQ_CST,
		__ATOMIC_SEQ_CST));
	return true;
}

void sp_clock_arm(struct sp_thread *t)
{
	if (sp_agent.spool->cpu.clock == SP_CLOCK_OFF || sp_agent.sealed || !t->listed ||
		__atomic_fetch_or(&t->clock_state, CLOCK_WANTED, __ATOMIC_SEQ_CST) & CLOCK_WANTED)
		return;
	settle(t);
}

bool sp_clock_disarm(struct sp_thread *t)
{
	__atomic_fetch_and(&t->clock_state, ~CLOCK_WANTED, __ATOMIC_SEQ_CST);
	return settle(t);
}

static void settle_one(struct sp_thread *t, void *unused)
{
	(void)unused;
	settle(t);
}

/* A found thread that has come to block the signal may be waiting for whatever signal comes. */
static void resume_one(struct sp_thread *t, void *unused)
{
	(void)unused;
	if (t->discovered && t->record && t->record->flags & SP_THREAD_BLOCKED)
		sp_clock_disarm(t);
	else
		settle(t);
}

bool sp_clock_are_stopped(void)
{
	return __atomic_load_n(&stopped, __ATOMIC_SEQ_CST);
}

void sp_clock_stop_all(void)
{
	__atomic_fetch_or(&stopped, STOPPED_FOR_GOOD, __ATOMIC_SEQ_CST);
	sp_clock_stop_process();
	sp_block_each(settle_one, NULL);
}

static void resume(uint32_t why)
{
	if ((__atomic_and_fetch(&stopped, ~why, __ATOMIC_SEQ_CST)) == 0 && sp_agent.has_spool)
		sp_block_each(resume_one, NULL);
}

void sp_clock_resume_all(void)
{
	resume(STOPPED_FOR_GOOD);
}

/* Without hooks and the process's timer nobody would look any more: the threads' own timers go on, but slowly. */
static void slow_one(struct sp_thread *t, void *unused)
{
	(void)unused;
	if (!(t->clocks & SP_THREAD_TIMER)) {
		settle(t);
		return;
	}
	sp_clock_event.disarm(t);
	sp_clock_timer.set_interval(t, PAUSED_TICK_NS);
}

void sp_clock_pause(void)
{
	__atomic_fetch_or(&stopped, STOPPED_FOR_NOW, __ATOMIC_SEQ_CST);
	sp_block_each(sp_agent.attached ? slow_one : settle_one, NULL);
	sp_clock_watch();
}

void sp_clock_unpause(void)
{
	if (sp_agent.attached)
		sp_block_each(settle_one, NULL);
	resume(STOPPED_FOR_NOW);
	sp_clock_sentinel(sp_now_ns());
}

/* Our descriptors are closed when their signals come. One that is open and sends such signals to this thread is
 * the application's, whatever number an event of ours had. */
static bool is_applications(int fd)
{
	long flags = sp_sys(SYS_fcntl, fd, F_GETFL);
	struct f_owner_ex owner;

	return flags >= 0 && flags & O_ASYNC && sp_sys(SYS_fcntl, fd, F_GETSIG) == sp_agent.config.signal &&
		sp_sys(SYS_fcntl, fd, F_GETOWN_EX, &owner) == 0 &&
		(owner.type != F_OWNER_TID || owner.pid == (int)sp_sys(SYS_gettid));
}

enum sp_signal_kind sp_clock_recognize(const struct sp_thread *t, const siginfo_t *info)
{
	if (info->si_code == SI_TIMER) {
		const void *cookie = info->si_value.sival_ptr;
		return cookie == SP_COOKIE_TICK       ? SP_SIGNAL_TICK
			: cookie == SP_COOKIE_PROCESS ? SP_SIGNAL_PROCESS
			: cookie == SP_COOKIE_START   ? SP_SIGNAL_START
						      : SP_SIGNAL_FOREIGN;
	}
	/* The event may signal before the descriptor it is set up with is closed. */
	if (t && info->si_code == POLL_IN && sp_load(&t->event_open) && info->si_fd == t->event_fd)
		return SP_SIGNAL_LATE;
	if (info->si_code != POLL_IN || !sp_clock_event_had(info->si_fd) ||
		(!sp_agent.sealed && is_applications(info->si_fd)))
		return SP_SIGNAL_FOREIGN;
	return t && info->si_fd == t->event_fd ? SP_SIGNAL_EVENT : SP_SIGNAL_LATE;
}

SP_AT_FORK void sp_clock_forked(void)
{
	starts_later = 0;
	start_timer = -1; /* timers are not inherited */
	__atomic_fetch_and(&stopped, ~STOPPED_FOR_NOW, __ATOMIC_RELAXED);
	sp_clock_process_forked();
}
