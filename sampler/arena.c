/* The agent's own small memory. */
#include "sampler/arena.h"

#include "sampler/live.h"

#define MAX_POINTERS 512u

static struct {
	char bytes[65536] __attribute__((aligned(16)));
	const void *pointers[MAX_POINTERS];
	uint32_t used;  /* atomic: bytes */
	uint32_t count; /* atomic: pointers */
} arena SP_BIG;

void *sp_arena_alloc(size_t bytes, size_t alignment)
{
	size_t align = alignment > 16 ? alignment : 16;
	size_t total = ((bytes + 15) & ~(size_t)15) + align;
	uint32_t at, n;
	uintptr_t p;

	if (bytes > sizeof arena.bytes || align > 4096)
		return NULL;
	n = sp_add(&arena.count, 1);
	at = sp_add(&arena.used, (uint32_t)total);
	if (n >= MAX_POINTERS || at + total > sizeof arena.bytes) {
		__atomic_fetch_sub(&arena.count, 1, __ATOMIC_RELAXED);
		__atomic_fetch_sub(&arena.used, (uint32_t)total, __ATOMIC_RELAXED);
		return NULL;
	}
	/* The size stands in the word before; the padding leaves room for it. */
	p = ((uintptr_t)arena.bytes + at + align) & ~(uintptr_t)(align - 1);
	((size_t *)p)[-1] = bytes;
	sp_store(&arena.pointers[n], (const void *)p);
	sp_live_mark_arena((const void *)p);
	return (void *)p;
}

bool sp_arena_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)arena.bytes < sizeof arena.bytes;
}

size_t sp_arena_size(const void *p)
{
	return ((const size_t *)p)[-1];
}

void sp_arena_each(void (*fn)(const void *p))
{
	uint32_t i, n = sp_load(&arena.count);

	for (i = 0; i < n && i < MAX_POINTERS; i++)
		if (sp_load(&arena.pointers[i]))
			fn(arena.pointers[i]);
}
