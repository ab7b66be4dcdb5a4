/* Thread discovery: finds threads that did not come by pthread_create's hook. They were there before the agent was
 * active, or were made by raw clone, or by the C library for itself (asynchronous I/O, SIGEV_THREAD). When the
 * process has more threads than the registry knows, they are looked for in /proc/self/task, and their clocks are
 * armed from outside. */
#ifndef SP_SAMPLER_UPKEEP_DISCOVERY_H
#define SP_SAMPLER_UPKEEP_DISCOVERY_H

#include "sampler/agent.h"

/* Looks for threads if by `now` (sp_now_ns()) it is time and there seem to be some. Any context, 8 KiB of stack. A look costs
 * a system call every CHECK_NS; searches are at most half a percent of the time. */
void sp_discovery_check(uint64_t now) SP_HIDDEN;

/* Whether a search in a process that becomes active would find nothing. */
bool sp_discovery_is_needless(void) SP_HIDDEN;

/* Searches now. Same context. */
void sp_discovery_scan(void) SP_HIDDEN;

/* The sentinel has fired in a thread that is not known: searches, on a stack of our own. Signal context. */
void sp_discovery_on_unknown(void) SP_HIDDEN;

/* Adds thread `tid`, which has just been made by clone. Same context. */
void sp_discovery_add(int tid) SP_HIDDEN;

/* The process is about to end: what the other threads are blocked in goes to their records. Any context. */
void sp_discovery_note_waits(void) SP_HIDDEN;

/* The process ends: a last search, and the CPU time of the threads that have not ended. */
void sp_discovery_finish(void) SP_HIDDEN;

/* In a forked child: all other threads are the parent's. */
void sp_discovery_forked(void) SP_HIDDEN;

#endif
