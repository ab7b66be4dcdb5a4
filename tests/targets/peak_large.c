/* Threads that grow a block by realloc to several MB, again and again, with small blocks coming and going in between: more
 * large blocks than can be sampled for their size. Prints the most bytes that were in use at once, counted.
 * Usage: peak_large [THREADS [ROUNDS]] */
#include <pthread.h>

#include "tests/targets/common.h"
#include "tests/targets/heap_counted.h"

#define LARGEST 8000000
#define SMALL 48

static long rounds;

static void pass_time(void)
{
	for (int i = 0; i < 300; i++) {
		void *volatile p = malloc(SMALL);

		check(p != NULL, "malloc");
		free(p);
	}
}

static void *grow(void *arg)
{
	for (long round = 0; round < rounds; round++) {
		char *volatile p = NULL;
		int64_t size = 0;

		for (int64_t next = 64; next < LARGEST; next += next / 4) {
			p = realloc(p, (size_t)next);
			check(p != NULL, "realloc");
			p[next - 1] = 1;
			change(next - size);
			size = next;
			pass_time();
		}
		free(p);
		change(-size);
	}
	return arg;
}

int main(int argc, char **argv)
{
	long count = argument(argc, argv, 1, 3);
	pthread_t threads[16];

	check(count <= 16, "threads");
	rounds = argument(argc, argv, 2, 75);
	for (long i = 0; i < count; i++)
		check(pthread_create(&threads[i], NULL, grow, NULL) == 0, "pthread_create");
	for (long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%lld\n", (long long)most);
	return 0;
}
