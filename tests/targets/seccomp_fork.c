/* Installs a filter that kills whoever creates a timer or an event, then forks; the child only
 * allocates and computes. "raw": the child is made by the bare system call, and installs the filter itself.
 * Exit status: the child's, or 1 when it was killed. */
#include <stdbool.h>
#include <signal.h>
#include <sys/syscall.h>
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

int main(int argc, char **argv)
{
	bool raw = argc > 1 && strcmp(argv[1], "raw") == 0;
	int status;
	pid_t pid;

	allocate();
	if (!raw)
		forbid_new_clocks(SECCOMP_RET_KILL_PROCESS);
	pid = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		if (raw)
			forbid_new_clocks(SECCOMP_RET_KILL_PROCESS);
		allocate();
		_exit(7);
	}
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status))
		printf("the child died by signal %d\n", WTERMSIG(status));
	return WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
}
