/* Half of its CPU time in read(), half computing: whichever has had less is next.
 * Usage: half_read [CPU-SECONDS]; prints the share that read() had, in percent. */
#include <fcntl.h>
#include <unistd.h>

#include "tests/targets/common.h"

static char buffer[1 << 21]; /* so that asking the clock, a system call, is little beside it */

static NOINLINE void in_read(int fd)
{
	check(read(fd, buffer, sizeof(buffer)) == (ssize_t)sizeof(buffer), "read");
}

/* 70 to 230 us, not the same twice: nothing is in step with it. */
static NOINLINE void in_compute(unsigned round)
{
	spin(40000 + round * 7919u % 100000);
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	double limit = argument(argc, argv, 1, 2), reading = 0, computing = 0, now, then;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	check(fd >= 0, "/dev/zero");
	then = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned round = 0; reading + computing < limit; round++, then = now) {
		double *had = reading < computing ? &reading : &computing;

		if (had == &reading)
			in_read(fd);
		else
			in_compute(round);
		now = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
		*had += now - then;
	}
	fprintf(stderr, "%.2f\n", 100 * reading / (reading + computing));
	close(fd);
	return 0;
}
