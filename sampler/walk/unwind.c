/* Walking a stack.
 *
 * Frame by frame, with what the objects' unwind tables say about each address (cfi.c), remembered in
 * a table that all threads share. Where they say nothing (generated code) the frame pointer is
 * believed as far as it can be checked. What they say that is no short rule may rest on any register
 * (frame.c): then the walk goes back to where it knew all of them, and comes here again with them. */
#include "sampler/walk/unwind.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/uio.h>

#include "sampler/sys.h"
#include "sampler/walk/cfi.h"
#include "sampler/walk/code_rule.h"
#include "sampler/walk/frame.h"
#include "sampler/walk/generated.h"
#include "sampler/walk/stack_read.h"

/* A walk is given up after this time, which is ten times what a sample costs otherwise: it takes a
 * thousand unknown addresses, or a machine too busy to profile. */
#define LIMIT_US 200u

#define LOG_RULES 14u
#define INSTRUCTIONS_MAX 2048u /* that are followed to where code without tables returns */
#define GENERATED_INSTRUCTIONS_MAX 256u
#define LOG_KEPT_CYCLES 28u
#define FRAME_BYTES_MAX 65536u /* of a frame that is believed without a check */
#define DEAD_BYTES (1u << 20)  /* so far below the stack pointer there may be frames that are no more */

/* A rule in the table is an address's if key(address) ^ rule is its check word: one torn by a race, or
 * of code that has been unloaded since, is nobody's. */
struct slot {
	uint64_t check, rule; /* atomic */
};

static struct slot rules[1u << LOG_RULES] SP_BIG __attribute__((aligned(64)));
_Static_assert(sizeof rules == SP_UNWIND_TABLE_BYTES, "as its header says");

static struct {
	uint64_t entry; /* the main thread's stack ends in _start ... */
	uint64_t ldso;  /* ... or, before main, in the dynamic linker */
	uint64_t main;  /* 0: unknown */
} unwind;

/* Where a walk is. By short rules rip, rsp and rbp alone are followed: what `frame` says of the other registers is none
 * of this frame's. */
struct position {
	struct sp_frame frame;
	uint32_t steps; /* from the leaf */
	uint32_t kept;  /* frames in the thread's buffer, without this one */
	bool exact;     /* ip is an instruction; else a return address */
	bool distrust;  /* sp or bp may be anything */
	bool guessed;   /* came here without tables */
};

struct walker {
	struct position now;
	struct position mark;          /* the last one that all registers are known of; the leaf if its `steps` is 0 */
	uint64_t mark_low, mark_bytes; /* of the stack's view there */
	uint32_t full_before;          /* steps up to here are made with all registers */
	struct sp_frame leaf;          /* with `context` that has the rest of its registers */
	const ucontext_t *context;
	struct sp_stack_view stack;
};

#define IP(w) (w)->now.frame.ip
#define SP(w) (w)->now.frame.registers[SP_REG_SP]
#define BP(w) (w)->now.frame.registers[SP_REG_BP]

enum step { STEP_ON, STEP_END, STEP_HAND_MADE, STEP_LOST };

/* The C library's _start hands main to __libc_start_main: `lea main(%rip), %rdi` or `mov $main, %rdi`,
 * then the call (glibc, sysdeps/x86_64/start.S). Returns 0 when the entry point looks otherwise. */
static uint64_t find_main(uint64_t entry)
{
	struct dl_find_object program, found;
	const uint8_t *code = (const uint8_t *)entry;
	uint64_t bytes, main = 0, i;
	int32_t operand;

	if (_dl_find_object((void *)entry, &program) != 0)
		return 0;
	bytes = (uint64_t)((const uint8_t *)program.dlfo_map_end - code);
	for (i = 0; !main && i < 64 && i + 9 <= bytes; i++) {
		memcpy(&operand, code + i + 3, sizeof operand);
		if (code[i + 7] != 0xe8 && code[i + 7] != 0x67 && (code[i + 7] != 0xff || code[i + 8] != 0x15))
			continue;
		if (code[i] == 0x48 && code[i + 1] == 0x8d && code[i + 2] == 0x3d)
			main = entry + i + 7 + (uint64_t)(int64_t)operand;
		else if (code[i] == 0x48 && code[i + 1] == 0xc7 && code[i + 2] == 0xc7)
			main = (uint64_t)(int64_t)operand;
	}
	if (!main || _dl_find_object((void *)main, &found) != 0 || found.dlfo_link_map != program.dlfo_link_map)
		return 0;
	return main;
}

