/* Locks its memory with mlockall after 0.3 s, or before: "late" or "early"; or in a child made after it: "child". Prints "locked" or why not, and the
 * locked kilobytes after more work, on stderr. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static void print_locked(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "VmLck:", 6) == 0)
			fprintf(stderr, "%d\n", atoi(line + 6));
}

int main(int argc, char **argv)
{
	const char *when = argc > 1 ? argv[1] : "early";
	pid_t child = 0;
	int status;

	if (strcmp(when, "early") != 0)
		spend(0.3);
	if (strcmp(when, "child") == 0)
		child = fork();
	if (child)
		return child < 0 || waitpid(child, &status, 0) != child || status;
	errno = 0;
	puts(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? "locked" : strerror(errno));
	for (int i = 0; i < 1000; i++)
		check(malloc(400) != NULL, "malloc");
	spend(0.3);
	print_locked();
	return 0;
}
