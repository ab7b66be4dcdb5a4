/* Following code to where it returns. */
#include "sampler/walk/code_rule.h"

#include <string.h>

#include "sampler/walk/instruction.h"

enum { RSP = 4, RBP = 5 }; /* as instructions number them, and not as DWARF does */

#define WINDOW_BYTES 1024u
#define BEHIND 4096u /* bytes of code before and ... */
#define AHEAD 12288u /* ... after ip that are looked at */
#define BRANCHES_MAX 24u

/* What a register holds, in terms of the registers as they are now: base + offset, or what is in memory there, + after. */
struct value {
	uint8_t base; /* SP_BASE_NONE: unknown */
	bool loaded;
	bool nested; /* in memory at the *loaded* value + after */
	int32_t offset, after;
};

/* Besides rsp and rbp one register is followed: one that rsp has been saved in. */
struct state {
	uint64_t ip;
	struct value sp, bp, other, pushed;
	uint8_t other_reg;
	int32_t pushed_at; /* offset from now's rsp at which rbp's value `pushed` has been saved; 0: nowhere */
};

struct follower {
	struct state s;
	uint64_t start;
	uint8_t visited[(BEHIND + AHEAD) / 8]; /* where a path has been */
	struct state branches[BRANCHES_MAX];   /* not taken yet */
	unsigned branch_count;
	unsigned left;      /* instructions */
	uint8_t dropped;    /* words, by a return */
	struct state aside; /* after a jump to an unknown place: followed if nothing else leads to an end */
	bool has_aside;
	uint64_t window_at, window_bytes;
	uint8_t window[WINDOW_BYTES];
};

static const struct value unknown = {.base = SP_BASE_NONE};

static struct value value_of(const struct state *s, uint8_t reg)
{
	if (reg == RSP)
		return s->sp;
	if (reg == RBP)
		return s->bp;
	return reg == s->other_reg ? s->other : (struct value){.base = reg};
}

static void assign(struct state *s, uint8_t reg, struct value value)
{
	if (reg == RSP) {
		s->sp = value;
	} else if (reg == RBP) {
		s->bp = value;
	} else if (value.base == RSP && !value.loaded) {
		s->other_reg = reg;
		s->other = value;
	}
}

static struct value plus(struct value value, int64_t n)
{
	int32_t *sum = value.loaded ? &value.after : &value.offset;

	if (value.base == SP_BASE_NONE || value.nested || __builtin_add_overflow(*sum, n, sum))
		return unknown;
	return value;
}

/* What is in memory at `place`. */
static struct value load(const struct state *s, struct value place)
{
	if (place.base == RSP && !place.loaded && s->pushed_at && place.offset == s->pushed_at)
		return s->pushed;
	if (place.base == SP_BASE_NONE || place.nested || (place.base == RSP && !place.loaded && place.offset < 0))
		return unknown;
	if (place.loaded)
		place.nested = true;
	place.loaded = true;
	return place;
}

static void store(struct state *s, struct value place, uint8_t reg)
{
	if (reg == RBP && place.base == RSP && !place.loaded && place.offset < 0) {
		s->pushed_at = place.offset;
		s->pushed = s->bp;
	}
}

static void push(struct state *s, uint8_t reg)
{
	s->sp = plus(s->sp, -8);
	store(s, s->sp, reg);
}

static void pop(struct state *s, uint8_t reg)
{
	struct value value = load(s, s->sp);

	s->sp = plus(s->sp, 8);
	if (reg == RSP || reg == RBP)
		assign(s, reg, value);
}