void sp_unwind_init(uint64_t entry, uint64_t ldso, uint64_t top)
{
	unwind.entry = entry;
	unwind.ldso = ldso;
	sp_stack_init(top);
	unwind.main = find_main(entry);
}

static uint64_t rule_key(uint64_t address)
{
	return address ^ sp_load(&sp_agent.unload_gen) << 48;
}

static struct slot *rule_slot(uint64_t key)
{
	return &rules[(key * 0x9e3779b97f4a7c15ULL) >> (64 - LOG_RULES)];
}

/* Each address has two places, of which the first holds the newer one. */
static void keep_rule(uint64_t key, uint64_t rule)
{
	struct slot *first = rule_slot(key), *second = (struct slot *)((uintptr_t)first ^ sizeof *first);

	sp_store(&second->check, sp_load(&first->check));
	sp_store(&second->rule, sp_load(&first->rule));
	sp_store(&first->check, key ^ rule);
	sp_store(&first->rule, rule);
}

static bool find_rule(uint64_t key, uint64_t *rule)
{
	struct slot *slot = rule_slot(key);

	*rule = sp_load(&slot->rule);
	if (sp_likely((sp_load(&slot->check) ^ *rule) == key))
		return true;
	slot = (struct slot *)((uintptr_t)slot ^ sizeof *slot);
	*rule = sp_load(&slot->rule);
	return (sp_load(&slot->check) ^ *rule) == key;
}

/* Code in an object that no table tells of. A stack that was made by hand returns to the first byte of a function, before
 * which no other one ends: makecontext's do, to __start_context. */
static struct sp_cfi_rule untold_rule(uint64_t ip, bool exact)
{
	static const struct sp_cfi_rule start = {.kind = SP_CFI_START};
	struct sp_cfi_rule rule = {.kind = SP_CFI_NONE};

	if (!exact)
		rule = sp_cfi_find(ip);
	if (rule.kind == SP_CFI_END || (rule.kind == SP_CFI_FRAME && !rule.flags && rule.cfa_offset == 8))
		return start;
	return sp_code_rule(ip, INSTRUCTIONS_MAX);
}

/* Generated code may change: what was read of it is kept for a tenth of a second. */
static struct sp_cfi_rule generated_rule(struct walker *w)
{
	uint64_t key = IP(w) ^ (w->stack.began >> LOG_KEPT_CYCLES | 0x8000) << 48, word;
	struct sp_cfi_rule rule;

	w->now.distrust = true;
	if (!find_rule(key, &word)) {
		rule = sp_code_rule(IP(w), GENERATED_INSTRUCTIONS_MAX);
		memcpy(&word, &rule, sizeof word);
		keep_rule(key, word);
	}
	memcpy(&rule, &word, sizeof rule);
	return rule;
}

/* Of the frame that the walk is at. What is in no object is not kept for long: it may be in one the next time. */
static struct sp_cfi_rule current_rule(struct walker *w)
{
	uint64_t pc = IP(w) - !w->now.exact, key = rule_key(pc), word;
	struct dl_find_object object;
	struct sp_cfi_rule rule;

	if (sp_likely(find_rule(key, &word))) {
		memcpy(&rule, &word, sizeof rule);
		return rule;
	}
	if (sp_stack_is_late(&w->stack))
		return (struct sp_cfi_rule){.kind = SP_CFI_NONE};
	rule = sp_cfi_find(pc);
	if (rule.kind == SP_CFI_NONE && _dl_find_object((void *)pc, &object) != 0)
		return generated_rule(w);
	if (rule.kind == SP_CFI_NONE)
		rule = untold_rule(IP(w), w->now.exact);
	memcpy(&word, &rule, sizeof word);
	keep_rule(key, word);
	return rule;
}

