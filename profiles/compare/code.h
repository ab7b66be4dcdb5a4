/* Whether the code changed between the sides: a growth of what runs the same machine code is the machine's or the input's. */
#ifndef SP_PROFILES_COMPARE_CODE_H
#define SP_PROFILES_COMPARE_CODE_H

#include "profiles/compare/compare.h"

/* A function's machine code, as the runs of each side know it. */
struct sp_node_code {
	uint64_t hash[SP_SIDES];  /* 0: not known */
	uint64_t build[SP_SIDES]; /* a hash of its module's build-id; 0: it has none */
	double total[SP_SIDES];   /* CPU time with what it calls, ns, of all runs */
	bool varies;              /* from run to run of a side */
	bool stands_alone;        /* not only where it was inlined, which the code it is in tells of */
};

/* A file that some run of a side had loaded. */
struct sp_build_there {
	uint64_t build; /* as above */
	enum sp_side side;
};

/* Adds a run; node_of as in sp_calls_add. */
void sp_compare_code_add(struct sp_comparison *c, const struct sp_profile *p, const uint32_t *node_of,
	size_t node_count, enum sp_side side);

/* After the last run: sets c->code, and each CPU row's. */
void sp_compare_code_tell(struct sp_comparison *c);

/* Appends the names of those whose code changed, the costliest first: "parse, main, 3 more". */
void sp_compare_code_put(struct sp_buffer *out, const struct sp_comparison *c);

#endif
