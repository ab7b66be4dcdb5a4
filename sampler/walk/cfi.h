/* Call frame information: what an object's .eh_frame says of one instruction, reduced to what a
 * walk needs to get from a frame to its caller: stack pointer, frame pointer, return address. */
#ifndef SP_SAMPLER_WALK_CFI_H
#define SP_SAMPLER_WALK_CFI_H

#include "sampler/agent.h"
#include "sampler/arch.h"

enum sp_cfi_kind {
	SP_CFI_NONE,    /* nothing is known: code in no object, or without a table */
	SP_CFI_FRAME,   /* an ordinary frame: the caller's stack pointer is the CFA; sp_cfi_return_at */
	SP_CFI_SIGNAL,  /* a signal's return trampoline: the stack pointer is at a ucontext_t */
	SP_CFI_END,     /* the outermost frame: it has no return address */
	SP_CFI_START,   /* no table, but one from the next byte on, with which a function begins */
	SP_CFI_CODE,    /* no table: a frame, as its instructions show it (code_rule.h) */
	SP_CFI_CODE_BY, /* the same, but the CFA is computed from register `after` */
	SP_CFI_GUESS,   /* no table, and no way through the instructions */
	SP_CFI_COMPLEX, /* described, but not in the form below: a case for sp_frame_step */
};

enum sp_cfi_flags {
	SP_CFI_FROM_BP = 1,  /* the CFA is computed from the frame pointer; else from the stack pointer */
	SP_CFI_LOADED = 2,   /* ... and loaded from there (realigned stacks), then raised by `after` */
	SP_CFI_BP_SAVED = 4, /* the caller's frame pointer is at CFA + bp_offset; else it is unchanged */
	SP_CFI_BP_AT_BP = 8, /* ... it is at this frame's + bp_offset instead */
};

struct sp_cfi_rule {
	uint8_t kind : 4, flags : 4;
	int8_t after;
	int16_t bp_offset;
	int32_t cfa_offset;
};
_Static_assert(sizeof(struct sp_cfi_rule) == 8, "read and written as one word");

/* Where a frame returns to. Where calls leave that in a register, `after` tells how many words from the CFA it was stored; 0:
 * it is there still. Else calls push it: it is right below the CFA. */
static inline bool sp_cfi_returns_by_register(struct sp_cfi_rule rule)
{
	return SP_REG_RA < SP_FRAME_REGISTERS && !rule.after;
}

static inline int64_t sp_cfi_return_at(struct sp_cfi_rule rule)
{
	return SP_REG_RA < SP_FRAME_REGISTERS ? 8 * rule.after : -8;
}

/* The rule for the instruction that contains the byte at `pc`. Any context: takes no lock, allocates
 * nothing, and reads only what the loader has mapped. The object must not be unloaded meanwhile. */
struct sp_cfi_rule sp_cfi_find(uint64_t pc) SP_HIDDEN;

/* Also tells a range around pc in which all instructions have this rule. */
struct sp_cfi_range {
	uint64_t from, to;
};
struct sp_cfi_rule sp_cfi_find_around(uint64_t pc, struct sp_cfi_range *range) SP_HIDDEN;

#endif
