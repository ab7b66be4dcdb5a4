/* N threads, all there before the first begins and until the last is done, that compute for S CPU seconds each, every
 * tenth of it in system calls.
 * Usage: threads_cpu [THREADS [SECONDS]] */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

static double seconds = 1;
static pthread_barrier_t together;

static NOINLINE void in_kernel(int fd)
{
	static __thread char buffer[65536];

	for (int i = 0; i < 20; i++)
		check(read(fd, buffer, sizeof(buffer)) == (ssize_t)sizeof(buffer), "read");
}

static void *run(void *unused)
{
	pthread_barrier_wait(&together);
	double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end) {
		spend(0.001);
		in_kernel(fd);
	}
	close(fd);
	pthread_barrier_wait(&together);
	return unused;
}

int main(int argc, char **argv)
{
	int threads = (int)argument(argc, argv, 1, 2);
	pthread_t thread[512];

	seconds = argument(argc, argv, 2, seconds);
	pthread_barrier_init(&together, NULL, (unsigned)threads);
	for (int i = 0; i < threads; i++)
		check(pthread_create(&thread[i], NULL, run, NULL) == 0, "pthread_create");
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	puts("done");
	return 0;
}
