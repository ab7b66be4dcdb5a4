/* What the target programs share: burning CPU by the clock or by the count, and giving up. */
#ifndef SP_TARGETS_COMMON_H
#define SP_TARGETS_COMMON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

static inline void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(3);
	}
}

static inline double clock_seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A fixed amount of work the compiler cannot shorten. */
static inline uint64_t spin(uint64_t iterations)
{
	uint64_t x = 88172645463325252ULL;

	for (uint64_t i = 0; i < iterations; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

/* Burns CPU time of the calling thread. */
static NOINLINE __attribute__((unused)) uint64_t spend(double seconds)
{
	double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
	uint64_t x = 0;

	while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end)
		x += spin(20000);
	return x;
}

static inline double argument(int argc, char **argv, int index, double fallback)
{
	return argc > index ? atof(argv[index]) : fallback;
}

#endif
