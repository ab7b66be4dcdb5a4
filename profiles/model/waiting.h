/* Where the time of threads went from their starts to their ends. */
#ifndef SP_PROFILES_WAITING_H
#define SP_PROFILES_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/wait_calls.h"

struct sp_profile;
struct sp_thread_record;

/* wall = on a CPU + waiting for one + blocked, always: what is not known is in what is left, the last. Times of threads that
 * ran at once are added up. */
struct sp_waiting {
	uint64_t wall_ns; /* 0: nothing is known */
	uint64_t cpu_ns;
	uint64_t queue_ns; /* it could have run, and got no CPU ... */
	bool queue_known;  /* ... 0 if it is not known, and then part of what follows */
	uint64_t blocked_ns;
	bool kinds_known;                /* calls that block were timed: of what it was blocked for, ... */
	uint64_t kind_ns[SP_WAIT_KINDS]; /* ... by enum sp_wait_kind; the rest is [blocked elsewhere] */
	uint64_t throttled_ns; /* of queue_ns of the process, estimate: its control group had used up its quota ... */
	uint64_t throttled_periods; /* ... in so many periods of it */
	bool throttle_known;
};

/* Makes it so. */
void sp_waiting_close(struct sp_waiting *waiting);

/* Of one thread; is_sum: the record is of all that have none of their own. */
struct sp_waiting sp_waiting_of_thread(const struct sp_profile *profile, const struct sp_thread_record *record,
	bool is_sum);

/* [blocked elsewhere] */
uint64_t sp_waiting_elsewhere(const struct sp_waiting *waiting);

const char *sp_wait_kind_name(enum sp_wait_kind kind); /* "lock", … */
const char *sp_wait_kind_fact(enum sp_wait_kind kind); /* "blocked_lock_seconds", … */

void sp_waiting_add(struct sp_waiting *sum, const struct sp_waiting *part);

/* Of the process, from its threads'. After CPU times were added up. */
void sp_waiting_add_up(struct sp_profile *profile);

/* A thread that has waited for its like to give it work for next to all of its life holds nobody up. */
bool sp_waiting_is_idle(const struct sp_waiting *waiting);

/* The process was not on a CPU for 90 % of the time that its threads had: worth a section. */
bool sp_waiting_matters(const struct sp_profile *profile);

#endif
