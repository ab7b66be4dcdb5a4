/* Threads that wait for each other, with known sums: convoy ROUNDS. Two threads hold `g_log` while they sleep for 2 ms
 * (flush_log), two want it for an instant (add_line); the sleep is most of what all wait for. */
#include "preload/smartprof.h"

#include <pthread.h>

#include "tests/targets/common.h"

static pthread_mutex_t g_log = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long lines;

NOINLINE static void flush_log(void)
{
	pthread_mutex_lock(&g_log);
	SMARTPROF_BLOCK("flush to disk")
	nanosleep(&(struct timespec){0, 2000000}, NULL);
	pthread_mutex_unlock(&g_log);
	lines++;
}

NOINLINE static void add_line(void)
{
	pthread_mutex_lock(&g_log);
	lines++;
	pthread_mutex_unlock(&g_log);
	lines++;
}

static int rounds;

static void *flush(void *unused)
{
	for (int i = 0; i < rounds; i++)
		flush_log();
	return unused;
}

static void *add(void *unused)
{
	for (int i = 0; i < rounds; i++) {
		add_line();
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];

	check(argc > 1, "usage: convoy ROUNDS");
	rounds = atoi(argv[1]);
	for (int i = 0; i < 4; i++)
		check(pthread_create(&threads[i], NULL, i % 2 ? add : flush, NULL) == 0, "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	spend(0.1); /* what uses next to nothing has no profile */
	printf("%d rounds\n", rounds);
	return 0;
}
