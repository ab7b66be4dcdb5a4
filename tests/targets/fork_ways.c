/* A child made in one of the ways that lead through the C library's fork handlers burns 60 ms of CPU time.
 * fork_ways fork|__fork|forkpty|daemon
 * fork_ways _Fork: in one that does not, after 200 KB of the parent's own.
 * fork_ways handlers: by fork, after 60 ms of the parent's own, with handlers of the program's that allocate 2 MB.
 * fork_ways before|after: by fork, with handlers of the program's that fork themselves, registered before the first fork
 * or after one; fork_ways busy: before it, and after 60 ms of the parent's own. */
#include <pthread.h>
#include <pty.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern pid_t __fork(void);

static void *volatile kept;

static void burn(void)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 < 60);
}

static void allocate_some(int blocks)
{
	for (int i = 0; i < blocks; i++) {
		kept = malloc(1000);
		free(kept);
	}
}

static void allocate(void)
{
	allocate_some(2000);
}

static void fork_in_handler(void)
{
	static bool inside;
	int status;
	pid_t child;

	if (inside)
		return;
	inside = true;
	child = fork();
	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		_exit(3);
	inside = false;
}

static pid_t fork_with_forking_handlers(void)
{
	if (pthread_atfork(fork_in_handler, fork_in_handler, fork_in_handler) != 0)
		_exit(1);
	return fork();
}

static int parent(pid_t child)
{
	int status;

	return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

int main(int argc, char **argv)
{
	const char *way = argc == 2 ? argv[1] : "";
	pid_t child = 0;
	int terminal;

	if (strcmp(way, "daemon") == 0) {
		if (daemon(1, 1) != 0)
			return 1;
	} else if (strcmp(way, "forkpty") == 0) {
		child = forkpty(&terminal, NULL, NULL, NULL);
	} else if (strcmp(way, "__fork") == 0) {
		child = __fork();
	} else if (strcmp(way, "_Fork") == 0) {
		allocate_some(200);
		child = _Fork();
	} else if (strcmp(way, "handlers") == 0) {
		burn();
		if (pthread_atfork(allocate, allocate, allocate) != 0)
			return 1;
		child = fork();
	} else if (strcmp(way, "before") == 0) {
		child = fork_with_forking_handlers();
	} else if (strcmp(way, "busy") == 0) {
		burn();
		child = fork_with_forking_handlers();
	} else if (strcmp(way, "after") == 0) {
		child = fork();
		if (!child)
			_exit(0);
		if (parent(child))
			return 1;
		child = fork_with_forking_handlers();
	} else if (strcmp(way, "fork") == 0) {
		child = fork();
	} else {
		return 2;
	}
	if (child)
		return parent(child);
	allocate_some(strcmp(way, "_Fork") == 0 ? 200 : 0); /* of which nobody tells the profiler */
	burn();
	return 0;
}
