/* Counting around a function of the next allocator. Some of those call malloc or free by name (jemalloc's
 * operator new and delete, mimalloc's realloc), and so come by our hooks and are counted there: what was
 * counted in between is not counted again. Normal context. */
#ifndef SP_PRELOAD_HOOKS_COUNTED_H
#define SP_PRELOAD_HOOKS_COUNTED_H

#include "sampler/heap/filter.h"
#include "sampler/heap/heap.h"

/* Counts p of `size` bytes, unless it is NULL; allocs: sp_tls.heap.allocs before the call. Returns p. */
static inline void *sp_counted(void *p, size_t size, uint64_t allocs)
{
	if (p && sp_tls.heap.allocs == allocs && !sp_heap_count_quickly(size))
		sp_heap_hit(p, size);
	return p;
}

/* Before p is freed: returns what sp_counted_freed wants to know after. */
static inline uint64_t sp_counted_free(const void *p)
{
	if (!sp_filter_surely_not(p))
		sp_heap_forget(p);
	return sp_tls.heap.frees;
}

static inline void sp_counted_freed(const void *p, uint64_t frees)
{
	sp_tls.heap.frees += p && sp_tls.heap.frees == frees;
}

/* A realloc that moved or resized is a free and an allocation; one that failed is neither. */
struct sp_counted_realloc {
	struct sp_heap_held held;
	uint64_t allocs, frees, reallocs;
};

static inline void sp_counted_realloc_begin(struct sp_counted_realloc *c, const void *p)
{
	c->held.held = false;
	c->held.pre_activation = 0;
	if (p && !sp_filter_surely_not(p))
		sp_heap_hold(p, &c->held);
	c->allocs = sp_tls.heap.allocs;
	c->frees = sp_tls.heap.frees;
	c->reallocs = sp_tls.heap.reallocs;
}

/* q: the new block, NULL when p was given back without one. */
static inline void sp_counted_realloc_done(const struct sp_counted_realloc *c, const void *p, void *q, size_t size)
{
	sp_heap_drop_held(&c->held);
	sp_counted_freed(p, c->frees);
	sp_tls.heap.reallocs += p && sp_tls.heap.reallocs == c->reallocs;
	(void)sp_counted(q, size, c->allocs);
}

static inline void sp_counted_realloc_failed(struct sp_counted_realloc *c, const void *p)
{
	sp_heap_restore(p, &c->held);
}

#endif
