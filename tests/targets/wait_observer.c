/* Has no children. Looks, while it runs, in an exit handler, and (as a parent, when started with
 * "parent") after a child of its own ended, for children and children's CPU time that are not its.
 * Usage: wait_observer [parent]; exit status 1 when it sees any. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static volatile sig_atomic_t child_signals;

static void on_child(int signal)
{
	(void)signal;
	child_signals++;
}

static _Noreturn void leave(int status)
{
	fflush(stdout);
	_exit(status);
}

static void look(const char *when)
{
	struct rusage usage;
	int status;
	pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);

	if (pid != -1 || errno != ECHILD) {
		printf("%s: a child %d\n", when, (int)pid);
		leave(1);
	}
	getrusage(RUSAGE_CHILDREN, &usage);
	if (usage.ru_utime.tv_sec + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec + usage.ru_stime.tv_usec != 0) {
		printf("%s: CPU time of children\n", when);
		leave(1);
	}
	if (child_signals) {
		printf("%s: SIGCHLD\n", when);
		leave(1);
	}
}

static void at_exit(void)
{
	look("exit handler");
}

/* A destructor runs after the exit handlers, and after those of libraries loaded later. */
static __attribute__((destructor)) void destructor(void)
{
	look("destructor");
}

static int parent(char *self)
{
	struct rusage usage;
	int status, pid = fork();
	double seconds;

	check(pid >= 0, "fork");
	if (pid == 0) {
		execl(self, self, NULL);
		_exit(3);
	}
	check(wait4(pid, &status, 0, &usage) == pid, "wait4");
	seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	if (seconds > 0.45)
		printf("the child used %.3f s\n", seconds);
	if (waitpid(-1, NULL, __WALL | WNOHANG) != -1)
		puts("a foreign child");
	printf("status %d\n", WEXITSTATUS(status));
	leave(status || seconds > 0.45);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return parent(argv[0]);
	signal(SIGCHLD, on_child);
	atexit(at_exit);
	spend(0.3);
	look("main");
	puts("alone");
	return 0;
}
