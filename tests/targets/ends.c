/* Spends CPU time, then ends the way asked for. Usage: ends WAY [CPU-SECONDS]
 * WAY: return exit _exit quick_exit syscall abort kill9 segv term-self int-self hup-self thread-exit leader-exit wait */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static void *exit_here(void *unused)
{
	exit(7);
	return unused;
}

static void *wait_here(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void end(const char *way)
{
	pthread_t thread;

	if (!strcmp(way, "return"))
		return;
	if (!strcmp(way, "exit"))
		exit(7);
	if (!strcmp(way, "_exit"))
		_exit(7);
	if (!strcmp(way, "syscall"))
		syscall(SYS_exit_group, 7);
	if (!strcmp(way, "quick_exit"))
		quick_exit(7);
	if (!strcmp(way, "abort"))
		abort();
	if (!strcmp(way, "kill9"))
		kill(getpid(), SIGKILL);
	if (!strcmp(way, "segv"))
		raise(SIGSEGV);
	if (!strcmp(way, "term-self"))
		kill(getpid(), SIGTERM);
	if (!strcmp(way, "int-self"))
		kill(getpid(), SIGINT);
	if (!strcmp(way, "hup-self"))
		kill(getpid(), SIGHUP);
	if (!strcmp(way, "thread-exit"))
		pthread_create(&thread, NULL, exit_here, NULL);
	if (!strcmp(way, "leader-exit")) { /* the others run on */
		pthread_create(&thread, NULL, wait_here, NULL);
		pthread_exit(NULL);
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	check(argc > 1, "usage: ends WAY [CPU-SECONDS]");
	spend(argument(argc, argv, 2, 0.5));
	printf("spent\n");
	fflush(stdout);
	end(argv[1]);
	return 7;
}
