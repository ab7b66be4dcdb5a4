/* Runs plugin_untabled.c's code: its own copy, or that of a library, which is closed afterwards; meanwhile, another thread
 * opens and closes a third one, whose addresses stay behind on the stack.
 * Usage: untabled [CPU-SECONDS [LIBRARY [THIRD]]]. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/targets/plugin_untabled.c"

static atomic_int done;

static void *open_and_close(void *path)
{
	while (!done) {
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

		check(library != NULL && dlclose(library) == 0, "dlopen");
	}
	return NULL;
}

/* Leaves addresses of the library where frames will be. */
static NOINLINE void litter(void *library)
{
	void *volatile words[2000];
	void *symbol = dlsym(library, "untabled_run");

	for (unsigned i = 0; i < 2000; i++)
		words[i] = (char *)symbol + i % 16;
	__asm__ volatile("" : : "r"(words) : "memory");
}

int main(int argc, char **argv)
{
	pthread_t thread;
	double seconds = argument(argc, argv, 1, 1);
	uint64_t (*run)(double) = untabled_run;
	void *library = NULL;

	if (argc > 2) {
		library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
		check(library != NULL, dlerror());
		run = (uint64_t(*)(double))(uintptr_t)dlsym(library, "untabled_run");
		check(run != NULL, "dlsym");
	}
	if (argc > 3) {
		void *third = dlopen(argv[3], RTLD_NOW | RTLD_LOCAL);

		check(third != NULL, "third");
		litter(third);
		dlclose(third);
		check(pthread_create(&thread, NULL, open_and_close, argv[3]) == 0, "pthread_create");
	}
	printf("%d\n", run(seconds) != 0);
	done = 1;
	if (argc > 3)
		pthread_join(thread, NULL);
	if (library)
		check(dlclose(library) == 0, "dlclose");
	return 0;
}
