/* A program with a beat of 1 ms: half of each millisecond in one function, half in another, paced
 * by the clock. Usage: rhythm [SECONDS]. */
#include "tests/targets/common.h"

static double origin;

/* Returns at the first moment that is at least `phase` seconds into the millisecond `beat`. */
static void until(long beat, double phase)
{
	while (clock_seconds(CLOCK_MONOTONIC) - origin < (double)beat * 1e-3 + phase)
		spin(300);
}

static NOINLINE void first_half(long beat)
{
	until(beat, 0.0005);
	__asm__ volatile("");
}

static NOINLINE void second_half(long beat)
{
	until(beat, 0.001);
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	double seconds = argument(argc, argv, 1, 2);
	long beat;

	origin = clock_seconds(CLOCK_MONOTONIC);
	for (beat = 0; (double)beat * 1e-3 < seconds; beat++) {
		first_half(beat);
		second_half(beat);
	}
	puts("done");
	return 0;
}
