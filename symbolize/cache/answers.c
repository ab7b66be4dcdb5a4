/* Answers by address: see answers.h. */
#include "symbolize/cache/answers.h"

#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

void sp_answers_free(struct sp_answers *answers)
{
	free(answers->slots);
	free(answers->frames);
	*answers = (struct sp_answers){0};
}

static size_t hash_address(uint32_t module, uint64_t address)
{
	uint64_t hash = (address + module * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;

	return (size_t)(hash ^ hash >> 32);
}

static struct sp_answer *find_slot(const struct sp_answers *answers, uint32_t module, uint64_t address)
{
	size_t i = hash_address(module, address) & (answers->capacity - 1);
	struct sp_answer *slots = answers->slots;

	while (slots[i].count && (slots[i].address != address || slots[i].module != module))
		i = (i + 1) & (answers->capacity - 1);
	return &slots[i];
}

/* Room for this number of answers; at most half of the slots are used. */
static void grow(struct sp_answers *answers, size_t wanted)
{
	struct sp_answers bigger = *answers;

	while (bigger.capacity < wanted * 2 || !bigger.capacity)
		bigger.capacity = bigger.capacity ? bigger.capacity * 2 : 4096;
	if (bigger.capacity == answers->capacity)
		return;
	bigger.slots = sp_alloc(bigger.capacity, sizeof(*bigger.slots));
	for (size_t i = 0; i < answers->capacity; i++) {
		const struct sp_answer *a = &answers->slots[i];

		if (a->count)
			*find_slot(&bigger, a->module, a->address) = *a;
	}
	free(answers->slots);
	*answers = bigger;
}

void sp_answers_reserve(struct sp_answers *answers, size_t more, size_t frames)
{
	grow(answers, answers->used + more);
	sp_grow(&answers->frames, &answers->frames_capacity, answers->frames_count + frames, sizeof(*answers->frames));
}

void sp_answers_add(struct sp_answers *answers, uint32_t module, uint64_t address, const struct sp_symbol *frames,
	size_t count)
{
	struct sp_answer *slot;

	grow(answers, answers->used + 1);
	slot = find_slot(answers, module, address);
	if (slot->count)
		return;
	sp_grow(&answers->frames, &answers->frames_capacity, answers->frames_count + count, sizeof(*frames));
	memcpy(answers->frames + answers->frames_count, frames, count * sizeof(*frames));
	*slot = (struct sp_answer){
		.address = address,
		.module = module,
		.count = (uint32_t)count,
		.first = answers->frames_count,
	};
	answers->frames_count += count;
	answers->used++;
}

const struct sp_answer *sp_answers_find(const struct sp_answers *answers, uint32_t module, uint64_t address)
{
	const struct sp_answer *slot = answers->capacity ? find_slot(answers, module, address) : NULL;

	return slot && slot->count ? slot : NULL;
}