/* Instructions with a ModRM byte that write rsp or rbp, or save rsp; all others are of no interest. */
static void execute_modrm(struct state *s, const struct sp_instruction *i)
{
	bool to_stack = i->rm == RSP || i->rm == RBP, from_stack = i->reg == RSP || i->reg == RBP;
	struct value place = i->memory && i->base != SP_BASE_NONE ? plus(value_of(s, i->base), i->offset) : unknown;
	int64_t n = (i->reg & 7) == 5 ? -i->immediate : i->immediate;

	if ((i->opcode == 0x89 || i->opcode == 0x8b) && !i->memory) { /* mov, in its two directions */
		uint8_t to = i->opcode == 0x89 ? i->rm : i->reg, from = i->opcode == 0x89 ? i->reg : i->rm;

		if (to_stack || from_stack)
			assign(s, to, value_of(s, from));
	} else if (i->opcode == 0x89) {
		store(s, place, i->reg);
	} else if (i->opcode == 0x8b && from_stack) {
		assign(s, i->reg, load(s, place));
	} else if (i->opcode == 0x8d && (from_stack || (place.base == RSP && !place.loaded))) { /* lea */
		assign(s, i->reg, place);
	} else if ((i->opcode == 0x81 || i->opcode == 0x83) && !i->memory && to_stack) { /* add, sub; and, ... */
		bool sums = (i->reg & 7) == 0 || (i->reg & 7) == 5;

		if ((i->reg & 7) != 7) /* cmp */
			assign(s, i->rm, sums ? plus(value_of(s, i->rm), n) : unknown);
	} else if ((i->opcode & 0xc7) == 1 && !i->memory && i->rm == RSP && i->opcode != 0x39) {
		s->sp = unknown; /* by a register */
	} else if ((i->opcode & 0xc7) == 3 && i->reg == RSP && i->opcode != 0x3b) {
		s->sp = unknown;
	} else if (i->opcode == 0x8f) {
		s->sp = plus(s->sp, 8);
	} else if (i->opcode == 0xff && (i->reg & 7) == 6) {
		s->sp = plus(s->sp, -8);
	}
}

static void execute(struct state *s, const struct sp_instruction *i)
{
	if (i->vector || i->map)
		return;
	if (i->has_modrm) {
		if (i->wide || i->opcode == 0x8f || i->opcode == 0xff)
			execute_modrm(s, i);
	} else if (i->opcode >= 0x50 && i->opcode <= 0x57) {
		push(s, i->rm);
	} else if (i->opcode >= 0x58 && i->opcode <= 0x5f) {
		pop(s, i->rm);
	} else if (i->opcode == 0x68 || i->opcode == 0x6a || i->opcode == 0x9c) { /* push n, pushf */
		s->sp = plus(s->sp, -8);
	} else if (i->opcode == 0x9d) { /* popf */
		s->sp = plus(s->sp, 8);
	} else if (i->opcode == 0xc9) { /* leave */
		s->sp = s->bp;
		pop(s, RBP);
	} else if (i->opcode == 0xc8) { /* enter */
		s->sp = unknown;
	}
}

static const uint8_t *code_at(struct follower *f, uint64_t at, uint32_t *bytes)
{
	if (at - f->window_at >= f->window_bytes || f->window_bytes - (at - f->window_at) < SP_INSTRUCTION_BYTES_MAX) {
		f->window_at = at;
		f->window_bytes = sp_read_mapped(f->window, at, WINDOW_BYTES);
	}
	*bytes = (uint32_t)(f->window_bytes - (at - f->window_at));
	return f->window + (at - f->window_at);
}

/* False when a path has been there, or it is too far away. */
static bool visit(struct follower *f, uint64_t ip)
{
	uint64_t at = ip - (f->start - BEHIND);
	bool fresh;

	if (at >= BEHIND + AHEAD)
		return false;
	fresh = !(f->visited[at / 8] >> at % 8 & 1);
	f->visited[at / 8] |= (uint8_t)(1u << at % 8);
	return fresh;
}

static void keep_branch(struct follower *f, uint64_t to)
{
	if (f->branch_count == BRANCHES_MAX)
		return;
	f->branches[f->branch_count] = f->s;
	f->branches[f->branch_count++].ip = to;
}

/* The path ends here: on with another one. */
static bool turn_back(struct follower *f)
{
	if (f->branch_count) {
		f->s = f->branches[--f->branch_count];
		return true;
	}
	if (!f->has_aside)
		return false;
	f->has_aside = false;
	f->s = f->aside;
	return true;
}

static bool is_stop(const struct sp_instruction *i)
{
	return (i->map == 0 && !i->vector && (i->opcode == 0xcc || i->opcode == 0xf4)) || /* int3, hlt */
		(i->map == 1 && !i->vector && i->opcode == 0x0b);                         /* ud2 */
}

static bool is_return(const struct sp_instruction *i)
{
	return i->map == 0 && !i->vector && (i->opcode == 0xc3 || i->opcode == 0xc2);
}

enum flow { FLOW_ON, FLOW_END, FLOW_STOP };

/* Jumps. A jump away from here is another function's call in the end. */
static enum flow follow(struct follower *f, const struct sp_instruction *i)
{
	uint64_t next = f->s.ip + i->bytes, to = next + (uint64_t)i->immediate;
	bool jump = i->map == 0 && !i->vector;

