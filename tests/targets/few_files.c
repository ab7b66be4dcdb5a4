/* Uses up all descriptors, starts threads that compute for SECONDS each, and closes all again.
 * Usage: few_files [THREADS [SECONDS]] */
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

static double seconds = 0.2;

static void *run(void *unused)
{
	spend(seconds);
	return unused;
}

int main(int argc, char **argv)
{
	int fd, last = 2;
	int threads = (int)argument(argc, argv, 1, 2);
	pthread_t thread[16];

	seconds = argument(argc, argv, 2, seconds);
	spend(0.1);
	while ((fd = dup(0)) >= 0)
		last = fd;
	for (int i = 0; i < threads; i++)
		check(pthread_create(&thread[i], NULL, run, NULL) == 0, "pthread_create");
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	for (fd = 3; fd <= last; fd++)
		close(fd);
	puts("done");
	return 0;
}
