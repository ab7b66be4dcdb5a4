/* Waits for known times at known places: wait_truth [ROUNDS]. Prints "place nanoseconds" for each, what it was blocked there. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/targets/common.h"
#include "tests/targets/off_cpu.h"

enum place { SHORT_NAP, LONG_NAP, POLLING, LOCKING, READING, PLACES };

static const char *const names[PLACES] = {"short_nap", "long_nap", "polling", "locking", "reading"};
static double blocked[PLACES]; /* each by one thread */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pipes[2], rounds;

#define IN(place, ...) \
	do { \
		double before = off(); \
		__VA_ARGS__; \
		blocked[place] += off() - before; \
	} while (0)

static void sleep_us(long us)
{
	nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static NOINLINE void short_nap(int i)
{
	IN(SHORT_NAP, nanosleep(&(struct timespec){0, 200000 + i % 7 * 10000}, NULL));
}

static NOINLINE void long_nap(int i)
{
	IN(LONG_NAP, nanosleep(&(struct timespec){0, 3000000 + i % 5 * 500000}, NULL));
}

static NOINLINE void polling(void)
{
	IN(POLLING, poll(NULL, 0, 1));
}

static NOINLINE void locking(void)
{
	IN(LOCKING, pthread_mutex_lock(&lock));
	pthread_mutex_unlock(&lock);
}

static NOINLINE void reading(void)
{
	char c;

	IN(READING, check(read(pipes[0], &c, 1) == 1, "read"));
}

static void *naps(void *unused)
{
	for (int i = 0; i < rounds; i++) {
		short_nap(i);
		if (i % 2)
			short_nap(i);
		if (i % 6 == 0)
			long_nap(i);
		polling();
	}
	return unused;
}

static void *locks(void *unused)
{
	for (int i = 0; i < rounds; i++) {
		locking();
		sleep_us(700);
	}
	return unused;
}

static void *holds(void *unused)
{
	for (int i = 0; i < rounds; i++) {
		pthread_mutex_lock(&lock);
		sleep_us(600);
		pthread_mutex_unlock(&lock);
		sleep_us(300);
	}
	return unused;
}

static void *reads(void *unused)
{
	for (int i = 0; i < rounds; i++)
		reading();
	return unused;
}

static void *writes(void *unused)
{
	for (int i = 0; i < rounds; i++) {
		sleep_us(500 + i % 3 * 400);
		check(write(pipes[1], "", 1) == 1, "write");
	}
	return unused;
}

int main(int argc, char **argv)
{
	void *(*const work[])(void *) = {naps, locks, holds, reads, writes};
	pthread_t threads[sizeof work / sizeof work[0]];

	rounds = (int)argument(argc, argv, 1, 150);
	check(pipe(pipes) == 0, "pipe");
	spend(0.025); /* enough for a profile */
	for (size_t i = 0; i < sizeof work / sizeof work[0]; i++)
		check(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
	for (size_t i = 0; i < sizeof work / sizeof work[0]; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PLACES; i++)
		printf("%s %.0f\n", names[i], blocked[i] * 1e9);
	return 0;
}
