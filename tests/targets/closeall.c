/* A daemon's start: closes every descriptor it did not open, then opens files that get the freed
 * numbers. Whatever an agent kept open and still writes to would land in them.
 * Usage: closeall DIRECTORY; exit status 1 when a file holds anything but what was written here. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define FILES 40

static void *compute(void *unused)
{
	for (int i = 0; i < 200; i++)
		free(malloc((size_t)i * 100));
	spend(0.3);
	return unused;
}

int main(int argc, char **argv)
{
	int fd[FILES], bad = 0;
	pthread_t thread;
	char path[4096];

	check(argc == 2, "usage: closeall DIRECTORY");
	spend(0.1);
	check(close_range(3, ~0u, 0) == 0, "close_range");
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/file%d", argv[1], i);
		fd[i] = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
		check(fd[i] >= 0, path);
		/* The lowest free number is ours: nobody else opened one meanwhile and kept it. */
		bad += fd[i] != 3 + i;
		check(write(fd[i], "mine", 4) == 4, "write");
	}
	check(pthread_create(&thread, NULL, compute, NULL) == 0, "pthread_create");
	compute(NULL);
	pthread_join(thread, NULL);
	for (int i = 0; i < FILES; i++) {
		struct stat st;
		char content[5] = "";

		check(fstat(fd[i], &st) == 0, "fstat");
		bad += st.st_size != 4 || pread(fd[i], content, 4, 0) != 4 || strcmp(content, "mine") != 0;
	}
	printf("%d files harmed\n", bad);
	return bad != 0;
}
