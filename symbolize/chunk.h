/* Answers as bytes: what the cache keeps for one stretch of a module's addresses. */
#ifndef SP_SYMBOLIZE_CHUNK_H
#define SP_SYMBOLIZE_CHUNK_H

#include "symbolize/answers.h"
#include "symbolize/strings.h"

/* A chunk holds the answers for addresses [number, number + 1) << SP_CHUNK_BITS. */
#define SP_CHUNK_BITS 16u

struct sp_chunk {
	const struct sp_chunk_header *header;
	const struct sp_chunk_answer *answers; /* by offset */
	const struct sp_chunk_frame *frames;
	const uint32_t *strings; /* offsets into text */
	const char *text;
	const char **kept; /* strings as kept in memory, as far as asked for */
};

/* Writes the answers for `addresses`, ascending and of one chunk, as `answers` has them. Returns
 * malloc'ed bytes, or NULL when memory is out. */
void *sp_chunk_write(const struct sp_answers *answers, uint32_t module, const uint64_t *addresses, size_t count,
	size_t *bytes);

/* Opens a chunk that may be damaged; `data`, aligned to 8, must outlive it. Returns 0, -EINVAL for a damaged
 * one or -ENOMEM. */
int sp_chunk_open(struct sp_chunk *chunk, const void *data, size_t bytes);
void sp_chunk_close(struct sp_chunk *chunk);

size_t sp_chunk_count(const struct sp_chunk *chunk);
uint32_t sp_chunk_offset(const struct sp_chunk *chunk, size_t i); /* ascending */

/* Copies the answer for an offset into the memory of answers and strings, if the chunk has it.
 * Returns 1, 0 when it has not, or -ENOMEM. */
int sp_chunk_take(struct sp_chunk *chunk, uint32_t offset, struct sp_answers *answers, struct sp_strings *strings,
	uint32_t module, uint64_t address);

#endif
