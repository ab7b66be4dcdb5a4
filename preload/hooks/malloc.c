/* The malloc family. An allocation that is not sampled costs a subtraction and an increment in
 * thread-local memory and a jump to the next malloc; a free, one byte looked up. What came back is looked at only
 * where it may be nothing: a call in the place of the jump costs as much again as all of that. */
#include "preload/hooks/malloc.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/export.h"
#include "preload/hooks/counted.h"
#include "preload/hooks/limits.h"
#include "preload/real.h"
#include "sampler/heap/arena.h"
#include "sampler/heap/filter.h"
#include "sampler/heap/heap.h"

#define NOINLINE __attribute__((noinline))
/* Fast paths begin a cache line: 16 bytes into one they cost a loop of malloc and free 5 % more, as a jump then crosses half of a line. */
#define FAST __attribute__((aligned(64)))

/* True when the resolver itself allocates, or nothing has been relocated yet, so that the real malloc must not be
 * called. */
static bool inside_agent(void)
{
	return !sp_heap_is_relocated() || sp_tls.resolving;
}

/* Where the fast paths of allocations go on. */
static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	bool checked; /* what they return is looked at */
	bool limits_known;
} onward;

static void *checked_malloc(size_t size)
{
	void *p = sp_real.malloc(size);

	if (!p)
		sp_heap_uncount(size);
	return p;
}

static void *checked_calloc(size_t n, size_t each)
{
	void *p = sp_real.calloc(n, each);

	if (!p)
		sp_heap_uncount(n * each);
	return p;
}

/* The functions that the fast paths call without a look. */
void sp_malloc_resolve(void)
{
	(void)SP_REAL(malloc);
	(void)SP_REAL(calloc);
	(void)SP_REAL(free);
	sp_store(&onward.malloc, onward.checked ? checked_malloc : sp_real.malloc);
	sp_store(&onward.calloc, onward.checked ? checked_calloc : sp_real.calloc);
}

void sp_malloc_may_be_refused(void)
{
	if (sp_load(&onward.checked))
		return;
	sp_store(&onward.checked, true);
	sp_malloc_resolve();
}

/* The first allocation of a process that counts comes by here: one that allocates nothing does not pay for the look. Behind a
 * seccomp filter nothing is counted. */
static NOINLINE void get_ready(void)
{
	int state = sp_agent_state();

	if (!onward.malloc)
		sp_malloc_resolve();
	if (state != SP_AGENT_DORMANT && state != SP_AGENT_ACTIVE)
		return;
	sp_store(&onward.limits_known, true);
	sp_limits_look();
}

static NOINLINE void *malloc_due(size_t size)
{
	void *p;

	if (sp_unlikely(!sp_load(&onward.limits_known)))
		get_ready();
	p = sp_real.malloc(size);
	if (sp_likely(p))
		sp_heap_hit(p, size);
	else
		sp_malloc_may_be_refused();
	return p;
}

/* The end of a step, most often, which goes on as the fast path does. */
static NOINLINE void *malloc_slow(size_t size)
{
	if (sp_unlikely(inside_agent()))
		return sp_arena_alloc(size, 16);
	return sp_likely(sp_heap_step(size)) ? onward.malloc(size) : malloc_due(size);
}

FAST SP_EXPORT void *malloc(size_t size)
{
	if (sp_unlikely(!sp_heap_count_quickly(size)))
		return malloc_slow(size);
	return onward.malloc(size);
}

static NOINLINE void *calloc_due(size_t n, size_t each, size_t size)
{
	void *p;

	if (sp_unlikely(!sp_load(&onward.limits_known)))
		get_ready();
	p = sp_real.calloc(n, each);
	if (sp_likely(p))
		sp_heap_hit(p, size);
	else
		sp_malloc_may_be_refused();
	return p;
}

static NOINLINE void *calloc_slow(size_t n, size_t each, size_t size)
{
	if (sp_unlikely(inside_agent()))
		return sp_arena_alloc(size, 16);
	return sp_likely(sp_heap_step(size)) ? onward.calloc(n, each) : calloc_due(n, each, size);
}

FAST SP_EXPORT void *calloc(size_t n, size_t each)
{
	size_t size;

	if (__builtin_mul_overflow(n, each, &size))
		size = SIZE_MAX; /* the real one refuses it */
	if (sp_unlikely(!sp_heap_count_quickly(size)))
		return calloc_slow(n, each, size);
	return onward.calloc(n, each);
}

static NOINLINE void free_slow(void *p)
{
	if (sp_arena_owns(p) || !sp_heap_is_relocated())
		return;
	/* Before the memory can be handed out again. */
	sp_heap_forget(p);
	SP_REAL(free)(p);
}

