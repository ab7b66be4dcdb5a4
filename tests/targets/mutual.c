/* Two functions that call each other, 40 deep, and spend two parts in three in one of them. Prints nothing. */
#include "tests/targets/common.h"

static NOINLINE uint64_t ping(int depth);

static NOINLINE uint64_t pong(int depth)
{
	uint64_t x = spend(0.04);

	if (depth > 0)
		x += ping(depth - 1);
	return x;
}

static NOINLINE uint64_t ping(int depth)
{
	uint64_t x = spend(0.02);

	if (depth > 0)
		x += pong(depth - 1);
	return x;
}

int main(void)
{
	return ping(40) == 0;
}
