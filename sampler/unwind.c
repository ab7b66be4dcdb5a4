/* Walking a stack.
 *
 * Frame by frame, with what the objects' unwind tables say about each address (cfi.c), remembered in
 * a table that all threads share. Where they say nothing (generated code) the frame pointer is
 * believed as far as it can be checked. What the tables say in an unusual form is left to libunwind,
 * which then walks the whole stack, 20 to 60 times slower.
 *
 * Tables can be wrong: code that switches stacks by hand is described as if it did not. So only what is
 * known to be mapped, the thread's own stack from the interrupted frame up, is read directly, all
 * else through the kernel. */
#include "sampler/unwind.h"

#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>

#include "sampler/cfi.h"
#include "sampler/generated.h"
#include "sampler/sys.h"

/* A walk is given up after this time, which is ten times what a sample costs otherwise: it takes a
 * thousand unknown addresses, or a machine too busy to profile. */
#define LIMIT_US 200u

#define LOG_RULES 14u
#define FRAME_BYTES_MAX 65536u /* of a frame that is believed without a check */
#define WINDOW_BYTES 2048u     /* of a stack copied by one system call, where addresses are not trusted */

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
	uint64_t top;   /* of the main thread's stack: mapped from there down to where it is in use */
} unwind;

struct walker {
	uint64_t ip, sp, bp;
	uint64_t began, limit; /* cycles */
	bool exact;            /* ip is an instruction; else a return address */
	bool distrust;         /* sp or bp may be anything */
	bool late;
	const struct sp_thread *thread;
	uint64_t low, bytes;              /* an 8-byte word from low to below low + bytes can be read */
	uint64_t window_at, window_bytes; /* what `window` is a copy of */
	uint8_t window[WINDOW_BYTES];
};

enum step { STEP_ON, STEP_END, STEP_HAND_MADE, STEP_LOST, STEP_COMPLEX };

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
	unwind.top = top;
	unwind.main = find_main(entry);
}

bool sp_unwind_readable(const void *address)
{
	/* The kernel copies the set in before it looks at `how`, which is wrong on purpose: EFAULT
	 * says unreadable, EINVAL readable (kernel/signal.c, rt_sigprocmask). It reads 8 bytes. */
	return sp_sys(SYS_rt_sigprocmask, ~0, (uintptr_t)address & ~(uintptr_t)7, NULL, 8) == -22;
}

void sp_unwind_flush(void)
{
	unw_flush_cache(unw_local_addr_space, 0, 0);
}

static bool is_late(struct walker *w)
{
	if (sp_tsc() - w->began > w->limit)
		w->late = true;
	return w->late;
}

/* Copies the stack from `at` on. The kernel finds out what can be read. */
static bool fill_window(struct walker *w, uint64_t at)
{
	uint64_t in_page = 4096 - (at & 4095);
	struct iovec local = {w->window, WINDOW_BYTES}, remote[2] = {{(void *)at, WINDOW_BYTES}, {NULL, 0}};
	long n;

	if (is_late(w))
		return false;
	if (in_page < WINDOW_BYTES) {
		remote[0].iov_len = in_page;
		remote[1] = (struct iovec){(void *)(at + in_page), WINDOW_BYTES - in_page};
	}
	n = sp_sys(SYS_process_vm_readv, sp_agent.pid, &local, 1, remote, remote[1].iov_len ? 2 : 1, 0);
	w->window_at = at;
	w->window_bytes = n > 0 ? (uint64_t)n : 0;
	return n >= 8;
}

/* Deeper than this below its top the main thread's stack is not known to be. The kernel keeps 128 MB free for
 * it, whatever its limit (arch/x86/mm/mmap.c, mmap_base). */
#define MAIN_STACK_BYTES (64u << 20)

static bool is_main_thread(const struct sp_thread *t)
{
	return !t->root_pc && t->tid == sp_agent.pid;
}

/* From a stack pointer up to `high`, if it is on the stack of `bytes` that ends there. */
static bool trust(struct walker *w, uint64_t sp, uint64_t high, uint64_t bytes)
{
	if (high - sp > bytes || high - sp < 8)
		return false;
	w->low = sp;
	w->bytes = high - sp - 7;
	return true;
}

/* The walk goes on at `sp`: what can be read from there on? */
static void enter_stack(struct walker *w, uint64_t sp)
{
	const struct sp_thread *t = w->thread;
	bool known = is_main_thread(t) ? trust(w, sp, unwind.top, MAIN_STACK_BYTES)
				       : trust(w, sp, t->stack_high, t->stack_bytes);

	if (!known && !trust(w, sp, (uint64_t)(uintptr_t)t + SP_BLOCK_BYTES, SP_BLOCK_BYTES))
		w->bytes = 0;
}

