/* Locks its memory with mlockall after 0.3 s, or before: "late" or "early". Prints "locked" or why not, and the
 * locked kilobytes after more work, on stderr. */
#include <errno.h>
#include <sys/mman.h>

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
	if (argc > 1 && strcmp(argv[1], "late") == 0)
		spend(0.3);
	errno = 0;
	puts(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? "locked" : strerror(errno));
	for (int i = 0; i < 1000; i++)
		check(malloc(400) != NULL, "malloc");
	spend(0.3);
	print_locked();
	return 0;
}
