/* The table of tests/targets/malloc_table.h in one place a program may call malloc from. Usage: malloc_api
 * main | handler | child | thread | atexit | dlopen PLUGIN | deepbind PLUGIN | dlmopen PLUGIN */
#include "tests/targets/malloc_table.h"

#include <csignal>
#include <pthread.h>
#include <sys/wait.h>

static void at_exit()
{
	malloc_table::all("atexit");
}

static void handler(int)
{
	malloc_table::all("handler");
}

static void *thread_main(void *arg)
{
	malloc_table::all("thread");
	return arg;
}

/* Blocks of one side given back by the other, where one libc, or at least one kind of block, is behind both. */
static void exchange(void *plugin)
{
	auto take = (void *(*)(size_t))dlsym(plugin, "plugin_take");
	auto give = (void (*)(void *))dlsym(plugin, "plugin_give");

	for (int i = 0; i < 200; i++) {
		free(take(24));
		give(malloc(24));
	}
	malloc_table::show_number("exchanged", 200);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "main", *path = argc > 2 ? argv[2] : "";
	void *plugin = nullptr;
	pthread_t thread;
	int status = 0;

	malloc_table::where = how;
	for (int i = 0; i < 3000; i++) /* awake, and sampling */
		free(malloc_table::hide(malloc(malloc_table::hide(200))));
	if (!strcmp(how, "main"))
		malloc_table::all(how);
	if (!strcmp(how, "atexit"))
		atexit(at_exit);
	if (!strcmp(how, "handler")) {
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
	}
	if (!strcmp(how, "thread") &&
		(pthread_create(&thread, nullptr, thread_main, nullptr) != 0 || pthread_join(thread, nullptr) != 0))
		return 3;
	if (!strcmp(how, "child")) {
		if (fork() == 0) {
			malloc_table::all("child");
			exit(0);
		}
		wait(&status);
	}
	if (!strcmp(how, "dlopen"))
		plugin = dlopen(path, RTLD_NOW);
	if (!strcmp(how, "deepbind"))
		plugin = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
	if (!strcmp(how, "dlmopen"))
		plugin = dlmopen(LM_ID_NEWLM, path, RTLD_NOW);
	if (*path && !plugin) {
		puts(dlerror());
		return 3;
	}
	if (plugin && malloc_table::is_system())
		exchange(plugin);
	return status;
}
