/* Between the symbolizer and its cache: which answers are there, and which are to be put there. */
#ifndef SP_SYMBOLIZE_CACHED_H
#define SP_SYMBOLIZE_CACHED_H

#include "symbolize/symbolizer.h"

/* Takes the answers that the cache has for these addresses (ELF virtual, ascending, of one module) into
 * memory. Opens the cache at the first call. */
void sp_cached_load(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count);

/* Puts the answers for these addresses, as they are in memory, into the cache. */
void sp_cached_store(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count);

#endif
