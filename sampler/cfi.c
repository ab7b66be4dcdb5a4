/* Reading .eh_frame. */
#include "sampler/cfi.h"

#include <dlfcn.h>
#include <string.h>

enum { REG_BP = 6, REG_SP = 7, REG_RA = 16 };

/* Pointer encodings (LSB): the ones that linkers write. */
enum { ENC_ABSOLUTE = 0x00, ENC_UDATA4 = 0x03, ENC_PCREL4 = 0x1b, ENC_PCREL8 = 0x1c, ENC_DATAREL4 = 0x3b };

#define ENTRY_BYTES_MAX (1u << 20)
#define STATES_MAX 8u /* DW_CFA_remember_state inside each other; compilers use one */

/* A part of a table: `bad` once more was asked for than is in it. */
struct reader {
	const uint8_t *at, *end;
	bool bad;
};

/* Where a register of the caller is. */
enum place { UNCHANGED, AT_OFFSET, NOWHERE, AT_EXPRESSION, ELSEWHERE };

struct location {
	enum place place;
	int64_t offset; /* AT_OFFSET: from the CFA */
	const uint8_t *expression;
	uint64_t bytes;
};

struct row {
	uint64_t cfa_register;
	int64_t cfa_offset;
	const uint8_t *cfa_expression; /* NULL: register and offset */
	uint64_t cfa_bytes;
	struct location bp, sp, ra;
};

struct cie {
	struct reader program;
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;
	bool signal, augmented;
};

static uint64_t read_fixed(struct reader *r, unsigned bytes)
{
	uint64_t value = 0;

	if ((uint64_t)(r->end - r->at) < bytes) {
		r->bad = true;
		return 0;
	}
	memcpy(&value, r->at, bytes);
	r->at += bytes;
	return value;
}

/* Groups of seven bits, lowest first. *shift: how many bits there were, *last: the last byte. */
static uint64_t read_leb(struct reader *r, unsigned *shift, uint64_t *last)
{
	uint64_t value = 0;

	*shift = 0;
	do {
		*last = read_fixed(r, 1);
		if (*shift < 64)
			value |= (*last & 0x7f) << *shift;
		*shift += 7;
	} while (*last & 0x80 && !r->bad);
	return value;
}

static uint64_t read_uleb(struct reader *r)
{
	uint64_t last;
	unsigned shift;

	return read_leb(r, &shift, &last);
}

static int64_t read_sleb(struct reader *r)
{
	uint64_t last, value;
	unsigned shift;

	value = read_leb(r, &shift, &last);
	if (last & 0x40 && shift < 64)
		value |= ~0ull << shift;
	return (int64_t)value;
}

static void skip(struct reader *r, uint64_t bytes)
{
	if (bytes > (uint64_t)(r->end - r->at))
		r->bad = true;
	else
		r->at += bytes;
}

static uint64_t read_pointer(struct reader *r, uint8_t encoding)
{
	uint64_t here = (uint64_t)(uintptr_t)r->at;

	switch (encoding) {
	case ENC_ABSOLUTE:
		return read_fixed(r, 8);
	case ENC_UDATA4:
		return read_fixed(r, 4);
	case ENC_PCREL4:
		return here + (uint64_t)(int64_t)(int32_t)read_fixed(r, 4);
	case ENC_PCREL8:
		return here + read_fixed(r, 8);
	default:
		r->bad = true;
		return 0;
	}
}

/* A length, and the part of the table it bounds. */
static struct reader read_entry(struct reader table)
{
	uint64_t bytes = read_fixed(&table, 4);

	if (bytes == 0 || bytes > ENTRY_BYTES_MAX || bytes > (uint64_t)(table.end - table.at))
		table.bad = true;
	else
		table.end = table.at + bytes;
	return table;
}

static bool read_augmentation(struct reader *r, const char *letters, struct cie *cie)
{
	static const uint8_t pointer_bytes[8] = {8, 0, 2, 4, 8}; /* by the low three bits of an encoding */

	if (!*letters)
		return true;
	if (*letters++ != 'z')
		return false;
	cie->augmented = true;
	read_uleb(r); /* the bytes that the letters stand for */
	for (; *letters; letters++) {
		if (*letters == 'R')
			cie->encoding = (uint8_t)read_fixed(r, 1);
		else if (*letters == 'S')
			cie->signal = true;
		else if (*letters == 'L')
			read_fixed(r, 1);
		else if (*letters == 'P')
			skip(r, pointer_bytes[read_fixed(r, 1) & 7]);
		else
			return false;
	}
	return true;
}

