/* Preloaded into the command: a file system that does not answer when a profile of `ends` is to have its name. */
#include <string.h>
#include <unistd.h>

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags);

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	(void)from_directory;
	(void)from;
	(void)to_directory;
	(void)flags;
	while (!strncmp(to, "ends.", 5))
		pause();
	return -1;
}
