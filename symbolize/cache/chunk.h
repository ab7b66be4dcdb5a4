/* Answers as bytes: what the cache keeps for one stretch of a module's addresses. */
#ifndef SP_SYMBOLIZE_CACHE_CHUNK_H
#define SP_SYMBOLIZE_CACHE_CHUNK_H

#include "symbolize/cache/answers.h"

/* A chunk holds the answers for addresses [number, number + 1) << SP_CHUNK_BITS. */
#define SP_CHUNK_BITS 16u

struct sp_chunk {
	const struct sp_chunk_header *header;
	const struct sp_chunk_answer *answers; /* by offset */
	const struct sp_chunk_frame *frames;
	const uint32_t *strings; /* offsets into text */
	const char *text;
};

/* Writes the answers for `addresses`, ascending and of one chunk, as `answers` has them. Returns
 * malloc'ed bytes, or NULL for more than a chunk may have. */
void *sp_chunk_write(const struct sp_answers *answers, uint32_t module, const uint64_t *addresses, size_t count,
	size_t *bytes);

/* Opens a chunk that may be damaged; `data`, aligned to 8, must outlive it and the frames taken from it. Returns 0,
 * or -EINVAL for a damaged one. */
int sp_chunk_open(struct sp_chunk *chunk, const void *data, size_t bytes);

size_t sp_chunk_count(const struct sp_chunk *chunk);
uint32_t sp_chunk_offset(const struct sp_chunk *chunk, size_t i); /* ascending */
bool sp_chunk_has(const struct sp_chunk *chunk, uint32_t offset);

/* Fills in the answer for an offset, at most SP_FRAMES_MAX frames; their texts stay in the chunk's data. Returns
 * their number, 0 when the chunk has no such answer. */
size_t sp_chunk_frames(const struct sp_chunk *chunk, uint32_t offset, struct sp_symbol *out);

#endif
