/* Computes and allocates 100,000 calls deep, and once more after a siglongjmp out of there.
 * Usage: recursion [DEPTH] */
#include <setjmp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/targets/common.h"

static sigjmp_buf out;

static NOINLINE uint64_t descend(long depth)
{
	uint64_t x;

	if (depth == 0) {
		for (int i = 0; i < 1000; i++)
			free(malloc(2000));
		return spend(0.5);
	}
	x = descend(depth - 1);
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

static NOINLINE void jump(long depth)
{
	if (depth == 0) {
		spend(0.1);
		siglongjmp(out, 1);
	}
	jump(depth - 1);
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	long depth = (long)argument(argc, argv, 1, 100000);
	struct rlimit limit = {256 << 20, RLIM_INFINITY};

	if (!getenv("SP_RECURSION_STACK")) {
		setenv("SP_RECURSION_STACK", "1", 1);
		setrlimit(RLIMIT_STACK, &limit);
		execv("/proc/self/exe", argv);
	}
	descend(depth);
	if (!sigsetjmp(out, 1))
		jump(depth);
	puts("done");
	return 0;
}
