/* A library whose constructor waits for a thread that allocates: anything in that thread that wants
 * the loader's lock, which the constructor's caller holds, waits for ever. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

int cxx_plugin(int rounds);

static void *allocate(void *unused)
{
	prctl(PR_SET_NAME, "constructed", 0, 0, 0);
	free(memalign(64, 100));
	for (size_t i = 0; i < 10000; i++)
		free(malloc(i));
	return unused;
}

static __attribute__((constructor)) void construct(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, allocate, NULL) != 0 || pthread_join(thread, NULL) != 0)
		puts("no thread");
}

/* What cxx_host calls. */
int cxx_plugin(int rounds)
{
	return rounds;
}
