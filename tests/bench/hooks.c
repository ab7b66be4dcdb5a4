/* Allocates and frees in turn, a thousand blocks alive, and prints the CPU nanoseconds of one call.
 * Usage: hooks [CALLS] */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ALIVE 1024u

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	static void *volatile blocks[ALIVE];
	uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 10) : 40000000, x = 88172645463325252ULL;
	double began = cpu_ns();

	for (uint64_t i = 0; i < calls / 2; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		free(blocks[x % ALIVE]);
		blocks[x % ALIVE] = malloc(16 + (x >> 32) % 240);
	}
	printf("%.3f\n", (cpu_ns() - began) / (double)calls);
	return 0;
}
