/* Where threads wait, and for whom: what samples of waits add up to. */
#ifndef SP_PROFILES_MODEL_WAITS_H
#define SP_PROFILES_MODEL_WAITS_H

#include "profiles/model/model.h"
#include "sampler/wait_calls.h"

/* A call that is waited in, by the line it is made at and the SP_WAIT_CHAIN functions that lead there. */
struct sp_wait_place {
	enum sp_wait_call call;
	uint32_t frame; /* of the caller */
	uint32_t path;  /* of the most that was waited here, with it */
	uint64_t path_ns;
	uint64_t ns, count, samples; /* estimates */
	double variance;             /* of ns */
	uint64_t longest_ns;         /* of those sampled */
	uint32_t lock;               /* the only one that was waited for, 0: none, or several */
	bool idle;                   /* nothing is held up by it */
};

/* Where the holder of a lock was while others waited for it. */
struct sp_lock_holder {
	uint32_t function; /* of it; UINT32_MAX: it was in a call, of which the caller is not known */
	uint32_t call;     /* 1 + enum sp_wait_call; 0: on a CPU */
	uint32_t span;     /* what it was doing, of the snapshot's span_nodes; 0: it was in none */
	uint64_t ns;
	double variance;
};

struct sp_lock_info {
	const char *name;                            /* of the variable, else what is known of the address */
	uint32_t lock;                               /* of the snapshot's */
	uint64_t contentions, waited_ns, longest_ns; /* exact */
	bool held;                                   /* somebody has it while others wait for it */
	uint64_t ns, samples;                        /* of those sampled, whose waiters and holders are known */
	double variance;                             /* of ns */
	uint32_t waiter;                             /* function that waited most for it ... */
	uint64_t waiter_ns;                          /* ... so long */
	struct sp_lock_holder *holders;              /* most first */
	size_t holder_count;
};

struct sp_waits_info {
	struct sp_wait_place *places; /* most first, idle ones last */
	size_t place_count, place_capacity;
	struct sp_lock_info *locks; /* most first */
	size_t lock_count;
	uint64_t ns;     /* of all places */
	double variance; /* of it */
};

/* Of the share that a part has in a whole, both of which are estimates: its standard deviation. */
double sp_waits_share_error(double part, double variance, double whole, double whole_variance);

/* Functions that tell one place from another, from the caller of the call outwards. */
#define SP_WAIT_CHAIN 4u

/* Where in its path a place's chain begins. */
uint32_t sp_wait_chain_at(const struct sp_profile *profile, uint32_t path, uint32_t frame);

#define SP_WAIT_IDLE_COUNT 5u /* waits of a place where threads wait for work, at least */

/* Whether a place is part of the work: the loop that it is in, its innermost frame with half of the CPU time, has more than a fifth
 * of that on the way to the call; or another place is where a loop further out waits. Without CPU samples: no. */
bool sp_wait_is_work(const struct sp_profile *profile, const struct sp_wait_place *place);

extern const char *const sp_wait_call_names[SP_WAIT_CALLS];

/* Paths get the weights of their waits; site_frame as for sp_heap_add_up. */
void sp_waits_add_up(struct sp_profile *profile, const uint32_t *site_frame);

/* A lock by its number in the snapshot; NULL: 0, or nobody has waited for it. */
const struct sp_lock_info *sp_waits_lock(const struct sp_waits_info *waits, uint32_t lock);

/* Whether it is Python's interpreter lock. */
bool sp_waits_is_gil(const struct sp_lock_info *lock);

/* Adds what another path has waited. */
void sp_path_add_waits(struct sp_path *to, const struct sp_path *path);
void sp_waits_free(struct sp_waits_info *waits);

#endif
