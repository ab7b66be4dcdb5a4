/* Phases of equal CPU time one after the other, each in a function of its own.
 * Usage: phases [SECONDS of CPU altogether] */
#include "tests/targets/common.h"

#define PHASE(n) \
	static NOINLINE void phase_##n(double seconds) \
	{ \
		double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds; \
		while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end) \
			for (volatile int i = 0; i < 20000 + n; i++) \
				; \
	}
PHASE(1)
PHASE(2)
PHASE(3)
PHASE(4)
PHASE(5)

int main(int argc, char **argv)
{
	double part = argument(argc, argv, 1, 5) / 5;

	phase_1(part);
	phase_2(part);
	phase_3(part);
	phase_4(part);
	phase_5(part);
	puts("done");
	return 0;
}
