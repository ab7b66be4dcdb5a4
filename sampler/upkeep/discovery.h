/* Threads that did not come by pthread_create's hook: there before the agent was active, made by raw
 * clone, or by the C library for itself (asynchronous I/O, SIGEV_THREAD). They are looked for in
 * /proc/self/task when the process has more threads than are known, and their clocks are armed from
 * outside. A found thread is met in its first signal: there it shows whether sp_tls is its own. A
 * thread made without CLONE_SETTLS shares its parent's, one with a made-up thread pointer has none;
 * such a one is sampled without a look at anything thread-local. */
#ifndef SP_SAMPLER_UPKEEP_DISCOVERY_H
#define SP_SAMPLER_UPKEEP_DISCOVERY_H

#include "sampler/agent.h"

/* Learns from the calling thread, which must be one of the C library's, how its threads can be told
 * from others. Any context. */
void sp_discovery_init(void) SP_HIDDEN;

/* Whether the calling thread is one in which the agent may begin its work: with thread-local storage of
 * its own, and known to the C library as one of several. */
bool sp_discovery_may_activate(void) SP_HIDDEN;

/* Looks for threads if by `now` (sp_now_ns()) it is time and there seem to be some. Any context, 8 KiB of stack. A look costs
 * a system call every CHECK_NS; searches are at most half a percent of the time. */
void sp_discovery_check(uint64_t now) SP_HIDDEN;

/* Searches now. Same context. */
void sp_discovery_scan(void) SP_HIDDEN;

/* The sentinel has fired in a thread that is not known: searches, on a stack of our own. Its handler. */
void sp_discovery_on_unknown(void) SP_HIDDEN;

/* Takes in thread `tid`, which has just been made by clone. Same context. */
void sp_discovery_add(int tid) SP_HIDDEN;

/* The calling thread has come here by itself: its block, if it was found before; from now on it owns it. Else NULL. Normal
 * context. */
struct sp_thread *sp_discovery_own(void) SP_HIDDEN;

/* The calling thread's block, or NULL: told without a look at thread-local storage while there is a
 * found thread, which may have none. Signal context. */
struct sp_thread *sp_discovery_self(void) SP_HIDDEN;

/* Enters the agent in the handler of a found thread that does not own its block: false when it is
 * inside already. Pair with sp_discovery_leave. */
bool sp_discovery_enter(struct sp_thread *t) SP_HIDDEN;
void sp_discovery_leave(struct sp_thread *t) SP_HIDDEN;

/* The process ends: a last search, and the CPU time of the threads that have not ended. */
void sp_discovery_finish(void) SP_HIDDEN;

/* In a forked child: all other threads are the parent's. */
void sp_discovery_forked(void) SP_HIDDEN;

#endif
