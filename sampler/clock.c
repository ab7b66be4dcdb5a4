/* The CPU clocks: perf task-clock events and per-thread CPU timers. */
#include "sampler/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "sampler/sys.h"

#define PAGE 4096u
#define PERIOD_SAMPLES 100u /* samples between two random periods */
#define MIN_PERIOD_NS 20000u

/* sival_ptr of our timers: no application can have these addresses. */
#define COOKIE_TICK ((void *)&sp_agent.state)
#define COOKIE_START ((void *)&sp_agent.pid)

#ifndef SIGEV_THREAD_ID
#define SIGEV_THREAD_ID 4
#endif
#define sigev_tid _sigev_un._tid

static int start_timer = -1;

uint64_t sp_clock_tick_ns(void)
{
	struct timespec ts;

	/* The coarse clock moves once a tick, and says so. */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &ts) != 0 || ts.tv_sec || ts.tv_nsec < 100000)
		return 4000000;
	return (uint64_t)ts.tv_nsec;
}

static long open_event(uint64_t period_ns)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.size = sizeof attr;
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_TASK_CLOCK;
	attr.sample_period = period_ns;
	attr.wakeup_events = 1;
	attr.disabled = 1;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	return sp_sys(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Opens, routes and starts an event for the calling thread; leaves no descriptor behind. */
static int start_event(struct sp_thread *t, uint64_t period_ns)
{
	struct f_owner_ex owner = {F_OWNER_TID, t->tid};
	long fd = open_event(period_ns), page, err;

	if (fd < 0)
		return (int)fd;
	page = sp_sys(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page < 0 && page > -4096) {
		sp_sys(SYS_close, fd);
		return (int)page;
	}
	t->event_page = (void *)page;
	t->event_fd = (int)fd;
	t->period_ns = period_ns;
	err = sp_sys(SYS_fcntl, fd, F_SETOWN_EX, &owner);
	if (!err)
		err = sp_sys(SYS_fcntl, fd, F_SETSIG, sp_agent.config.signal);
	if (!err)
		err = sp_sys(SYS_fcntl, fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	if (!err)
		err = sp_sys(SYS_ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
	sp_sys(SYS_close, fd);
	if (err) {
		sp_sys(SYS_munmap, t->event_page, PAGE);
		t->event_page = NULL;
	}
	return (int)err;
}

static void stop_event(struct sp_thread *t)
{
	if (t->event_page)
		sp_sys(SYS_munmap, t->event_page, PAGE);
	t->event_page = NULL;
}

int sp_clock_probe_event(void)
{
	long fd = open_event(1000000), page;

	if (fd < 0)
		return (int)fd;
	page = sp_sys(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sp_sys(SYS_close, fd);
	if (page < 0 && page > -4096)
		return (int)page;
	sp_sys(SYS_munmap, page, PAGE);
	return 0;
}

static int start_cpu_timer(int tid, void *cookie, uint64_t first_ns, uint64_t interval_ns, int *timer)
{
	struct sigevent event;
	struct itimerspec when = {{(time_t)(interval_ns / 1000000000u), (long)(interval_ns % 1000000000u)},
		{(time_t)(first_ns / 1000000000u), (long)(first_ns % 1000000000u)}};
	int err;

	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = sp_agent.config.signal;
	event.sigev_value.sival_ptr = cookie;
	event.sigev_tid = tid;
	err = (int)sp_sys(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, timer);
	return err ? err : (int)sp_sys(SYS_timer_settime, *timer, 0, &when, NULL);
}

int sp_clock_arm_start(uint64_t cpu_ns)
{
	int err;

	if (start_timer >= 0)
		sp_sys(SYS_timer_delete, start_timer);
	start_timer = -1;
	if (!cpu_ns)
		return 0;
	err = start_cpu_timer((int)sp_sys(SYS_gettid), COOKIE_START, cpu_ns, 0, &start_timer);
	if (err)
		start_timer = -1;
	return err;
}

/* Uniform in [interval * 3/4, interval * 5/4): a loop in step with the interval falls out of it. */
static uint64_t jittered(struct sp_thread *t, uint64_t interval_ns)
{
	uint64_t period = interval_ns * 3 / 4 + sp_random(t) % (interval_ns / 2 + 1);
	return period < MIN_PERIOD_NS ? MIN_PERIOD_NS : period;
}

void sp_clock_rearm_event(struct sp_thread *t)
{
	uint64_t period = jittered(t, sp_load(&sp_agent.spool->cpu.interval_ns));

	stop_event(t);
	t->period_left = PERIOD_SAMPLES;
	if (start_event(t, period) != 0)
		sp_drop(SP_DROP_CLOCK); /* the timer goes on alone for this thread */
}

void sp_clock_arm(struct sp_thread *t)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t interval = sp_load(&h->cpu.interval_ns), tick = h->cpu.tick_ns;
	uint64_t first;

	if (h->cpu.clock == SP_CLOCK_OFF || sp_agent.sealed || t->armed)
		return;
	t->armed = true;
	t->first_sample = true;
	t->period_left = 0;
	if (h->cpu.clock == SP_CLOCK_EVENT) {
		/* A first period anywhere in the interval, so that threads shorter than it are seen in
		 * proportion to what they use. A moment too soon to be met is one in our own system calls
		 * here: moved to later, it would make short threads out to be half again as long. */
		first = sp_random(t) % interval;
		if (start_event(t, first < MIN_PERIOD_NS ? first + jittered(t, interval) : first) != 0)
			sp_drop(SP_DROP_CLOCK);
		interval = tick;
	}
	/* It fires at ticks only; finer than that, it fires at every tick that hits the thread. A thread
	 * that is preempted has run for less than a tick at some, and the system time which those
	 * account for would go to the stack that a later one finds. */
	if (interval <= tick)
		interval = tick / 8;
	t->has_timer = start_cpu_timer(t->tid, COOKIE_TICK, 1 + sp_random(t) % interval, interval, &t->timer) == 0;
	if (!t->has_timer)
		sp_drop(SP_DROP_CLOCK);
}

void sp_clock_disarm(struct sp_thread *t)
{
	if (!t->armed)
		return;
	t->armed = false;
	stop_event(t);
	if (t->has_timer)
		sp_sys(SYS_timer_delete, t->timer);
	t->has_timer = false;
}

enum sp_signal_kind sp_clock_recognize(const struct sp_thread *t, const siginfo_t *info)
{
	if (info->si_code == SI_TIMER)
		return info->si_value.sival_ptr == COOKIE_TICK     ? SP_SIGNAL_TICK
			: info->si_value.sival_ptr == COOKIE_START ? SP_SIGNAL_START
								   : SP_SIGNAL_FOREIGN;
	if (info->si_code == POLL_IN && t && info->si_fd == t->event_fd)
		return SP_SIGNAL_EVENT;
	return SP_SIGNAL_FOREIGN;
}
