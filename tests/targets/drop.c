/* Starts as root and becomes an ordinary user. Usage: drop HOW [BEFORE-SECONDS [AFTER-SECONDS [fork]]]
 * HOW: setuid setreuid setresuid raw (the system call) seteuid (root stays the saved user) refused */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define NOBODY 65534

static int become(const char *how)
{
	if (!strcmp(how, "setuid"))
		return setuid(NOBODY);
	if (!strcmp(how, "setreuid"))
		return setreuid(NOBODY, NOBODY);
	if (!strcmp(how, "setresuid"))
		return setresuid(NOBODY, NOBODY, NOBODY);
	if (!strcmp(how, "seteuid"))
		return seteuid(NOBODY);
	if (!strcmp(how, "raw"))
		return (int)syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
	return setuid(NOBODY) == 0; /* refused */
}

int main(int argc, char **argv)
{
	check(argc > 1, "usage: drop HOW [BEFORE-SECONDS [AFTER-SECONDS [fork]]]");
	spend(argument(argc, argv, 2, 0.2));
	check(become(argv[1]) == 0, "cannot become another user");
	if (argc > 4 && fork() == 0) {
		spend(argument(argc, argv, 3, 0.2));
		exit(0);
	}
	while (wait(NULL) > 0)
		;
	spend(argument(argc, argv, 3, 0.2));
	return 0;
}
