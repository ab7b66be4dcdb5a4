/* A process that ends while it waits: cut_off CALL SIGNAL. A timer's signal comes after 0.3 s in the call; 14 has a handler that exits, the
 * others do what they do by themselves. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/select.h>
#include <unistd.h>

#include "tests/targets/common.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t locked;

static void on_signal(int number)
{
	usleep(1000); /* a handler has waits of its own */
	exit(number);
}

static void *hold(void *unused)
{
	pthread_mutex_lock(&held);
	pthread_barrier_wait(&locked);
	while (true)
		pause();
	return unused;
}

static void wait_in(const char *call)
{
	int pipes[2];
	char byte;

	check(pipe(pipes) == 0, "pipe");
	if (strcmp(call, "poll") == 0)
		select(0, NULL, NULL, NULL, NULL);
	else if (strcmp(call, "read") == 0)
		(void)!read(pipes[0], &byte, 1);
	else if (strcmp(call, "sleep") == 0)
		sleep(60);
	else if (strcmp(call, "lock") == 0)
		pthread_mutex_lock(&held);
	else if (strcmp(call, "condition") == 0)
		pthread_cond_wait(&condition, &mutex);
}

int main(int argc, char **argv)
{
	int number = (int)argument(argc, argv, 2, SIGALRM);
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
	struct itimerspec soon = {{0, 0}, {0, 300000000}};
	pthread_t thread;
	timer_t timer;
	sigset_t set;

	check(argc > 2, "usage: cut_off CALL SIGNAL");
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_barrier_init(&locked, NULL, 2);
	pthread_create(&thread, NULL, hold, NULL);
	pthread_barrier_wait(&locked);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	spend(0.05); /* enough for a profile */
	pthread_mutex_lock(&mutex);
	signal(SIGALRM, on_signal);
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	timer_settime(timer, 0, &soon, NULL);
	wait_in(argv[1]);
	return 1;
}
