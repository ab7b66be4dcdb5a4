/* Reducing a row of .eh_frame to the rule that walks use. */
#include "sampler/walk/cfi.h"

#include <string.h>

#include "sampler/walk/cfi_row.h"
#include "sampler/walk/dwarf_ops.h"

/* One of the expressions in use: lazy binding's stub, whose push stands in its second half (binutils,
 * elf_x86_64_eh_frame_plt), and a CFA that was saved: breg n, deref, maybe plus_uconst. */
static bool reduce_expression(const struct sp_cfi_place *cfa, uint64_t pc, struct sp_cfi_rule *rule)
{
	static const uint8_t plt[] = {DW_OP_breg0 + SP_REG_SP, 8, DW_OP_breg0 + SP_REG_RA, 0, DW_OP_lit0 + 15,
		DW_OP_and, DW_OP_lit0 + 11, DW_OP_ge, DW_OP_lit0 + 3, DW_OP_shl, DW_OP_plus};
	struct sp_reader r = {cfa->expression, cfa->expression + cfa->bytes, false};
	uint64_t op;
	int64_t offset, after = 0;

	if (cfa->bytes == sizeof plt && !memcmp(r.at, plt, 6) && !memcmp(r.at + 7, plt + 7, 4) &&
		r.at[6] >= DW_OP_lit0 && r.at[6] <= DW_OP_lit0 + 15) {
		rule->cfa_offset = 8 + ((pc & 15) >= (uint64_t)(r.at[6] - DW_OP_lit0) ? 8 : 0);
		return true;
	}
	op = sp_read_fixed(&r, 1);
	offset = sp_read_sleb(&r);
	if ((op != DW_OP_breg0 + SP_REG_BP && op != DW_OP_breg0 + SP_REG_SP) || sp_read_fixed(&r, 1) != DW_OP_deref)
		return false;
	if (r.at < r.end) {
		if (sp_read_fixed(&r, 1) != DW_OP_plus_uconst)
			return false;
		after = (int64_t)sp_read_uleb(&r);
	}
	if (r.bad || r.at != r.end || offset != (int32_t)offset || after != (int8_t)after)
		return false;
	rule->flags |= SP_CFI_LOADED | (op == DW_OP_breg0 + SP_REG_BP ? SP_CFI_FROM_BP : 0);
	rule->cfa_offset = (int32_t)offset;
	rule->after = (int8_t)after;
	return true;
}

static bool reduce_cfa(const struct sp_cfi_place *cfa, uint64_t pc, struct sp_cfi_rule *rule)
{
	if (cfa->where ==
		SP_CFI_IS_EXPRESSION) /* `after` is taken where calls leave the return address in a register */
		return SP_REG_RA >= SP_FRAME_REGISTERS && reduce_expression(cfa, pc, rule);
	if ((cfa->reg != SP_REG_BP && cfa->reg != SP_REG_SP) || cfa->offset != (int32_t)cfa->offset)
		return false;
	rule->flags |= cfa->reg == SP_REG_BP ? SP_CFI_FROM_BP : 0;
	rule->cfa_offset = (int32_t)cfa->offset;
	return true;
}

static bool reduce_bp(const struct sp_cfi_place *bp, struct sp_cfi_rule *rule)
{
	int64_t offset = bp->offset;

	if (bp->where == SP_CFI_UNCHANGED || bp->where == SP_CFI_NOWHERE)
		return true;
	if (bp->where == SP_CFI_AT_EXPRESSION) {
		struct sp_reader r = {bp->expression, bp->expression + bp->bytes, false};

		if (sp_read_fixed(&r, 1) != DW_OP_breg0 + SP_REG_BP)
			return false;
		offset = sp_read_sleb(&r);
		if (r.bad || r.at != r.end)
			return false;
		rule->flags |= SP_CFI_BP_AT_BP;
	} else if (bp->where != SP_CFI_AT_OFFSET) {
		return false;
	}
	rule->flags |= SP_CFI_BP_SAVED;
	rule->bp_offset = (int16_t)offset;
	return offset == (int16_t)offset;
}

static bool reduce_return(const struct sp_cfi_place *ra, struct sp_cfi_rule *rule)
{
	if (SP_REG_RA >= SP_FRAME_REGISTERS)
		return ra->where == SP_CFI_AT_OFFSET && ra->offset == -8;
	if (ra->where == SP_CFI_UNCHANGED)
		return true;
	rule->after = (int8_t)(ra->offset / 8);
	return ra->where == SP_CFI_AT_OFFSET && rule->after && ra->offset == 8 * rule->after;
}

static struct sp_cfi_rule reduce(const struct sp_cfi_entry *entry, const struct sp_cfi_row *row, uint64_t pc)
{
	const struct sp_cfi_place *ra = &row->registers[entry->return_column];
	struct sp_cfi_rule rule = {.kind = SP_CFI_FRAME};

	if (ra->where == SP_CFI_NOWHERE)
		return (struct sp_cfi_rule){.kind = SP_CFI_END};
	if (!reduce_return(ra, &rule) || row->registers[SP_REG_SP].where != SP_CFI_UNCHANGED || entry->is_interrupted ||
		!reduce_cfa(&row->cfa, pc, &rule) || !reduce_bp(&row->registers[SP_REG_BP], &rule))
		return (struct sp_cfi_rule){.kind = SP_CFI_COMPLEX};
	return rule;
}

struct sp_cfi_rule sp_cfi_find_around(uint64_t pc, struct sp_cfi_range *range)
{
	static const struct sp_cfi_rule none = {.kind = SP_CFI_NONE}, signal = {.kind = SP_CFI_SIGNAL};
	struct sp_cfi_entry entry;
	struct sp_cfi_row row;

	*range = (struct sp_cfi_range){pc, pc + 1};
	if (!sp_cfi_entry_find(pc, &entry))
		return none;
	if (entry.is_signal_return)
		return signal;
	if (!sp_cfi_row_find(&entry, pc, &row))
		return none;
	if (row.cfa.where != SP_CFI_IS_EXPRESSION) /* which may depend on the address */
		*range = (struct sp_cfi_range){row.from, row.to};
	return reduce(&entry, &row, pc);
}

struct sp_cfi_rule sp_cfi_find(uint64_t pc)
{
	struct sp_cfi_range range;

	return sp_cfi_find_around(pc, &range);
}
