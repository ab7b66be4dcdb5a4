/* Threads that stay where they are, each in its own way, until standard input ends. Usage: stuck [DEADLOCK]. Prints a line when
 * all are there. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/targets/common.h"

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t there;
static sem_t never;
static int pipes[2];

static NOINLINE void hold_and_sleep(void)
{
	pthread_mutex_lock(&held);
	pthread_barrier_wait(&there);
	sleep(1000);
}

static NOINLINE void want_lock(void)
{
	pthread_barrier_wait(&there);
	pthread_mutex_lock(&held);
}

static NOINLINE void read_pipe(void)
{
	char c;

	pthread_barrier_wait(&there);
	check(read(pipes[0], &c, 1) == 1, "read");
}

static NOINLINE void wait_for_semaphore(void)
{
	pthread_barrier_wait(&there);
	sem_wait(&never);
}

static NOINLINE void lock_both(pthread_mutex_t *first, pthread_mutex_t *second)
{
	pthread_mutex_lock(first);
	pthread_barrier_wait(&there);
	pthread_mutex_lock(second);
}

static NOINLINE void lock_one_way(void)
{
	lock_both(&held, &other);
}

static NOINLINE void lock_the_other_way(void)
{
	lock_both(&other, &held);
}

struct role {
	const char *name;
	void (*run)(void);
};

static const struct role quiet[] = {
	{"holder", hold_and_sleep}, {"waiter", want_lock}, {"reader", read_pipe}, {"semaphore", wait_for_semaphore}};
static const struct role deadlock[] = {{"one", lock_one_way}, {"two", lock_the_other_way}};

static void *play(void *arg)
{
	const struct role *role = arg;

	prctl(PR_SET_NAME, role->name);
	role->run();
	return NULL;
}

int main(int argc, char **argv)
{
	const struct role *roles = argc > 1 ? deadlock : quiet;
	unsigned count = argc > 1 ? 2 : 4;
	struct pollfd input = {.fd = 0, .events = POLLIN};
	pthread_t t;

	(void)argv;
	check(pipe(pipes) == 0 && sem_init(&never, 0, 0) == 0, "pipe");
	pthread_barrier_init(&there, NULL, count + 1);
	for (unsigned i = 0; i < count; i++)
		check(pthread_create(&t, NULL, play, (void *)&roles[i]) == 0, "pthread_create");
	pthread_barrier_wait(&there);
	spend(0.03); /* enough for a profile */
	printf("there\n");
	fflush(stdout);
	while (poll(&input, 1, -1) < 0)
		;
	_exit(0);
}
