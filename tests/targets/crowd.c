/* N threads that compute for a good half of a millisecond each, all there at once or eight at a time; each ends with a
 * destructor of thread-specific data that allocates. Usage: crowd N [alive] */
#include <pthread.h>

#include "tests/targets/common.h"

#define AT_ONCE 8

static pthread_barrier_t together;
static pthread_key_t key;

static void gone(void *p)
{
	free(p);
	free(malloc(3000));
}

static void *run(void *alive)
{
	pthread_setspecific(key, malloc(5000));
	spin(200000);
	if (alive)
		pthread_barrier_wait(&together);
	spin(200000);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = (int)argument(argc, argv, 1, 1000);
	void *alive = argc > 2 ? argv[2] : NULL;
	pthread_t *threads = malloc(sizeof(*threads) * (size_t)n);
	pthread_attr_t attr;

	check(threads && !pthread_attr_init(&attr) && !pthread_attr_setstacksize(&attr, 65536), "setup");
	pthread_key_create(&key, gone);
	pthread_barrier_init(&together, NULL, (unsigned)n);
	for (int i = 0; i < n; i++) {
		if (!alive && i >= AT_ONCE)
			pthread_join(threads[i - AT_ONCE], NULL);
		check(pthread_create(&threads[i], &attr, run, alive) == 0, "pthread_create");
	}
	for (int i = alive || n < AT_ONCE ? 0 : n - AT_ONCE; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}
