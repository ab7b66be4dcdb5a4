/* The table of unique stacks in the spool. */
#ifndef SP_SAMPLER_SPOOL_STACKS_H
#define SP_SAMPLER_SPOOL_STACKS_H

#include "sampler/agent.h"
#include "sampler/walk/unwind.h"

/* The index of a stack, entered if new. 0, the overflow record, when a table is full (counted).
 * Lock-free; any context. */
uint32_t sp_stacks_intern(struct sp_thread *t, const struct sp_walk *walk) SP_HIDDEN;

/* Adds a CPU sample's weight to a stack; returns how many samples that has now. thread: its record's number, 0
 * unknown. */
uint32_t sp_stacks_add_cpu(uint32_t stack, uint32_t thread, uint64_t user_ns, uint64_t sys_ns) SP_HIDDEN;

/* The allocation site of a stack, made if new; 0 when the table is full (counted). */
uint32_t sp_stacks_site(uint32_t stack) SP_HIDDEN;

#endif
