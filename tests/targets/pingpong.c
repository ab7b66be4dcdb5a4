/* Two threads that wake each other through pipes; the second may have every signal blocked from its start on, or
 * until it has computed for a second. Usage: pingpong [ROUND TRIPS [blocked|until]] */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "tests/targets/common.h"

static int there[2], back[2];

static bool until;

static NOINLINE void blocked_work(void)
{
	spend(0.5);
}

static NOINLINE void open_work(void)
{
	spend(0.6); /* another time, lest the compiler makes one function of both */
}

static void *answer(void *unused)
{
	sigset_t none;
	char c;

	sigemptyset(&none);
	if (until) {
		blocked_work();
		pthread_sigmask(SIG_SETMASK, &none, NULL);
		open_work();
	}
	while (read(there[0], &c, 1) == 1)
		check(write(back[1], &c, 1) == 1, "write");
	return unused;
}

int main(int argc, char **argv)
{
	long trips = (long)argument(argc, argv, 1, 200000);
	sigset_t all, before;
	pthread_t thread;
	char c = 0;

	check(pipe(there) == 0 && pipe(back) == 0, "pipe");
	sigfillset(&all);
	until = argc > 2 && strcmp(argv[2], "until") == 0;
	if (argc > 2)
		pthread_sigmask(SIG_SETMASK, &all, &before);
	check(pthread_create(&thread, NULL, answer, NULL) == 0, "pthread_create");
	if (argc > 2)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	for (long i = 0; i < trips; i++)
		check(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1, "round trip");
	close(there[1]);
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
