/* CPU time below a function that uses the frame pointer for something else. For any kind of processor; to be built without tables
 * and frame pointers. */
#include <stdio.h>

#define ROUNDS 400000000u

static volatile unsigned sum;

static __attribute__((noinline)) void work(void)
{
	for (unsigned i = 0; i < ROUNDS / 4; i++)
		sum += i;
}

static __attribute__((noinline)) void off_the_chain(void)
{
#ifdef __aarch64__
	__asm__ volatile("mov x29, #0x1001" : : : "x29", "memory");
#endif
	work();
	__asm__ volatile("");
}

int main(void)
{
	off_the_chain();
	puts("done");
	return 0;
}
