/* Threads of several kinds, and what the kernel says each has used.
 * Usage: weights SECONDS KIND:COUNT…; kinds: busy (a tenth of it in system calls), idle (sleeps
 * nearly always), bursty (2 ms of work, 5 ms of sleep), blocked (busy, with every signal blocked).
 * Busy and blocked threads use SECONDS of CPU time each, bursty ones a third of that, idle ones sleep
 * for so long. Prints "tid<TAB>kind<TAB>user<TAB>system", in seconds, for each thread as it ends. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static double seconds;

static NOINLINE void in_kernel(void)
{
	static __thread char buffer[65536];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	check(fd >= 0, "/dev/zero");
	for (int i = 0; i < 20; i++)
		check(read(fd, buffer, sizeof(buffer)) == (ssize_t)sizeof(buffer), "read");
	close(fd);
}

static double used(void)
{
	return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

static void work(double limit)
{
	while (used() < limit) {
		spend(0.001);
		in_kernel();
	}
}

static void work_and_sleep(double limit, double work_seconds, useconds_t sleep_us)
{
	double end = clock_seconds(CLOCK_MONOTONIC) + 2 * seconds;

	while (used() < limit && clock_seconds(CLOCK_MONOTONIC) < end) {
		if (work_seconds > 0)
			spend(work_seconds);
		usleep(sleep_us);
	}
}

static void report(const char *kind)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	printf("%ld\t%s\t%.6f\t%.6f\n", syscall(SYS_gettid), kind,
		(double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6,
		(double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6);
}

static void *run(void *argument)
{
	const char *kind = argument;
	sigset_t all;

	sigfillset(&all);
	if (strcmp(kind, "blocked") == 0)
		check(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0, "pthread_sigmask");
	if (strcmp(kind, "idle") == 0)
		work_and_sleep(seconds, 0, 20000);
	else if (strcmp(kind, "bursty") == 0)
		work_and_sleep(seconds / 3, 0.002, 5000);
	else
		work(seconds);
	report(kind);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[256];
	int count = 0;

	seconds = argument(argc, argv, 1, 1);
	for (int i = 2; i < argc; i++) {
		char *colon = strchr(argv[i], ':');

		check(colon != NULL, "usage: weights SECONDS KIND:COUNT…");
		*colon = '\0';
		for (int n = atoi(colon + 1); n > 0 && count < 256; n--, count++)
			check(pthread_create(&thread[count], NULL, run, argv[i]) == 0, "pthread_create");
	}
	for (int i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	report("main");
	return 0;
}
