/* _Fork children try to execute something while another thread of the parent keeps the loader's
 * lock busy: a child in which that lock is taken for ever must not ask for it.
 * Usage: fork_dlopen PLUGIN.so [FORKS]; exit status 1 when a child hangs or dies. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define PATIENCE_MS 2000

static volatile int stop;

static void *load(void *plugin)
{
	while (!stop) {
		void *handle = dlopen(plugin, RTLD_NOW);

		if (handle)
			dlclose(handle);
	}
	return NULL;
}

/* Returns 1 when the child had to be killed or died. */
static int await(pid_t pid)
{
	int status, waited_ms = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (waited_ms++ == PATIENCE_MS)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	if (status)
		printf("a child %s\n", waited_ms > PATIENCE_MS ? "hung" : "died");
	return status != 0;
}

int main(int argc, char **argv)
{
	int forks = (int)argument(argc, argv, 2, 300), bad = 0;
	char *nothing[] = {"nothing", NULL};
	pthread_t thread;

	check(argc > 1, "usage: fork_dlopen PLUGIN.so [FORKS]");
	spend(0.1);
	check(pthread_create(&thread, NULL, load, argv[1]) == 0, "pthread_create");
	usleep(20000);
	for (int i = 0; i < forks && bad < 3; i++) {
		pid_t pid = _Fork();

		check(pid >= 0, "_Fork");
		if (pid == 0) {
			execv("/nonexistent", nothing);
			_exit(0);
		}
		bad += await(pid);
	}
	stop = 1;
	pthread_join(thread, NULL);
	printf("%d children failed\n", bad);
	return bad != 0;
}
