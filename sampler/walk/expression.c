/* The stack machine of DWARF's expressions. */
#include "sampler/walk/expression.h"

#include "sampler/walk/dwarf_ops.h"

#define STEPS_MAX 256u /* instructions, of an expression with a loop above all */
#define DEPTH_MAX 32u

struct machine {
	struct sp_reader code;
	const uint8_t *start;
	const struct sp_frame *frame;
	struct sp_stack_view *stack;
	uint64_t values[DEPTH_MAX];
	unsigned depth;
	bool bad;
};

static void push(struct machine *m, uint64_t value)
{
	if (m->depth == DEPTH_MAX)
		m->bad = true;
	else
		m->values[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->depth)
		return m->values[--m->depth];
	m->bad = true;
	return 0;
}

/* The value `down` below the top. */
static uint64_t peek(struct machine *m, uint64_t down)
{
	if (down < m->depth)
		return m->values[m->depth - 1 - down];
	m->bad = true;
	return 0;
}

/* Where the return address is no register, its number stands for the frame's instruction. The length of vectors is one number
 * for all frames. */
static void push_register(struct machine *m, uint64_t reg, int64_t offset)
{
	uint64_t length = reg == SP_REG_VECTOR_LENGTH ? sp_vector_length() : 0;

	if (reg == SP_REG_RA && SP_REG_RA >= SP_FRAME_REGISTERS)
		push(m, m->frame->ip + (uint64_t)offset);
	else if (length)
		push(m, length + (uint64_t)offset);
	else if (reg < SP_FRAME_REGISTERS && m->frame->known >> reg & 1)
		push(m, m->frame->registers[reg] + (uint64_t)offset);
	else
		m->bad = true;
}

/* Reads whole words, of which the bytes may be the last in a page. */
static void dereference(struct machine *m, uint64_t bytes)
{
	uint64_t at = pop(m), low = 0, high = 0;
	unsigned skip = at & 7;

	if (bytes == 8) {
		m->bad |= !sp_stack_read(m->stack, at, &low);
		push(m, low);
		return;
	}
	m->bad |= bytes == 0 || bytes > 8 || !sp_stack_read(m->stack, at - skip, &low);
	if (!m->bad && skip + bytes > 8)
		m->bad |= !sp_stack_read(m->stack, at - skip + 8, &high);
	low = low >> 8 * skip | (skip ? high << (64 - 8 * skip) : 0);
	push(m, m->bad ? 0 : low & ~0ull >> (64 - 8 * bytes));
}

static void jump(struct machine *m, int64_t distance)
{
	if (distance < m->start - m->code.at || distance > m->code.end - m->code.at)
		m->bad = true;
	else
		m->code.at += distance;
}

static void rotate(struct machine *m)
{
	uint64_t first = pop(m), second = pop(m), third = pop(m);

	push(m, first);
	push(m, third);
	push(m, second);
}

/* False: no such instruction. */
static bool execute_stack(struct machine *m, uint64_t op)
{
	uint64_t top, below;

	switch (op) {
	case DW_OP_dup:
		push(m, peek(m, 0));
		return true;
	case DW_OP_drop:
		pop(m);
		return true;
	case DW_OP_over:
		push(m, peek(m, 1));
		return true;
	case DW_OP_pick:
		push(m, peek(m, sp_read_fixed(&m->code, 1)));
		return true;
	case DW_OP_swap:
		top = pop(m);
		below = pop(m);
		push(m, top);
		push(m, below);
		return true;
	case DW_OP_rot:
		rotate(m);
		return true;
	default:
		return false;
	}
}

/* Numbers that stand in the code, and registers. */
static bool execute_constant(struct machine *m, uint64_t op)
{
	struct sp_reader *r = &m->code;
	uint64_t reg;

	if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
		push(m, op - DW_OP_lit0);
	} else if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
		push_register(m, op - DW_OP_breg0, sp_read_sleb(r));
	} else if (op == DW_OP_bregx) {
		reg = sp_read_uleb(r);
		push_register(m, reg, sp_read_sleb(r));
	} else if (op == DW_OP_addr) {
		push(m, sp_read_fixed(r, 8));
	} else if (op >= DW_OP_const1u && op <= DW_OP_const8s) {
		unsigned bytes = 1u << ((op - DW_OP_const1u) / 2);

		push(m, op & 1 ? sp_read_signed(r, bytes) : sp_read_fixed(r, bytes));
	} else if (op == DW_OP_constu) {
		push(m, sp_read_uleb(r));
	} else if (op == DW_OP_consts) {
		push(m, (uint64_t)sp_read_sleb(r));
	} else {
		return false;
	}
	return true;
}

