/* raw_unblock THREADS SECONDS: threads as Go's run time makes them. Each is made with all signals blocked, unblocks them by the
 * bare system call, and works for so long; the main thread sleeps, and the last one ends the process by a system call instruction of its own. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static double seconds;
static atomic_int running;

static NOINLINE void work(void)
{
	spend(seconds);
}

static void *run(void *unused)
{
	uint64_t none = 0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
	work();
	if (atomic_fetch_sub(&running, 1) == 1)
		__asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0) : "rcx", "r11", "memory");
	return unused;
}

static void sleep_ms(long ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	syscall(SYS_nanosleep, &time, NULL);
}

int main(int argc, char **argv)
{
	int threads = (int)argument(argc, argv, 1, 3);
	sigset_t all, before;
	pthread_t thread;

	seconds = argument(argc, argv, 2, 0.5);
	running = threads;
	sigfillset(&all);
	for (int i = 0; i < threads; i++) {
		pthread_sigmask(SIG_SETMASK, &all, &before);
		check(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		sleep_ms(20);
	}
	for (;;)
		sleep_ms(100000);
}
