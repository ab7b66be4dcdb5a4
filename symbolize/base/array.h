/* Arrays that grow at their end. Unlike profiles/base/memory.h's they may run out of memory and go on. */
#ifndef SP_SYMBOLIZE_BASE_ARRAY_H
#define SP_SYMBOLIZE_BASE_ARRAY_H

#include <errno.h>
#include <stdlib.h>

#define SP_ARRAY_LEAST 16u

/* Makes room for `wanted` items of `size` bytes in *list, a pointer to malloc'ed items or NULL, of
 * *capacity; at least doubles. Returns 0, or -ENOMEM with everything as it was. */
static inline int sp_array_room(void *list, size_t *capacity, size_t wanted, size_t size)
{
	size_t room = *capacity * 2;
	void **items = list, *bigger;

	if (wanted <= *capacity)
		return 0;
	if (room < wanted)
		room = wanted;
	if (room < SP_ARRAY_LEAST)
		room = SP_ARRAY_LEAST;
	bigger = reallocarray(*items, room, size);
	if (!bigger)
		return -ENOMEM;
	*items = bigger;
	*capacity = room;
	return 0;
}

#endif
