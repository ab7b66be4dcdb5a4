/* A timer interrupts malloc and free five thousand times a second, and its handler has 200 KB of
 * locals: whatever runs on a small stack of its own must not be interrupted there.
 * Usage: bighandler [SECONDS] */
#include <signal.h>
#include <sys/time.h>

#include "tests/targets/common.h"

#define LOCALS 200000

static volatile long handled;
static volatile char sum;

static void handler(int signal)
{
	volatile char locals[LOCALS];

	memset((char *)locals, signal, sizeof(locals));
	sum += locals[handled++ % LOCALS];
}

int main(int argc, char **argv)
{
	struct itimerval every = {{0, 200}, {0, 200}}, never = {0};
	double end = clock_seconds(CLOCK_MONOTONIC) + argument(argc, argv, 1, 1);
	void *slot[64] = {0};

	signal(SIGALRM, handler);
	check(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
	while (clock_seconds(CLOCK_MONOTONIC) < end) {
		for (size_t i = 0; i < 2000; i++) {
			free(slot[i % 64]);
			slot[i % 64] = malloc(50 + i % 1000);
		}
	}
	setitimer(ITIMER_REAL, &never, NULL);
	puts(handled ? "handled" : "no signal came");
	return 0;
}
