/* Copies of stacks: a random choice of bounded size, of what is mapped and no more, into memory that a program with whole
 * stacks does not pay for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/spool/copies.h"
#include "sampler/spool/modules.h"
#include "sampler/spool/write.h"
#include "sampler/walk/frame.h"
#include "tests/unit/sampler_spool.h"

#define SAMPLES 20000u
#define PAGES 8u

static struct sp_thread thread;
static uint64_t *stack; /* PAGES of them, the last of which is gone */

static int set_up(void **state)
{
	(void)state;
	stack = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(stack != MAP_FAILED && munmap((char *)stack + (PAGES - 1) * 4096, 4096) == 0);
	for (unsigned i = 0; i < (PAGES - 1) * 512; i++)
		stack[i] = i;
	memset(&thread, 0, sizeof(thread));
	thread.random = 88172645463325252ULL;
	thread.root_pc = 1; /* not the main thread */
	return agent_open("/tmp", 200000);
}

static int tear_down(void **state)
{
	(void)state;
	munmap(stack, (PAGES - 1) * 4096);
	agent_close();
	return 0;
}

#define RED (SP_RED_ZONE / 8) /* words below the stack pointer that are copied */
#define KNOWN 12u             /* of a copy's registers, one that is told below */

static uint64_t *known_register(ucontext_t *context)
{
	static const uint8_t copied[] = SP_COPIED_REGISTERS;

	return &sp_context_words(context)[sp_frame_in_context[copied[KNOWN]]];
}

static ucontext_t context_at(uint64_t word)
{
	ucontext_t context;

	memset(&context, 0, sizeof(context));
	sp_context_words(&context)[SP_CONTEXT_SP] = (uintptr_t)(stack + word);
	sp_context_words(&context)[SP_CONTEXT_IP] = 0x1234;
	*known_register(&context) = 15;
	return context;
}

static const struct sp_copy *copies(void)
{
	return sp_section(SP_SEC_COPIES);
}

static const uint64_t *words_of(const struct sp_copy *copy)
{
	return (const uint64_t *)sp_section(SP_SEC_COPIED) + copy->word;
}

static void nothing_is_taken_before_the_first(void **state)
{
	ucontext_t context = context_at(100);

	(void)state;
	sp_copies_take(&thread, &context, 1, 1); /* not asked for */
	sp_agent.config.copies = true;
	sp_copies_take(&thread, &context, 0, 1); /* of the overflow record */
	assert_int_equal(sp_agent.spool->sections[SP_SEC_COPIES].committed, 0);
	assert_int_equal(sp_agent.spool->sections[SP_SEC_COPIED].committed, 0);
	assert_int_equal(sp_agent.spool->broken, 2);
}

static void a_copy_ends_where_the_stack_does(void **state)
{
	ucontext_t context = context_at(100);
	uint32_t mapped = (PAGES - 1) * 512;

	(void)state;
	sp_agent.config.copies = true;
	sp_copies_take(&thread, &context, 7, 3);
	assert_int_equal(copies()[1].ready, 1);
	assert_int_equal(copies()[1].stack, 7);
	assert_int_equal(copies()[1].sample, 3);
	assert_int_equal(copies()[1].words, SP_COPY_WORDS_MAX);
	assert_int_equal(copies()[1].low, (uintptr_t)(stack + 100 - RED));
	assert_int_equal(copies()[1].registers[KNOWN], 15);
	assert_int_equal(copies()[1].registers[SP_COPY_REGISTERS - 1], 0x1234);
	assert_memory_equal(words_of(&copies()[1]), stack + 100 - RED, SP_COPY_WORDS_MAX * 8);

	context = context_at(mapped - 300);
	sp_copies_take(&thread, &context, 7, 4);
	assert_int_equal(copies()[2].words, 300 + RED); /* the next page is not there */
	assert_memory_equal(words_of(&copies()[2]), stack + mapped - 300 - RED, (300 + RED) * 8);

	thread.stack_high = (uintptr_t)(stack + mapped - 200);
	thread.stack_bytes = 4096 * 4;
	sp_copies_take(&thread, &context, 7, 5);
	assert_int_equal(copies()[3].words, 100 + RED); /* what is above the stack is not of it */
	sp_context_words(&context)[SP_CONTEXT_SP] = 0x10;
	sp_copies_take(&thread, &context, 7, 6);
	assert_int_equal(copies()[4].words, 0);
}

