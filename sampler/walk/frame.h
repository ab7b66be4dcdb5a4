/* A frame with all its registers, and the step to its caller by everything that unwind tables can say. Walks go by the
 * short rules of cfi.h as far as these go; where one does not fit, they come back here. */
#ifndef SP_SAMPLER_WALK_FRAME_H
#define SP_SAMPLER_WALK_FRAME_H

#include "sampler/walk/cfi_row.h"
#include "sampler/walk/stack_read.h"

struct sp_frame {
	uint64_t ip;
	uint64_t registers[SP_FRAME_REGISTERS]; /* numbered as in DWARF */
	uint32_t known;                         /* bit n: registers[n] is what it was in this frame */
};

/* Where the kernel keeps them: see sp_context_words. */
extern const uint8_t sp_frame_in_context[SP_FRAME_REGISTERS] SP_HIDDEN;

/* Goes on to the caller. False when the row rests on what is not known, or cannot be read; the frame is then
 * undefined. Any context. */
bool sp_frame_step(struct sp_frame *frame, const struct sp_cfi_entry *entry, const struct sp_cfi_row *row,
	struct sp_stack_view *stack) SP_HIDDEN;

#endif
