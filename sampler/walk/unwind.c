/* Walking a stack.
 *
 * Frame by frame, with what the objects' unwind tables say about each address (cfi.c), remembered in
 * a table that all threads share (rules.c). Where they say nothing, what the code does, or the frame pointer, is
 * believed as far as it can be checked (untold.c). What they say that is no short rule may rest on any register
 * (frame.c): then the walk goes back to where it knew all of them, and comes here again with them. */
#include "sampler/walk/unwind.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "sampler/walk/trail.h"

/* A walk is given up after this time, which is ten times what a sample costs otherwise: it takes a
 * thousand unknown addresses, or a machine too busy to profile. */
#define LIMIT_US 200u

static struct {
	uint64_t entry; /* the main thread's stack ends in _start ... */
	uint64_t ldso;  /* ... or, before main, in the dynamic linker */
	uint64_t main;  /* 0: unknown */
} unwind;

/* 0: not known. */
static uint64_t find_main(uint64_t entry)
{
	struct dl_find_object program, found;
	uint64_t main;

	if (_dl_find_object((void *)entry, &program) != 0)
		return 0;
	main = sp_main_of_entry((const uint8_t *)entry, (uint64_t)(uintptr_t)program.dlfo_map_end - entry);
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

/* Stacks grow down, and few frames are large. Our own switch of stacks goes anywhere. */
static void check_frame(struct sp_walker *w, uint64_t ip, uint64_t sp, uint64_t cfa)
{
	if (sp_likely(cfa - sp - SP_FRAME_LEAST < SP_FRAME_BYTES_MAX))
		return;
	if (sp_is_own(ip))
		sp_stack_enter(&w->stack, cfa - 16);
	else
		w->now.distrust = true;
}

/* Where the frame returns to. What is in a register is that of a frame in which nothing was called. */
static bool read_caller(struct sp_walker *w, struct sp_cfi_rule rule, uint64_t cfa)
{
	bool exact = w->now.exact;

	w->now.exact = false;
	if (sp_cfi_returns_by_register(rule)) {
		IP(w) = sp_plain_address(w->now.frame.registers[SP_REG_RA % SP_FRAME_REGISTERS]);
		return exact;
	}
	if (!sp_stack_read(&w->stack, cfa + (uint64_t)sp_cfi_return_at(rule), &IP(w)))
		return false;
	IP(w) = sp_plain_address(IP(w));
	return true;
}

static enum sp_step step_frame(struct sp_walker *w, struct sp_cfi_rule rule)
{
	uint64_t cfa = (rule.flags & SP_CFI_FROM_BP ? BP(w) : SP(w)) + (uint64_t)(int64_t)rule.cfa_offset;
	uint64_t sp = SP(w), bp_at;

	if (rule.flags & SP_CFI_LOADED) {
		if (!sp_stack_read(&w->stack, cfa, &cfa))
			return SP_STEP_LOST;
		cfa += (uint64_t)(int64_t)rule.after;
	}
	check_frame(w, IP(w), SP(w), cfa);
	bp_at = sp_saved_bp_at(w, rule, cfa);
	if (rule.flags & SP_CFI_BP_SAVED && !sp_stack_read(&w->stack, bp_at, &BP(w)))
		return SP_STEP_LOST;
	SP(w) = cfa;
	if (!read_caller(w, rule, cfa))
		return SP_STEP_LOST;
	sp_trail_remember(w, rule, sp, bp_at);
	return SP_STEP_ON;
}

static enum sp_step step_signal(struct sp_walker *w)
{
	uint64_t registers = SP(w) + SP_SIGNAL_CONTEXT_AT + SP_CONTEXT_WORDS_AT;

	if (!sp_stack_read(&w->stack, registers + 8 * SP_CONTEXT_IP, &IP(w)))
		return SP_STEP_LOST;
	for (unsigned i = 0; i < SP_FRAME_REGISTERS; i++)
		if (!sp_stack_read(&w->stack, registers + 8u * sp_frame_in_context[i], &w->now.frame.registers[i]))
			return SP_STEP_LOST;
	w->now.frame.known = SP_REGISTERS_ALL;
	w->now.exact = true;
	sp_stack_enter(&w->stack, SP(w)); /* the handler may have had one of its own */
	return SP_STEP_ON;
}

static enum sp_step step_full(struct sp_walker *w)
{
	uint64_t ip = IP(w), sp = SP(w), pc = ip - !w->now.exact;
	struct sp_cfi_entry entry;
	struct sp_cfi_row row;

	if (sp_stack_is_late(&w->stack) || !sp_cfi_entry_find(pc, &entry) || !sp_cfi_row_find(&entry, pc, &row) ||
		!sp_frame_step(&w->now.frame, &entry, &row, &w->stack))
		return SP_STEP_LOST;
	check_frame(w, ip, sp, SP(w));
	w->now.exact = entry.is_interrupted;
	return SP_STEP_ON;
}

static void load_registers(struct sp_frame *frame, const ucontext_t *context)
{
	for (unsigned i = 0; i < SP_FRAME_REGISTERS; i++)
		frame->registers[i] = sp_context_words(context)[sp_frame_in_context[i]];
	frame->known = SP_REGISTERS_ALL;
}

static void start_at_leaf(struct sp_walker *w)
{
	IP(w) = w->leaf.ip;
	SP(w) = w->leaf.registers[SP_REG_SP];
	BP(w) = w->leaf.registers[SP_REG_BP];
	w->now.frame.registers[SP_REG_RA % SP_FRAME_REGISTERS] = w->leaf.registers[SP_REG_RA % SP_FRAME_REGISTERS];
	w->now.frame.known = 0;
	w->now.steps = w->now.kept = 0;
	w->now.exact = true;
	w->now.distrust = w->now.guessed = w->now.handled = w->now.off = false;
	sp_stack_enter(&w->stack, SP(w));
}

/* Back to the mark, to come here with all registers. */
static enum sp_step go_back(struct sp_walker *w)
{
	w->full_before = w->now.steps + 1;
	sp_trail_restart(w);
	if (w->mark.steps) {
		w->now = w->mark;
		w->stack.low = w->mark_low;
		w->stack.bytes = w->mark_bytes;
		return SP_STEP_ON;
	}
	start_at_leaf(w);
	if (w->context)
		load_registers(&w->now.frame, w->context);
	else
		w->now.frame = w->leaf;
	return SP_STEP_ON;
}

static void set_mark(struct sp_walker *w)
{
	w->mark = w->now;
	w->mark_low = w->stack.low;
	w->mark_bytes = w->stack.bytes;
}

/* A frame with the pair of the caller's frame pointer and the return address has its frame pointer at it. */
static void find_stack_pointer(struct sp_walker *w, struct sp_cfi_rule rule)
{
	if (rule.kind == SP_CFI_FRAME && !sp_cfi_returns_by_register(rule) && rule.flags == SP_CFI_BP_SAVED &&
		sp_cfi_return_at(rule) == rule.bp_offset + 8)
		SP(w) = BP(w) - (uint64_t)(int64_t)rule.bp_offset - (uint64_t)(int64_t)rule.cfa_offset;
}

static enum sp_step step(struct sp_walker *w)
{
	struct sp_cfi_rule rule = sp_rules_current(w);
	bool full = sp_unlikely(w->now.steps < w->full_before), was_guessed = w->now.guessed;
	enum sp_step outcome;

	if (sp_unlikely(w->now.off))
		find_stack_pointer(w, rule);
	w->now.guessed = w->now.handled = w->now.off = false;
	switch (rule.kind) {
	case SP_CFI_FRAME:
		outcome = full ? step_full(w) : step_frame(w, rule);
		break;
	case SP_CFI_SIGNAL:
		outcome = step_signal(w);
		w->now.handled = true;
		break;
	case SP_CFI_END:
		return SP_STEP_END;
	case SP_CFI_CODE_BY:
		if (!full)
			return go_back(w);
		/* fall through */
	case SP_CFI_CODE:
		outcome = sp_step_code(w, rule, was_guessed);
		break;
	case SP_CFI_COMPLEX:
		if (!full)
			return go_back(w);
		outcome = step_full(w);
		break;
	case SP_CFI_START:
		if (!w->now.distrust)
			return SP_STEP_HAND_MADE;
		/* fall through */
	default:
		if (was_guessed && !BP(w))
			return SP_STEP_END;
		outcome = sp_step_guess(w, was_guessed);
	}
	w->now.steps++;
	if (sp_unlikely(rule.kind == SP_CFI_SIGNAL || (full && w->now.steps == w->full_before)))
		set_mark(w);
	/* Code that starts a stack by hand ends it with a return address of 0 (psABI, 3.4.1). */
	return outcome == SP_STEP_ON && !IP(w) ? w->now.distrust ? SP_STEP_LOST : SP_STEP_END : outcome;
}

/* Whether the frames so far are a handler of ours, and the last one the C library's way back from it. */
static bool is_our_handler(const uint64_t *frames, uint32_t n)
{
	uint32_t i;

	for (i = 0; i + 1 < n && sp_is_own(frames[i]); i++)
		;
	return i + 1 == n;
}

/* Fills t->frames from the leaf on; with `skip_own` the agent's own frames there are left out. *own: so was a handler of
 * ours, and the frames are those of what it had interrupted. */
static uint32_t walk(struct sp_thread *t, struct sp_walker *w, bool skip_own, enum sp_step *outcome, bool *own)
{
	*own = false;
	for (*outcome = SP_STEP_ON; *outcome == SP_STEP_ON && w->now.kept < SP_MAX_FRAMES; *outcome = step(w)) {
		if (sp_unlikely(w->now.handled && is_our_handler(t->frames, w->now.kept))) {
			w->now.kept = w->mark.kept = 0; /* which step() has set here */
			sp_trail_restart(w);
			*own = true;
		}
		if (sp_likely(w->now.kept || !skip_own || !sp_is_own(IP(w))))
			t->frames[w->now.kept++] = IP(w);
		if (w->now.kept)
			sp_trail_follow(w, t->frames);
	}
	sp_trail_end(w);
	if (w->now.kept && *outcome == SP_STEP_HAND_MADE) {
		t->frames[w->now.kept - 1]++; /* who looks a return address up takes one off */
		*outcome = SP_STEP_END;
	}
	return w->now.kept;
}

/* True when the stack's last frames are where this thread began. */
static bool reaches_start(const struct sp_thread *t, const uint64_t *frames, uint32_t n, bool late)
{
	uint32_t i;

	for (i = n > 4 ? n - 4 : 0; i < n; i++) {
		if (t->root_pc ? frames[i] == t->root_pc : frames[i] - unwind.entry < 64)
			return true;
	}
	if (!t->root_pc && n && !late) { /* the loader is called from the middle of programs, too */
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

void sp_unwind(struct sp_thread *t, const ucontext_t *context, struct sp_walk *result)
{
	static const uint8_t followed[] = {SP_REG_SP, SP_REG_BP, SP_REG_RA % SP_FRAME_REGISTERS}; /* by short rules */
	struct sp_walker w;
	enum sp_step outcome;
	uint32_t n;
	bool own;

	w.context = context;
	if (context) {
		w.leaf.ip = sp_context_ip(context);
		for (unsigned i = 0; i < sizeof followed; i++)
			w.leaf.registers[followed[i]] = sp_context_words(context)[sp_frame_in_context[followed[i]]];
	} else {
		w.leaf.registers[SP_REG_RA % SP_FRAME_REGISTERS] = 0;
		w.leaf.ip = sp_capture_registers(w.leaf.registers);
		w.leaf.known = SP_KEPT_BY_CALLS;
	}
	w.mark.steps = w.full_before = 0;
	sp_stack_begin(&w.stack, t, LIMIT_US);
	start_at_leaf(&w);
	sp_trail_begin(&w, t);
	n = walk(t, &w, !context, &outcome, &own);
	result->frames = t->frames;
	result->depth = n;
	result->flags = (context ? 0 : SP_STACK_IS_HEAP) | (own ? SP_STACK_OWN : 0);
	finish(t, result, outcome == SP_STEP_END || (n < SP_MAX_FRAMES && reaches_start(t, t->frames, n, w.stack.late)),
		w.stack.late);
}
