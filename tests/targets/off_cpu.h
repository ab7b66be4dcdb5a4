/* What the kernel says of a thread that is not on a CPU. */
#ifndef SP_TARGETS_OFF_CPU_H
#define SP_TARGETS_OFF_CPU_H

#include <fcntl.h>
#include <unistd.h>

#include "tests/targets/common.h"

static inline double queue_seconds(void)
{
	char text[80] = "";
	int fd = open("/proc/thread-self/schedstat", O_RDONLY);
	unsigned long long run = 0, queue = 0;

	check(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "schedstat");
	close(fd);
	sscanf(text, "%llu %llu", &run, &queue);
	return (double)queue / 1e9;
}

/* On the clock, but neither on a CPU nor in want of one: read in one go, without losing the CPU meanwhile. */
static inline double off(void)
{
	double at, value;
	int tries = 0;

	do {
		at = clock_seconds(CLOCK_MONOTONIC);
		value = at - clock_seconds(CLOCK_THREAD_CPUTIME_ID) - queue_seconds();
	} while (clock_seconds(CLOCK_MONOTONIC) - at > 0.0001 && ++tries < 100);
	return value;
}

#endif
