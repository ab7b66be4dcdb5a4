/* The allocators' own functions where there is no allocator that has them: made of the standard ones, by their names, so that
 * they are counted there. */
#ifndef SP_PRELOAD_HOOKS_EMULATE_H
#define SP_PRELOAD_HOOKS_EMULATE_H

#include <stddef.h>

#include "sampler/agent.h"

#define SP_MALLOCX_ZERO 0x40 /* jemalloc.h; the low six bits are the alignment's logarithm */

size_t sp_emulate_product(size_t n, size_t size) SP_HIDDEN;
int sp_emulate_flags_of(size_t align) SP_HIDDEN;
void *sp_emulate_new(size_t size) SP_HIDDEN;
void *sp_emulate_new_aligned(size_t size, size_t align) SP_HIDDEN;
void *sp_emulate_realloc(void *p, size_t size) SP_HIDDEN;
char *sp_emulate_copy(const char *s, size_t length) SP_HIDDEN;
void *sp_emulate_zeroed(size_t align, size_t n, size_t size) SP_HIDDEN;
void *sp_emulate_mallocx(size_t size, int flags) SP_HIDDEN;
void *sp_emulate_rallocx(void *p, size_t size, int flags) SP_HIDDEN;
void *sp_emulate_reallocf(void *p, size_t size) SP_HIDDEN;

#endif
