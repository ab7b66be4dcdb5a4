/* Walking a copied stack: one step of libunwind's remote interface after the other, with the rules that
 * symbolize/elf/frame_table.h finds in files. All that libunwind reads comes from the copy, or from a table of one entry that
 * is composed for the step: whatever stands in a spool or in a file, it sees nothing else. */
#include <libunwind.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "symbolize/composed_table.h"
#include "symbolize/elf/frame_check.h"
#include "symbolize/symbolizer.h"

#if defined(__x86_64__)
#define STACK_POINTER UNW_X86_64_RSP
#define FRAME_POINTER UNW_X86_64_RBP
#define INSTRUCTION UNW_X86_64_RIP
#define RETURN_COLUMN UNW_X86_64_RIP /* of tables */
#define ADDRESS_END (1ull << 47)
#define REGISTERS 17u
#define FRAME_BYTES_LEAST 8u
#define COPIED 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
/* What a function leaves as it was (psABI 3.2.1), and the two that every step finds out. */
#define KEPT \
	(1u << UNW_X86_64_RBX | 1u << FRAME_POINTER | 1u << STACK_POINTER | 1u << UNW_X86_64_R12 | \
		1u << UNW_X86_64_R13 | 1u << UNW_X86_64_R14 | 1u << UNW_X86_64_R15 | 1u << INSTRUCTION)
#elif defined(__aarch64__)
#define STACK_POINTER UNW_AARCH64_SP
#define FRAME_POINTER UNW_AARCH64_X29
#define INSTRUCTION UNW_AARCH64_PC
#define RETURN_COLUMN UNW_AARCH64_X30
#define ADDRESS_END (1ull << 52)
#define REGISTERS 33u
#define FRAME_BYTES_LEAST 0u /* a function that calls none may need no frame */
#define COPIED 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32
#define KEPT (0x7ffull << 19 | 1ull << STACK_POINTER | 1ull << INSTRUCTION) /* AAPCS64, 6.1.1 */
/* From the stack pointer of the code that a signal handler returns to, which is the kernel's and in no file (arch/arm64/kernel/signal.c,
 * struct rt_sigframe): a siginfo_t, then a ucontext_t. */
#define SIGNAL_REGISTERS_AT (128u + offsetof(ucontext_t, uc_mcontext.regs))
_Static_assert(offsetof(mcontext_t, pc) == offsetof(mcontext_t, regs) + 8 * INSTRUCTION,
	"in the order of their numbers");
#endif
#define FRAME_BYTES_MAX 65536u /* of a frame without rules */
#define READS_MAX 20000u       /* of a step */

/* Where libunwind sees the composed table: among the kernel's addresses, which no program has. */
#define TABLE_ADDRESS 0xffff900000000000ull

/* libunwind's, exported for users of its remote interface but in none of its headers. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *table,
	unw_proc_info_t *info, int need_unwind_info, void *arg);

struct walk {
	struct sp_symbolizer *symbolizer;
	const struct sp_copied_stack *stack;
	uint64_t registers[REGISTERS];
	uint64_t known; /* a bit for each register */
	bool exact;     /* the instruction pointer is at an instruction; else behind a call */
	struct sp_frame_rules rules;
	bool outermost; /* so they say of the frame */
	uint64_t bias;  /* of their module */
	struct sp_composed_table table;
	unsigned reads;
};

/* --- what libunwind asks for -------------------------------------------------------------------- */

static bool read_stack(const struct walk *w, uint64_t address, uint64_t *value)
{
	uint64_t offset = address - w->stack->low, bytes = w->stack->count * sizeof(*value);

	if (bytes < sizeof(*value) || offset > bytes - sizeof(*value))
		return false;
	memcpy(value, (const uint8_t *)w->stack->words + offset, sizeof(*value));
	return true;
}

static uint64_t plain_address(const struct walk *w, uint64_t address)
{
	uint32_t bits = w->stack->code_address_bits;

	return bits && bits < 64 ? address & ((1ull << bits) - 1) : address;
}

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write, void *arg)
{
	struct walk *w = arg;
	uint64_t offset = address - TABLE_ADDRESS;

	(void)space;
	if (write || ++w->reads > READS_MAX)
		return -UNW_EINVAL;
	if (offset < w->table.length && w->table.length - offset >= sizeof(*value)) {
		memcpy(value, w->table.bytes + offset, sizeof(*value));
		return 0;
	}
	return read_stack(w, address, value) ? 0 : -UNW_EINVAL;
}

static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write, void *arg)
{
	const struct walk *w = arg;

	(void)space;
	if (write || number < 0 || number >= (int)REGISTERS || !(w->known >> number & 1))
		return -UNW_EBADREG;
	*value = w->registers[number];
	return 0;
}

