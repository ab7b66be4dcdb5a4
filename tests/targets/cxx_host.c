/* A C program that loads a C++ plugin; also cancels a thread, which unwinds through libgcc.
 * Usage: cxx_host PLUGIN.so [ROUNDS] */
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

static int cleaned;

static void cleanup(void *unused)
{
	(void)unused;
	cleaned = 1;
}

static void *wait_forever(void *unused)
{
	pthread_cleanup_push(cleanup, NULL);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return unused;
}

int main(int argc, char **argv)
{
	int rounds = (int)argument(argc, argv, 2, 20000), (*work)(int);
	pthread_t thread;
	void *plugin;

	check(argc > 1, "usage: cxx_host PLUGIN.so [ROUNDS]");
	plugin = dlopen(argv[1], RTLD_NOW);
	if (!plugin) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	work = (int (*)(int))dlsym(plugin, "cxx_plugin");
	check(work != NULL, "cxx_plugin");
	printf("caught %d of %d\n", work(rounds), 2 * rounds);
	check(pthread_create(&thread, NULL, wait_forever, NULL) == 0, "pthread_create");
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	printf("cleaned up: %d\n", cleaned);
	return 0;
}