static bool read_word(struct walker *w, uint64_t at, uint64_t *value)
{
	if (sp_likely(at - w->low < w->bytes)) {
		memcpy(value, (const void *)at, sizeof *value);
		return true;
	}
	if ((at < w->window_at || at - w->window_at + 8 > w->window_bytes) && !fill_window(w, at))
		return false;
	memcpy(value, w->window + (at - w->window_at), sizeof *value);
	return true;
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

/* What is in no object is not kept: it may be in one the next time. */
static struct sp_cfi_rule rule_at(struct walker *w, uint64_t address)
{
	uint64_t key = rule_key(address), word;
	struct sp_cfi_rule rule;

	if (sp_likely(find_rule(key, &word))) {
		memcpy(&rule, &word, sizeof rule);
		return rule;
	}
	if (is_late(w))
		return (struct sp_cfi_rule){.kind = SP_CFI_NONE};
	rule = sp_cfi_find(address);
	memcpy(&word, &rule, sizeof word);
	if (rule.kind != SP_CFI_NONE)
		keep_rule(key, word);
	return rule;
}

static bool is_own(uint64_t pc)
{
	return pc - (uint64_t)(uintptr_t)sp_agent.own_start <
		(uint64_t)((const char *)sp_agent.own_end - (const char *)sp_agent.own_start);
}

static enum step step_frame(struct walker *w, struct sp_cfi_rule rule)
{
	uint64_t cfa = (rule.flags & SP_CFI_FROM_BP ? w->bp : w->sp) + (uint64_t)(int64_t)rule.cfa_offset;
	uint64_t saved_at;

	if (rule.flags & SP_CFI_LOADED) {
		if (!read_word(w, cfa, &cfa))
			return STEP_LOST;
		cfa += (uint64_t)(int64_t)rule.after;
	}
	/* Stacks grow down, and few frames are large. Our own switch of stacks goes anywhere. */
	if (sp_unlikely(cfa - w->sp - 1 >= FRAME_BYTES_MAX)) {
		if (is_own(w->ip))
			enter_stack(w, cfa - 16);
		else
			w->distrust = true;
	}
	saved_at = (rule.flags & SP_CFI_BP_AT_BP ? w->bp : cfa) + (uint64_t)(int64_t)rule.bp_offset;
	if (rule.flags & SP_CFI_BP_SAVED && !read_word(w, saved_at, &w->bp))
		return STEP_LOST;
	w->sp = cfa;
	w->exact = false;
	return read_word(w, cfa - 8, &w->ip) ? STEP_ON : STEP_LOST;
}

static enum step step_signal(struct walker *w)
{
	uint64_t registers = w->sp + offsetof(ucontext_t, uc_mcontext.gregs);

	if (!read_word(w, registers + 8 * REG_RIP, &w->ip) || !read_word(w, registers + 8 * REG_RBP, &w->bp) ||
		!read_word(w, registers + 8 * REG_RSP, &w->sp))
		return STEP_LOST;
	w->exact = true;
	enter_stack(w, w->sp); /* the handler may have had one of its own */
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
	if (is_late(w) || sp_sys(SYS_process_vm_readv, sp_agent.pid, &local, 1, &remote, 1, 0) != sizeof before ||
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

	if (w->bp <= frame || w->bp - frame > FRAME_BYTES_MAX || w->bp & 7 || !sp_generated_holds(w->ip))
		return false;
	return read_word(w, w->bp + 8, &above) && (is_return_address(w, above) || sp_generated_holds(above));
}

/* Code without tables, such as a just-in-time compiler's, often keeps a frame pointer; rbp may as
 * well be any number, then one below sp too, which here is far above it. */
static enum step step_guess(struct walker *w)
{
	uint64_t bp = w->bp;

	w->distrust = true;
	if (bp - w->sp > FRAME_BYTES_MAX || bp & 7 || !read_word(w, bp + 8, &w->ip) || !read_word(w, bp, &w->bp) ||
		!(is_return_address(w, w->ip) || is_pushed(w, bp)))
		return STEP_LOST;
	w->sp = bp + 16;
	w->exact = false;
	return STEP_ON;
}

/* A stack that was made by hand returns to the first byte of a function, before which no other one
 * ends: makecontext's do, to __start_context. There it begins. */
static bool is_made_by_hand(struct walker *w)
{
	struct sp_cfi_rule rule;

	if (w->exact || w->distrust)
		return false;
	rule = rule_at(w, w->ip);
	return rule.kind == SP_CFI_END || (rule.kind == SP_CFI_FRAME && !rule.flags && rule.cfa_offset == 8);
}

static enum step step(struct walker *w)
{
	struct sp_cfi_rule rule = rule_at(w, w->ip - !w->exact);
	enum step outcome;

	switch (rule.kind) {
	case SP_CFI_FRAME:
		outcome = step_frame(w, rule);
		break;
	case SP_CFI_SIGNAL:
		outcome = step_signal(w);
		break;
	case SP_CFI_END:
		return STEP_END;
	case SP_CFI_COMPLEX:
		return STEP_COMPLEX;
	default:
		if (is_made_by_hand(w))
			return STEP_HAND_MADE;
		outcome = w->late ? STEP_LOST : step_guess(w);
	}
	/* Who starts a stack by hand ends it with a return address of 0 (psABI, 3.4.1). */
	return outcome == STEP_ON && !w->ip ? w->distrust ? STEP_LOST : STEP_END : outcome;
}

/* Fills t->frames from the leaf on; with `skip_own` the agent's own frames there are left out. */
static uint32_t walk(struct sp_thread *t, struct walker *w, bool skip_own, enum step *outcome)
{
	uint32_t n = 0;

	for (*outcome = STEP_ON; *outcome == STEP_ON && n < SP_MAX_FRAMES; *outcome = step(w)) {
		if (sp_likely(n || !skip_own || !is_own(w->ip)))
			t->frames[n++] = w->ip;
	}
	if (n && *outcome == STEP_HAND_MADE) {
		t->frames[n - 1]++; /* who looks a return address up takes one off */
		*outcome = STEP_END;
	}
	return n;
}

static void start_walk(struct walker *w, const struct sp_thread *t)
{
	uint64_t per_us_x1024 = sp_load(&sp_agent.tsc_per_us_x1024);

	w->began = sp_tsc();
	w->limit = (per_us_x1024 ? per_us_x1024 : 2560000u) * LIMIT_US / 1024;
	w->distrust = w->late = false;
	w->window_at = w->window_bytes = 0;
	w->exact = true;
	w->thread = t;
	enter_stack(w, w->sp);
}

/* libunwind's way from the leaf on, frame by frame. */
static uint32_t walk_slow(struct sp_thread *t, struct walker *w, const ucontext_t *context)
{
	unw_cursor_t cursor;
	unw_context_t own;
	uint32_t n = 0;
	unw_word_t ip;

	if (context) {
		/* unw_context_t is ucontext_t here, and libunwind only reads it. */
		if (unw_init_local2(&cursor, (unw_context_t *)(uintptr_t)context, UNW_INIT_SIGNAL_FRAME) < 0)
			return 0;
	} else {
		unw_getcontext(&own);
		if (unw_init_local(&cursor, &own) < 0)
			return 0;
	}
	do {
		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) < 0 || !ip)
			break;
		if (n || context || !is_own(ip))
			t->frames[n++] = ip;
	} while (n < SP_MAX_FRAMES && !is_late(w) && unw_step(&cursor) > 0);
	return n;
}

