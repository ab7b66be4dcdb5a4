/* Walking a stack with libunwind: its cached fast path where the cache pays and is safe, its
 * step-by-step path elsewhere. */
#include "sampler/unwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <pthread.h>
#include <string.h>

#include "sampler/modules.h"
#include "sampler/sys.h"

/* libunwind's fast path first fills a 256 KiB table per thread (64 page faults, over 100 us): a
 * thread gets it when it has shown that it lives long enough to be sampled again. */
#define SLOW_WALKS 3u
#define FAST_TABLE_BYTES (16384u * 16u)

static struct {
	uint64_t entry; /* the main thread's stack ends in _start ... */
	uint64_t ldso;  /* ... or, before main, in the dynamic linker */
} unwind;

void sp_unwind_init(uint64_t entry, uint64_t ldso)
{
	unwind.entry = entry;
	unwind.ldso = ldso;
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

static uint32_t walk_slow(struct sp_thread *t, const ucontext_t *context)
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
		t->frames[n++] = ip;
	} while (n < SP_MAX_FRAMES && unw_step(&cursor) > 0);
	return n;
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

static bool is_own(uint64_t pc)
{
	return pc - (uint64_t)(uintptr_t)sp_agent.own_start <
		(uint64_t)((const char *)sp_agent.own_end - (const char *)sp_agent.own_start);
}

/* Index of the first frame that is the application's, or `n`. */
static uint32_t skip_agent(const uint64_t *frames, uint32_t n, const ucontext_t *context)
{
	uint32_t i, limit = n < 24 ? n : 24;

	if (context) {
		uint64_t pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
		for (i = 0; i < limit && frames[i] != pc; i++)
			;
		return i < limit ? i : n;
	}
	for (i = 0; i < limit && !is_own(frames[i]); i++) /* libunwind's own */
		;
	for (; i < n && is_own(frames[i]); i++)
		;
	return i;
}

bool sp_unwind(struct sp_thread *t, const ucontext_t *context, struct sp_walk *walk)
{
	struct sp_tls *tls = t->tls;
	int64_t countdown = tls->heap.countdown;
	bool fast = t->unwinds >= SLOW_WALKS && !sp_modules_cache_unsafe(t);
	uint32_t n = 0, from = 0;
	int cancel_state;

	if (!sp_begin_unwind(t))
		return false;
	/* libunwind calls read(), where a thread with a cancellation pending would end. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	/* With no countdown left every allocation takes the slow path, which sees `unwinding`. */
	tls->heap.countdown = 0;
	tls->unwinding = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (t->unwinds++ == SLOW_WALKS)
		sp_add(&sp_agent.spool->agent_bytes, FAST_TABLE_BYTES);
	if (fast) {
		n = (uint32_t)unw_backtrace((void **)t->frames, SP_MAX_FRAMES + 32);
		from = skip_agent(t->frames, n, context);
	}
	if (from >= n) { /* the fast path lost its way before it reached the application */
		n = walk_slow(t, context);
		from = context ? 0 : skip_agent(t->frames, n, NULL);
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tls->unwinding = 0;
	tls->heap.countdown = countdown;
	pthread_setcancelstate(cancel_state, NULL);
	sp_end_unwind();

	walk->frames = t->frames + from;
	walk->depth = n - from;
	walk->flags = context ? 0 : SP_STACK_IS_HEAP;
	if (walk->depth >= SP_MAX_FRAMES) {
		walk->depth = SP_MAX_FRAMES;
		walk->flags |= SP_STACK_TRUNCATED;
	} else if (!reaches_start(t, walk->frames, walk->depth)) {
		walk->flags |= SP_STACK_BROKEN;
	}
	return true;
}
