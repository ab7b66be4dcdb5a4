/* The rule for code that has no unwind tables, as assembly written by hand often has none: from what its instructions do to
 * the stack pointer from there on to where they return. What a function has put on the stack it takes off again, so that
 * the way on leads to the return address whichever way was taken to here. */
#ifndef SP_SAMPLER_WALK_CODE_RULE_H
#define SP_SAMPLER_WALK_CODE_RULE_H

#include "sampler/walk/cfi.h"

/* The rule for a frame that goes on at the instruction at `ip`, of kind SP_CFI_CODE or SP_CFI_CODE_BY, or SP_CFI_GUESS where none was found in so
 * many instructions. An SP_CFI_CODE without SP_CFI_LOADED has in `after` how many words above the return address go with it. The code is
 * read through the kernel: some 5 us, up to 50. Any context. */
#ifdef __x86_64__
struct sp_cfi_rule sp_code_rule(uint64_t ip, unsigned instructions) SP_HIDDEN;
#else /* whose instructions are not known */
static inline struct sp_cfi_rule sp_code_rule(uint64_t ip, unsigned instructions)
{
	(void)ip, (void)instructions;
	return (struct sp_cfi_rule){.kind = SP_CFI_GUESS};
}
#endif

#endif
