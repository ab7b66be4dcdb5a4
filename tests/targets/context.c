/* A program that names its work, for readers from outside. At each stop it says so on stdout and waits for SIGUSR1:
 * context [busy|LIBRARY]
 *   outside, in "request", in "parse" of it with a second thread in "job", in "request" again, in a child forked from there, in "child" of that,
 *   busy: in "busy", of which it takes 300 ms of CPU time before and after
 *   LIBRARY, which tells of contexts itself: in "late", and there when it has been loaded */
#include "preload/smartprof.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void stop(const char *where)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	printf("%s %d\n", where, (int)getpid());
	fflush(stdout);
	sigwait(&set, &signal);
}

static pthread_barrier_t barrier;

static void *worker(void *unused)
{
	(void)unused;
	SMARTPROF_BLOCK("job")
	{
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void request(void)
{
	pthread_t thread;

	SMARTPROF_GUARD("request");
	stop("request");
	pthread_barrier_init(&barrier, NULL, 2);
	SMARTPROF_BLOCK("parse")
	{
		pthread_create(&thread, NULL, worker, NULL);
		pthread_barrier_wait(&barrier);
		stop("parse");
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	stop("again");
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	if (fork() == 0) {
		stop("forked");
		SMARTPROF_BLOCK("child")
		stop("child");
		_exit(0);
	}
	wait(NULL);
}

static void spin_ms(long ms)
{
	struct timespec now;
	long end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	end = now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < end);
}

int main(int argc, char **argv)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	stop("outside");
	request();
	if (argc > 1 && !strcmp(argv[1], "busy")) {
		SMARTPROF_GUARD("busy");
		spin_ms(300);
		stop("busy");
		spin_ms(300);
	} else if (argc > 1) {
		SMARTPROF_GUARD("late");
		stop("late");
		if (!dlopen(argv[1], RTLD_NOW))
			return 1;
		spin_ms(1300);
		stop("loaded");
	}
	return 0;
}
