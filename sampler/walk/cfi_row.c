/* The machine that call frame instructions are for. */
#include "sampler/walk/cfi_row.h"

#include "sampler/walk/dwarf_ops.h"

#define STATES_MAX 8u /* DW_CFA_remember_state inside each other; compilers use one */

struct machine {
	const struct sp_cfi_entry *entry;
	struct sp_reader code;
	uint64_t location, pc;
	uint64_t from, to; /* of the row that holds pc, as far as is known */
	bool done;         /* the next instructions are for what stands after pc */
	struct sp_cfi_row row, initial, states[STATES_MAX];
	unsigned depth;
};

static void set(struct machine *m, uint64_t reg, struct sp_cfi_place place)
{
	if (reg < SP_CFI_REGISTERS)
		m->row.registers[reg] = place;
}

static void restore(struct machine *m, uint64_t reg)
{
	if (reg < SP_CFI_REGISTERS)
		m->row.registers[reg] = m->initial.registers[reg];
}

static void set_offset(struct machine *m, uint64_t reg, enum sp_cfi_where where, int64_t factored)
{
	set(m, reg,
		(struct sp_cfi_place){.where = (uint8_t)where,
			.offset = (int64_t)((uint64_t)factored * (uint64_t)m->entry->data_align)});
}

static struct sp_cfi_place read_expression(struct machine *m, enum sp_cfi_where where)
{
	uint64_t bytes = sp_read_uleb(&m->code);
	struct sp_cfi_place place = {.where = (uint8_t)where, .bytes = (uint32_t)bytes, .expression = m->code.at};

	sp_read_past(&m->code, bytes);
	return place;
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	if (reg >= SP_FRAME_REGISTERS)
		m->code.bad = true;
	m->row.cfa = (struct sp_cfi_place){.where = SP_CFI_IN_REGISTER, .reg = (uint8_t)reg, .offset = offset};
}

static void advance_to(struct machine *m, uint64_t location)
{
	m->done = location > m->pc;
	if (m->done)
		m->to = location;
	else
		m->from = location;
	m->location = location;
}

/* The instructions with an operand in their first byte. Returns false for all others. */
static bool execute_short(struct machine *m, uint64_t op)
{
	switch (op & DW_CFA_primary_mask) {
	case DW_CFA_advance_loc:
		advance_to(m, m->location + (op & DW_CFA_operand_mask) * m->entry->code_align);
		return true;
	case DW_CFA_offset:
		set_offset(m, op & DW_CFA_operand_mask, SP_CFI_AT_OFFSET, (int64_t)sp_read_uleb(&m->code));
		return true;
	case DW_CFA_restore:
		restore(m, op & DW_CFA_operand_mask);
		return true;
	default:
		return false;
	}
}

static void execute_cfa(struct machine *m, uint64_t op)
{
	struct sp_reader *r = &m->code;
	bool in_register = m->row.cfa.where == SP_CFI_IN_REGISTER;
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = sp_read_uleb(r);
		define_cfa(m, reg, (int64_t)sp_read_uleb(r));
		break;
	case DW_CFA_def_cfa_register:
		define_cfa(m, sp_read_uleb(r), in_register ? m->row.cfa.offset : 0);
		break;
	case DW_CFA_def_cfa_offset:
		define_cfa(m, m->row.cfa.reg, (int64_t)sp_read_uleb(r));
		break;
	case DW_CFA_def_cfa_expression:
		m->row.cfa = read_expression(m, SP_CFI_IS_EXPRESSION);
		break;
	case DW_CFA_def_cfa_sf:
		reg = sp_read_uleb(r);
		define_cfa(m, reg, sp_read_sleb(r) * m->entry->data_align);
		break;
	default: /* DW_CFA_def_cfa_offset_sf */
		define_cfa(m, m->row.cfa.reg, sp_read_sleb(r) * m->entry->data_align);
	}
}

static void execute_state(struct machine *m, uint64_t op)
{
	if (op == DW_CFA_remember_state && m->depth < STATES_MAX)
		m->states[m->depth++] = m->row;
	else if (op == DW_CFA_restore_state && m->depth)
		m->row = m->states[--m->depth];
	else
		m->code.bad = true;
}

