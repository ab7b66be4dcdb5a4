/* From a frame to its caller by a whole row of its table. */
#include "sampler/walk/frame.h"

#include "sampler/walk/expression.h"

const uint8_t sp_frame_in_context[SP_FRAME_REGISTERS] = SP_CONTEXT_PLACES;

struct stepper {
	const struct sp_frame *frame;
	struct sp_stack_view *stack;
	uint64_t cfa;
};

static bool evaluate(const struct stepper *s, const struct sp_cfi_place *place, const uint64_t *cfa, uint64_t *value)
{
	struct sp_reader code = {place->expression, place->expression + place->bytes, false};

	return sp_expression(code, s->frame, s->stack, cfa, value);
}

static bool get_register(const struct sp_frame *frame, unsigned reg, uint64_t *value)
{
	if (reg >= SP_FRAME_REGISTERS || !(frame->known >> reg & 1))
		return false;
	*value = frame->registers[reg];
	return true;
}

static bool find_cfa(struct stepper *s, const struct sp_cfi_place *place)
{
	if (place->where == SP_CFI_IS_EXPRESSION)
		return evaluate(s, place, NULL, &s->cfa);
	if (!get_register(s->frame, place->reg, &s->cfa))
		return false;
	s->cfa += (uint64_t)place->offset;
	return true;
}

/* What `reg` was in the caller. */
static bool find_value(const struct stepper *s, const struct sp_cfi_place *place, unsigned reg, uint64_t *value)
{
	switch (place->where) {
	case SP_CFI_UNCHANGED:
		if (reg == SP_REG_SP) {
			*value = s->cfa;
			return true;
		}
		return get_register(s->frame, reg, value);
	case SP_CFI_AT_OFFSET:
		return sp_stack_read(s->stack, s->cfa + (uint64_t)place->offset, value);
	case SP_CFI_IS_OFFSET:
		*value = s->cfa + (uint64_t)place->offset;
		return true;
	case SP_CFI_IN_REGISTER:
		return get_register(s->frame, place->reg, value);
	case SP_CFI_AT_EXPRESSION:
		return evaluate(s, place, &s->cfa, value) && sp_stack_read(s->stack, *value, value);
	case SP_CFI_IS_EXPRESSION:
		return evaluate(s, place, &s->cfa, value);
	default:
		return false;
	}
}

bool sp_frame_step(struct sp_frame *frame, const struct sp_cfi_entry *entry, const struct sp_cfi_row *row,
	struct sp_stack_view *stack)
{
	struct stepper s = {.frame = frame, .stack = stack};
	struct sp_frame caller = {.known = 0};

	if (!find_cfa(&s, &row->cfa) ||
		!find_value(&s, &row->registers[entry->return_column], (unsigned)entry->return_column, &caller.ip))
		return false;
	for (unsigned reg = 0; reg < SP_FRAME_REGISTERS; reg++)
		if (find_value(&s, &row->registers[reg], reg, &caller.registers[reg]))
			caller.known |= 1u << reg;
	caller.ip = sp_plain_address(caller.ip);
	if (SP_REG_RA < SP_FRAME_REGISTERS && !entry->is_interrupted) /* the call has written over it */
		caller.known &= ~(1u << SP_REG_RA % SP_FRAME_REGISTERS);
	*frame = caller;
	return caller.known >> SP_REG_SP & 1;
}
