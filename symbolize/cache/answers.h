/* Answers by address: what the symbolizer hands out a second time. */
#ifndef SP_SYMBOLIZE_CACHE_ANSWERS_H
#define SP_SYMBOLIZE_CACHE_ANSWERS_H

#include "symbolize/symbolize.h"

/* Frames an address may have; of deeper chains the calls just inside the real function are left out. */
#define SP_FRAMES_MAX 64u

/* frames[first .. first + count), innermost first. */
struct sp_answer {
	uint64_t address; /* ELF virtual address */
	uint32_t module;
	uint32_t count; /* 0: free slot */
	size_t first;
};

struct sp_answers {
	struct sp_answer *slots; /* hash table, open addressing */
	size_t used, capacity;
	struct sp_symbol *frames;
	size_t frames_count, frames_capacity;
};

void sp_answers_free(struct sp_answers *answers);

/* Makes room for so many more answers and frames. */
void sp_answers_reserve(struct sp_answers *answers, size_t more, size_t frames);

/* Keeps an answer; one that is there already stays. */
void sp_answers_add(struct sp_answers *answers, uint32_t module, uint64_t address, const struct sp_symbol *frames,
	size_t count);

/* The answer, or NULL; good until the next sp_answers_add. */
const struct sp_answer *sp_answers_find(const struct sp_answers *answers, uint32_t module, uint64_t address);

#endif
