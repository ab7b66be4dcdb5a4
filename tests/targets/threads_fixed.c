/* N threads that each do the same fixed amount of work, allocating now and then: what profiling
 * adds shows in their CPU time. Usage: threads_fixed [THREADS [ROUNDS]] */
#include <pthread.h>

#include "tests/targets/common.h"

static long rounds = 60;

static NOINLINE unsigned work(unsigned x)
{
	for (int i = 0; i < 1000000; i++)
		x = x * 1103515245u + 12345u + (x >> 7);
	return x;
}

static void *run(void *arg)
{
	unsigned x = (unsigned)(size_t)arg;

	for (long i = 0; i < rounds; i++) {
		char *volatile block = malloc(10000);
		x = work(x);
		block[0] = (char)x;
		free(block);
	}
	return (void *)(size_t)x;
}

int main(int argc, char **argv)
{
	size_t threads = (size_t)argument(argc, argv, 1, 16);
	pthread_t thread[256];

	rounds = (long)argument(argc, argv, 2, (double)rounds);
	for (size_t i = 0; i < threads; i++)
		check(pthread_create(&thread[i], NULL, run, (void *)i) == 0, "pthread_create");
	for (size_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	puts("done");
	return 0;
}
