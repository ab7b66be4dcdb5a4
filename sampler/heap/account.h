/* What heap samples add up to: in the process's totals, at their sites, and in the live set. */
#ifndef SP_SAMPLER_HEAP_ACCOUNT_H
#define SP_SAMPLER_HEAP_ACCOUNT_H

#include "sampler/agent.h"
#include "sampler/walk/unwind.h"

/* Weighs a sample that was picked at `interval`, adds it to the site of its stack and, unless it has been freed already (p is
 * NULL), enters it into the live set. Inside the guard, on the private stack. */
void sp_account_enter(struct sp_thread *t, const struct sp_walk *walk, struct sp_live *entry, const void *p,
	uint64_t interval) SP_HIDDEN;

/* The application has freed a sample, which is out of the live set already. `now`: by the cycle counter. Any context. */
void sp_account_freed(const struct sp_live *entry, uint64_t now) SP_HIDDEN;

/* A sample is in use no more, by whatever reason: takes it off the totals and its site. Any context. */
void sp_account_take_off(const struct sp_live *entry) SP_HIDDEN;

#endif
