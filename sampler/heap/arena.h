/* Memory for what allocates before the real malloc is known, or inside the agent where calling it
 * could deadlock (the loader's thread vectors): at most 64 MiB, never given back. */
#ifndef SP_SAMPLER_HEAP_ARENA_H
#define SP_SAMPLER_HEAP_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "sampler/agent.h"

/* Zeroed memory, or NULL when it is used up. Any context, even before the library is relocated. */
void *sp_arena_alloc(size_t bytes, size_t alignment) SP_HIDDEN;

bool sp_arena_owns(const void *p) SP_HIDDEN;

/* Size asked for, of a pointer the arena owns. */
size_t sp_arena_size(const void *p) SP_HIDDEN;

/* Marks every pointer handed out in the filter of free(), which has been emptied. */
void sp_arena_mark_all(void) SP_HIDDEN;

#endif
