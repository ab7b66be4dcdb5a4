/* Which thread this is, told without trust in thread-local storage.
 *
 * Whether sp_tls is a discovered thread's own (upkeep/discovery.h) shows in its first signal. A thread made without
 * CLONE_SETTLS shares its parent's, and one with a made-up thread pointer has none: those are sampled without touching anything
 * thread-local. */
#ifndef SP_SAMPLER_THREADS_SELF_H
#define SP_SAMPLER_THREADS_SELF_H

#include "sampler/agent.h"

/* The calling thread, whose id is `tid`, is one of the C library's. Any context. */
void sp_self_init(int tid) SP_HIDDEN;

/* Learns from that thread how the C library's can be told from others, while it is there. Any context. */
void sp_self_learn(void) SP_HIDDEN;

/* Whether the calling thread is one in which the agent may begin its work: with thread-local storage of
 * its own, and known to the C library as one of several. */
bool sp_self_may_activate(void) SP_HIDDEN;

/* The calling thread has come to us by itself. If it was discovered before, it owns its block from now on, which is returned;
 * else NULL. Normal context. */
struct sp_thread *sp_self_own(void) SP_HIDDEN;

/* The calling thread's block, or NULL. It is looked up by thread id if the thread may have no thread-local storage: while there
 * is a discovered thread, or if the caller's signal goes to any thread and so may reach one before it is discovered
 * (!is_known). Signal context. */
struct sp_thread *sp_self_find(bool is_known) SP_HIDDEN;

/* Enters the agent in the handler of a discovered thread that does not own its block: false when it is
 * inside already. Pair with sp_self_leave. */
bool sp_self_enter(struct sp_thread *t) SP_HIDDEN;
void sp_self_leave(struct sp_thread *t) SP_HIDDEN;

/* Whether thread `tid` has left the agent already and is on its way out. Any context. */
bool sp_self_is_leaving(int tid) SP_HIDDEN;

/* Threads that were discovered and do not own their blocks: so many more, and how many there are. */
void sp_self_count_discovered(uint32_t by) SP_HIDDEN;
uint32_t sp_self_discovered(void) SP_HIDDEN;

/* In a forked child: there is none. */
void sp_self_forked(void) SP_HIDDEN;

#endif