static void execute_register(struct machine *m, uint64_t op)
{
	struct sp_reader *r = &m->code;
	uint64_t reg = sp_read_uleb(r), other;

	switch (op) {
	case DW_CFA_offset_extended:
		set_offset(m, reg, SP_CFI_AT_OFFSET, (int64_t)sp_read_uleb(r));
		break;
	case DW_CFA_restore_extended:
		restore(m, reg);
		break;
	case DW_CFA_undefined:
		set(m, reg, (struct sp_cfi_place){.where = SP_CFI_NOWHERE});
		break;
	case DW_CFA_same_value:
		set(m, reg, (struct sp_cfi_place){.where = SP_CFI_UNCHANGED});
		break;
	case DW_CFA_register:
		other = sp_read_uleb(r);
		set(m, reg,
			(struct sp_cfi_place){.where = other < SP_FRAME_REGISTERS ? SP_CFI_IN_REGISTER : SP_CFI_NOWHERE,
				.reg = (uint8_t)other});
		break;
	case DW_CFA_expression:
		set(m, reg, read_expression(m, SP_CFI_AT_EXPRESSION));
		break;
	case DW_CFA_offset_extended_sf:
		set_offset(m, reg, SP_CFI_AT_OFFSET, sp_read_sleb(r));
		break;
	case DW_CFA_val_offset:
		set_offset(m, reg, SP_CFI_IS_OFFSET, (int64_t)sp_read_uleb(r));
		break;
	case DW_CFA_val_offset_sf:
		set_offset(m, reg, SP_CFI_IS_OFFSET, sp_read_sleb(r));
		break;
	case DW_CFA_val_expression:
		set(m, reg, read_expression(m, SP_CFI_IS_EXPRESSION));
		break;
	default: /* DW_CFA_GNU_negative_offset_extended */
		set_offset(m, reg, SP_CFI_AT_OFFSET, -(int64_t)sp_read_uleb(r));
	}
}

static void execute_one(struct machine *m)
{
	uint64_t op = sp_read_fixed(&m->code, 1);

	if (execute_short(m, op))
		return;
	switch (op) {
	case DW_CFA_nop:
#ifdef __aarch64__
	case DW_CFA_AARCH64_negate_ra_state: /* signed or not: sp_plain_address */
#endif
		break;
	case DW_CFA_set_loc:
		advance_to(m, sp_cfi_read_pointer(&m->code, m->entry->encoding, 0));
		break;
	case DW_CFA_advance_loc1:
	case DW_CFA_advance_loc2:
	case DW_CFA_advance_loc4:
		advance_to(m,
			m->location + sp_read_fixed(&m->code, 1u << (op - DW_CFA_advance_loc1)) * m->entry->code_align);
		break;
	case DW_CFA_GNU_args_size:
		sp_read_uleb(&m->code);
		break;
	case DW_CFA_remember_state:
	case DW_CFA_restore_state:
		execute_state(m, op);
		break;
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_expression:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_offset_sf:
		execute_cfa(m, op);
		break;
	case DW_CFA_offset_extended:
	case DW_CFA_restore_extended:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_register:
	case DW_CFA_expression:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_val_expression:
	case DW_CFA_GNU_negative_offset_extended:
		execute_register(m, op);
		break;
	default:
		m->code.bad = true;
	}
}

static bool execute(struct machine *m, struct sp_reader code)
{
	m->code = code;
	while (!m->done && !m->code.bad && m->code.at < m->code.end)
		execute_one(m);
	return !m->code.bad;
}

bool sp_cfi_row_find(const struct sp_cfi_entry *entry, uint64_t pc, struct sp_cfi_row *row)
{
	struct machine m;

	m.entry = entry;
	m.location = m.from = entry->start;
	m.to = entry->start + entry->bytes;
	m.pc = pc;
	m.done = false;
	m.depth = 0;
	m.row = (struct sp_cfi_row){.cfa = {.where = SP_CFI_IN_REGISTER, .reg = SP_REG_SP}};
	if (!execute(&m, entry->initial))
		return false;
	m.initial = m.row;
	if (!execute(&m, entry->program))
		return false;
	*row = m.row;
	row->from = m.from;
	row->to = m.to;
	return true;
}
