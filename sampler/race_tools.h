/* Valgrind, and race detectors under which the program may run: what the agent's threads do to its memory is atomic, and ordered by design,
 * which valgrind's cannot see. They are told to leave it alone. */
#ifndef SP_SAMPLER_RACE_TOOLS_H
#define SP_SAMPLER_RACE_TOOLS_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/arch.h"

/* Numbers of requests (valgrind.h, and its helgrind.h and drd.h, of which each tool answers its own). */
#define SP_HELGRIND_UNTRACKED 0x48470127ul
#define SP_DRD_START_SUPPRESSION 0x44520002ul

static inline void sp_valgrind_request(unsigned long request, const void *p, size_t bytes)
{
	volatile unsigned long arguments[6] = {request, (uintptr_t)p, bytes};

	sp_valgrind_ask(arguments);
}

/* From now on the memory is the agent's. Any context. */
static inline void sp_memory_is_agents(const void *p, size_t bytes)
{
	sp_valgrind_request(SP_HELGRIND_UNTRACKED, p, bytes);
	sp_valgrind_request(SP_DRD_START_SUPPRESSION, p, bytes);
}

#endif
