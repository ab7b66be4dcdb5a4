/* Runs a command and prints the most memory it ever had resident, in KiB. What this program itself
 * uses is a lower bound of it. Usage: peak COMMAND [ARGUMENT…]; exit status 1 when it failed. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid;

	check(argc > 1, "usage: peak COMMAND [ARGUMENT…]");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	check(wait4(pid, &status, 0, &usage) == pid, "wait4");
	printf("%ld\n", usage.ru_maxrss);
	return status != 0;
}
