/* From a thread id to the thread's block: how a signal handler knows whose signal it has without a
 * look at thread-local storage, which may be another thread's (raw clone) or none at all. */
#ifndef SP_SAMPLER_THREADS_REGISTRY_H
#define SP_SAMPLER_THREADS_REGISTRY_H

#include "sampler/agent.h"

/* Enters t under t->tid. False when there is no room: the thread must then not be armed. Any
 * context, lock-free, like the rest. */
bool sp_registry_add(struct sp_thread *t) SP_HIDDEN;

/* Removes what sp_registry_add entered; harmless when it is not there. */
void sp_registry_remove(const struct sp_thread *t) SP_HIDDEN;

/* All of them. In a forked child. */
void sp_registry_forget(void) SP_HIDDEN;

/* The block of thread `tid`, or NULL; `but` is passed over. */
struct sp_thread *sp_registry_find(int tid, const struct sp_thread *but) SP_HIDDEN;

/* How many threads are entered. */
uint32_t sp_registry_count(void) SP_HIDDEN;

#endif
