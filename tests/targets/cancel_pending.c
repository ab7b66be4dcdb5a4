/* Threads are cancelled and then compute and allocate without passing a cancellation point: they
 * may only end afterwards, where they do. Exit status 1 when one ended before. */
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define ROUNDS 10
#define THREADS 4

static volatile int cancelled;
static int finished, cleaned;

static void cleanup(void *unused)
{
	(void)unused;
	__atomic_add_fetch(&cleaned, 1, __ATOMIC_RELAXED);
}

static void *run(void *unused)
{
	pthread_cleanup_push(cleanup, NULL);
	while (!cancelled)
		spin(1000);
	for (int i = 0; i < 200; i++) {
		free(malloc(3000));
		spin(50000);
	}
	__atomic_add_fetch(&finished, 1, __ATOMIC_RELAXED);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return unused;
}

int main(void)
{
	pthread_t thread[THREADS];

	for (int round = 0; round < ROUNDS; round++) {
		cancelled = 0;
		for (int i = 0; i < THREADS; i++)
			check(pthread_create(&thread[i], NULL, run, NULL) == 0, "pthread_create");
		for (int i = 0; i < THREADS; i++)
			pthread_cancel(thread[i]);
		cancelled = 1;
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
	}
	printf("of %d threads %d finished, %d cleaned up\n", ROUNDS * THREADS, finished, cleaned);
	return finished != ROUNDS * THREADS || cleaned != finished;
}
