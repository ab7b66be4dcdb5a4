/* spawn N PROGRAM: runs the program so many times by posix_spawn, one after the other. It starts them with
 * CHILD_PRELOAD as LD_PRELOAD, if that is set. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[1]) : 0;
	const char *library = getenv("CHILD_PRELOAD");
	int status;
	pid_t pid;

	if (library && *library)
		setenv("LD_PRELOAD", library, 1);
	while (n-- > 0)
		if (posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 || waitpid(pid, &status, 0) != pid)
			return 1;
	return 0;
}
