/* Code that is to be built without unwind tables and frame pointers (-fno-asynchronous-unwind-tables): only .debug_frame
 * describes it. Two callers of one function, the first of which takes two thirds of the time, and calls the C library. */
#include "tests/targets/common.h"

uint64_t untabled_run(double seconds);

/* Registers that callers keep things in, and a frame of its own size. */
static NOINLINE uint64_t untabled_work(double seconds, uint64_t *numbers, unsigned count)
{
	uint64_t sum = 0, local[40];

	for (unsigned i = 0; i < 40; i++)
		local[i] = numbers[i % count];
	sum = spend(seconds) + local[count % 40];
	return sum + spin(100000);
}

static NOINLINE uint64_t untabled_often(double seconds, uint64_t x)
{
	uint64_t numbers[4] = {x, x + 1, x + 2, x + 3};

	return untabled_work(seconds * 2, numbers, 4) + numbers[0];
}

static NOINLINE uint64_t untabled_seldom(double seconds, uint64_t x)
{
	uint64_t numbers[9] = {x};

	return untabled_work(seconds, numbers, 9) + numbers[8];
}

uint64_t untabled_run(double seconds)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 50; i++) {
		sum += untabled_often(seconds / 150, i);
		sum += untabled_seldom(seconds / 150, i);
	}
	return sum;
}