static bool is_own(uint64_t pc)
{
	return pc - (uint64_t)(uintptr_t)sp_agent.own_start <
		(uint64_t)((const char *)sp_agent.own_end - (const char *)sp_agent.own_start);
}

/* Stacks grow down, and few frames are large. Our own switch of stacks goes anywhere. */
static void check_frame(struct walker *w, uint64_t ip, uint64_t sp, uint64_t cfa)
{
	if (sp_likely(cfa - sp - 1 < FRAME_BYTES_MAX))
		return;
	if (is_own(ip))
		sp_stack_enter(&w->stack, cfa - 16);
	else
		w->now.distrust = true;
}

static uint64_t saved_bp_at(const struct walker *w, struct sp_cfi_rule rule, uint64_t cfa)
{
	return (rule.flags & SP_CFI_BP_AT_BP ? BP(w) : cfa) + (uint64_t)(int64_t)rule.bp_offset;
}

static enum step step_frame(struct walker *w, struct sp_cfi_rule rule)
{
	uint64_t cfa = (rule.flags & SP_CFI_FROM_BP ? BP(w) : SP(w)) + (uint64_t)(int64_t)rule.cfa_offset;

	if (rule.flags & SP_CFI_LOADED) {
		if (!sp_stack_read(&w->stack, cfa, &cfa))
			return STEP_LOST;
		cfa += (uint64_t)(int64_t)rule.after;
	}
	check_frame(w, IP(w), SP(w), cfa);
	if (rule.flags & SP_CFI_BP_SAVED && !sp_stack_read(&w->stack, saved_bp_at(w, rule, cfa), &BP(w)))
		return STEP_LOST;
	SP(w) = cfa;
	w->now.exact = false;
	return sp_stack_read(&w->stack, cfa - 8, &IP(w)) ? STEP_ON : STEP_LOST;
}

