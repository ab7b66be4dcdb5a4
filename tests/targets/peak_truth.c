/* Threads that allocate and free at random, a few thousand small blocks alive each, and a large one at the end; prints the most
 * bytes that were in use at once, counted. Usage: peak_truth [THREADS [STEPS]] */
#include <pthread.h>

#include "tests/targets/common.h"
#include "tests/targets/heap_counted.h"

#define ALIVE 5000

static long steps;

static void *churn(void *seed)
{
	static __thread struct {
		void *p;
		size_t size;
	} blocks[ALIVE];
	uint64_t x = 88172645463325252ULL * (uint64_t)(uintptr_t)seed;

	for (long i = 0; i < steps; i++) {
		uint32_t k;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		k = (uint32_t)(x % ALIVE);
		free(blocks[k].p);
		change(-(int64_t)blocks[k].size);
		blocks[k].size = 16 + (x >> 40) % 2000;
		blocks[k].p = malloc(blocks[k].size);
		check(blocks[k].p != NULL, "malloc");
		change((int64_t)blocks[k].size);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long count = argument(argc, argv, 1, 3);
	pthread_t threads[16];
	static void *volatile large;

	check(count <= 16, "threads");
	steps = argument(argc, argv, 2, 2000000);
	for (long i = 0; i < count; i++)
		check(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0, "pthread_create");
	for (long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	large = malloc(10000000);
	check(large != NULL, "malloc");
	change(10000000);
	printf("%ld\n", most);
	return 0;
}
