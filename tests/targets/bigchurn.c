/* Allocates and frees without end on several threads, blocks crossing from one to the other, and
 * checks that no block was handed out twice. Usage: bigchurn [THREADS [ROUNDS]] */
#include <malloc.h>
#include <pthread.h>

#include "tests/targets/common.h"

#define SLOTS 4096

static uint64_t *slot[SLOTS];
static long rounds = 1000000;

static void *churn(void *seed)
{
	uint64_t x = (uint64_t)(uintptr_t)seed * 0x9E3779B97F4A7C15ULL + 1;

	for (long i = 0; i < rounds; i++) {
		uint64_t *p, *old;
		size_t size;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		size = 16 + (x >> 54);
		p = x >> 60 ? malloc(size) : aligned_alloc(64, (size + 63) & ~63ul);
		check(p && malloc_usable_size(p) >= size, "malloc");
		p[0] = (uint64_t)(uintptr_t)p;
		if ((x & 15) == 0) {
			p = realloc(p, size * 3);
			check(p != NULL, "realloc");
			p[0] = (uint64_t)(uintptr_t)p;
		}
		old = __atomic_exchange_n(&slot[x >> 20 & (SLOTS - 1)], p, __ATOMIC_ACQ_REL);
		if (old && old[0] != (uint64_t)(uintptr_t)old) {
			puts("a block changed under its owner");
			exit(1);
		}
		free(old);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = (long)argument(argc, argv, 1, 2);
	pthread_t thread[64];

	rounds = (long)argument(argc, argv, 2, (double)rounds);
	for (long i = 0; i < threads; i++)
		check(pthread_create(&thread[i], NULL, churn, (void *)(i + 1)) == 0, "pthread_create");
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	puts("done");
	return 0;
}
