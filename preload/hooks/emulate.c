/* The allocators' own functions where there is no allocator that has them. */
#include "preload/hooks/emulate.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *sp_call_new(size_t size) __asm__("_Znwm");
void *sp_call_new_aligned(size_t size, size_t align) __asm__("_ZnwmSt11align_val_t");

size_t sp_emulate_product(size_t n, size_t size)
{
	return __builtin_mul_overflow(n, size, &size) ? SIZE_MAX : size;
}

int sp_emulate_flags_of(size_t align)
{
	return align ? __builtin_ctzl(align) : 0;
}

void *sp_emulate_new(size_t size)
{
	return sp_call_new(size);
}

void *sp_emulate_new_aligned(size_t size, size_t align)
{
	return sp_call_new_aligned(size, align);
}

void *sp_emulate_realloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p && size)
		p = sp_emulate_new(SIZE_MAX); /* which throws */
	return p;
}

char *sp_emulate_copy(const char *s, size_t length)
{
	char *copy = malloc(length + 1);

	if (copy) {
		memcpy(copy, s, length);
		copy[length] = 0;
	}
	return copy;
}

void *sp_emulate_zeroed(size_t align, size_t n, size_t size)
{
	size_t bytes = sp_emulate_product(n, size);
	void *p = memalign(align, bytes);

	return p ? memset(p, 0, bytes) : NULL;
}

void *sp_emulate_mallocx(size_t size, int flags)
{
	size_t align = (size_t)1 << (flags & 63);

	if (align > _Alignof(max_align_t))
		return flags & SP_MALLOCX_ZERO ? sp_emulate_zeroed(align, 1, size) : memalign(align, size);
	return flags & SP_MALLOCX_ZERO ? calloc(1, size) : malloc(size);
}

void *sp_emulate_rallocx(void *p, size_t size, int flags)
{
	size_t align = (size_t)1 << (flags & 63), old = malloc_usable_size(p);
	void *q;

	if (align > _Alignof(max_align_t)) {
		q = memalign(align, size);
		if (q && p)
			memcpy(q, p, old < size ? old : size);
		if (q)
			free(p);
	} else {
		q = realloc(p, size);
	}
	if (q && flags & SP_MALLOCX_ZERO && size > old)
		memset((char *)q + old, 0, size - old);
	return q;
}

void *sp_emulate_reallocf(void *p, size_t size)
{
	void *q = realloc(p, size);

	if (!q && size)
		free(p);
	return q;
}
