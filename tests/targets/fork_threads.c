/* Children made with _Fork, which runs no fork handlers, compute in a thread of theirs (child_work),
 * together for as long as their parent does (parent_work). */
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
	spend(0.1);
	return unused;
}

static void child(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, child_work, NULL) == 0)
		pthread_join(thread, NULL);
	_exit(0);
}

int main(void)
{
	parent_work();
	for (int i = 0; i < 8; i++) {
		pid_t pid = _Fork();

		check(pid >= 0, "_Fork");
		if (pid == 0)
			child();
		check(waitpid(pid, NULL, 0) == pid, "waitpid");
	}
	puts("done");
	return 0;
}
