/* The timer on a thread's CPU time: user and system time, one signal a kernel tick. */
#include <time.h>

#include "sampler/clock/clock.h"
#include "sampler/sys.h"

static int32_t clock_of(const struct sp_thread *t)
{
	return sp_clock_is_callers(t) ? CLOCK_THREAD_CPUTIME_ID : sp_clock_of_thread(t->tid);
}

static int probe(void)
{
	int timer,
		err = sp_clock_create_timer(CLOCK_THREAD_CPUTIME_ID, (int)sp_sys(SYS_gettid), SP_COOKIE_TICK, &timer);

	if (!err)
		sp_sys(SYS_timer_delete, timer);
	return err;
}

static void disarm(struct sp_thread *t)
{
	sp_sys(SYS_timer_delete, t->timer);
}

static int arm(struct sp_thread *t, uint64_t first_ns, uint64_t interval_ns)
{
	int err = sp_clock_create_timer(clock_of(t), t->tid, SP_COOKIE_TICK, &t->timer);

	if (err)
		return err;
	t->timer_ns = interval_ns;
	err = sp_clock_set_timer(t->timer, first_ns, interval_ns);
	if (err)
		disarm(t);
	return err;
}

static int set_interval(struct sp_thread *t, uint64_t interval_ns)
{
	if (t->timer_ns == interval_ns)
		return 0;
	t->timer_ns = interval_ns;
	return sp_clock_set_timer(t->timer, interval_ns, interval_ns);
}

const struct sp_clock sp_clock_timer = {"CPU timers of threads", SP_THREAD_TIMER, probe, arm, disarm, set_interval};
