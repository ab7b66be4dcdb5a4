/* Where threads wait: the table of what was waited, by stack, call, lock and holder. */
#ifndef SP_SAMPLER_WAITS_SITES_H
#define SP_SAMPLER_WAITS_SITES_H

#include "sampler/agent.h"

/* A sampled wait, or a batch of short ones. */
struct sp_waited {
	uint32_t stack;         /* index into SP_SEC_STACKS */
	uint32_t call;          /* enum sp_wait_call */
	uint64_t object;        /* address of the lock, or what else was waited for; 0: none */
	uint32_t holder;        /* index into SP_SEC_STACKS: where the lock's owner was meanwhile, 0: not known */
	uint32_t holder_call;   /* what the owner was blocked in, 1 + enum sp_wait_call; 0: in none */
	uint64_t holder_caller; /* of that call; then holder is what is made of it */
	uint32_t holder_span;   /* what it was doing: index into SP_SEC_SPAN_NODES */
	double count;           /* waits: 1 but for a batch ... */
	bool batch;             /* ... of calls at several places, of which one was drawn for all */
	uint64_t longest_ns;    /* of them */
	uint64_t ns;            /* that they took, ... */
	uint64_t blocked_ns;    /* ... less what of that was the run queue's */
	uint64_t interval;      /* at which it was picked */
};

/* Adds its weight to its site. Any context. */
void sp_wait_sites_add(struct sp_thread *t, const struct sp_waited *w) SP_HIDDEN;

/* Of a lock that was waited for. Any context. */
void sp_wait_locks_count(uint64_t address, uint64_t ns) SP_HIDDEN;

/* The lock at an address, entered if it is new: index into SP_SEC_LOCKS; 0 when the table is full. Any context. */
uint32_t sp_wait_locks_find(uint64_t address) SP_HIDDEN;

/* In a forked child, and for a new spool: nothing is known of the tables. */
void sp_wait_sites_forget(void) SP_HIDDEN;

/* Before the first is entered into a new spool. */
void sp_wait_sites_begin(void) SP_HIDDEN;

#endif
