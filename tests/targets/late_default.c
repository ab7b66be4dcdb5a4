/* Handles SIGUSR1 until the first of its exit handlers, as interpreters do: from there on it would end the process.
 * Usage: late_default [thread]: with a second thread that waits. Says "ready", computes 0.3 s, returns 7. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/targets/common.h"

static void nothing(int signal)
{
	(void)signal;
}

static void back_to_default(void)
{
	signal(SIGUSR1, SIG_DFL);
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	signal(SIGUSR1, nothing);
	atexit(back_to_default);
	if (argc > 1 && !strcmp(argv[1], "thread"))
		check(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0, "pthread_create");
	puts("ready");
	fflush(stdout);
	spend(0.3);
	return 7;
}
