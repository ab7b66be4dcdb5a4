/* What the CPU and the kernel count of a tree of processes, by perf events. Counted by the keeper: what is included here is linked into it. */
#ifndef SP_TOOLS_MONITOR_COUNTERS_H
#define SP_TOOLS_MONITOR_COUNTERS_H

#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiles/monitor/counts.h"

/* Opens a counter that begins when a child of ours executes a program, and goes on in all that this one starts. User code only: what an
 * ordinary user may count, so that all users' figures are the same. A descriptor, or -1 with errno. */
static inline int sp_counter_open(enum sp_monitor_count what)
{
	static const struct {
		uint32_t type;
		uint64_t config;
	} events[SP_MONITOR_COUNTS] = {[SP_MONITOR_CACHE_MISSES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
		[SP_MONITOR_INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
		[SP_MONITOR_MIGRATIONS] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS}};
	struct perf_event_attr wish = {.size = sizeof(wish),
		.type = events[what].type,
		.config = events[what].config,
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
		.exclude_kernel = events[what].type == PERF_TYPE_HARDWARE,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING};

	return (int)syscall(SYS_perf_event_open, &wish, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Of what shared its counter with others only a part of the time was counted, which stands for all. */
static inline uint64_t sp_counter_read(int fd)
{
	uint64_t read_as[3]; /* the count, time it was wanted, time it was counted */

	if (fd < 0 || read(fd, read_as, sizeof(read_as)) != (ssize_t)sizeof(read_as) || (read_as[1] && !read_as[2]))
		return SP_MONITOR_UNCOUNTED;
	if (read_as[1] == read_as[2])
		return read_as[0];
	return (uint64_t)((double)read_as[0] * (double)read_as[1] / (double)read_as[2]);
}

#endif