static bool read_cie(struct reader r, struct cie *cie)
{
	const char *letters;
	uint64_t version;

	*cie = (struct cie){.encoding = ENC_ABSOLUTE};
	r = read_entry(r);
	if (read_fixed(&r, 4) != 0)
		return false;
	version = read_fixed(&r, 1);
	letters = (const char *)r.at;
	while (!r.bad && read_fixed(&r, 1))
		;
	if (r.bad || (version != 1 && version != 3))
		return false;
	cie->code_align = read_uleb(&r);
	cie->data_align = read_sleb(&r);
	if ((version == 1 ? read_fixed(&r, 1) : read_uleb(&r)) != REG_RA || !read_augmentation(&r, letters, cie))
		return false;
	cie->program = r;
	return !r.bad;
}

static void set(struct row *row, uint64_t reg, struct location where)
{
	if (reg == REG_BP)
		row->bp = where;
	else if (reg == REG_SP)
		row->sp = where;
	else if (reg == REG_RA)
		row->ra = where;
}

static struct location get(const struct row *row, uint64_t reg)
{
	static const struct location unchanged;

	return reg == REG_BP ? row->bp : reg == REG_SP ? row->sp : reg == REG_RA ? row->ra : unchanged;
}

static struct location at_offset(const struct cie *cie, int64_t factored)
{
	return (struct location){.place = AT_OFFSET, .offset = factored * cie->data_align};
}

static void define_cfa(struct row *row, uint64_t reg, int64_t offset)
{
	row->cfa_register = reg;
	row->cfa_offset = offset;
	row->cfa_expression = NULL;
}

static struct location read_expression(struct reader *r)
{
	struct location where = {.place = AT_EXPRESSION, .bytes = read_uleb(r)};

	where.expression = r->at;
	skip(r, where.bytes);
	return where;
}

struct machine {
	const struct cie *cie;
	uint64_t location, pc;
	struct row row, initial, states[STATES_MAX];
	unsigned depth;
};

/* The instructions with an operand in their first byte. Returns false for all others. */
static bool execute_short(struct machine *m, struct reader *r, uint64_t op)
{
	switch (op & 0xc0) {
	case 0x40: /* DW_CFA_advance_loc */
		m->location += (op & 0x3f) * m->cie->code_align;
		return true;
	case 0x80: /* DW_CFA_offset */
		set(&m->row, op & 0x3f, at_offset(m->cie, (int64_t)read_uleb(r)));
		return true;
	case 0xc0: /* DW_CFA_restore */
		set(&m->row, op & 0x3f, get(&m->initial, op & 0x3f));
		return true;
	default:
		return false;
	}
}

static void execute_cfa(struct machine *m, struct reader *r, uint64_t op)
{
	struct location where;
	uint64_t reg;

	switch (op) {
	case 0x0c: /* DW_CFA_def_cfa */
		reg = read_uleb(r);
		define_cfa(&m->row, reg, (int64_t)read_uleb(r));
		break;
	case 0x0d: /* DW_CFA_def_cfa_register */
		define_cfa(&m->row, read_uleb(r), m->row.cfa_offset);
		break;
	case 0x0e: /* DW_CFA_def_cfa_offset */
		m->row.cfa_offset = (int64_t)read_uleb(r);
		break;
	case 0x0f: /* DW_CFA_def_cfa_expression */
		where = read_expression(r);
		m->row.cfa_expression = where.expression;
		m->row.cfa_bytes = where.bytes;
		break;
	case 0x12: /* DW_CFA_def_cfa_sf */
		reg = read_uleb(r);
		define_cfa(&m->row, reg, read_sleb(r) * m->cie->data_align);
		break;
	default: /* 0x13, DW_CFA_def_cfa_offset_sf */
		m->row.cfa_offset = read_sleb(r) * m->cie->data_align;
	}
}

static void execute_state(struct machine *m, struct reader *r, uint64_t op)
{
	if (op == 0x0a && m->depth < STATES_MAX) /* DW_CFA_remember_state */
		m->states[m->depth++] = m->row;
	else if (op == 0x0b && m->depth) /* DW_CFA_restore_state */
		m->row = m->states[--m->depth];
	else
		r->bad = true;
}

static void execute_register(struct machine *m, struct reader *r, uint64_t op)
{
	uint64_t reg = read_uleb(r);

	switch (op) {
	case 0x05: /* DW_CFA_offset_extended */
		set(&m->row, reg, at_offset(m->cie, (int64_t)read_uleb(r)));
		break;
	case 0x06: /* DW_CFA_restore_extended */
		set(&m->row, reg, get(&m->initial, reg));
		break;
	case 0x07: /* DW_CFA_undefined */
		set(&m->row, reg, (struct location){.place = NOWHERE});
		break;
	case 0x08: /* DW_CFA_same_value */
		set(&m->row, reg, (struct location){.place = UNCHANGED});
		break;
	case 0x10: /* DW_CFA_expression */
		set(&m->row, reg, read_expression(r));
		break;
	case 0x11: /* DW_CFA_offset_extended_sf */
		set(&m->row, reg, at_offset(m->cie, read_sleb(r)));
		break;
	case 0x16: /* DW_CFA_val_expression */
		read_expression(r);
		set(&m->row, reg, (struct location){.place = ELSEWHERE});
		break;
	default: /* 0x09 DW_CFA_register, 0x14 DW_CFA_val_offset, 0x15 DW_CFA_val_offset_sf */
		read_sleb(r);
		set(&m->row, reg, (struct location){.place = ELSEWHERE});
	}
}

