// Loads and unloads two plugins in turn while other threads compute, allocate and throw.
// Usage: dlstorm [SECONDS]
#include <atomic>
#include <dlfcn.h>
#include <pthread.h>
#include <stdexcept>

#include "tests/targets/common.h"

static std::atomic<bool> stop;

static __attribute__((noinline)) int throws(int depth)
{
	if (depth == 0)
		throw std::runtime_error("thrown");
	return throws(depth - 1) + 1;
}

static void *disturb(void *unused)
{
	while (!stop) {
		try {
			throws(20);
		} catch (const std::exception &) {
		}
		free(malloc(100));
		spin(500);
	}
	return unused;
}

static void load(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/plugins/%s.so", directory, name);
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	auto work = reinterpret_cast<int (*)(int)>(dlsym(plugin, "plugin_work"));
	check(work != nullptr, "plugin_work");
	for (int i = 0; i < 50; i++)
		work(i);
	dlclose(plugin);
}

int main(int argc, char **argv)
{
	char *slash = strrchr(argv[0], '/');
	double end = clock_seconds(CLOCK_MONOTONIC) + argument(argc, argv, 1, 5);
	pthread_t thread[3];

	check(slash != nullptr, "start with a path");
	*slash = 0;
	for (auto &t : thread)
		check(pthread_create(&t, nullptr, disturb, nullptr) == 0, "pthread_create");
	while (clock_seconds(CLOCK_MONOTONIC) < end) {
		load(argv[0], "plugin_one");
		load(argv[0], "plugin_two");
	}
	stop = true;
	for (auto &t : thread)
		pthread_join(t, nullptr);
	puts("done");
	return 0;
}
