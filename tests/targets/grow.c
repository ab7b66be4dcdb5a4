/* grow PAUSE_MS HOLD_MS MEGABYTES...: keeps what it allocates, one megabyte after the other with a pause before each, until it has so
 * many; holds them for a while, and goes on to the next figure, for which it may have to give some back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEGABYTE 1000000u
#define MOST 4096

static char *kept[MOST];

static void nap(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t) < 0)
		;
}

__attribute__((noinline)) void grow(int at)
{
	kept[at] = malloc(MEGABYTE);
	if (kept[at])
		memset(kept[at], 'x', MEGABYTE);
}

int main(int argc, char **argv)
{
	long pause = argc > 1 ? atol(argv[1]) : 1, hold = argc > 2 ? atol(argv[2]) : 0;
	int have = 0;

	for (int i = 3; i < argc; i++) {
		int wanted = atoi(argv[i]) < MOST ? atoi(argv[i]) : MOST;

		for (; have < wanted; have++) {
			nap(pause);
			grow(have);
		}
		while (have > wanted)
			free(kept[--have]);
		nap(hold);
	}
	printf("%d\n", have);
	return 0;
}