FAST SP_EXPORT void free(void *p)
{
	if (sp_unlikely(!sp_heap_count_free(p)) || sp_unlikely(!sp_filter_surely_not(p)))
		free_slow(p);
	else
		sp_real.free(p);
}

static size_t usable_size(void *p)
{
	if (sp_arena_owns(p))
		return sp_arena_size(p);
	if (!p || !sp_heap_is_relocated())
		return 0;
	return SP_REAL(malloc_usable_size)(p);
}

/* Into the arena, or out of it. Inside the agent a block of the real malloc's is given up: freeing
 * it could deadlock. */
static void *arena_realloc(void *p, size_t size)
{
	size_t bytes = usable_size(p);
	void *q;

	if (!inside_agent() && p && !size) /* as the C library has it: freed */
		return NULL;
	q = inside_agent() ? sp_arena_alloc(size, 16) : malloc(size);
	if (bytes > size)
		bytes = size;
	if (q) /* memcpy may not be there yet */
		sp_copy_bytes(q, p, bytes);
	return q;
}

static NOINLINE void *realloc_counted(void *p, size_t size)
{
	struct sp_counted_realloc counted;
	void *q;

	if (sp_unlikely(inside_agent() || sp_arena_owns(p)))
		return arena_realloc(p, size);
	sp_counted_realloc_begin(&counted, p);
	q = SP_REAL(realloc)(p, size);
	if (!q && (size || !p))
		sp_counted_realloc_failed(&counted, p);
	else
		sp_counted_realloc_done(&counted, p, q, size);
	return q;
}

SP_EXPORT void *realloc(void *p, size_t size)
{
	uint64_t allocs, frees, reallocs;
	void *q;

	if (sp_unlikely(inside_agent() || !sp_filter_surely_not(p)))
		return realloc_counted(p, size);
	allocs = sp_tls.heap.allocs;
	frees = sp_tls.heap.frees;
	reallocs = sp_tls.heap.reallocs;
	q = SP_REAL(realloc)(p, size);
	if (sp_unlikely(!q) && (size || !p))
		return NULL;
	sp_counted_freed(p, frees);
	sp_tls.heap.reallocs += p && sp_tls.heap.reallocs == reallocs;
	return sp_counted(q, size, allocs);
}

SP_EXPORT void *reallocarray(void *p, size_t n, size_t each)
{
	size_t size;

	if (__builtin_mul_overflow(n, each, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc_counted(p, size);
}

/* The rest of the family is rare. */
SP_EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
	uint64_t allocs;
	int err;

	if (inside_agent())
		return (*out = sp_arena_alloc(size, alignment)) ? 0 : ENOMEM;
	allocs = sp_tls.heap.allocs;
	err = SP_REAL(posix_memalign)(out, alignment, size);
	if (!err)
		sp_counted(*out, size, allocs);
	return err;
}

/* X(name, parameters, arguments, alignment, bytes in the arena) */
#define ALIGNED(X) \
	X(aligned_alloc, (size_t alignment, size_t size), (alignment, size), alignment, size) \
	X(memalign, (size_t alignment, size_t size), (alignment, size), alignment, size) \
	X(valloc, (size_t size), (size), 4096, size) \
	X(pvalloc, (size_t size), (size), 4096, (size + 4095) & ~(size_t)4095)

#define X(name, params, args, alignment, bytes) \
	SP_EXPORT void *name params \
	{ \
		uint64_t allocs; \
\
		if (inside_agent()) \
			return sp_arena_alloc(bytes, alignment); \
		allocs = sp_tls.heap.allocs; \
		return sp_counted(SP_REAL(name) args, size, allocs); \
	}
ALIGNED(X)
#undef X

SP_EXPORT size_t malloc_usable_size(void *p)
{
	return usable_size(p);
}

/* Names for free that not every C library has, and an old one's. */
#define FREES(X) \
	X(free_sized, (void *p, size_t size), (p, size)) \
	X(free_aligned_sized, (void *p, size_t alignment, size_t size), (p, alignment, size)) \
	X(cfree, (void *p), (p))

#define X(name, params, args) \
	SP_EXPORT void name params; \
	void name params \
	{ \
		static void(*next) params; \
		static bool looked_up; \
		uint64_t frees; \
\
		if (sp_arena_owns(p)) \
			return; \
		if (sp_unlikely(!looked_up)) { \
			next = (__typeof__(next))sp_real_find(#name); \
			looked_up = true; \
		} \
		if (!next) { \
			free(p); \
			return; \
		} \
		frees = sp_counted_free(p); \
		next args; \
		sp_counted_freed(p, frees); \
	}
FREES(X)
#undef X
