/* DWARF expressions, as far as call frame information may use them (DWARF 5, 2.5 and 6.4.2). */
#ifndef SP_SAMPLER_WALK_EXPRESSION_H
#define SP_SAMPLER_WALK_EXPRESSION_H

#include "sampler/walk/frame.h"
#include "sampler/walk/reader.h"
#include "sampler/walk/stack_read.h"

/* Works out `code` over a frame's registers and what can be read of its stack. first: what the expression begins with; NULL
 * nothing. False when it is damaged, too long, or asks for what is not known. Any context. */
bool sp_expression(struct sp_reader code, const struct sp_frame *frame, struct sp_stack_view *stack,
	const uint64_t *first, uint64_t *value) SP_HIDDEN;

#endif
