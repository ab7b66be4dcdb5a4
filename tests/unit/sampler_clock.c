/* Clocks of threads: however many arm and stop them at once, what is armed in the end is what was wished last. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/clock/clock.h"
#include "sampler/threads/task_file.h"
#include "sampler/threads/thread.h"
#include "tests/unit/sampler_spool.h"

#define STORM_S 0.5

static struct sp_thread *t;

/* POSIX timers that the process has. */
static int timers(void)
{
	FILE *file = fopen("/proc/self/timers", "re");
	char line[256];
	int count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strncmp(line, "ID:", 3) == 0;
	fclose(file);
	return count;
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPROF, SIG_IGN);
	if (agent_open("/dev/shm", 1000) != 0)
		return -1;
	sp_agent.config.signal = SIGPROF;
	sp_agent.spool->cpu.clock = SP_CLOCK_TIMER;
	sp_agent.spool->cpu.tick_ns = 4000000;
	sp_agent.spool->cpu.interval_ns = 1000000000;
	t = sp_block_take();
	sp_thread_adopt(t, 0, 0, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_clock_disarm(t);
	sp_tls = (struct sp_tls){0};
	agent_close();
	return 0;
}

static void armed_and_stopped(void **state)
{
	(void)state;
	sp_clock_arm(t);
	assert_int_equal(timers(), 1);
	sp_clock_arm(t);
	assert_int_equal(timers(), 1);
	sp_clock_stop_all();
	assert_int_equal(timers(), 0);
	sp_clock_resume_all();
	assert_int_equal(timers(), 1);
	assert_true(sp_clock_disarm(t));
	assert_int_equal(timers(), 0);
	sp_clock_resume_all();
	assert_int_equal(timers(), 0);
}

static void what_is_armed_while_clocks_are_stopped_is_so_when_they_go_on(void **state)
{
	(void)state;
	sp_clock_stop_all();
	sp_clock_arm(t);
	assert_int_equal(timers(), 0);
	sp_clock_resume_all();
	assert_int_equal(timers(), 1);
	sp_clock_disarm(t);
}

static void a_member_that_is_too_small_for_a_profile_has_no_event(void **state)
{
	struct sp_spool_header *h = sp_agent.spool;

	(void)state;
	h->cpu.interval_ns = 400000;
	assert_int_equal(sp_clock_evidence_ns(), SP_SMALL_CPU_NS);
	h->is_root = 1;
	assert_int_equal(sp_clock_evidence_ns(), 1000000);
	h->is_root = 0;
	h->cpu.self_user_ns = h->cpu.self_sys_ns = SP_SMALL_CPU_NS / 2; /* from here on a new thread has one soon */
	assert_int_equal(sp_clock_evidence_ns(), 1000000);
	h->cpu.interval_ns = 10000000;
	assert_int_equal(sp_clock_evidence_ns(), 50000000);
}

static unsigned arm_and_stop(unsigned number)
{
	uint64_t random = number + 1;
	double until = now_s() + STORM_S;

	while (now_s() < until) {
		switch (next_random(&random) >> 62) {
		case 0:
			sp_clock_arm(t);
			break;
		case 1:
			sp_clock_disarm(t);
			break;
		case 2:
			sp_clock_stop_all();
			break;
		default:
			sp_clock_resume_all();
		}
	}
	return 0;
}

static void none_is_left_or_lost_when_several_threads_are_at_it(void **state)
{
	(void)state;
	run_threads(arm_and_stop);
	sp_clock_resume_all();
	sp_clock_arm(t);
	assert_int_equal(timers(), 1);
	assert_true(sp_clock_disarm(t));
	assert_int_equal(timers(), 0);
}

/* --- whether a thread blocks the signal */

static volatile int tid;
static sigset_t awaited;

static void *wait_for_signals(void *unused)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	tid = (int)syscall(SYS_gettid);
	syscall(SYS_rt_sigtimedwait, &awaited, NULL, NULL, 8);
	return unused;
}

/* While it waits, the kernel tells none of those that it waits for as blocked. */
static void a_thread_that_waits_for_the_signal_blocks_it(void **state)
{
	const struct timespec moment = {0, 1000000};
	uint64_t arguments[3];
	pthread_t thread;

	(void)state;
	sigfillset(&awaited);
	pthread_create(&thread, NULL, wait_for_signals, NULL);
	while (!tid || sp_task_call(tid, arguments) != SYS_rt_sigtimedwait)
		nanosleep(&moment, NULL);
	assert_true(sp_task_blocks(tid));
	assert_false(sp_task_blocks((int)syscall(SYS_gettid)));
	pthread_kill(thread, SIGUSR2);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(armed_and_stopped),
		cmocka_unit_test(what_is_armed_while_clocks_are_stopped_is_so_when_they_go_on),
		cmocka_unit_test(none_is_left_or_lost_when_several_threads_are_at_it),
		cmocka_unit_test(a_thread_that_waits_for_the_signal_blocks_it),
		cmocka_unit_test(a_member_that_is_too_small_for_a_profile_has_no_event),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
