/* From its wake-up to its next turn on a CPU a thread that has waited waits for that CPU: this is the run queue's time, and no
 * part of what it was blocked for. The kernel tells it for 6 us, which not every wait can be worth: those that are looked at
 * say what part of the others' time is the queue's. */
#ifndef SP_SAMPLER_WAITS_QUEUE_H
#define SP_SAMPLER_WAITS_QUEUE_H

#include "sampler/agent.h"

/* The thread, which is the caller's, is looked at, and is so when a wait of `kind` has taken `ns`: whether the kernel is to be asked
 * too. A lock that is held meanwhile is kept. */
bool sp_wait_queue_is_due(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns) SP_HIDDEN;

/* What of a wait of `ns` the thread was blocked for. off_ns: how long it has not been on a CPU since it was looked at before;
 * 0: that is not known. due: as sp_wait_queue_is_due has said. */
uint64_t sp_wait_without_queue(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns, uint64_t off_ns,
	bool due) SP_HIDDEN;

/* Asks the kernel for how long the thread, the caller's, has waited for a CPU since it began, if that may be paid for a short wait. */
bool sp_wait_queue_ask(struct sp_thread *t, uint64_t *queue_ns) SP_HIDDEN;

#endif
