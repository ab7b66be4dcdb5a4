/* Threads compute while plugins with thread-local storage are loaded: every thread's table of such
 * storage is out of date, and is not to be brought up to date in a signal handler.
 * Usage: tls_growth THREADS PLUGIN.so… */
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define THREADS_MAX 512

static volatile int stop;

static void *compute(void *unused)
{
	while (!stop)
		spin(20000);
	return unused;
}

int main(int argc, char **argv)
{
	int threads = (int)argument(argc, argv, 1, 50);
	pthread_t thread[THREADS_MAX];
	pthread_attr_t small;

	check(argc > 2 && threads <= THREADS_MAX, "usage: tls_growth THREADS PLUGIN.so…");
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (int i = 0; i < threads; i++)
		check(pthread_create(&thread[i], &small, compute, NULL) == 0, "pthread_create");
	sleep(1); /* every thread has been sampled before the first plugin comes */
	for (int i = 2; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW))
			puts(dlerror());
	sleep(1);
	stop = 1;
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	puts("done");
	return 3;
}
