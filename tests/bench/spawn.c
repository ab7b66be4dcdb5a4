/* spawn ROUNDS LIBRARIES COMMAND...: runs the command by posix_spawn once a round with each of the libraries preloaded (with
 * colons between; "" is none), in turns. Prints a line for each: the tenth percentile of its wall times in us, in which little has come in between,
 * its ratio to the first library's, the median of the rounds' ratios, the tenth percentile of its CPU times in us, and page faults (median). */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIBRARIES 8

struct runs {
	double *wall, *ratio, *cpu, *faults;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(double *values, long n, double part)
{
	qsort(values, (size_t)n, sizeof *values, by_size);
	return values[(long)((double)(n - 1) * part)];
}

static double us(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static int run(char **argv, const char *library, struct runs *r, long round)
{
	struct rusage usage;
	double began;
	int status;
	pid_t pid;

	if (*library)
		setenv("LD_PRELOAD", library, 1);
	else
		unsetenv("LD_PRELOAD");
	began = now_us();
	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0 || wait4(pid, &status, 0, &usage) != pid)
		return 1;
	r->wall[round] = now_us() - began;
	r->cpu[round] = us(usage.ru_utime) + us(usage.ru_stime);
	r->faults[round] = (double)(usage.ru_minflt + usage.ru_majflt);
	return 0;
}

static void print(struct runs *r, struct runs *first, long n)
{
	printf("%.0f %.3f %.3f %.0f %.0f\n", at(r->wall, n, 0.1), at(r->wall, n, 0.1) / at(first->wall, n, 0.1),
		at(r->ratio, n, 0.5), at(r->cpu, n, 0.1), at(r->faults, n, 0.5));
}

int main(int argc, char **argv)
{
	long n = argc > 3 ? atol(argv[1]) : 0, round;
	char *rest = argc > 3 ? argv[2] : NULL, *names[LIBRARIES];
	int libraries = 0, i;
	struct runs runs[LIBRARIES];

	while (rest && libraries < LIBRARIES)
		names[libraries++] = strsep(&rest, ":");
	for (i = 0; n > 0 && i < libraries; i++)
		runs[i] = (struct runs){
			calloc((size_t)n, 8), calloc((size_t)n, 8), calloc((size_t)n, 8), calloc((size_t)n, 8)};
	for (round = 0; round < n; round++)
		for (i = 0; i < libraries; i++) {
			if (run(argv + 3, names[i], &runs[i], round))
				return 1;
			runs[i].ratio[round] = runs[i].wall[round] / runs[0].wall[round];
		}
	for (i = 0; n > 0 && i < libraries; i++)
		print(&runs[i], &runs[0], n);
	return n <= 0;
}
