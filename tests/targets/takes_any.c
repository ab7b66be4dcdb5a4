/* takes_any SECONDS|until-enough: the main thread works for so long, or until there is a file "enough", while another one, which blocks
 * all signals, takes whichever comes, and works a little in between. Prints their numbers: none. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int done;
static volatile double sink = 1;

static void work(int rounds)
{
	for (int i = 0; i < rounds; i++)
		sink = sink * 1.0000001 + 1;
}

static void *take(void *unused)
{
	const struct timespec patience = {0, 20000000};
	sigset_t all;

	sigfillset(&all);
	while (!done) {
		long number = syscall(SYS_rt_sigtimedwait, &all, NULL, &patience, 8); /* no hook sees it */

		if (number > 0)
			printf("%ld\n", number);
		work(1000000);
	}
	return unused;
}

int main(int argc, char **argv)
{
	bool until_enough = argc > 1 && strcmp(argv[1], "until-enough") == 0;
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_create(&thread, NULL, take, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	while (until_enough ? access("enough", F_OK) != 0 : time(NULL) < end) {
		free(malloc(100000));
		work(100000);
	}
	done = 1;
	pthread_join(thread, NULL);
	return 0;
}
