/* Where no unwind table tells: by what instructions do, by frame pointers, as far as either can be checked. */
#include <dlfcn.h>

#include "sampler/walk/generated.h"
#include "sampler/walk/walker.h"

#define DEAD_BYTES (1u << 20) /* so far below the stack pointer there may be frames that have ended */
#define FUNCTION_BYTES_MAX 16384u

/* A word taken for a return address is one if a call stands before it. */
static bool is_return_address(struct sp_walker *w, uint64_t ip)
{
	uint64_t key = sp_rules_key(ip) ^ SP_NO_ADDRESS, known;
	uint8_t before[8];

	if (ip < 0x10000 || ip >> SP_ADDRESS_BITS || ip % SP_CODE_ALIGNMENT)
		return false;
	if (sp_rules_find(key, &known))
		return true;
	if (sp_stack_is_late(&w->stack) || !sp_read_memory(before, (const void *)(ip - sizeof before), sizeof before) ||
		!sp_follows_call(before))
		return false;
	sp_rules_keep(key, 0);
	return true;
}

/* Interpreters, such as HotSpot's, push where they go on and jump: no call stands before it. That is believed of
 * generated code from which the chain of frame pointers goes on to such, or to what follows a call. */
static bool is_pushed(struct sp_walker *w, uint64_t frame)
{
	uint64_t above;

	if (BP(w) <= frame || BP(w) - frame > SP_FRAME_BYTES_MAX || BP(w) & 7 || !sp_generated_holds(IP(w)))
		return false;
	if (!sp_stack_read(&w->stack, BP(w) + 8, &above))
		return false;
	above = sp_plain_address(above);
	return is_return_address(w, above) || sp_generated_holds(above);
}

/* Code that starts a stack by hand also marks its outermost frame by a frame pointer of 0 (psABI, 3.4.1), and what
 * that returns to may stand behind no call: Go's goroutines do, to runtime.goexit. It is believed at the end of a
 * chain. */
static bool is_caller(struct sp_walker *w, uint64_t frame, bool was_guessed)
{
	struct dl_find_object object;

	return is_return_address(w, IP(w)) || is_pushed(w, frame) ||
		(was_guessed && !BP(w) && IP(w) > 0x10000 && _dl_find_object((void *)IP(w), &object) == 0);
}

/* Code that has switched stacks and keeps no frame, as Go's does before it calls C, has the frame pointer of the stack that
 * it came from. Anywhere it is believed if two frames stand there one above the other. */
static bool is_chain(struct sp_walker *w, uint64_t frame)
{
	uint64_t above;

	if (BP(w) <= frame || BP(w) - frame > SP_FRAME_BYTES_MAX || BP(w) & 7 || !is_return_address(w, IP(w)) ||
		!sp_stack_read(&w->stack, BP(w) + 8, &above) || !is_return_address(w, sp_plain_address(above)))
		return false;
	sp_stack_enter(&w->stack, frame + 16);
	return true;
}

/* Whether the register with the return address is left over from a call that this function has made: then it leads to before or
 * behind this instruction, and nothing in between returns. Another function's code ends in between. */
static bool is_left_over(struct sp_walker *w, uint64_t to)
{
	uint64_t from = IP(w) < to ? IP(w) : to, end = IP(w) < to ? to : IP(w);
	uint32_t code[128], n, i;

	if (end - from > FUNCTION_BYTES_MAX)
		return false;
	for (; from < end; from += n * sizeof code[0]) {
		n = (uint32_t)((end - from < sizeof code ? end - from : sizeof code) / sizeof code[0]);
		if (!n || sp_stack_is_late(&w->stack) ||
			sp_read_mapped(code, from, n * sizeof code[0]) != n * sizeof code[0])
			return false;
		for (i = 0; i < n; i++)
			if (sp_is_return(code[i]))
				return false;
	}
	return true;
}

