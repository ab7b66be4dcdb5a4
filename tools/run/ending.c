/* What the kernel tells of a child that has ended, as long as it is not reaped. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "tools/run/run.h"

/* The kernel's CPUCLOCK_PROF, _VIRT and _SCHED: user and system time, user time, both by ticks; the sum to the nanosecond. */
enum { CLOCK_BOTH, CLOCK_USER, CLOCK_EXACT };

static uint64_t cpu_clock_ns(pid_t pid, unsigned which)
{
	return sp_time_ns((clockid_t)(~(unsigned)pid << 3 | which));
}

/* "<ran> <waited> <times>" of its first thread. */
static uint64_t queue_ns(pid_t pid)
{
	unsigned long long ran, waited;
	char text[80];

	if (sp_proc_read(text, sizeof(text), "/proc/%d/schedstat", (int)pid) <= 0 ||
		sscanf(text, "%llu %llu", &ran, &waited) != 2)
		return 0;
	return waited;
}

void sp_run_note_ending(pid_t pid, struct sp_ending *ending)
{
	uint64_t total = cpu_clock_ns(pid, CLOCK_EXACT), ticks = cpu_clock_ns(pid, CLOCK_BOTH);

	ending->ended_ns = sp_time_ns(CLOCK_MONOTONIC);
	ending->user_ns =
		ticks ? (uint64_t)((double)total * (double)cpu_clock_ns(pid, CLOCK_USER) / (double)ticks) : total;
	ending->sys_ns = total - ending->user_ns;
	ending->queue_ns = queue_ns(pid);
}
