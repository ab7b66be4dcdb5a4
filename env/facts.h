/* What one process of a tree has read of the machine, for the others that it is true of. */
#ifndef SP_ENV_FACTS_H
#define SP_ENV_FACTS_H

#include "env/internal.h"

#define SP_FACT_STRINGS 4
#define SP_FACT_BYTES 64

/* In memory that processes share, zeroed at first, where the pointers of `machine` mean nothing: the strings are beside it. */
struct sp_facts {
	uint32_t state; /* atomic */
	uint64_t key;   /* of the conditions under which it is true */
	struct sp_machine machine;
	struct sp_container_signs signs;
	char strings[SP_FACT_STRINGS][SP_FACT_BYTES];
};

/* As sp_machine_read of the live machine, from `shared` where that is true of this process; else fills it in, unless
 * somebody has. `own` keeps the strings, and must live as long as *machine. */
void sp_facts_read(struct sp_facts *own, struct sp_facts *shared, struct sp_machine *machine,
	struct sp_container_signs *signs);

#endif
