/* Threads that allocate and free all the time, and check what they have.
 * Usage: mallocs THREADS; ends at SIGTERM, with exit status 1 when memory was not as it was left. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/targets/common.h"

#define KEPT 64u

static volatile sig_atomic_t ended;
static int broken; /* atomic */

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void *churn(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg * 7919u + 1;
	unsigned char *kept[KEPT] = {0};
	size_t sizes[KEPT] = {0};

	while (!ended) {
		for (int i = 0; i < 2000; i++) {
			unsigned at = (seed = seed * 1103515245u + 12345u) >> 16 & (KEPT - 1);

			if (kept[at] && (kept[at][0] != at || kept[at][sizes[at] - 1] != at))
				__atomic_store_n(&broken, 1, __ATOMIC_RELAXED);
			free(kept[at]);
			sizes[at] = 16 + (seed >> 8 & 4095);
			kept[at] = malloc(sizes[at]);
			memset(kept[at], (int)at, sizes[at]);
		}
	}
	for (unsigned i = 0; i < KEPT; i++)
		free(kept[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 16;
	pthread_t threads[256];

	signal(SIGTERM, end);
	for (long i = 0; i < n && i < 256; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(size_t)i);
	for (long i = 0; i < n && i < 256; i++)
		pthread_join(threads[i], NULL);
	return broken;
}
