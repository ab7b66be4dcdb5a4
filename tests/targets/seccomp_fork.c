/* Installs a filter that kills whoever creates a timer or an event, then forks; the child only
 * allocates and computes. Exit status: the child's, or 1 when it was killed. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/seccomp.h"

static void allocate(void)
{
	for (int i = 0; i < 20000; i++) {
		void *volatile kept = malloc(500);

		check(kept != NULL, "malloc");
	}
	spend(0.1);
}

int main(void)
{
	int status;
	pid_t pid;

	allocate();
	forbid_new_clocks(SECCOMP_RET_KILL_PROCESS);
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		allocate();
		_exit(7);
	}
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status))
		printf("the child died by signal %d\n", WTERMSIG(status));
	return WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
}
