/* A child made with _Fork, which runs no fork handlers, computes in a thread (child_work) for longer
 * than its parent does (parent_work). Prints nothing but "done". */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static NOINLINE void parent_work(void)
{
	spend(0.8);
}

static NOINLINE void *child_work(void *unused)
{
	spend(1);
	return unused;
}

int main(void)
{
	void *volatile kept;
	pthread_t thread;
	pid_t pid;

	parent_work();
	kept = malloc(1000);
	pid = _Fork();
	check(pid >= 0, "_Fork");
	if (pid == 0) {
		if (pthread_create(&thread, NULL, child_work, NULL) == 0)
			pthread_join(thread, NULL);
		_exit(0);
	}
	check(waitpid(pid, NULL, 0) == pid, "waitpid");
	free(kept);
	puts("done");
	return 0;
}
