/* A walk under way, as the files of the walker share it: unwind.c goes from frame to frame, rules.c finds what is known of
 * each address, untold.c goes on where no table tells. Signal context. */
#ifndef SP_SAMPLER_WALKER_H
#define SP_SAMPLER_WALKER_H

#include <ucontext.h>

#include "sampler/walk/cfi.h"
#include "sampler/walk/frame.h"

#define SP_FRAME_BYTES_MAX 65536u /* of a frame that is believed without a check */

/* Where a walk is. By short rules the instruction, the stack pointer and the frame pointer alone are followed: what `frame` says of the other registers is none
 * of this frame's. */
struct sp_position {
	struct sp_frame frame;
	uint32_t steps; /* from the leaf */
	uint32_t kept;  /* frames in the thread's buffer, without this one */
	bool exact;     /* ip is an instruction; else a return address */
	bool handled;   /* a signal's handler was called from here */
	bool distrust;  /* sp or bp may be anything */
	bool guessed;   /* came here without tables */
	bool off;       /* ... and the stack pointer may be another one: the frame pointer tells where the frame is */
};

/* What the thread remembers of its last walk (trail.h), and what it will of this one. */
struct sp_trail {
	struct sp_last_walk *last;
	uint32_t ahead;         /* frames of it, from the outermost on, that the walk may come to yet */
	uint32_t added;         /* frames of this walk, behind those ... */
	uint32_t kept;          /* ... but for so many outermost ones, which are as they were */
	struct sp_walked *here; /* of those, the one that the walk is at; NULL: it is at none */
};

struct sp_walker {
	struct sp_position now;
	struct sp_position mark;       /* the last one that all registers are known of; the leaf if its `steps` is 0 */
	uint64_t mark_low, mark_bytes; /* of the stack's view there */
	uint32_t full_before;          /* steps up to here are made with all registers */
	struct sp_frame leaf;          /* with `context` that has the rest of its registers */
	const ucontext_t *context;
	struct sp_trail trail;
	struct sp_stack_view stack;
};

#define IP(w) (w)->now.frame.ip
#define SP(w) (w)->now.frame.registers[SP_REG_SP]
#define BP(w) (w)->now.frame.registers[SP_REG_BP]

enum sp_step { SP_STEP_ON, SP_STEP_END, SP_STEP_HAND_MADE, SP_STEP_LOST };

/* The rule for the frame that the walk is at; SP_CFI_NONE when there is no time to find it. */
struct sp_cfi_rule sp_rules_current(struct sp_walker *w) SP_HIDDEN;

/* A table of 8-byte answers by 64-bit keys: rules, of addresses' keys, and whatever else is known of an address, of keys
 * that are no address's. */
uint64_t sp_rules_key(uint64_t address) SP_HIDDEN;
bool sp_rules_find(uint64_t key, uint64_t *rule) SP_HIDDEN;
void sp_rules_keep(uint64_t key, uint64_t rule) SP_HIDDEN;

/* By what the code does (SP_CFI_CODE, SP_CFI_CODE_BY), else by the frame pointer. was_guessed: the walk came to this frame
 * in such a way, too. */
enum sp_step sp_step_code(struct sp_walker *w, struct sp_cfi_rule rule, bool was_guessed) SP_HIDDEN;
enum sp_step sp_step_guess(struct sp_walker *w, bool was_guessed) SP_HIDDEN;

/* Where a rule says that the caller's frame pointer is. */
static inline uint64_t sp_saved_bp_at(const struct sp_walker *w, struct sp_cfi_rule rule, uint64_t cfa)
{
	return (rule.flags & SP_CFI_BP_AT_BP ? BP(w) : cfa) + (uint64_t)(int64_t)rule.bp_offset;
}

#endif
