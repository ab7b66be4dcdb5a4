/* A chain of programs in one process: spends S CPU seconds and M MB, then becomes the next, by execve from the main
 * thread or from another; what ends the chain is "end" or "kill". Each life has a function of its own.
 * Usage: reborn SECONDS MB main|thread|end|kill [SECONDS MB …] */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/targets/common.h"

static NOINLINE uint64_t first_life(double seconds)
{
	return spend(seconds) + 1;
}

static NOINLINE uint64_t last_life(double seconds)
{
	return spend(seconds) + 2;
}

static void *next_life(void *argv)
{
	execv("/proc/self/exe", argv);
	check(0, "execv");
	return NULL;
}

int main(int argc, char **argv)
{
	size_t bytes = (size_t)(argument(argc, argv, 2, 0) * 1e6);
	const char *how = argc > 3 ? argv[3] : "end";
	char *memory = malloc(bytes + 1);
	pthread_t thread;

	check(memory != NULL, "malloc");
	memset(memory, 1, bytes);
	if (strcmp(how, "main") != 0 && strcmp(how, "thread") != 0)
		last_life(argument(argc, argv, 1, 0.1));
	else
		first_life(argument(argc, argv, 1, 0.1));
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	argv[argc > 3 ? 3 : 0] = argv[0];
	if (!strcmp(how, "main"))
		next_life(argv + 3);
	if (!strcmp(how, "thread") && pthread_create(&thread, NULL, next_life, argv + 3) == 0)
		pthread_join(thread, NULL);
	free(memory);
	return 0;
}
