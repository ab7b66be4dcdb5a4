/* What a lock that is free and a call that does not block cost: prints the CPU nanoseconds of a lock, a read and a poll, with a second thread
 * in the process. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CALLS 3000000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *rests(void *unused)
{
	pause();
	return unused;
}

static void check(bool good)
{
	if (!good)
		abort();
}

int main(void)
{
	int null = open("/dev/null", O_RDONLY);
	pthread_t thread;
	char byte;
	double began;

	pthread_create(&thread, NULL, rests, NULL);
	began = cpu_ns();
	for (int i = 0; i < CALLS; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	printf("%.2f ", (cpu_ns() - began) / CALLS);
	began = cpu_ns();
	for (int i = 0; i < CALLS; i++)
		check(pread(null, &byte, 1, 0) == 0);
	printf("%.2f ", (cpu_ns() - began) / CALLS);
	began = cpu_ns();
	for (int i = 0; i < CALLS; i++)
		check(poll(NULL, 0, 0) == 0);
	printf("%.2f\n", (cpu_ns() - began) / CALLS);
	return 0;
}
