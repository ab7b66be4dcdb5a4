/* Copies of stacks: see copies.h. */
#include "sampler/spool/copies.h"

#include <dlfcn.h>

#include "sampler/spool/modules.h"
#include "sampler/spool/write.h"
#include "sampler/walk/frame.h"

#define PAGE 4096u
#define STACK_BYTES (SP_COPY_WORDS_MAX * 8u)
#define PAGES (STACK_BYTES / PAGE + 2u)
#define SEEN 8u /* objects remembered while the words of a stack are looked up */

/* struct sp_copy's `ready`. */
enum { EMPTY, READY, WRITING };

static const uint8_t kept[] = SP_COPIED_REGISTERS;
_Static_assert(sizeof kept == SP_COPY_REGISTERS - 1, "those of a frame, then the instruction");

_Static_assert(PAGES <= SP_READ_PAGES, "read at once");

struct seen {
	uint64_t low[SEEN], high[SEEN];
	uint32_t next;
};

static bool is_seen(const struct seen *seen, uint64_t address)
{
	uint32_t i;

	for (i = 0; i < SEEN; i++) {
		if (address - seen->low[i] < seen->high[i] - seen->low[i])
			return true;
	}
	return false;
}

/* Enters the objects that words of the stack may be return addresses into: the walk has not come to them. */
static uint32_t note_modules(struct sp_thread *t, const uint64_t *words, uint64_t count)
{
	uint32_t epoch = sp_modules_note(t, words, 0);
	struct seen seen = {{0}, {0}, 0};
	struct dl_find_object object;
	uint64_t i, word;

	for (i = 0; i < count; i++) {
		word = sp_plain_address(words[i]);
		if (word < PAGE || word >> SP_ADDRESS_BITS || is_seen(&seen, word) ||
			_dl_find_object((void *)word, &object) != 0)
			continue;
		seen.low[seen.next % SEEN] = (uint64_t)(uintptr_t)object.dlfo_map_start;
		seen.high[seen.next++ % SEEN] = (uint64_t)(uintptr_t)object.dlfo_map_end;
		epoch = sp_modules_note_unsure(t, word);
	}
	return epoch;
}

static bool make_room(struct sp_copy *copy, uint32_t words)
{
	uint32_t word = sp_spool_allot(SP_SEC_COPIED, words);

	if (!word)
		return false;
	copy->word = word;
	copy->room = words;
	return true;
}

/* Room for a copy of so many words; NULL: none, or another thread is at it. Of the samples that broke off, number
 * `number` is this one, those that are copied are a random choice: each was as likely to be, whenever it came (Vitter's
 * algorithm R). */
static struct sp_copy *claim(struct sp_thread *t, uint64_t number, uint32_t words)
{
	struct sp_copy *copies = sp_section(SP_SEC_COPIES), *copy;
	uint32_t made = sp_spool_allot(SP_SEC_COPIES, 1), taken = READY;
	uint64_t drawn = made ? made : 1 + sp_random(t) % number;

	if (!made && drawn >= sp_spool_count(SP_SEC_COPIES))
		return NULL;
	copy = copies + drawn;
	if (!made &&
		!__atomic_compare_exchange_n(&copy->ready, &taken, WRITING, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return NULL;
	if (copy->room >= words || make_room(copy, words))
		return copy;
	__atomic_store_n(&copy->ready, made ? EMPTY : READY, __ATOMIC_RELEASE);
	return NULL;
}

static void fill(struct sp_thread *t, struct sp_copy *copy, const ucontext_t *context, uint32_t words)
{
	uint64_t *to = (uint64_t *)sp_section(SP_SEC_COPIED) + copy->word;
	uint32_t i;

	copy->words = (uint32_t)(sp_read_mapped(to, copy->low, (uint64_t)words * 8) / 8);
	for (i = 0; i < SP_COPY_REGISTERS - 1; i++)
		copy->registers[i] = sp_context_words(context)[sp_frame_in_context[kept[i]]];
	copy->registers[i] = sp_context_ip(context);
	copy->thread = sp_thread_record_index(t);
	copy->epoch = note_modules(t, to, copy->words);
}

void sp_copies_take(struct sp_thread *t, const ucontext_t *context, uint32_t stack, uint32_t sample)
{
	uint64_t low = (sp_context_sp(context) - SP_RED_ZONE) & ~(uint64_t)7;
	uint64_t number = sp_add(&sp_agent.spool->broken, 1) + 1, top;
	struct sp_copy *copy;
	uint32_t words;

	if (!sp_agent.config.copies || !stack)
		return;
	top = sp_stack_top(t, low + SP_RED_ZONE);
	words = top - low < STACK_BYTES ? (uint32_t)((top - low) / 8) : SP_COPY_WORDS_MAX;
	copy = claim(t, number, words);
	if (!copy)
		return;
	copy->low = low;
	copy->stack = stack;
	copy->sample = sample;
	fill(t, copy, context, words);
	__atomic_store_n(&copy->ready, READY, __ATOMIC_RELEASE);
}
