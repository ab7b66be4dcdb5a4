/* Where threads waited, as it is written and read again: what can be compared with another profile's. */
#ifndef SP_PROFILES_MODEL_WAIT_ROWS_H
#define SP_PROFILES_MODEL_WAIT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sampler/wait_calls.h"

#define SP_WAIT_ROW_SHARE (1.0 / 256) /* of all that was waited; places with less have no row */

/* A call that was waited in, by its caller. */
struct sp_wait_row {
	uint64_t ns, count, samples, longest_ns; /* the first two are estimates */
	double error_ns;                         /* of ns, half of the 95 % interval */
	bool idle;
	enum sp_wait_kind kind;
	const char *call, *caller;
	const char *lock; /* "" none, or several */
	const char *holder,
		*holder_call; /* where the lock's holder was for the most; "" not known; on a CPU, or not in a call */
};

struct sp_profile;

/* From the waits of a profile that was built from a spool. */
void sp_wait_rows_make(struct sp_profile *profile);

/* A lock, by its name, and the row of it with the most. */
struct sp_wait_lock {
	uint64_t ns, longest_ns;
	const struct sp_wait_row *most;
};

/* Those of a profile's rows, most first; how many. To be freed. */
size_t sp_wait_rows_locks(const struct sp_profile *profile, struct sp_wait_lock **locks);

/* Room for one more, at the end. */
struct sp_wait_row *sp_wait_rows_add(struct sp_profile *profile);

#endif