static int find_table(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need, void *arg)
{
	struct walk *w = arg;
	unw_dyn_info_t table = {.start_ip = w->rules.low + w->bias,
		.end_ip = w->rules.high + w->bias,
		.format = UNW_INFO_FORMAT_IP_OFFSET,
		.u.rti = {.segbase = TABLE_ADDRESS, .table_len = 1, .table_data = TABLE_ADDRESS}};

	/* Not UNW_ENOINFO: libunwind would guess. */
	return ip - table.start_ip < table.end_ip - table.start_ip
		? UNW_OBJ(dwarf_search_unwind_table)(space, ip, &table, info, need, arg)
		: -UNW_EINVAL;
}

static void put_table(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space, (void)info, (void)arg;
}

static int no_list(unw_addr_space_t space, unw_word_t *list, void *arg)
{
	(void)space, (void)list, (void)arg;
	return -UNW_ENOINFO;
}

static int no_floats(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write, void *arg)
{
	(void)space, (void)number, (void)value, (void)write, (void)arg;
	return -UNW_EBADREG;
}

static int no_resuming(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	(void)space, (void)cursor, (void)arg;
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t space, unw_word_t ip, char *name, size_t bytes, unw_word_t *offset, void *arg)
{
	(void)space, (void)ip, (void)name, (void)bytes, (void)offset, (void)arg;
	return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {.find_proc_info = find_table,
	.put_unwind_info = put_table,
	.get_dyn_info_list_addr = no_list,
	.access_mem = access_memory,
	.access_reg = access_register,
	.access_fpreg = no_floats,
	.resume = no_resuming,
	.get_proc_name = no_name};

/* --- the walk ----------------------------------------------------------------------------------- */

/* The rules of the code at the instruction pointer. */
static bool find_rules(struct walk *w)
{
	uint64_t address = w->registers[INSTRUCTION] - !w->exact;
	struct sp_module_symbols *m =
		sp_symbolizer_module(w->symbolizer, w->stack->module_at(w->stack->context, address), &w->bias);

	return m && sp_module_symbols_frame(m, &w->symbolizer->context, address - w->bias, &w->rules) &&
		sp_frame_rules_check(&w->rules, REGISTERS, &w->outermost) &&
		w->rules.return_register == RETURN_COLUMN && sp_composed_table_make(&w->table, &w->rules, w->bias);
}

static void take_registers(struct walk *w, unw_cursor_t *cursor)
{
	uint64_t values[REGISTERS] = {0}, known = 0;

	for (unsigned i = 0; i < REGISTERS; i++)
		if ((w->rules.signal || KEPT >> i & 1) && unw_get_reg(cursor, (int)i, &values[i]) == 0)
			known |= 1ull << i;
	if (unw_get_reg(cursor, UNW_REG_IP, &values[INSTRUCTION]) != 0) /* on aarch64 that is not the program counter */
		known &= ~(1ull << INSTRUCTION);
	values[INSTRUCTION] = plain_address(w, values[INSTRUCTION]);
	memcpy(w->registers, values, sizeof(values));
	w->known = known;
}

enum step { STEP_ON, STEP_END, STEP_LOST };

static enum step step_by_rules(struct walk *w, unw_addr_space_t space)
{
	/* A function that is interrupted may have its return address in a register, as vfork has. */
	uint64_t least_sp = w->registers[STACK_POINTER] + (w->exact ? 0 : FRAME_BYTES_LEAST);
	unw_cursor_t cursor;
	int rc;

	w->registers[INSTRUCTION] -= !w->exact;
	w->reads = 0;
	rc = unw_init_remote(&cursor, space, w);
	if (rc == 0)
		rc = unw_step(&cursor);
	if (rc <= 0)
		return rc == 0 && w->outermost ? STEP_END : STEP_LOST;
	take_registers(w, &cursor);
	w->exact = w->rules.signal;
	if (!(w->known >> STACK_POINTER & 1) || !(w->known >> INSTRUCTION & 1) ||
		(w->registers[STACK_POINTER] < least_sp && !w->rules.signal))
		return STEP_LOST;
	return w->registers[INSTRUCTION] ? STEP_ON : STEP_END;
}

/* A signal's frame is known by the instruction that it interrupted. */
static bool step_by_context(struct walk *w, uint64_t next)
{
#ifdef SIGNAL_REGISTERS_AT
	uint64_t at = w->registers[STACK_POINTER] + SIGNAL_REGISTERS_AT, word;

	if (!read_stack(w, at, &word) || !read_stack(w, at + 8 * INSTRUCTION, &word) || word != next)
		return false;
	for (unsigned i = 0; i < REGISTERS; i++)
		read_stack(w, at + 8 * i, &w->registers[i]);
	w->known = (1ull << REGISTERS) - 1;
	w->exact = true;
	return true;
#else
	(void)w, (void)next;
	return false;
#endif
}

/* Goes on at the frame that the target found by what only it could see: its address is found again on the stack. */
static enum step step_by_known(struct walk *w, uint64_t next)
{
	uint64_t sp = w->registers[STACK_POINTER], bp = w->registers[FRAME_POINTER], at, word;

	if (step_by_context(w, next))
		return STEP_ON;
	w->exact = false;
	w->registers[INSTRUCTION] = next;
	if (w->known >> FRAME_POINTER & 1 && bp - sp <= FRAME_BYTES_MAX && read_stack(w, bp + 8, &word) &&
		plain_address(w, word) == next) {
		read_stack(w, bp, &w->registers[FRAME_POINTER]);
		w->registers[STACK_POINTER] = bp + 16;
		w->known = 1ull << STACK_POINTER | 1ull << FRAME_POINTER | 1ull << INSTRUCTION;
		return STEP_ON;
	}
	for (at = sp; at - sp < FRAME_BYTES_MAX && read_stack(w, at, &word); at += sizeof(word)) {
		if (plain_address(w, word) != next)
			continue;
		w->registers[STACK_POINTER] = at + 8;
		w->known &= KEPT;
		return STEP_ON;
	}
	return STEP_LOST;
}

/* The saved frame pointer and the return address above it, of the innermost function that keeps such a pair. In code without
 * rules the frame pointer leads to it, if it is known. */
static bool find_pair(const struct walk *w, uint64_t sp, uint64_t *at)
{
	uint64_t bp = w->registers[FRAME_POINTER], saved, back;
	bool known = w->known >> FRAME_POINTER & 1;

	for (*at = known ? bp : sp; *at - sp < FRAME_BYTES_MAX; *at += sizeof(saved)) {
		if (!read_stack(w, *at, &saved) || !read_stack(w, *at + 8, &back))
			return false;
		if (w->stack->is_return(w->stack->context, plain_address(w, back)) &&
			(saved < 2 || (saved > *at && saved - *at < FRAME_BYTES_MAX)))
			return true;
		if (known)
			return false;
	}
	return false;
}

static enum step step_by_guess(struct walk *w, size_t frame)
{
	uint64_t at;

	if (!w->stack->is_return || !find_pair(w, w->registers[STACK_POINTER], &at))
		return STEP_LOST;
	if (*w->stack->guessed > frame)
		*w->stack->guessed = frame;
	read_stack(w, at, &w->registers[FRAME_POINTER]);
	read_stack(w, at + 8, &w->registers[INSTRUCTION]);
	w->registers[INSTRUCTION] = plain_address(w, w->registers[INSTRUCTION]);
	w->registers[STACK_POINTER] = at + 16;
	w->known = 1ull << STACK_POINTER | 1ull << FRAME_POINTER | 1ull << INSTRUCTION;
	w->exact = false;
	return STEP_ON;
}

static size_t walk(struct walk *w, unw_addr_space_t space, uint64_t *frames, size_t max, enum sp_copied_end *end)
{
	const struct sp_copied_stack *stack = w->stack;
	bool as_known = true, by_rules = true; /* so far */
	uint64_t was[REGISTERS], known;
	size_t n = 0;

	for (enum step step = STEP_ON; step == STEP_ON && n < max && w->registers[INSTRUCTION] < ADDRESS_END;) {
		memcpy(was, w->registers, sizeof(was));
		known = w->known;
		frames[n] = w->registers[INSTRUCTION];
		as_known = as_known && n < stack->known_count && frames[n] == stack->known[n];
		n++;
		step = STEP_LOST;
		if (find_rules(w)) {
			step = step_by_rules(w, space);
		} else if (as_known && n < stack->known_count) {
			step = step_by_known(w, stack->known[n]);
			by_rules = false;
		}
		if (step == STEP_LOST && stack->is_return) {
			memcpy(w->registers, was, sizeof(was));
			w->known = known;
			step = step_by_guess(w, n);
		}
		if (step == STEP_END)
			*end = by_rules ? SP_COPIED_RULED : SP_COPIED_WHOLE;
	}
	return n;
}

size_t sp_symbolizer_walk(struct sp_symbolizer *s, const struct sp_copied_stack *stack, uint64_t *frames, size_t max,
	enum sp_copied_end *end)
{
	static const uint8_t copied[SP_STACK_REGISTERS] = {COPIED};
	struct walk w = {.symbolizer = s, .stack = stack, .exact = true};
	unw_addr_space_t space = unw_create_addr_space(&accessors, 0);
	size_t n = 0;

	*end = SP_COPIED_LOST;
	for (unsigned i = 0; i < SP_STACK_REGISTERS; i++) {
		w.registers[copied[i]] = stack->registers[i];
		w.known |= (uint64_t)(~stack->unknown >> i & 1) << copied[i];
	}
	if (space)
		n = walk(&w, space, frames, max, end);
	if (space)
		unw_destroy_addr_space(space);
	free(w.table.bytes);
	return n;
}

uint64_t sp_symbolizer_frame_start(struct sp_symbolizer *s, int module, uint64_t address)
{
	uint64_t bias;
	struct sp_module_symbols *m = sp_symbolizer_module(s, module, &bias);
	struct sp_frame_rules rules;

	return m && sp_module_symbols_frame(m, &s->context, address - bias, &rules) ? rules.low + bias : 0;
}
