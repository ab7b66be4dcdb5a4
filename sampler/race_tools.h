/* Valgrind, and race detectors under which the program may run: what the agent's threads do to its memory is atomic, and ordered by design,
 * which valgrind's cannot see. They are told to leave it alone. */
#ifndef SP_SAMPLER_RACE_TOOLS_H
#define SP_SAMPLER_RACE_TOOLS_H

#include <stddef.h>
#include <stdint.h>

/* Numbers of requests (valgrind.h, and its helgrind.h and drd.h, of which each tool answers its own). */
#define SP_HELGRIND_UNTRACKED 0x48470127ul
#define SP_DRD_START_SUPPRESSION 0x44520002ul

/* Rotations that add up to none, and an exchange of a register with itself: nothing, where no such tool runs. */
static inline void sp_valgrind_request(unsigned long request, const void *p, size_t bytes)
{
	volatile unsigned long arguments[6] = {request, (uintptr_t)p, bytes};
	unsigned long result = 0;

	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
			 : "+d"(result)
			 : "a"(&arguments[0])
			 : "cc", "memory");
}

/* From now on the memory is the agent's. Any context. */
static inline void sp_memory_is_agents(const void *p, size_t bytes)
{
	sp_valgrind_request(SP_HELGRIND_UNTRACKED, p, bytes);
	sp_valgrind_request(SP_DRD_START_SUPPRESSION, p, bytes);
}

#endif
