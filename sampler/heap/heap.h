/* Heap sampling: from an allocation to a weight on a site. */
#ifndef SP_SAMPLER_HEAP_HEAP_H
#define SP_SAMPLER_HEAP_HEAP_H

#include "sampler/agent.h"
#include "sampler/heap/live.h"
#include "sampler/upkeep/control.h"

/* Blocks of this size and more are looked at one by one, however wide the interval: a thread counts down in steps of so much, in
 * which none is missed. */
#define SP_HEAP_LARGE_BYTES (256 * 1024)

/* False while the loader has not relocated the library: then nothing thread-local may be touched, and
 * no function of another library called. What allocates so early is the resolver of an indirect function
 * (STT_GNU_IFUNC) in a library that is relocated before ours. */
static inline bool sp_heap_is_relocated(void);

/* Counts what the fast path can: true when no sample is due. A thread's countdown starts at 0, so
 * its first call is a slow one. A signal handler may come in anywhere: bytes_base - countdown, the bytes
 * so far, is at any instant the same with or without this allocation. */
static inline bool sp_heap_count_quickly(size_t size);

/* Counts a free of p. False, and nothing is counted, as long as sp_heap_is_relocated() is false. */
static inline bool sp_heap_count_free(const void *p);

#ifdef __x86_64__

static inline bool sp_heap_is_relocated(void)
{
	uintptr_t at; /* of sp_tls, from the thread pointer: below it, once it is known */

	__asm__("movq sp_tls@gottpoff(%%rip), %0" : "=r"(at));
	return sp_likely(at != 0);
}

static inline bool sp_heap_count_quickly(size_t size)
{
	__asm__ goto("movq sp_tls@gottpoff(%%rip), %%rax\n\t"
		     "testq %%rax, %%rax\n\t"
		     "jz %l[early]\n\t"
		     "subq %0, %%fs:%c1(%%rax)\n\t"
		     "jbe %l[due]\n\t"
		     "addq $1, %%fs:%c2(%%rax)"
		     :
		     : "r"(size), "i"(offsetof(struct sp_tls, heap.countdown)),
		     "i"(offsetof(struct sp_tls, heap.allocs))
		     : "rax", "cc", "memory"
		     : early, due);
	return true;
due:
	sp_tls.heap.countdown += (int64_t)size;
early:
	return false;
}

static inline bool sp_heap_count_free(const void *p)
{
	__asm__ goto("movq sp_tls@gottpoff(%%rip), %%rax\n\t"
		     "testq %%rax, %%rax\n\t"
		     "jz %l[early]\n\t"
		     "cmpq $1, %0\n\t" /* only NULL makes it borrow */
		     "sbbq $-1, %%fs:%c1(%%rax)"
		     :
		     : "r"(p), "i"(offsetof(struct sp_tls, heap.frees))
		     : "rax", "cc", "memory"
		     : early);
	return true;
early:
	return false;
}

#else

static inline bool sp_heap_is_relocated(void)
{
	uintptr_t at;

	__asm__("adrp %0, :gottprel:sp_tls\n\tldr %0, [%0, #:gottprel_lo12:sp_tls]" : "=r"(at));
	return sp_likely(at != 0);
}

static inline bool sp_heap_count_quickly(size_t size)
{
	if (!sp_heap_is_relocated())
		return false;
	/* Unsigned, or a size that no allocator has would count up. */
	if (sp_unlikely((size_t)__atomic_fetch_sub(&sp_tls.heap.countdown, (int64_t)size, __ATOMIC_RELAXED) <= size)) {
		sp_tls.heap.countdown += (int64_t)size;
		return false;
	}
	__atomic_add_fetch(&sp_tls.heap.allocs, 1, __ATOMIC_RELAXED);
	return true;
}

static inline bool sp_heap_count_free(const void *p)
{
	if (!sp_heap_is_relocated())
		return false;
	if (p)
		__atomic_add_fetch(&sp_tls.heap.frees, 1, __ATOMIC_RELAXED);
	return true;
}

#endif

/* Takes back what sp_heap_count_quickly has counted: the allocation was refused. */
static inline void sp_heap_uncount(size_t size)
{
	sp_tls.heap.countdown += (int64_t)size;
	sp_tls.heap.allocs--;
}

/* Counts down to a sample `bytes` from now, without changing the number of bytes counted so far. */
static inline void sp_heap_count_down(struct sp_tls *tls, int64_t bytes)
{
	int64_t step = bytes > SP_HEAP_LARGE_BYTES ? SP_HEAP_LARGE_BYTES : bytes;

	tls->heap.bytes_base += step - tls->heap.countdown;
	tls->heap.countdown = step;
	tls->heap_left = bytes - step;
}

/* Counts an allocation that the fast path did not have the countdown for, if that was but the end of a step: every 6 us in a
 * program that does nothing but allocate, so it makes no call. False, and nothing is counted, when there is more to do. Normal
 * context. */
static inline bool sp_heap_step(size_t size)
{
	struct sp_tls *tls = &sp_tls;
	int64_t left = tls->heap.countdown + tls->heap_left - (int64_t)size;

	if (sp_unlikely(size >= SP_HEAP_LARGE_BYTES || left <= 0 || sp_agent_state() != SP_AGENT_ACTIVE ||
		    sp_is_stale_child() || sp_control_is_asked()))
		return false;
	tls->heap.allocs++;
	tls->heap.bytes_base += (int64_t)size;
	sp_heap_count_down(tls, left);
	return true;
}

/* Called for an allocation the fast path did not have the countdown for, after it succeeded: `p`
 * holds `size` bytes. Does the counting the fast path skipped, wakes a dormant agent, and samples.
 * Normal context (or an application's signal handler). */
void sp_heap_hit(const void *p, size_t size) SP_HIDDEN;

/* A pointer that may be sampled is about to be freed (so before the memory can be handed out
 * again). Any context. */
void sp_heap_forget(const void *p) SP_HIDDEN;

/* For realloc: takes p's entry out of the live set before the call, so that it can be put back if
 * the call fails, or accounted as freed if it succeeds. */
struct sp_heap_held {
	bool held;
	uint32_t pre_activation; /* number of its pre-activation sample, 0 none */
	struct sp_live entry;
};
void sp_heap_hold(const void *p, struct sp_heap_held *held) SP_HIDDEN;
void sp_heap_restore(const void *p, struct sp_heap_held *held) SP_HIDDEN;
void sp_heap_drop_held(const struct sp_heap_held *held) SP_HIDDEN;

/* Enters what was sampled before there was a spool. On the private stack, `t` being the caller's. */
void sp_heap_replay(struct sp_thread *t) SP_HIDDEN;

/* Draws the calling thread's first countdown, when its sampling begins. Normal context: the fast path
 * may not be interrupted by a change of the countdown. */
void sp_heap_start_thread(struct sp_thread *t) SP_HIDDEN;

#endif