/* libunwind has locks, asks the system for what it is refused here, and calls read(), where a thread
 * with a cancellation pending would end. Returns false when a fork is under way. */
static bool walk_with_libunwind(struct sp_thread *t, struct walker *w, const ucontext_t *context, uint32_t *n)
{
	struct sp_tls *tls = t->tls;
	int64_t countdown = tls->heap.countdown;
	int cancel_state;

	if (!sp_begin_unwind(t))
		return false;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	/* With no countdown left every allocation takes the slow path, which sees `unwinding`. */
	tls->heap.countdown = 0;
	tls->unwinding = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*n = walk_slow(t, w, context);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tls->unwinding = 0;
	tls->heap.countdown = countdown;
	pthread_setcancelstate(cancel_state, NULL);
	sp_end_unwind();
	return true;
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
	if (!is_main_thread(t))
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

bool sp_unwind(struct sp_thread *t, const ucontext_t *context, struct sp_walk *result)
{
	struct walker w;
	enum step outcome;
	uint32_t n;

	if (context) {
		w.ip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
		w.sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
		w.bp = (uint64_t)context->uc_mcontext.gregs[REG_RBP];
	} else { /* from this very frame */
		__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2"
				 : "=&r"(w.ip), "=&r"(w.sp), "=&r"(w.bp));
	}
	start_walk(&w, t);
	n = walk(t, &w, !context, &outcome);
	if (sp_unlikely(outcome == STEP_COMPLEX) && !walk_with_libunwind(t, &w, context, &n))
		return false;
	result->frames = t->frames;
	result->depth = n;
	result->flags = context ? 0 : SP_STACK_IS_HEAP;
	finish(t, result, outcome == STEP_END || (n < SP_MAX_FRAMES && reaches_start(t, t->frames, n)), w.late);
	return true;
}
