/* Two threads, one of which uses three times the CPU time of the other, each in a function of its
 * own. Usage: split [CPU-SECONDS]. */
#include <pthread.h>

#include "tests/targets/common.h"

static double seconds;

static NOINLINE void *three_quarters(void *unused)
{
	while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < seconds * 0.75)
		spin(100000);
	return unused;
}

static NOINLINE void *one_quarter(void *unused)
{
	while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < seconds * 0.25)
		spin(100000);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread[2];

	seconds = argument(argc, argv, 1, 2);
	check(pthread_create(&thread[0], NULL, three_quarters, NULL) == 0, "pthread_create");
	check(pthread_create(&thread[1], NULL, one_quarter, NULL) == 0, "pthread_create");
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	puts("done");
	return 0;
}
