/* Between the symbolizer and its cache: which answers are there, and which are to be put there. */
#ifndef SP_SYMBOLIZE_CACHED_H
#define SP_SYMBOLIZE_CACHED_H

#include "symbolize/symbolizer.h"

/* Reads what the cache has about these addresses (ELF virtual, ascending, of one module), and around them. Opens the
 * cache at the first call. */
void sp_cached_load(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count);

/* Puts the answers for these addresses, as they are in memory, into the cache. */
void sp_cached_store(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count);

/* The answer for an address (ELF virtual) as it was read: fills out[0 .. SP_FRAMES_MAX). Returns the number of frames,
 * 0: none was read. */
size_t sp_cached_frames(const struct sp_symbolizer *s, uint32_t module, uint64_t address, struct sp_symbol *out);
bool sp_cached_has(const struct sp_symbolizer *s, uint32_t module, uint64_t address);

void sp_cached_free(struct sp_symbolizer *s);

#endif