static bool execute_unary(struct machine *m, uint64_t op)
{
	int64_t top;

	switch (op) {
	case DW_OP_deref:
		dereference(m, 8);
		return true;
	case DW_OP_deref_size:
		dereference(m, sp_read_fixed(&m->code, 1));
		return true;
	case DW_OP_abs:
		top = (int64_t)pop(m);
		push(m, top < 0 ? -(uint64_t)top : (uint64_t)top);
		return true;
	case DW_OP_neg:
		push(m, -pop(m));
		return true;
	case DW_OP_not:
		push(m, ~pop(m));
		return true;
	case DW_OP_plus_uconst:
		push(m, pop(m) + sp_read_uleb(&m->code));
		return true;
	default:
		return false;
	}
}

static uint64_t divide(struct machine *m, int64_t a, int64_t b)
{
	if (b == 0 || (b == -1 && a == INT64_MIN)) {
		m->bad = true;
		return 0;
	}
	return (uint64_t)(a / b);
}

static uint64_t modulo(struct machine *m, uint64_t a, uint64_t b)
{
	m->bad |= b == 0;
	return b ? a % b : 0;
}

/* On the two topmost values. Division is signed, modulo is not (DWARF 5, 2.5.1.4). */
static uint64_t compute(struct machine *m, uint64_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case DW_OP_and:
		return a & b;
	case DW_OP_div:
		return divide(m, (int64_t)a, (int64_t)b);
	case DW_OP_minus:
		return a - b;
	case DW_OP_mod:
		return modulo(m, a, b);
	case DW_OP_mul:
		return a * b;
	case DW_OP_or:
		return a | b;
	case DW_OP_plus:
		return a + b;
	case DW_OP_shl:
		return b < 64 ? a << b : 0;
	case DW_OP_shr:
		return b < 64 ? a >> b : 0;
	case DW_OP_shra:
		return (uint64_t)((int64_t)a >> (b < 63 ? b : 63));
	case DW_OP_xor:
		return a ^ b;
	default:
		m->bad = true;
		return 0;
	}
}

static uint64_t compare(uint64_t op, int64_t a, int64_t b)
{
	switch (op) {
	case DW_OP_eq:
		return a == b;
	case DW_OP_ge:
		return a >= b;
	case DW_OP_gt:
		return a > b;
	case DW_OP_le:
		return a <= b;
	case DW_OP_lt:
		return a < b;
	default: /* DW_OP_ne */
		return a != b;
	}
}

static void execute_binary(struct machine *m, uint64_t op)
{
	uint64_t top = pop(m), below = pop(m);

	push(m,
		op >= DW_OP_eq && op <= DW_OP_ne ? compare(op, (int64_t)below, (int64_t)top)
						 : compute(m, op, below, top));
}

static void execute_one(struct machine *m)
{
	uint64_t op = sp_read_fixed(&m->code, 1);
	int64_t distance;

	if (op == DW_OP_skip || op == DW_OP_bra) {
		distance = (int64_t)sp_read_signed(&m->code, 2);
		if (op == DW_OP_skip || pop(m))
			jump(m, distance);
	} else if (op != DW_OP_nop && !execute_constant(m, op) && !execute_stack(m, op) && !execute_unary(m, op)) {
		execute_binary(m, op);
	}
}

bool sp_expression(struct sp_reader code, const struct sp_frame *frame, struct sp_stack_view *stack,
	const uint64_t *first, uint64_t *value)
{
	struct machine m;
	unsigned steps;

	m.code = code;
	m.start = code.at;
	m.frame = frame;
	m.stack = stack;
	m.depth = 0;
	m.bad = false;
	if (first)
		push(&m, *first);
	for (steps = 0; steps < STEPS_MAX && m.code.at < m.code.end && !m.bad && !m.code.bad; steps++)
		execute_one(&m);
	*value = pop(&m);
	return !m.bad && !m.code.bad && m.code.at == m.code.end;
}
