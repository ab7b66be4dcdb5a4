/* The timer on the process's CPU time: the last resort, for threads that can have no timer.
 *
 * Its signal goes to the thread that runs when it expires, and that thread is sampled if it has no
 * timer of its own. So since Linux 6.4 ("posix-timers: Prefer delivery of signals to the current
 * thread"); before, the kernel would pick a sleeping thread and break its system call. It still does
 * when the running thread has the signal blocked: then this clock is not used.
 *
 * Where nobody needs it, the same timer is the sentinel: put off by ticks of known threads, it fires when much
 * CPU time has passed without one, in the thread that uses it. */
#include <errno.h>
#include <signal.h>
#include <sys/utsname.h>
#include <time.h>

#include "sampler/clock/clock.h"
#include "sampler/digits.h"
#include "sampler/sys.h"

#define SENTINEL_NS 100000000u

static struct {
	bool made; /* in this process: a forked child has none */
	int timer;
	uint32_t users;       /* atomic: threads that rely on it */
	uint64_t interval_ns; /* atomic: in force */
	uint32_t stopped;     /* atomic: a thread that blocks the signal was met */
	uint64_t put_off_ns;  /* atomic: when the sentinel was */
	uint32_t given_up;    /* atomic: there may be threads that block the signal, in forked children too */
} process;

static bool ask_kernel(void)
{
	struct utsname name;
	const char *at = name.release;
	uint64_t major;

	if (sp_sys(SYS_uname, &name) != 0)
		return false;
	major = sp_take_decimal(&at);
	if (*at == '.')
		at++;
	return major > 6 || (major == 6 && sp_take_decimal(&at) >= 4);
}

bool sp_clock_prefers_running_thread(void)
{
	static int known; /* atomic: 1 no, 2 yes */

	if (!sp_load(&known))
		sp_store(&known, 1 + ask_kernel());
	return sp_load(&known) == 2;
}

/* Creates it, to be there when RLIMIT_SIGPENDING is used up. */
static int probe(void)
{
	int err;

	if (!sp_clock_prefers_running_thread() || sp_load(&process.given_up))
		return -ENOTSUP;
	if (process.made)
		return 0;
	err = sp_clock_create_timer(CLOCK_PROCESS_CPUTIME_ID, 0, SP_COOKIE_PROCESS, &process.timer);
	if (err)
		return err;
	process.users = process.stopped = 0;
	process.put_off_ns = 0;
	process.interval_ns = 0;
	process.made = true;
	return 0;
}

static int arm(struct sp_thread *t, uint64_t first_ns, uint64_t interval_ns)
{
	(void)t;
	if (!process.made || sp_load(&process.stopped) || sp_load(&process.given_up))
		return -ENOTSUP;
	if (__atomic_fetch_add(&process.users, 1, __ATOMIC_ACQ_REL) != 0)
		return 0;
	sp_store(&process.interval_ns, interval_ns);
	return sp_clock_set_timer(process.timer, first_ns, interval_ns);
}

static void disarm(struct sp_thread *t)
{
	(void)t;
	if (process.made && __atomic_sub_fetch(&process.users, 1, __ATOMIC_ACQ_REL) == 0)
		sp_clock_set_timer(process.timer, 0, 0);
}

static int set_interval(struct sp_thread *t, uint64_t interval_ns)
{
	(void)t;
	if (__atomic_exchange_n(&process.interval_ns, interval_ns, __ATOMIC_RELAXED) == interval_ns ||
		sp_load(&process.stopped))
		return 0;
	return sp_clock_set_timer(process.timer, interval_ns, interval_ns);
}

void sp_clock_stop_process(void)
{
	if (process.made && !__atomic_exchange_n(&process.stopped, 1, __ATOMIC_RELAXED))
		sp_clock_set_timer(process.timer, 0, 0);
}

void sp_clock_watch(void)
{
	if (process.made && !sp_load(&process.stopped) && !sp_load(&process.given_up))
		sp_clock_set_timer(process.timer, SENTINEL_NS, SENTINEL_NS);
}

void sp_clock_sentinel(uint64_t now)
{
	uint32_t cores = sp_agent.spool->host_cores;
	uint64_t put_off_ns = sp_load(&process.put_off_ns);

	if (!process.made || sp_load(&process.users) || sp_load(&process.stopped) || sp_load(&process.given_up))
		return;
	/* Often enough that it does not fire beside ticks, however many threads run. */
	if (put_off_ns && now - put_off_ns < SENTINEL_NS / 4 / (cores ? cores : 1))
		return;
	sp_store(&process.put_off_ns, now);
	sp_clock_set_timer(process.timer, SENTINEL_NS,
		SENTINEL_NS); /* and again, in case the first signal is turned away */
}

/* The kernel's part of a fork, however long it takes, runs with all signals blocked. */
void sp_clock_hold_process(bool hold)
{
	uint64_t interval = sp_load(&process.interval_ns);

	if (!process.made || sp_load(&process.stopped) || sp_load(&process.given_up))
		return;
	if (!sp_load(&process.users) || !interval)
		interval = SENTINEL_NS;
	sp_clock_set_timer(process.timer, hold ? 0 : interval, hold ? 0 : interval);
}

bool sp_clock_has_given_up_process(void)
{
	return sp_load(&process.given_up);
}

void sp_clock_give_up_process(void)
{
	if (!__atomic_exchange_n(&process.given_up, 1, __ATOMIC_RELAXED))
		sp_clock_stop_process();
}

void sp_clock_drop_process(void)
{
	if (process.made)
		sp_sys(SYS_timer_delete, process.timer);
	process.made = false;
}

SP_AT_FORK void sp_clock_process_forked(void)
{
	process.made = false;
}

const struct sp_clock sp_clock_process = {"CPU timers", SP_THREAD_PROCESS, probe, arm, disarm, set_interval};
