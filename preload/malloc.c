/* The malloc family. An allocation that is not sampled costs a subtraction and an increment in
 * thread-local memory and a jump to the next malloc; a free, one byte looked up. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/agent.h"
#include "preload/export.h"
#include "preload/real.h"
#include "sampler/arena.h"
#include "sampler/heap.h"

#define NOINLINE __attribute__((noinline))

/* True when the agent or the resolver itself allocates, so that the real malloc must not be called. */
static bool inside_agent(void)
{
	return sp_tls.unwinding || sp_tls.resolving;
}

/* The functions that the fast paths call without a look. */
void sp_malloc_resolve(void)
{
	(void)SP_REAL(malloc);
	(void)SP_REAL(calloc);
	(void)SP_REAL(free);
}

static NOINLINE void *malloc_slow(size_t size)
{
	void *p;

	if (inside_agent())
		return sp_arena_alloc(size, 16);
	if (sp_unlikely(!sp_real.malloc))
		sp_malloc_resolve();
	p = sp_real.malloc(size);
	if (p)
		sp_heap_hit(p, size);
	return p;
}

SP_EXPORT void *malloc(size_t size)
{
	if (sp_unlikely(!sp_heap_count_quickly(size)))
		return malloc_slow(size);
	return sp_real.malloc(size);
}

static NOINLINE void *calloc_slow(size_t n, size_t each, size_t size)
{
	void *p;

	if (inside_agent())
		return sp_arena_alloc(size, 16);
	if (sp_unlikely(!sp_real.malloc))
		sp_malloc_resolve();
	p = sp_real.calloc(n, each);
	if (p && size != SIZE_MAX)
		sp_heap_hit(p, size);
	return p;
}

SP_EXPORT void *calloc(size_t n, size_t each)
{
	size_t size;

	if (__builtin_mul_overflow(n, each, &size))
		size = SIZE_MAX; /* the real one refuses it */
	if (sp_unlikely(!sp_heap_count_quickly(size)))
		return calloc_slow(n, each, size);
	return sp_real.calloc(n, each);
}

static NOINLINE void free_slow(void *p)
{
	if (sp_arena_owns(p))
		return;
	/* Before the memory can be handed out again. */
	sp_heap_forget(p);
	SP_REAL(free)(p);
}

SP_EXPORT void free(void *p)
{
	sp_tls.heap.frees += p != NULL;
	if (sp_unlikely(!sp_live_surely_not(p)))
		free_slow(p);
	else
		sp_real.free(p);
}

/* Into the arena, or out of it. Inside the agent a block of the real malloc's is given up: freeing
 * it could deadlock. */
static void *arena_realloc(void *p, size_t size)
{
	void *q = inside_agent() ? sp_arena_alloc(size, 16) : malloc(size);
	size_t old = malloc_usable_size(p);

	if (q && p)
		memcpy(q, p, old < size ? old : size);
	return q;
}

/* A realloc that moved or resized is a free and an allocation; one that failed is neither. */
static NOINLINE void *realloc_counted(void *p, size_t size)
{
	struct sp_heap_held held = {0};
	void *q;

	if (sp_unlikely(inside_agent() || sp_arena_owns(p)))
		return arena_realloc(p, size);
	if (p && !sp_live_surely_not(p))
		sp_heap_hold(p, &held);
	q = SP_REAL(realloc)(p, size);
	if (!q && (size || !p)) {
		sp_heap_restore(p, &held);
		return q;
	}
	sp_heap_drop_held(&held);
	sp_tls.heap.frees += p != NULL;
	sp_tls.heap.reallocs += p != NULL;
	if (q && !sp_heap_count_quickly(size))
		sp_heap_hit(q, size);
	return q;
}

SP_EXPORT void *realloc(void *p, size_t size)
{
	return realloc_counted(p, size);
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

/* The rest of the family is rare: one path for all. */
static void *counted(void *p, size_t size)
{
	if (p && !sp_heap_count_quickly(size))
		sp_heap_hit(p, size);
	return p;
}

SP_EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
	int err;

	if (inside_agent())
		return (*out = sp_arena_alloc(size, alignment)) ? 0 : ENOMEM;
	err = SP_REAL(posix_memalign)(out, alignment, size);
	if (!err)
		counted(*out, size);
	return err;
}

SP_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (inside_agent())
		return sp_arena_alloc(size, alignment);
	return counted(SP_REAL(aligned_alloc)(alignment, size), size);
}

SP_EXPORT void *memalign(size_t alignment, size_t size)
{
	if (inside_agent())
		return sp_arena_alloc(size, alignment);
	return counted(SP_REAL(memalign)(alignment, size), size);
}

SP_EXPORT void *valloc(size_t size)
{
	if (inside_agent())
		return sp_arena_alloc(size, 4096);
	return counted(SP_REAL(valloc)(size), size);
}

SP_EXPORT void *pvalloc(size_t size)
{
	if (inside_agent())
		return sp_arena_alloc((size + 4095) & ~(size_t)4095, 4096);
	return counted(SP_REAL(pvalloc)(size), size);
}

SP_EXPORT size_t malloc_usable_size(void *p)
{
	if (sp_arena_owns(p))
		return sp_arena_size(p);
	if (!p)
		return 0;
	return SP_REAL(malloc_usable_size)(p);
}
