/* Threads with the smallest stacks there are (16 KiB), and a signal handler on an alternate stack
 * of 8 KiB; both compute and allocate. Usage: smallstack [SECONDS] */
#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "tests/targets/common.h"

static double seconds = 1;

static NOINLINE uint64_t on_small_stack(void)
{
	double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
	uint64_t x = 0;

	while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end) {
		void *p = malloc(500);

		x += spin(5000);
		free(p);
	}
	return x;
}

static void *run(void *unused)
{
	on_small_stack();
	return unused;
}

static void handler(int signal)
{
	(void)signal;
	seconds /= 4;
	for (double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
		clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end;)
		spin(5000);
}

int main(int argc, char **argv)
{
	static char alternate[8192];
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	pthread_attr_t attributes;
	pthread_t thread[4];

	seconds = argument(argc, argv, 1, seconds);
	pthread_attr_init(&attributes);
	check(pthread_attr_setstacksize(&attributes, 16384) == 0, "pthread_attr_setstacksize");
	for (int i = 0; i < 4; i++)
		check(pthread_create(&thread[i], &attributes, run, NULL) == 0, "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	check(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
	raise(SIGUSR1);
	puts("done");
	return 0;
}