	f->s.ip = next;
	if ((i->map == 1 && !i->vector && (i->opcode & 0xf0) == 0x80) || (jump && (i->opcode & 0xf0) == 0x70) ||
		(jump && (i->opcode & 0xfc) == 0xe0)) {
		keep_branch(f, to);
	} else if (jump && (i->opcode == 0xe9 || i->opcode == 0xeb)) {
		if (to - (f->start - BEHIND) >= BEHIND + AHEAD)
			return FLOW_END;
		f->s.ip = to;
	} else if (jump && i->opcode == 0xff && (i->reg & 7) == 4) {
		if (!f->has_aside)
			f->aside = f->s;
		f->has_aside = true;
		return FLOW_STOP;
	}
	return FLOW_ON;
}

/* Runs on until a return that the stack pointer is known at. */
static bool run(struct follower *f)
{
	struct sp_instruction i;
	const uint8_t *code;
	enum flow flow;
	uint32_t bytes;

	for (; f->left; f->left--) {
		code = code_at(f, f->s.ip, &bytes);
		if (!visit(f, f->s.ip) || !sp_instruction_decode(code, bytes, &i) || is_stop(&i)) {
			if (!turn_back(f))
				return false;
			continue;
		}
		if (is_return(&i) && f->s.sp.base != SP_BASE_NONE) {
			f->dropped = (uint8_t)((uint64_t)i.immediate / 8);
			return i.immediate >= 0 && i.immediate < 2048;
		}
		execute(&f->s, &i);
		flow = is_return(&i) ? FLOW_STOP : follow(f, &i);
		if (flow == FLOW_END && f->s.sp.base != SP_BASE_NONE)
			return true;
		if (flow != FLOW_ON && !turn_back(f))
			return false;
	}
	return false;
}

/* Where rbp is, seen from the CFA, which is above the return address that rsp is at. */
static bool reduce_bp(const struct state *s, struct sp_cfi_rule *rule)
{
	const struct value *bp = &s->bp, *sp = &s->sp;
	int64_t at;

	if (!bp->loaded)
		return true; /* unchanged, or nothing is known to restore it: then it held nothing of the caller's */
	if (bp->nested ? sp->loaded && sp->base == bp->base && sp->offset == bp->offset
		       : !sp->loaded && sp->base == bp->base && !bp->after)
		at = bp->nested ? bp->after - (sp->after + 8) : bp->offset - (sp->offset + 8);
	else if (bp->base == RBP && !bp->nested && !bp->after)
		at = bp->offset, rule->flags |= SP_CFI_BP_AT_BP;
	else
		return false;
	rule->flags |= SP_CFI_BP_SAVED;
	rule->bp_offset = (int16_t)at;
	return at == (int16_t)at;
}

static const uint8_t dwarf_numbers[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};

static struct sp_cfi_rule reduce(const struct state *s, uint8_t dropped)
{
	static const struct sp_cfi_rule none = {.kind = SP_CFI_GUESS};
	struct sp_cfi_rule rule = {.kind = SP_CFI_CODE};
	struct value cfa = plus(s->sp, 8);

	if (cfa.base == SP_BASE_NONE || cfa.nested || cfa.after != (int8_t)cfa.after || (cfa.loaded && dropped))
		return none;
	if (cfa.base != RSP && cfa.base != RBP) {
		if (cfa.loaded || dropped)
			return none;
		rule.kind = SP_CFI_CODE_BY;
		rule.after = (int8_t)dwarf_numbers[cfa.base];
		rule.cfa_offset = cfa.offset;
		return reduce_bp(s, &rule) ? rule : none;
	}
	rule.flags = (cfa.base == RBP ? SP_CFI_FROM_BP : 0) | (cfa.loaded ? SP_CFI_LOADED : 0);
	rule.cfa_offset = cfa.offset;
	rule.after = cfa.loaded ? (int8_t)cfa.after : (int8_t)dropped;
	return reduce_bp(s, &rule) ? rule : none;
}

struct sp_cfi_rule sp_code_rule(uint64_t ip, unsigned instructions)
{
	struct follower f;

	f.s = (struct state){
		.ip = ip, .sp = {.base = RSP}, .bp = {.base = RBP}, .other = unknown, .other_reg = SP_BASE_NONE};
	f.start = ip;
	memset(f.visited, 0, sizeof f.visited);
	f.branch_count = 0;
	f.left = instructions;
	f.dropped = 0;
	f.has_aside = false;
	f.window_bytes = f.window_at = 0;
	if (!run(&f))
		return (struct sp_cfi_rule){.kind = SP_CFI_GUESS};
	return reduce(&f.s, f.dropped);
}
