/* Runs a command and writes what the kernel says it cost: "user<TAB>system" seconds.
 * Usage: usage FILE COMMAND [ARGUMENT…]; ends as the command did. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

int main(int argc, char **argv)
{
	struct rusage u;
	int status, pid;
	FILE *f;

	check(argc > 2, "usage: usage FILE COMMAND [ARGUMENT…]");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		const char *agent = getenv("USAGE_PRELOAD");

		if (agent)
			setenv("LD_PRELOAD", agent, 1);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	check(wait4(pid, &status, 0, &u) == pid, "wait4");
	f = fopen(argv[1], "w");
	check(f != NULL, argv[1]);
	fprintf(f, "%.6f\t%.6f\n", (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6,
		(double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6);
	fclose(f);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		kill(getpid(), WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
