/* What the kernel has counted of this program. execve leaves a process its counters, and what a start script or a
 * forked shell has used before it is not this program's: everything here is counted from sp_usage_begin on. */
#ifndef SP_SAMPLER_THREADS_USAGE_H
#define SP_SAMPLER_THREADS_USAGE_H

#include "sampler/agent.h"

/* As getrusage(2) has it. */
struct sp_usage {
	uint64_t user_ns, sys_ns;
	uint64_t switches, faults;
	uint64_t max_rss_bytes;  /* of the process; 0: it has not been more than what was there before */
	uint64_t most_rss_bytes; /* it has not been more than that, what was there before included; 0: not known */
};

/* The program begins, in the calling thread, whose id is `tid`. Touches nothing but system calls and its own data: the loader may
 * not have bound this library yet. */
void sp_usage_begin(int tid) SP_HIDDEN;

/* The same for a process that runs already: what any of its threads has used until now was before. */
void sp_usage_begin_all(void) SP_HIDDEN;

/* CPU time that the process had used before it began. */
uint64_t sp_usage_before_ns(void) SP_HIDDEN;

/* The program has run for `wall_ns`: what its first thread waited for a CPU beyond that was before execve. *queue_ns: what it has
 * waited since; false where that is not known. */
bool sp_usage_bound_queue(uint64_t wall_ns, uint64_t *queue_ns) SP_HIDDEN;

/* A forked child's counters are its own. */
void sp_usage_forked(void) SP_HIDDEN;

/* Of the calling thread, whose id is `tid`: as old as the last tick. Any context, like the rest. */
void sp_thread_usage(int tid, struct sp_usage *usage) SP_HIDDEN;

/* The same to the moment: what the thread's clock has beyond it counts as user time. */
void sp_thread_usage_now(int tid, struct sp_usage *usage) SP_HIDDEN;

void sp_process_usage(struct sp_usage *usage) SP_HIDDEN;

/* CPU time of the process, to the moment. */
uint64_t sp_process_clock_ns(void) SP_HIDDEN;

/* CPU time of any thread of this process; 0 when it is gone. */
uint64_t sp_thread_clock(int tid) SP_HIDDEN;

/* For how long any thread of this process could have run and got no CPU; false where the kernel does not tell. 5 us. */
bool sp_thread_queue_ns(int tid, uint64_t *queue_ns) SP_HIDDEN;

/* Takes from what the kernel has counted of thread `tid` what was before. */
void sp_usage_since_begin(int tid, uint64_t *user_ns, uint64_t *sys_ns) SP_HIDDEN;

#endif
