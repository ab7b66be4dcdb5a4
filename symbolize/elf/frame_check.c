/* Checks of rules: see frame_check.h. */
#include "symbolize/elf/frame_check.h"

#include <dwarf.h>
#include <limits.h>

#include "symbolize/base/input.h"

/* The operands of an instruction or operation, a letter each: u LEB128, r the number of a register, x an expression, and
 * 1 to 8 the bytes of a fixed one. NULL: it is not allowed. */
static const char *const instructions[0x40] = {
	[DW_CFA_nop] = "",
	[DW_CFA_set_loc] = "8",
	[DW_CFA_advance_loc1] = "1",
	[DW_CFA_advance_loc2] = "2",
	[DW_CFA_advance_loc4] = "4",
	[DW_CFA_offset_extended] = "uu",
	[DW_CFA_restore_extended] = "u",
	[DW_CFA_undefined] = "u",
	[DW_CFA_same_value] = "u",
	[DW_CFA_register] = "ur",
	[DW_CFA_remember_state] = "",
	[DW_CFA_restore_state] = "",
	[DW_CFA_def_cfa] = "uu",
	[DW_CFA_def_cfa_register] = "u",
	[DW_CFA_def_cfa_offset] = "u",
	[DW_CFA_def_cfa_expression] = "x",
	[DW_CFA_expression] = "ux",
	[DW_CFA_offset_extended_sf] = "uu",
	[DW_CFA_def_cfa_sf] = "uu",
	[DW_CFA_def_cfa_offset_sf] = "u",
	[DW_CFA_val_offset] = "uu",
	[DW_CFA_val_offset_sf] = "uu",
	[DW_CFA_val_expression] = "ux",
	[DW_CFA_GNU_window_save] = "", /* on aarch64: negate_ra_state */
	[DW_CFA_GNU_args_size] = "u",
	[DW_CFA_GNU_negative_offset_extended] = "uu",
};

static const char *const operations[0x100] = {
	[DW_OP_addr] = "8",
	[DW_OP_deref] = "",
	[DW_OP_const1u... DW_OP_const1s] = "1",
	[DW_OP_const2u... DW_OP_const2s] = "2",
	[DW_OP_const4u... DW_OP_const4s] = "4",
	[DW_OP_const8u... DW_OP_const8s] = "8",
	[DW_OP_constu... DW_OP_consts] = "u",
	[DW_OP_dup... DW_OP_over] = "",
	[DW_OP_swap... DW_OP_rot] = "",
	[DW_OP_abs... DW_OP_and] = "",
	[DW_OP_minus] = "",
	[DW_OP_mul... DW_OP_plus] = "",
	[DW_OP_plus_uconst] = "u",
	[DW_OP_shl... DW_OP_xor] = "",
	[DW_OP_eq... DW_OP_ne] = "",
	[DW_OP_lit0... DW_OP_lit31] = "",
	[DW_OP_breg0... DW_OP_breg31] = "u",
	[DW_OP_bregx] = "ru",
	[DW_OP_deref_size] = "1",
	[DW_OP_nop] = "",
};

static void take_expression(struct sp_input *in, unsigned registers);

static void take_operands(struct sp_input *in, const char *kinds, unsigned registers)
{
	in->bad = in->bad || !kinds;
	for (; !in->bad && *kinds; kinds++) {
		if (*kinds == 'x')
			take_expression(in, registers);
		else if (*kinds >= '1' && *kinds <= '8')
			sp_skip(in, (uint64_t)(*kinds - '0'));
		else if (sp_take_leb(in, false) >= registers && *kinds == 'r')
			in->bad = true;
	}
}

/* No operation has an expression as its operand, so this goes no deeper. */
static void take_expression(struct sp_input *in, unsigned registers)
{
	uint64_t bytes = sp_take_leb(in, false);
	struct sp_input expression = {.at = in->at};

	sp_skip(in, bytes);
	expression.end = in->at;
	while (expression.at < expression.end && !expression.bad)
		take_operands(&expression, operations[sp_take(&expression, 1)], registers);
	in->bad = in->bad || expression.bad;
}

static const char *operands_of(uint8_t code)
{
	switch (code & 0xc0) {
	case 0:
		return instructions[code];
	case DW_CFA_offset:
		return "u";
	default:
		return "";
	}
}

static bool check(const uint8_t *at, const uint8_t *end, uint64_t return_register, unsigned registers, bool *outermost)
{
	struct sp_input in = {.at = at, .end = end};

	while (in.at < in.end && !in.bad) {
		uint8_t code = (uint8_t)sp_take(&in, 1);
		struct sp_input operand = in;

		if (code == DW_CFA_undefined && sp_take_leb(&operand, false) == return_register)
			*outermost = true;
		take_operands(&in, operands_of(code), registers);
	}
	return !in.bad;
}

bool sp_frame_rules_check(const struct sp_frame_rules *r, unsigned registers, bool *outermost)
{
	*outermost = false;
	return check(r->first, r->first_end, r->return_register, registers, outermost) &&
		check(r->then, r->then_end, r->return_register, registers, outermost);
}

void sp_frame_rules_unsign(uint8_t *at, const uint8_t *end)
{
	struct sp_input in = {.at = at, .end = end};

	while (in.at < in.end && !in.bad) {
		uint8_t *place = at + (in.at - at);
		uint8_t code = (uint8_t)sp_take(&in, 1);

		if (code == DW_CFA_GNU_window_save)
			*place = DW_CFA_nop;
		take_operands(&in, operands_of(code), UINT_MAX);
	}
}
