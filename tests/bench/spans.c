/* What a span and a mark take: nanoseconds of a pair beyond the loop's own, the least of many rounds, and microseconds of a
 * mark. Two clock_gettime calls for comparison. */
#include <stdio.h>
#include <time.h>

#include "preload/smartprof.h"

#define PAIRS 20000
#define ROUNDS 50
#define MARKS 20

static volatile unsigned long sink;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void bare(void)
{
	for (int i = 0; i < PAIRS; i++)
		sink++;
}

static void spans(void)
{
	for (int i = 0; i < PAIRS; i++) {
		SMARTPROF_START("span");
		sink++;
		SMARTPROF_END("span");
	}
}

static void clocks(void)
{
	for (int i = 0; i < PAIRS; i++) {
		sink += (unsigned long)now_ns();
		sink -= (unsigned long)now_ns();
	}
}

static double least_ns(void (*loop)(void))
{
	double least = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		double began = now_ns(), took;

		loop();
		took = (now_ns() - began) / PAIRS;
		least = took < least ? took : least;
	}
	return least;
}

int main(void)
{
	double loop = least_ns(bare), began;

	printf("%.1f %.1f", least_ns(spans) - loop, least_ns(clocks) - loop);
	began = now_ns();
	for (int i = 0; smartprof_mark && i < MARKS; i++)
		smartprof_mark("lap");
	printf(" %.0f\n", smartprof_mark ? (now_ns() - began) / MARKS / 1e3 : 0);
	return 0;
}