/* Registers as the kernel orders them (ucontext_t), by their numbers in DWARF. */
static const uint8_t in_context[SP_FRAME_REGISTERS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP,
	REG_RSP, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static enum step step_signal(struct walker *w)
{
	uint64_t registers = SP(w) + offsetof(ucontext_t, uc_mcontext.gregs);

	if (!sp_stack_read(&w->stack, registers + 8 * REG_RIP, &IP(w)))
		return STEP_LOST;
	for (unsigned i = 0; i < SP_FRAME_REGISTERS; i++)
		if (!sp_stack_read(&w->stack, registers + 8u * in_context[i], &w->now.frame.registers[i]))
			return STEP_LOST;
	w->now.frame.known = (1u << SP_FRAME_REGISTERS) - 1;
	w->now.exact = true;
	sp_stack_enter(&w->stack, SP(w)); /* the handler may have had one of its own */
	return STEP_ON;
}

/* True when the bytes before a return address can be a call: e8, or ff /2 with its operand. */
static bool follows_call(const uint8_t end[8])
{
	static const uint8_t operand_bytes[4] = {0, 1, 4, 0}; /* by the mode bits of ModRM */
	unsigned n;

	if (end[3] == 0xe8)
		return true;
	for (n = 2; n <= 7; n++) {
		uint8_t modrm = end[8 - n + 1], mode = modrm >> 6, base = modrm & 7;
		unsigned bytes = 2u + operand_bytes[mode] + (mode != 3 && base == 4) + (mode == 0 && base == 5 ? 4 : 0);

		if (end[8 - n] == 0xff && (modrm >> 3 & 7) == 2 && bytes == n)
			return true;
	}
	return false;
}

/* A word taken for a return address is one if a call stands before it. */
static bool is_return_address(struct walker *w, uint64_t ip)
{
	uint64_t key = rule_key(ip) ^ 1ull << 47, known; /* no address of ours has this bit */
	uint8_t before[8];
	struct iovec local = {before, sizeof before}, remote = {(void *)(ip - sizeof before), sizeof before};

	if (ip < 0x10000 || ip >> 47)
		return false;
	if (find_rule(key, &known))
		return true;
	if (sp_stack_is_late(&w->stack) ||
		sp_sys(SYS_process_vm_readv, sp_agent.pid, &local, 1, &remote, 1, 0) != sizeof before ||
		!follows_call(before))
		return false;
	keep_rule(key, 0);
	return true;
}

/* Interpreters, such as HotSpot's, push where they go on and jump: no call stands before it. That is believed of
 * generated code from which the chain of frame pointers goes on to such, or to what follows a call. */
static bool is_pushed(struct walker *w, uint64_t frame)
{
	uint64_t above;

	if (BP(w) <= frame || BP(w) - frame > FRAME_BYTES_MAX || BP(w) & 7 || !sp_generated_holds(IP(w)))
		return false;
	return sp_stack_read(&w->stack, BP(w) + 8, &above) &&
		(is_return_address(w, above) || sp_generated_holds(above));
}

/* Who starts a stack by hand also marks its outermost frame by a frame pointer of 0 (psABI, 3.4.1), and what that returns
 * to may stand behind no call: Go's goroutines do, to runtime.goexit. It is believed at the end of a chain. */
static bool is_caller(struct walker *w, uint64_t frame, bool was_guessed)
{
	struct dl_find_object object;

	return is_return_address(w, IP(w)) || is_pushed(w, frame) ||
		(was_guessed && !BP(w) && IP(w) > 0x10000 && _dl_find_object((void *)IP(w), &object) == 0);
}

/* Code that has switched stacks and keeps no frame, as Go's does before it calls C, has the frame pointer of the stack that
 * it came from. Anywhere it is believed if two frames stand there one above the other. */
static bool is_chain(struct walker *w, uint64_t frame)
{
	uint64_t above;

	if (BP(w) <= frame || BP(w) - frame > FRAME_BYTES_MAX || BP(w) & 7 || !is_return_address(w, IP(w)) ||
		!sp_stack_read(&w->stack, BP(w) + 8, &above) || !is_return_address(w, above))
		return false;
	sp_stack_enter(&w->stack, frame + 16);
	return true;
}

/* Code without tables, such as a just-in-time compiler's, often keeps a frame pointer; rbp may as
 * well be any number, then one below sp too, which here is far above it. */
static enum step step_guess(struct walker *w, bool was_guessed)
{
	uint64_t bp = BP(w);
	bool far = bp - SP(w) > FRAME_BYTES_MAX;

	w->now.distrust = true;
	if (w->stack.late || (far && SP(w) - bp <= DEAD_BYTES) || bp & 7 || !sp_stack_read(&w->stack, bp + 8, &IP(w)) ||
		!sp_stack_read(&w->stack, bp, &BP(w)) || !(far ? is_chain(w, bp) : is_caller(w, bp, was_guessed)))
		return STEP_LOST;
	SP(w) = bp + 16;
	w->now.guessed = true;
	w->now.frame.known = 1u << SP_REG_SP | 1u << SP_REG_BP;
	w->now.exact = false;
	return STEP_ON;
}

static enum step step_full(struct walker *w)
{
	uint64_t ip = IP(w), sp = SP(w), pc = ip - !w->now.exact;
	struct sp_cfi_entry entry;
	struct sp_cfi_row row;

	if (sp_stack_is_late(&w->stack) || !sp_cfi_entry_find(pc, &entry) || !sp_cfi_row_find(&entry, pc, &row) ||
		!sp_frame_step(&w->now.frame, &entry, &row, &w->stack))
		return STEP_LOST;
	check_frame(w, ip, sp, SP(w));
	w->now.exact = entry.is_interrupted;
	return STEP_ON;
}

static void load_registers(struct sp_frame *frame, const ucontext_t *context)
{
	for (unsigned i = 0; i < SP_FRAME_REGISTERS; i++)
		frame->registers[i] = (uint64_t)context->uc_mcontext.gregs[in_context[i]];
	frame->known = (1u << SP_FRAME_REGISTERS) - 1;
}

static void start_at_leaf(struct walker *w)
{
	IP(w) = w->leaf.ip;
	SP(w) = w->leaf.registers[SP_REG_SP];
	BP(w) = w->leaf.registers[SP_REG_BP];
	w->now.steps = w->now.kept = 0;
	w->now.exact = true;
	w->now.distrust = w->now.guessed = false;
	sp_stack_enter(&w->stack, SP(w));
}

/* Back to the mark, to come here with all registers. */
static enum step go_back(struct walker *w)
{
	w->full_before = w->now.steps + 1;
	if (w->mark.steps) {
		w->now = w->mark;
		w->stack.low = w->mark_low;
		w->stack.bytes = w->mark_bytes;
		return STEP_ON;
	}
	start_at_leaf(w);
	if (w->context)
		load_registers(&w->now.frame, w->context);
	else
		w->now.frame = w->leaf;
	return STEP_ON;
}

static void set_mark(struct walker *w)
{
	w->mark = w->now;
	w->mark_low = w->stack.low;
	w->mark_bytes = w->stack.bytes;
}

/* What code does from here on is one way through it: it is right if it leads to what a call stands before. */
static enum step step_code(struct walker *w, struct sp_cfi_rule rule, bool was_guessed)
{
	uint64_t cfa = (rule.flags & SP_CFI_FROM_BP ? BP(w) : SP(w)) + (uint64_t)(int64_t)rule.cfa_offset, bp = BP(w),
		 ip;
	bool loaded = rule.flags & SP_CFI_LOADED;

	if (loaded && !sp_stack_read(&w->stack, cfa, &cfa))
		return step_guess(w, was_guessed);
	cfa += loaded ? (uint64_t)(int64_t)rule.after : 0;
	if (cfa - SP(w) - 1 >= FRAME_BYTES_MAX || !sp_stack_read(&w->stack, cfa - 8, &ip) ||
		!is_return_address(w, ip) ||
		(rule.flags & SP_CFI_BP_SAVED && !sp_stack_read(&w->stack, saved_bp_at(w, rule, cfa), &bp)))
		return step_guess(w, was_guessed);
	IP(w) = ip;
	SP(w) = cfa + (loaded ? 0 : 8u * (uint8_t)rule.after);
	BP(w) = bp;
	w->now.guessed = true;
	w->now.frame.known = 1u << SP_REG_SP | 1u << SP_REG_BP;
	w->now.exact = false;
	return STEP_ON;
}

static enum step step(struct walker *w)
{
	struct sp_cfi_rule rule = current_rule(w);
	bool full = sp_unlikely(w->now.steps < w->full_before), was_guessed = w->now.guessed;
	enum step outcome;

	w->now.guessed = false;
	switch (rule.kind) {
	case SP_CFI_FRAME:
		outcome = full ? step_full(w) : step_frame(w, rule);
		break;
	case SP_CFI_SIGNAL:
		outcome = step_signal(w);
		break;
	case SP_CFI_END:
		return STEP_END;
	case SP_CFI_CODE:
		outcome = step_code(w, rule, was_guessed);
		break;
	case SP_CFI_COMPLEX:
		if (!full)
			return go_back(w);
		outcome = step_full(w);
		break;
	case SP_CFI_START:
		if (!w->now.distrust)
			return STEP_HAND_MADE;
		/* fall through */
	default:
		if (was_guessed && !BP(w))
			return STEP_END;
		outcome = step_guess(w, was_guessed);
	}
	w->now.steps++;
	if (sp_unlikely(rule.kind == SP_CFI_SIGNAL || (full && w->now.steps == w->full_before)))
		set_mark(w);
	/* Who starts a stack by hand ends it with a return address of 0 (psABI, 3.4.1). */
	return outcome == STEP_ON && !IP(w) ? w->now.distrust ? STEP_LOST : STEP_END : outcome;
}

/* Fills t->frames from the leaf on; with `skip_own` the agent's own frames there are left out. */
static uint32_t walk(struct sp_thread *t, struct walker *w, bool skip_own, enum step *outcome)
{
	for (*outcome = STEP_ON; *outcome == STEP_ON && w->now.kept < SP_MAX_FRAMES; *outcome = step(w)) {
		if (sp_likely(w->now.kept || !skip_own || !is_own(IP(w))))
			t->frames[w->now.kept++] = IP(w);
	}
	if (w->now.kept && *outcome == STEP_HAND_MADE) {
		t->frames[w->now.kept - 1]++; /* who looks a return address up takes one off */
		*outcome = STEP_END;
	}
	return w->now.kept;
}

/* True when the stack's last frames are where this thread began. */
static bool reaches_start(const struct sp_thread *t, const uint64_t *frames, uint32_t n)
{
	uint32_t i;

	for (i = n > 4 ? n - 4 : 0; i < n; i++) {
		if (t->root_pc ? frames[i] == t->root_pc : frames[i] - unwind.entry < 64)
			return true;
	}
	if (!t->root_pc && n) {
		struct dl_find_object object;
		return _dl_find_object((void *)frames[n - 1], &object) == 0 &&
			object.dlfo_link_map->l_addr == unwind.ldso;
	}
	return false;
}

/* The function that the thread entered by; 0 unknown. */
static uint64_t entry_of(const struct sp_thread *t)
{
	if (!sp_stack_is_main(t))
		return t->root_pc ? (uint64_t)(uintptr_t)t->start : 0;
	return unwind.main ? unwind.main : unwind.entry;
}

static void finish(struct sp_thread *t, struct sp_walk *result, bool complete, bool late)
{
	uint64_t entry;

	if (complete)
		return;
	result->flags |= late ? SP_STACK_LATE : result->depth >= SP_MAX_FRAMES ? SP_STACK_TRUNCATED : SP_STACK_BROKEN;
	entry = entry_of(t);
	if (!entry || !result->depth)
		return;
	t->frames[result->depth++] = entry;
	result->flags |= SP_STACK_ENTRY;
}

/* Those of this very frame. */
static inline __attribute__((always_inline)) void capture_registers(struct sp_frame *leaf)
{
	__asm__ volatile("movq %%rbx, 3*8(%1)\n\tmovq %%rbp, 6*8(%1)\n\tmovq %%rsp, 7*8(%1)\n\t"
			 "movq %%r12, 12*8(%1)\n\tmovq %%r13, 13*8(%1)\n\tmovq %%r14, 14*8(%1)\n\t"
			 "movq %%r15, 15*8(%1)\n\tleaq 0(%%rip), %0"
			 : "=&r"(leaf->ip)
			 : "r"(leaf->registers)
			 : "memory");
	leaf->known = 1u << SP_REG_BX | 1u << SP_REG_BP | 1u << SP_REG_SP | 0xf000;
}

void sp_unwind(struct sp_thread *t, const ucontext_t *context, struct sp_walk *result)
{
	struct walker w;
	enum step outcome;
	uint32_t n;

	w.context = context;
	if (context) {
		w.leaf.ip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
		w.leaf.registers[SP_REG_SP] = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
		w.leaf.registers[SP_REG_BP] = (uint64_t)context->uc_mcontext.gregs[REG_RBP];
	} else {
		capture_registers(&w.leaf);
	}
	w.mark.steps = w.full_before = 0;
	sp_stack_begin(&w.stack, t, LIMIT_US);
	start_at_leaf(&w);
	n = walk(t, &w, !context, &outcome);
	result->frames = t->frames;
	result->depth = n;
	result->flags = context ? 0 : SP_STACK_IS_HEAP;
	finish(t, result, outcome == STEP_END || (n < SP_MAX_FRAMES && reaches_start(t, t->frames, n)), w.stack.late);
}
