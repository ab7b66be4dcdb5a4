/* For programs that count their own heap: bytes in use and the most there ever were, of all threads. */
#ifndef SP_TESTS_TARGETS_HEAP_COUNTED_H
#define SP_TESTS_TARGETS_HEAP_COUNTED_H

#include <stdint.h>

static int64_t inuse, most; /* atomic */

static inline void change(int64_t bytes)
{
	int64_t now = __atomic_add_fetch(&inuse, bytes, __ATOMIC_RELAXED),
		before = __atomic_load_n(&most, __ATOMIC_RELAXED);

	while (now > before && !__atomic_compare_exchange_n(&most, &before, now, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

#endif
