/* Threads that stay where they are, each in its own way, until standard input ends. Usage: stuck [deadlock | crowd | ended | vfork]. Prints a
 * line when all are there. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
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

static NOINLINE void keep_lock(void)
{
	pthread_mutex_lock(&held);
	pthread_barrier_wait(&there);
}

static NOINLINE void wait_for_child(void)
{
	char c;

	pthread_barrier_wait(&there);
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (read(pipes[0], &c, 1) < 0)
			;
		_exit(0);
	}
}

struct role {
	const char *name;
	void (*run)(void);
	unsigned count;
};

struct mode {
	const char *name;
	struct role roles[4];
};

static const struct mode modes[] = {
	{"quiet",
		{{"holder", hold_and_sleep, 1}, {"waiter", want_lock, 1}, {"reader", read_pipe, 1},
			{"semaphore", wait_for_semaphore, 1}}},
	{"deadlock", {{"one", lock_one_way, 1}, {"two", lock_the_other_way, 1}}},
	{"crowd", {{"one", lock_one_way, 1}, {"two", lock_the_other_way, 1}, {"many", want_lock, 2000}}},
	{"ended", {{"keeper", keep_lock, 1}, {"waiter", want_lock, 1}}},
	{"vfork", {{"parent", wait_for_child, 1}}},
};

static void *play(void *arg)
{
	const struct role *role = arg;

	prctl(PR_SET_NAME, role->name);
	role->run();
	return NULL;
}

static const struct mode *mode_of(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	exit(2);
}

static void start(const struct mode *mode)
{
	pthread_attr_t small;
	unsigned count = 1;
	pthread_t t;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (const struct role *role = mode->roles; role < mode->roles + 4; role++)
		count += role->count;
	pthread_barrier_init(&there, NULL, count);
	for (const struct role *role = mode->roles; role < mode->roles + 4; role++)
		for (unsigned i = 0; i < role->count; i++)
			check(pthread_create(&t, &small, play, (void *)role) == 0, "pthread_create");
	pthread_barrier_wait(&there);
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};

	check(pipe(pipes) == 0 && sem_init(&never, 0, 0) == 0, "pipe");
	start(mode_of(argc > 1 ? argv[1] : "quiet"));
	spend(0.03); /* enough for a profile */
	printf("there\n");
	fflush(stdout);
	while (poll(&input, 1, -1) < 0)
		;
	_exit(0);
}