static void execute_one(struct machine *m, struct reader *r)
{
	uint64_t op = read_fixed(r, 1);

	if (execute_short(m, r, op))
		return;
	switch (op) {
	case 0x00: /* DW_CFA_nop */
		break;
	case 0x02: /* DW_CFA_advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		m->location += read_fixed(r, 1u << (op - 2)) * m->cie->code_align;
		break;
	case 0x2e: /* DW_CFA_GNU_args_size */
		read_uleb(r);
		break;
	case 0x0a:
	case 0x0b:
		execute_state(m, r, op);
		break;
	case 0x0c:
	case 0x0d:
	case 0x0e:
	case 0x0f:
	case 0x12:
	case 0x13:
		execute_cfa(m, r, op);
		break;
	case 0x05:
	case 0x06:
	case 0x07:
	case 0x08:
	case 0x09:
	case 0x10:
	case 0x11:
	case 0x14:
	case 0x15:
	case 0x16:
		execute_register(m, r, op);
		break;
	default:
		r->bad = true;
	}
}

/* Runs a program up to the row that holds the machine's pc. */
static bool execute(struct machine *m, struct reader r)
{
	struct row before;

	while (!r.bad && r.at < r.end) {
		before = m->row;
		execute_one(m, &r);
		if (m->location > m->pc) {
			m->row = before;
			break;
		}
	}
	return !r.bad;
}

/* One of the expressions in use: lazy binding's stub, whose push stands in its second half (binutils,
 * elf_x86_64_eh_frame_plt), and a CFA that was saved: breg n, deref, maybe plus_uconst. */
