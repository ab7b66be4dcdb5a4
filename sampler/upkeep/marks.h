/* Marks: moments at which what the heap's sites held can be told later, without anything being done then. */
#ifndef SP_SAMPLER_UPKEEP_MARKS_H
#define SP_SAMPLER_UPKEEP_MARKS_H

#include "sampler/agent.h"

struct sp_mark_reason {
	enum sp_mark_kind kind;
	const char *name;          /* sp_mark_name_ok */
	uint64_t value, threshold; /* what crossed, and what was crossed */
	bool captured;             /* its profile is wanted */
};

/* Letters, digits and -_+, from 1 to SP_MARK_NAME_BYTES - 1 of them. Any context. */
bool sp_mark_name_ok(const char *name) SP_HIDDEN;

/* Marks this moment. Returns the mark's number, from 1 on; 0 when there is no room for another one. There must be a spool.
 * Any context. */
uint32_t sp_mark_set(const struct sp_mark_reason *reason) SP_HIDDEN;

/* What seemed to be worth a mark was not: takes it back. */
void sp_mark_withdraw(uint32_t seq) SP_HIDDEN;

#endif
