/* Code that is to be built without unwind tables and frame pointers (-fno-asynchronous-unwind-tables): only .debug_frame
 * describes it. Two callers of one function, the first of which takes two thirds of the time. It calls the C library, and
 * never returns: what it does to the stack at its end does not tell its frame either. */
#include <setjmp.h>

#include "tests/targets/common.h"

uint64_t untabled_run(double seconds);

static jmp_buf back;
static volatile uint64_t untabled_sum;

/* Registers that callers keep things in, and a frame of its own size. */
static NOINLINE __attribute__((noreturn)) void untabled_work(double seconds, const uint64_t *numbers, unsigned count)
{
	uint64_t local[40];

	for (unsigned i = 0; i < 40; i++)
		local[i] = numbers[i % count];
	untabled_sum += spend(seconds) + local[count % 40];
	untabled_sum += spin(100000);
	longjmp(back, 1);
}

static NOINLINE void untabled_often(double seconds, uint64_t x)
{
	const uint64_t numbers[4] = {x, x + 1, x + 2, x + 3};

	if (setjmp(back) == 0)
		untabled_work(seconds * 2, numbers, 4);
}

static NOINLINE void untabled_seldom(double seconds, uint64_t x)
{
	const uint64_t numbers[9] = {x};

	if (setjmp(back) == 0)
		untabled_work(seconds, numbers, 9);
}

uint64_t untabled_run(double seconds)
{
	for (unsigned i = 0; i < 50; i++) {
		untabled_often(seconds / 150, i);
		untabled_seldom(seconds / 150, i);
	}
	return untabled_sum;
}