static bool reduce_expression(const struct row *row, uint64_t pc, struct sp_cfi_rule *rule)
{
	static const uint8_t plt[] = {0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
	struct reader r = {row->cfa_expression, row->cfa_expression + row->cfa_bytes, false};
	uint64_t op;
	int64_t offset, after = 0;

	if (row->cfa_bytes == sizeof plt && !memcmp(r.at, plt, 6) && !memcmp(r.at + 7, plt + 7, 4) && r.at[6] >= 0x30 &&
		r.at[6] <= 0x3f) {
		rule->cfa_offset = 8 + ((pc & 15) >= (uint64_t)(r.at[6] - 0x30) ? 8 : 0);
		return true;
	}
	op = read_fixed(&r, 1);
	offset = read_sleb(&r);
	if ((op != 0x70 + REG_BP && op != 0x70 + REG_SP) || read_fixed(&r, 1) != 0x06)
		return false;
	if (r.at < r.end) {
		if (read_fixed(&r, 1) != 0x23)
			return false;
		after = (int64_t)read_uleb(&r);
	}
	if (r.bad || r.at != r.end || offset != (int32_t)offset || after != (int8_t)after)
		return false;
	rule->flags |= SP_CFI_LOADED | (op == 0x70 + REG_BP ? SP_CFI_FROM_BP : 0);
	rule->cfa_offset = (int32_t)offset;
	rule->after = (int8_t)after;
	return true;
}

static bool reduce_cfa(const struct row *row, uint64_t pc, struct sp_cfi_rule *rule)
{
	if (row->cfa_expression)
		return reduce_expression(row, pc, rule);
	if ((row->cfa_register != REG_BP && row->cfa_register != REG_SP) || row->cfa_offset != (int32_t)row->cfa_offset)
		return false;
	rule->flags |= row->cfa_register == REG_BP ? SP_CFI_FROM_BP : 0;
	rule->cfa_offset = (int32_t)row->cfa_offset;
	return true;
}

static bool reduce_bp(const struct location *bp, struct sp_cfi_rule *rule)
{
	int64_t offset = bp->offset;

	if (bp->place == UNCHANGED || bp->place == NOWHERE)
		return true;
	if (bp->place == AT_EXPRESSION) {
		struct reader r = {bp->expression, bp->expression + bp->bytes, false};

		if (read_fixed(&r, 1) != 0x70 + REG_BP)
			return false;
		offset = read_sleb(&r);
		if (r.bad || r.at != r.end)
			return false;
		rule->flags |= SP_CFI_BP_AT_BP;
	} else if (bp->place != AT_OFFSET) {
		return false;
	}
	rule->flags |= SP_CFI_BP_SAVED;
	rule->bp_offset = (int16_t)offset;
	return offset == (int16_t)offset;
}

static struct sp_cfi_rule reduce(const struct row *row, uint64_t pc)
{
	struct sp_cfi_rule rule = {.kind = SP_CFI_FRAME};

	if (row->ra.place == NOWHERE)
		return (struct sp_cfi_rule){.kind = SP_CFI_END};
	if (row->ra.place != AT_OFFSET || row->ra.offset != -8 || row->sp.place != UNCHANGED ||
		!reduce_cfa(row, pc, &rule) || !reduce_bp(&row->bp, &rule))
		return (struct sp_cfi_rule){.kind = SP_CFI_COMPLEX};
	return rule;
}

/* Finds the table entry of the function that holds pc with .eh_frame_hdr's search table. False when
 * that has an unusual form; r->at is NULL when no function is there. From limits->at to limits->end the
 * table may be. */
static bool find_fde(const struct dl_find_object *object, uint64_t pc, struct reader *r, struct reader *limits)
{
	const uint8_t *header = object->dlfo_eh_frame;
	int64_t relative = (int64_t)(pc - (uint64_t)(uintptr_t)header);
	uint32_t count, low = 0, high;
	const int32_t *table;

	*r = (struct reader){NULL, NULL, false};
	if (!header)
		return true;
	/* A table may be damaged, and must not lead out of its object. Of one with gaps only the segment that
	 * holds pc is told. */
	limits->at = header - INT32_MAX;
	limits->end = header + INT32_MAX;
	if (header > (const uint8_t *)object->dlfo_map_start && header < (const uint8_t *)object->dlfo_map_end) {
		limits->at = object->dlfo_map_start;
		limits->end = object->dlfo_map_end;
	}
	if (limits->end - header < 12)
		return true;
	if (header[0] != 1 || header[1] != ENC_PCREL4 || header[2] != ENC_UDATA4 || header[3] != ENC_DATAREL4)
		return false;
	memcpy(&count, header + 8, sizeof count);
	table = (const int32_t *)(const void *)(header + 12);
	if (count > (uint64_t)(limits->end - header - 12) / (2 * sizeof *table))
		return true;
	for (high = count; low < high;) {
		uint32_t middle = low + (high - low) / 2;

		if (table[2 * middle] <= relative)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return true;
	relative = table[2 * (low - 1) + 1];
	if (relative >= limits->at - header && relative < limits->end - header) {
		r->at = header + relative;
		r->end = limits->end;
	}
	return true;
}

/* Whether a function marked as a signal frame is the kernel's way back, mov $15, %rax; syscall: others are
 * marked so to have their callers' addresses looked up as they are. Its table entry begins a byte early
 * (glibc, sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c). */
static bool is_signal_return(const uint8_t *start, uint64_t size)
{
	static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

	return (size >= sizeof code && !memcmp(start, code, sizeof code)) ||
		(size > sizeof code && !memcmp(start + 1, code, sizeof code));
}

struct sp_cfi_rule sp_cfi_find(uint64_t pc)
{
	static const struct sp_cfi_rule none = {.kind = SP_CFI_NONE}, complex = {.kind = SP_CFI_COMPLEX};
	struct dl_find_object object;
	struct machine m;
	struct reader fde, back, limits;
	struct cie cie;
	uint64_t start, size, distance;

	if (_dl_find_object((void *)pc, &object) != 0)
		return none;
	if (!find_fde(&object, pc, &fde, &limits))
		return complex;
	if (!fde.at)
		return none;
	fde = read_entry(fde);
	back = (struct reader){fde.at, fde.end, fde.bad};
	distance = read_fixed(&fde, 4);
	if (fde.bad || distance == 0 || distance > (uint64_t)(back.at - limits.at))
		return none;
	back.at -= distance;
	if (!read_cie(back, &cie))
		return complex;
	start = read_pointer(&fde, cie.encoding);
	size = read_pointer(&fde,
		cie.encoding == ENC_ABSOLUTE || cie.encoding == ENC_PCREL8 ? ENC_ABSOLUTE : ENC_UDATA4);
	if (cie.augmented)
		skip(&fde, read_uleb(&fde));
	if (fde.bad)
		return complex;
	if (pc - start >= size)
		return none;
	if (cie.signal && is_signal_return((const uint8_t *)start, size))
		return (struct sp_cfi_rule){.kind = SP_CFI_SIGNAL};
	m.cie = &cie;
	m.depth = 0;
	m.location = start;
	m.pc = pc;
	m.row = (struct row){.cfa_register = REG_SP};
	if (!execute(&m, cie.program))
		return complex;
	m.initial = m.row;
	return execute(&m, fde) ? reduce(&m.row, pc) : complex;
}
