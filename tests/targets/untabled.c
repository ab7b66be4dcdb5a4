/* Runs plugin_untabled.c's code: its own copy, or that of a library, which is closed afterwards.
 * Usage: untabled [CPU-SECONDS [LIBRARY]]. */
#include <dlfcn.h>

#include "tests/targets/plugin_untabled.c"

int main(int argc, char **argv)
{
	double seconds = argument(argc, argv, 1, 1);
	uint64_t (*run)(double) = untabled_run;
	void *library = NULL;

	if (argc > 2) {
		library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
		check(library != NULL, dlerror());
		run = (uint64_t(*)(double))(uintptr_t)dlsym(library, "untabled_run");
		check(run != NULL, "dlsym");
	}
	printf("%d\n", run(seconds) != 0);
	if (library)
		check(dlclose(library) == 0, "dlclose");
	return 0;
}
