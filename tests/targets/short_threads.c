/* Threads far shorter than any sampling interval, four at a time.
 * Usage: short_threads [COUNT [ITERATIONS]]; prints the resident set's growth in KiB over the
 * second half only when that is more than 8 MiB. */
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

static uint64_t iterations = 20000;

static NOINLINE uint64_t short_work(void)
{
	return spin(iterations);
}

static void *run(void *unused)
{
	short_work();
	return unused;
}

static long resident_kib(void)
{
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	check(f && fscanf(f, "%ld %ld", &size, &resident) == 2, "statm");
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
	int count = (int)argument(argc, argv, 1, 20000);
	long half = 0, grown;

	iterations = (uint64_t)argument(argc, argv, 2, 20000);
	for (int i = 0; i < count; i += 4) {
		pthread_t thread[4];

		for (int j = 0; j < 4; j++)
			check(pthread_create(&thread[j], NULL, run, NULL) == 0, "pthread_create");
		for (int j = 0; j < 4; j++)
			pthread_join(thread[j], NULL);
		if (i == count / 2 / 4 * 4)
			half = resident_kib();
	}
	grown = resident_kib() - half;
	if (grown > 8192)
		printf("grown by %ld KiB\n", grown);
	puts("done");
	return 0;
}
