/* What a lock that is free and a call that does not block cost: prints the CPU nanoseconds of a lock, a read and a poll, each the least of
 * many short rounds, with a second thread in the process. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 150
#define CALLS 10000

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

#define LEAST(call) \
	({ \
		double least = 1e9; \
		for (int round = 0; round < ROUNDS; round++) { \
			double began = cpu_ns(), each; \
			for (int i = 0; i < CALLS; i++) { \
				call; \
			} \
			each = (cpu_ns() - began) / CALLS; \
			least = each < least ? each : least; \
		} \
		least; \
	})

int main(void)
{
	int null = open("/dev/null", O_RDONLY);
	pthread_t thread;
	char byte;

	pthread_create(&thread, NULL, rests, NULL);
	printf("%.2f ", LEAST(pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex)));
	printf("%.2f ", LEAST(check(pread(null, &byte, 1, 0) == 0)));
	printf("%.2f\n", LEAST(check(poll(NULL, 0, 0) == 0)));
	return 0;
}
