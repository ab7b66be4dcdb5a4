/* Leaves a heap full of holes: 100,000 blocks of 1000 bytes, of which every twentieth stays, and then ends.
 * Usage: heap_holes exit|handler|child. handler: exit is called by a signal handler; child: by the forked
 * child of a process that has had a thread. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define BLOCKS 100000

static void *block[BLOCKS];

static NOINLINE void make_holes(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		block[i] = malloc(1000);
		check(block[i] != NULL, "malloc");
		memset(block[i], 1, 1000);
	}
	for (int i = 0; i < BLOCKS; i++)
		if (i % 20)
			free(block[i]);
}

static void leave(int number)
{
	(void)number;
	exit(0);
}

static void *nothing(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "exit";
	pthread_t thread;

	if (*how == 'c') {
		check(pthread_create(&thread, NULL, nothing, NULL) == 0, "pthread_create");
		pthread_join(thread, NULL);
		if (fork()) {
			wait(NULL);
			return 0;
		}
	}
	make_holes();
	spend(0.05);
	if (*how == 'h') {
		signal(SIGUSR1, leave);
		raise(SIGUSR1);
	}
	return 0;
}
