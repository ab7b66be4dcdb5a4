/* Call frame information: what an object's .eh_frame says of one instruction, reduced to what a
 * walk needs to get from a frame to its caller: stack pointer, frame pointer, return address. */
#ifndef SP_SAMPLER_WALK_CFI_H
#define SP_SAMPLER_WALK_CFI_H

#include "sampler/agent.h"

enum sp_cfi_kind {
	SP_CFI_NONE,    /* nothing is known: code in no object, or without a table */
	SP_CFI_FRAME,   /* an ordinary frame: the return address is at CFA - 8, the caller's rsp is the CFA */
	SP_CFI_SIGNAL,  /* a signal's return trampoline: the stack pointer is at a ucontext_t */
	SP_CFI_END,     /* the outermost frame: it has no return address */
	SP_CFI_START,   /* no table, but one from the next byte on, with which a function begins */
	SP_CFI_CODE,    /* no table: a frame, as its instructions show it (code_rule.h) */
	SP_CFI_CODE_BY, /* the same, but the CFA is computed from register `after` */
	SP_CFI_GUESS,   /* no table, and no way through the instructions */
	SP_CFI_COMPLEX, /* described, but not in the form below: a case for sp_frame_step */
};

enum sp_cfi_flags {
	SP_CFI_FROM_BP = 1,  /* the CFA is computed from rbp; else from rsp */
	SP_CFI_LOADED = 2,   /* ... and loaded from there (realigned stacks), then raised by `after` */
	SP_CFI_BP_SAVED = 4, /* the caller's rbp is at CFA + bp_offset; else it is unchanged */
	SP_CFI_BP_AT_BP = 8, /* ... it is at rbp + bp_offset instead */
};

struct sp_cfi_rule {
	uint8_t kind : 4, flags : 4;
	int8_t after;
	int16_t bp_offset;
	int32_t cfa_offset;
};
_Static_assert(sizeof(struct sp_cfi_rule) == 8, "read and written as one word");

/* The rule for the instruction that contains the byte at `pc`. Any context: takes no lock, allocates
 * nothing, and reads only what the loader has mapped. The object must not be unloaded meanwhile. */
struct sp_cfi_rule sp_cfi_find(uint64_t pc) SP_HIDDEN;

/* Also tells a range around pc in which all instructions have this rule. */
struct sp_cfi_range {
	uint64_t from, to;
};
struct sp_cfi_rule sp_cfi_find_around(uint64_t pc, struct sp_cfi_range *range) SP_HIDDEN;

#endif
