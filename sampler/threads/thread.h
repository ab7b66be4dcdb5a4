/* Threads: how they come by their block (block.h) and their record in the spool, and what becomes of both. */
#ifndef SP_SAMPLER_THREADS_THREAD_H
#define SP_SAMPLER_THREADS_THREAD_H

#include "sampler/agent.h"
#include "sampler/threads/block.h"
#include "sampler/threads/task_file.h"
#include "sampler/threads/usage.h"

/* Makes `t` the calling thread's block and gives it a record in the spool (if there is a spool
 * and the table has room). `entry` is the start routine's address, 0 for the main thread; the times are those
 * of sp_thread_open_record. */
void sp_thread_adopt(struct sp_thread *t, uint64_t entry, uint64_t user_ns, uint64_t sys_ns) SP_HIDDEN;

/* What no sample of the thread's covers up to now, `usage`, is left unsampled: `flag` of its record says why. */
void sp_thread_skip(struct sp_thread *t, const struct sp_usage *usage, uint32_t flag) SP_HIDDEN;

/* The calling thread's allocations are not sampled from now on, or are again: what it makes in between is counted as such. */
void sp_thread_stop_heap(struct sp_thread *t) SP_HIDDEN;
void sp_thread_resume_heap(struct sp_thread *t) SP_HIDDEN;

/* Gives an adopted block a record, once a spool exists. `user_ns` and `sys_ns` are the thread's
 * CPU time that no sample can cover any more. */
void sp_thread_open_record(struct sp_thread *t, uint64_t entry, uint64_t user_ns, uint64_t sys_ns) SP_HIDDEN;

/* Makes `t` the block of thread `tid`, which is not the caller and may be anyone's, and gives it a
 * record: it has used user_ns and sys_ns so far. False when there is no room: `t` is given back. */
bool sp_thread_assign(struct sp_thread *t, int tid, uint64_t user_ns, uint64_t sys_ns) SP_HIDDEN;

/* The calling thread was discovered before it came here by itself: from now on it owns `t`. */
void sp_thread_own(struct sp_thread *t) SP_HIDDEN;

/* A discovered thread has ended unseen: its record is closed as it is, the block goes back to the pool. */
void sp_thread_end_unseen(struct sp_thread *t) SP_HIDDEN;

/* A block was taken for a thread that has one already: the record is given back, and counts for nothing. */
void sp_thread_discard(struct sp_thread *t) SP_HIDDEN;

/* The calling thread ends: final counters go to the record, the block back to the pool. Its clocks
 * must be disarmed. Normal context. */
void sp_thread_release(struct sp_thread *t) SP_HIDDEN;

/* Copies the thread's heap counters (and, `full`, its measured CPU time and name) to its record.
 * `t` may belong to another thread when the process is ending: the copy is then a moment old. */
void sp_thread_flush(struct sp_thread *t, bool full) SP_HIDDEN;

/* Asks the kernel for how long the thread could have run and got no CPU, if it was off the CPU for any time worth asking:
 * `now` is sp_now_ns(). 5 us. Any context. The second does that now and then. */
void sp_thread_look_at_queue(struct sp_thread *t, uint64_t now) SP_HIDDEN;
void sp_thread_follow_queue(struct sp_thread *t, uint64_t now) SP_HIDDEN;

/* Asks once, whatever the thread was doing: without an answer it is not known whether it waited or was blocked. Any context. */
void sp_thread_ask_queue(struct sp_thread *t, uint64_t now) SP_HIDDEN;

/* Adds what an ending thread has counted after it gave its block back to record 0. */
void sp_thread_flush_dead(void) SP_HIDDEN;

/* In a forked child, or when the agent is put into a process once more: no thread has a block. */
void sp_thread_forked(void) SP_HIDDEN;

/* CPU time in the records of threads that have ended. */
uint64_t sp_thread_ended_ns(void) SP_HIDDEN;

/* Another thread's CPU time is `total_ns`, no less than its record has: the record's two are raised to that, divided as the
 * kernel's ticks in `task` are; if there are none, the rest is user time. Any context. */
void sp_thread_divide(struct sp_thread_record *r, uint64_t total_ns, const struct sp_task *task) SP_HIDDEN;

/* Whether the calling thread has the profiling signal blocked. */
bool sp_thread_blocks_signal(void) SP_HIDDEN;

/* Whether a thread is inside the agent; of the caller only what it has interrupted counts. Any context. */
bool sp_thread_any_inside(void) SP_HIDDEN;

#endif