static void any_sample_is_as_likely(void **state)
{
	ucontext_t context = context_at(3000);
	uint32_t room = sp_agent.spool->sections[SP_SEC_COPIES].capacity, halves[2] = {0, 0};
	uint64_t sum = 0;

	(void)state;
	sp_agent.config.copies = true;
	for (uint32_t i = 1; i <= SAMPLES; i++)
		sp_copies_take(&thread, &context, 7, i);
	assert_int_equal(sp_spool_count(SP_SEC_COPIES), room);
	for (uint32_t i = 1; i < room; i++) {
		assert_int_equal(copies()[i].ready, 1);
		halves[copies()[i].sample > SAMPLES / 2]++;
		sum += copies()[i].sample;
	}
	/* Five standard deviations. */
	assert_in_range(halves[0], room / 2 - 40, room / 2 + 40);
	assert_in_range(sum / (room - 1), SAMPLES / 2 - 1900, SAMPLES / 2 + 1900);
	assert_true((uint64_t)sp_spool_count(SP_SEC_COPIED) * 8 <= 5u << 20);
}

/* An object that a word points into is entered without being touched, as often as it is met. */
static void objects_on_the_stack_are_entered(void **state)
{
	const struct sp_module *modules = sp_section(SP_SEC_MODULES);
	ucontext_t context = context_at(100);
	uint32_t before = sp_spool_count(SP_SEC_MODULES);

	(void)state;
	sp_agent.config.copies = true;
	stack[200] = (uintptr_t)getpid + 1;
	stack[300] = (uintptr_t)sp_copies_take;
	stack[400] = (uintptr_t)getpid;
	sp_copies_take(&thread, &context, 7, 1);
	sp_copies_take(&thread, &context, 7, 2);
	assert_int_equal(sp_spool_count(SP_SEC_MODULES), before + 2);
	for (uint32_t i = before; i < before + 2; i++) {
		assert_int_equal(modules[i].ready, 1);
		assert_int_equal(modules[i].build_id_bytes, 20);
	}
}

/* Threads that copy at once, and use each other's records again, never mix what they copy. */
static unsigned copy_many(unsigned number)
{
	static uint64_t stacks[TEST_THREADS][1024];
	struct sp_thread mine = {.random = 88172645463325252ULL + number, .root_pc = 1};
	ucontext_t context = context_at(0);

	for (unsigned i = 0; i < 1024; i++)
		stacks[number][i] = number;
	sp_context_words(&context)[SP_CONTEXT_SP] = (uintptr_t)(stacks[number] + RED);
	*known_register(&context) = number;
	mine.stack_high = (uintptr_t)(stacks[number] + 200 + 100 * number);
	mine.stack_bytes = sizeof(stacks[number]);
	for (uint32_t i = 1; i <= SAMPLES; i++)
		sp_copies_take(&mine, &context, 1 + number, i);
	return 0;
}

static void threads_do_not_mix_their_copies(void **state)
{
	uint32_t whole = 0;

	(void)state;
	sp_agent.config.copies = true;
	run_threads(copy_many);
	for (uint32_t i = 1; i < sp_spool_count(SP_SEC_COPIES); i++) {
		const struct sp_copy *copy = &copies()[i];

		if (copy->ready != 1)
			continue;
		whole++;
		assert_int_equal(copy->words, 200 + 100 * (copy->stack - 1));
		assert_int_equal(copy->registers[KNOWN], copy->stack - 1);
		for (uint32_t k = 0; k < copy->words; k++)
			assert_int_equal(words_of(copy)[k], copy->stack - 1);
	}
	assert_in_range(whole, 250, 256);
	assert_int_equal(sp_agent.spool->broken, TEST_THREADS * SAMPLES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_taken_before_the_first),
		TEST(a_copy_ends_where_the_stack_does),
		TEST(any_sample_is_as_likely),
		TEST(objects_on_the_stack_are_entered),
		TEST(threads_do_not_mix_their_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
