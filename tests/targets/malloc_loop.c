/* Small blocks, allocated and freed, as fast as they come: what an allocation costs. Usage:
 * malloc_loop [THREADS [ROUNDS [cross]]]; cross: what one of two threads allocates the other frees. */
#include <pthread.h>
#include <sched.h>

#include "tests/targets/common.h"

#define HELD 512
#define QUEUE 1024

static long rounds;
static void *queue[QUEUE];

static void *churn(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
	void *held[HELD] = {NULL};

	for (long i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		free(held[x % HELD]);
		held[x % HELD] = malloc(16 + (x >> 32) % 112);
	}
	for (int i = 0; i < HELD; i++)
		free(held[i]);
	return NULL;
}

static void *produce(void *arg)
{
	for (long i = 0; i < rounds; i++) {
		void *p = malloc(16 + (size_t)i % 112);

		while (__atomic_load_n(&queue[i % QUEUE], __ATOMIC_ACQUIRE))
			sched_yield();
		__atomic_store_n(&queue[i % QUEUE], p, __ATOMIC_RELEASE);
	}
	return arg;
}

static void *consume(void *arg)
{
	for (long i = 0; i < rounds; i++) {
		void *p;

		while (!(p = __atomic_load_n(&queue[i % QUEUE], __ATOMIC_ACQUIRE)))
			sched_yield();
		__atomic_store_n(&queue[i % QUEUE], NULL, __ATOMIC_RELEASE);
		free(p);
	}
	return arg;
}

int main(int argc, char **argv)
{
	int threads = (int)argument(argc, argv, 1, 1);
	int cross = argc > 3;
	pthread_t id[64];

	check(threads > 0 && threads <= 64, "1 to 64 threads");
	rounds = (long)argument(argc, argv, 2, 10000000);
	for (intptr_t i = 0; i < threads; i++)
		check(pthread_create(&id[i], NULL, cross ? i ? consume : produce : churn, (void *)i) == 0, "thread");
	for (int i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
	puts("done");
	return 0;
}
