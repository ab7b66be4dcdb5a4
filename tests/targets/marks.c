/* marks END: grows the heap at two sites and uses CPU time in two functions, marking three moments; then it ends (exit) or is
 * killed (kill). At `one`: 20 MB of grow_first, spin_first has run. At `two`: 15 MB of those, 30 MB of grow_second. At the
 * second `two`: 1 MB of grow_first. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload/smartprof.h"

#define BLOCK 10000

static void *kept[6000];
static int count;

/* Two functions that the compiler does not make one, as it does of equal ones. */
#define DEFINE_GROW(name, n) \
	static __attribute__((noinline)) void name(int blocks) \
	{ \
		for (int i = 0; i < blocks; i++) { \
			kept[count] = malloc(BLOCK); \
			memset(kept[count++], n, BLOCK); \
		} \
	}
DEFINE_GROW(grow_first, 1)
DEFINE_GROW(grow_second, 2)

static volatile double sink = 1;

#define DEFINE_SPIN(name, n) \
	static __attribute__((noinline)) void name(void) \
	{ \
		for (int i = 0; i < 60000000; i++) \
			sink = sink * 1.0000001 + n; \
	}
DEFINE_SPIN(spin_first, 1)
DEFINE_SPIN(spin_second, 2)

static void mark(const char *name)
{
	if (smartprof_mark && !smartprof_mark(name))
		_exit(3);
}

static void let_go(int from, int to)
{
	for (int i = from; i < to; i++)
		free(kept[i]);
}

int main(int argc, char **argv)
{
	grow_first(2000);
	spin_first();
	mark("one");
	grow_second(3000);
	let_go(0, 500);
	spin_second();
	mark("two");
	let_go(500, 5000);
	grow_first(100);
	mark("two");
	if (argc > 1 && strcmp(argv[1], "kill") == 0)
		raise(SIGKILL);
	return 0;
}
