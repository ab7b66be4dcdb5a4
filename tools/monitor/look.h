/* Looks at a tree of processes from outside, again and again: what it has used, what it holds. */
#ifndef SP_TOOLS_MONITOR_LOOK_H
#define SP_TOOLS_MONITOR_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "profiles/monitor/run.h"

#define SP_LOOK_FIRST_NS 10000000ull /* between two looks, at first */

struct sp_look_process {
	pid_t pid, parent;
	int stat;        /* /proc/PID/stat */
	clockid_t clock; /* its CPU time */
	bool seen, clocked;
	unsigned threads;
	uint64_t cpu_ns;    /* its own, and of children that it waited for */
	uint64_t rss_bytes; /* 0: ended, and not waited for yet */
	uint64_t queue_ns;  /* its threads waited for a CPU; the most that was seen */
};

struct sp_look {
	pid_t keeper; /* the tree is what is below it */
	struct sp_look_process *processes;
	size_t count, capacity;
	uint64_t gone_cpu_ns;    /* of processes that the keeper has waited for */
	uint64_t gone_queue_ns;  /* of all that are gone */
	uint64_t peak_bytes;     /* of the tree */
	uint64_t shared_bytes;   /* what its processes share counts so much too often in the sum of their sizes */
	uint64_t told_bytes;     /* the sum when that was found out */
	uint32_t told_processes; /* and how many there were; 0: it is not known */
	uint64_t shared_cost_ns; /* that has taken so far */
	bool shared_unknown;
	struct sp_monitor_point last;
	uint32_t most;        /* processes at one moment */
	uint64_t interval_ns; /* until the next look: as long as looking takes little of the time */
};

void sp_look_begin(struct sp_look *look, pid_t keeper);

/* `at_ns` since the start. */
void sp_look_at(struct sp_look *look, uint64_t at_ns);

/* Threads of `pid` waited for a CPU, as far as was seen; and those of all others. */
uint64_t sp_look_queue_ns(const struct sp_look *look, pid_t pid);
uint64_t sp_look_queue_others_ns(const struct sp_look *look, pid_t pid);

void sp_look_end(struct sp_look *look);

#endif