/* Where calls leave the return address in a register, a function that has called none has it there, and may have no frame:
 * stubs of the procedure linkage table do. A frame that holds it is this function's own. */
static bool returns_by_register(struct sp_walker *w)
{
	uint64_t to = sp_plain_address(w->now.frame.registers[SP_REG_RA % SP_FRAME_REGISTERS]), stored;

	if (SP_REG_RA >= SP_FRAME_REGISTERS || !w->now.exact || !is_return_address(w, to) ||
		(sp_stack_read(&w->stack, BP(w) + 8, &stored) && sp_plain_address(stored) == to) || is_left_over(w, to))
		return false;
	w->now.off = true; /* there may be a frame, though not yet with what the register holds */
	IP(w) = to;
	w->now.exact = false;
	w->now.frame.known &= ~(1u << SP_REG_RA % SP_FRAME_REGISTERS);
	return true;
}

/* Code without tables, such as a just-in-time compiler's, often keeps a frame pointer; rbp may as
 * well be any number, then one below sp too, which here is far above it. */
enum sp_step sp_step_guess(struct sp_walker *w, bool was_guessed)
{
	uint64_t bp = BP(w);
	bool far = bp - SP(w) > SP_FRAME_BYTES_MAX;

	if (returns_by_register(w))
		return SP_STEP_ON;
	w->now.distrust = true;
	if (w->stack.late || (far && SP(w) - bp <= DEAD_BYTES) || bp & 7 || !sp_stack_read(&w->stack, bp + 8, &IP(w)) ||
		!sp_stack_read(&w->stack, bp, &BP(w)))
		return SP_STEP_LOST;
	IP(w) = sp_plain_address(IP(w));
	if (!(far ? is_chain(w, bp) : is_caller(w, bp, was_guessed)))
		return SP_STEP_LOST;
	SP(w) = bp + 16;
	w->now.off = SP_REG_RA < SP_FRAME_REGISTERS; /* a frame has its pair anywhere */
	w->now.guessed = true;
	w->now.frame.known = 1u << SP_REG_SP | 1u << SP_REG_BP;
	w->now.exact = false;
	return SP_STEP_ON;
}

/* What code does from here on is one way through it: it is right if it leads to what a call stands before. */
enum sp_step sp_step_code(struct sp_walker *w, struct sp_cfi_rule rule, bool was_guessed)
{
	bool by_register = rule.kind == SP_CFI_CODE_BY, loaded = rule.flags & SP_CFI_LOADED;
	unsigned base = by_register ? (uint8_t)rule.after : rule.flags & SP_CFI_FROM_BP ? SP_REG_BP : SP_REG_SP;
	uint64_t cfa = w->now.frame.registers[base] + (uint64_t)(int64_t)rule.cfa_offset, bp = BP(w), ip;

	if (by_register && !(w->now.frame.known >> base & 1))
		return sp_step_guess(w, was_guessed);

	if (loaded && !sp_stack_read(&w->stack, cfa, &cfa))
		return sp_step_guess(w, was_guessed);
	cfa += loaded ? (uint64_t)(int64_t)rule.after : 0;
	if (cfa - SP(w) - 1 >= SP_FRAME_BYTES_MAX || !sp_stack_read(&w->stack, cfa - 8, &ip) ||
		!is_return_address(w, ip) ||
		(rule.flags & SP_CFI_BP_SAVED && !sp_stack_read(&w->stack, sp_saved_bp_at(w, rule, cfa), &bp)))
		return sp_step_guess(w, was_guessed);
	IP(w) = ip;
	SP(w) = cfa + (loaded || by_register ? 0 : 8u * (uint8_t)rule.after);
	BP(w) = bp;
	w->now.guessed = true;
	w->now.frame.known &= ~SP_KEPT_BY_CALLS; /* this code may take them off the stack */
	w->now.frame.known |= 1u << SP_REG_SP | 1u << SP_REG_BP;
	w->now.exact = false;
	return SP_STEP_ON;
}
