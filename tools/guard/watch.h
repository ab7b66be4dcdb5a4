/* What a guardian sees of a process from outside, through /proc. */
#ifndef SP_TOOLS_GUARD_WATCH_H
#define SP_TOOLS_GUARD_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SP_GUARD_NAME_BYTES 64

/* Memory that is the process's own and that nothing but its end gives back: pages without a file, what is swapped out, and
 * huge pages. Pages of files and shared memory do not count. */
struct sp_guard_facts {
	char name[SP_GUARD_NAME_BYTES];
	unsigned uid;
	int inner_pid;   /* in its own pid namespace; the same where that is ours */
	bool has_memory; /* false: a kernel thread, or it is ending */
	uint64_t anon, swap, huge, rss;
};

/* Of the text of /proc/PID/status: false when it is none. */
bool sp_guard_status_parse(struct sp_guard_facts *facts, const char *text);
uint64_t sp_guard_memory(const struct sp_guard_facts *facts);

/* The same sum from the text of /proc/PID/smaps_rollup, which is exact and costs the process more; false: it is none. */
bool sp_guard_rollup_parse(uint64_t *memory, const char *text);

/* 0, -ESRCH: it is gone, or its number is another one's by now, or another negative errno. */
int sp_guard_facts_read(struct sp_guard_facts *facts, int pid, uint64_t start_ticks);

/* The exact sum; a negative errno where it may not be read. */
int sp_guard_memory_exact(uint64_t *memory, int pid);

/* CPU time of all its threads so far; false: unknown. */
bool sp_guard_cpu_ns(uint64_t *ns, int pid);

/* How a process that was not our child ended, as of wait(2), by its pidfd; false: the kernel does not tell (before
 * Linux 6.15), or its parent has not heard of it yet. */
bool sp_guard_exit_status(int *status, int pidfd);

#endif
