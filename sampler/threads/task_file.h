/* What /proc/self/task tells of the threads of this process. Any context; each call costs some ten
 * microseconds and holds a descriptor while it lasts. */
#ifndef SP_SAMPLER_THREADS_TASK_FILE_H
#define SP_SAMPLER_THREADS_TASK_FILE_H

#include "sampler/agent.h"

#define SP_TASK_TICK_NS 10000000u /* unit of the kernel's times there (USER_HZ is 100 on x86-64) */

struct sp_task {
	char name[16];
	bool exiting;             /* on its way out of the kernel, or a zombie */
	uint64_t user_ns, sys_ns; /* rounded down to SP_TASK_TICK_NS */
	uint64_t start_ticks;     /* since the machine's start, in SP_TASK_TICK_NS */
};

/* False when there is no such thread, or no /proc. */
bool sp_task_read(int tid, struct sp_task *task) SP_HIDDEN;

/* Sets of signals: 1 << (number - 1). */
struct sp_task_signals {
	uint64_t pending; /* for the thread alone */
	uint64_t blocked;
	uint64_t sleeps; /* voluntary context switches; UINT64_MAX: not told */
};

/* -ESRCH when the thread is gone or a zombie; another negative errno when it cannot be looked at. */
int sp_task_signals(int tid, struct sp_task_signals *signals) SP_HIDDEN;

/* For how long the thread could have run and got no CPU, since it began; false where the kernel does not tell. 5 us. */
bool sp_task_queue_ns(int tid, uint64_t *queue_ns) SP_HIDDEN;

/* In which system call the thread is, and its first three arguments; negative: in none, or that cannot be told. 6 us. */
long sp_task_call(int tid, uint64_t arguments[3]) SP_HIDDEN;

/* Whether the thread has the profiling signal blocked, or waits for it; false when that cannot be told. */
bool sp_task_blocks(int tid) SP_HIDDEN;

/* What the process has in memory; a figure that the kernel does not tell is 0. */
struct sp_task_memory {
	uint64_t rss_bytes, peak_rss_bytes;
	uint64_t anonymous_bytes; /* of what is resident */
	uint64_t swapped_bytes;
	uint64_t huge_bytes; /* of the hugetlb pools: not in what is resident */
};

/* False when there is no such thread any more, or no /proc. 30 us. */
bool sp_task_memory(struct sp_task_memory *memory) SP_HIDDEN;

/* Calls fn for every thread of the process; false when they cannot be listed. */
bool sp_task_each(void (*fn)(int tid)) SP_HIDDEN;

#endif
