/* What can be counted of a run by the CPU's counters, and the kernel's. */
#ifndef SP_PROFILES_MONITOR_COUNTS_H
#define SP_PROFILES_MONITOR_COUNTS_H

#include <stdint.h>

enum sp_monitor_count { SP_MONITOR_CACHE_MISSES, SP_MONITOR_INSTRUCTIONS, SP_MONITOR_MIGRATIONS, SP_MONITOR_COUNTS };

#define SP_MONITOR_UNCOUNTED UINT64_MAX

/* "cache_misses", "instructions", "cpu_migrations". */
extern const char *const sp_monitor_count_names[SP_MONITOR_COUNTS];

#endif
