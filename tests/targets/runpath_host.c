/* Loads a plugin by its bare name: the loader finds it through the RUNPATH of the caller of
 * dlopen, which must still be this program. */
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
	void *plugin = dlopen("plugin_runpath.so", RTLD_NOW);
	int (*answer)(void);

	if (!plugin) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	answer = (int (*)(void))dlsym(plugin, "runpath_answer");
	printf("%d\n", answer ? answer() : -1);
	return 0;
}
