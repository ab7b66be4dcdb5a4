/* The table of unique stacks, and that the reader takes what the writer makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/spool/read.h"
#include "sampler/spool/frames.h"
#include "sampler/spool/stacks.h"
#include "sampler/spool/write.h"
#include "tests/unit/sampler_spool.h"

#define NOWHERE 0x10000u /* addresses from here on belong to no object */
#define KINDS 3000u      /* different stacks of the threads' test */
#define ROUNDS 20000u

static __thread struct sp_thread thread; /* whose walk it is */

static int set_up(void **state)
{
	(void)state;
	return agent_open("/tmp", 50000);
}

static int tear_down(void **state)
{
	(void)state;
	agent_close();
	return 0;
}

static uint32_t intern(const uint64_t *frames, uint32_t depth, uint32_t flags)
{
	struct sp_walk walk = {.frames = frames, .depth = depth, .flags = flags};

	return sp_stacks_intern(&thread, &walk);
}

/* Stack number `kind`: its depth and frames follow from the number. */
static uint32_t make_frames(uint32_t kind, uint64_t frames[SP_MAX_FRAMES])
{
	uint32_t depth = kind % 40;

	for (uint32_t i = 0; i < depth; i++)
		frames[i] = NOWHERE + (uint64_t)(i + 1 < depth ? i % 5 : kind) * 16;
	if (depth > 2)
		frames[1] = (uint64_t)(uintptr_t)(kind % 2 ? (void *)make_frames : (void *)getppid);
	return depth;
}

static uint64_t drops(enum sp_drop why)
{
	return sp_agent.spool->drops[why];
}

static void assert_addresses(const struct sp_snapshot *s, uint32_t stack, const uint64_t *addresses, size_t bytes)
{
	uint64_t got[SP_MAX_DEPTH];

	assert_int_equal(s->stacks[stack].depth * sizeof(*addresses), bytes);
	sp_snapshot_stack(s, stack, got);
	assert_memory_equal(got, addresses, bytes);
}

static void the_same_stack_has_one_index(void **state)
{
	uint64_t frames[3] = {NOWHERE, NOWHERE + 16, NOWHERE + 32}, swapped[3] = {NOWHERE + 16, NOWHERE, NOWHERE + 32};
	uint32_t first = intern(frames, 3, 0);

	(void)state;
	assert_int_not_equal(first, 0);
	assert_int_equal(intern(frames, 3, 0), first);
	assert_int_not_equal(intern(frames, 2, 0), first);
	assert_int_not_equal(intern(swapped, 3, 0), first);
	assert_int_not_equal(intern(frames, 3, SP_STACK_TRUNCATED), first);
	assert_int_not_equal(intern(frames, 3, SP_STACK_IS_HEAP), first);
	assert_int_equal(intern(frames, 3, SP_STACK_IS_HEAP), intern(frames, 3, SP_STACK_IS_HEAP));
	assert_int_not_equal(intern(frames, 0, 0), 0);
	assert_int_equal(intern(frames, 0, 0), intern(NULL, 0, 0));
	assert_int_equal(intern(frames, 3, 0), first);
	assert_int_equal(drops(SP_DROP_STACKS) + drops(SP_DROP_FRAMES), 0);
}

static void stacks_keep_their_index_while_the_table_grows(void **state)
{
	enum { FIRST = 300, ALL = 20000 };
	uint64_t frames[2] = {NOWHERE, 0};
	uint32_t index[FIRST], i, round;

	(void)state;
	agent_close();
	assert_int_equal(agent_open("/tmp", 100000), 0);
	for (i = 0; i < ALL; i++) {
		uint32_t made;

		frames[1] = NOWHERE + 16 * i;
		made = intern(frames, 2, 0);
		if (i < FIRST)
			index[i] = made;
	}
	for (round = 0; round < 2; round++) /* found in the small table, then in the one in use */
		for (i = 0; i < FIRST; i++) {
			frames[1] = NOWHERE + 16 * i;
			assert_int_equal(intern(frames, 2, 0), index[i]);
		}
	assert_int_equal(sp_spool_count(SP_SEC_STACKS), ALL + 1);
	assert_int_equal(drops(SP_DROP_STACKS), 0);
}

static void few_stacks_touch_little_of_the_table(void **state)
{
	uint64_t frames[2] = {NOWHERE, 0}, before;
	uint32_t i;

	(void)state;
	agent_close();
	assert_int_equal(agent_open("/tmp", 200000), 0);
	before = sp_load(&sp_agent.spool->agent_bytes);
	for (i = 0; i < 100; i++) {
		frames[1] = NOWHERE + 16 * i;
		intern(frames, 2, 0);
	}
	assert_in_range(sp_load(&sp_agent.spool->agent_bytes) - before, 1, 64 * 1024);
}

static void weights_and_sites_belong_to_their_stack(void **state)
{
	uint64_t frames[2] = {NOWHERE, NOWHERE + 16};
	uint32_t cpu = intern(frames, 2, 0), heap = intern(frames, 2, SP_STACK_IS_HEAP), site;
	struct sp_snapshot s;

	(void)state;
	sp_stacks_add_cpu(cpu, 7, 3000000, 0);
	sp_stacks_add_cpu(cpu, 0, 2000000, 1000000);
	site = sp_stacks_site(heap);
	assert_int_not_equal(site, 0);
	assert_int_equal(sp_stacks_site(heap), site);
	assert_int_equal(sp_stacks_site(0), 0);
	agent_snapshot(&s);
	assert_int_equal(s.stacks[cpu].user_ns, 5000000);
	assert_int_equal(s.stacks[cpu].sys_ns, 1000000);
	assert_int_equal(s.stacks[cpu].user_samples, 2);
	assert_int_equal(s.stacks[cpu].sys_samples, 0);
	assert_int_equal(s.stacks[cpu].weight_sq_us2, 2 * 3000 * 3000);
	assert_int_equal(s.log[0].stack, cpu);
	assert_int_equal(s.log[0].thread, 7);
	assert_int_equal(s.sites[site].stack, heap);
	sp_snapshot_free(&s);
}

static void a_full_stack_table_overflows_to_record_0(void **state)
{
	uint64_t frames[2] = {NOWHERE, 0};
	uint32_t i, index, capacity, refused = 0;
	struct sp_snapshot s;

	(void)state;
	agent_close();
	assert_int_equal(agent_open("/tmp", 1), 0);
	capacity = sp_agent.spool->sections[SP_SEC_STACKS].capacity;
	for (i = 0; i < capacity + 100; i++) {
		frames[1] = NOWHERE + 16 * i;
		index = intern(frames, 2, 0);
		assert_true(index < capacity);
		refused += index == 0;
		sp_stacks_add_cpu(index, 0, 1000, 0);
	}
	/* Record 0 is the overflow itself. */
	assert_int_equal(refused, 101);
	assert_int_equal(drops(SP_DROP_STACKS), refused);
	frames[1] = NOWHERE;
	assert_int_not_equal(intern(frames, 2, 0), 0);
	agent_snapshot(&s);
	assert_int_equal(s.stack_count, capacity);
	assert_int_equal(s.stacks[0].user_ns, refused * 1000);
	sp_snapshot_free(&s);
}

static void a_full_frame_pool_is_counted_too(void **state)
{
	uint64_t frames[SP_MAX_FRAMES];
	uint32_t i, refused = 0;
	struct sp_snapshot s;

	(void)state;
	agent_close();
	assert_int_equal(agent_open("/tmp", 1), 0);
	for (i = 0; i < SP_MAX_FRAMES; i++)
		frames[i] = NOWHERE + i;
	for (i = 0; i < 200; i++) {
		frames[SP_MAX_FRAMES - 1] = NOWHERE + 16 * i; /* nothing in common */
		refused += intern(frames, SP_MAX_FRAMES, SP_STACK_TRUNCATED) == 0;
	}
	assert_true(refused > 0);
	assert_int_equal(drops(SP_DROP_FRAMES), refused);
	assert_int_equal(drops(SP_DROP_STACKS), 0);
	assert_int_not_equal(intern(frames, 1, 0), 0); /* a short one still fits */
	agent_snapshot(&s);
	sp_snapshot_free(&s);
}

static void stacks_share_their_outer_ends(void **state)
{
	uint64_t frames[100], other[100];
	uint32_t index[3], before, i;
	struct sp_snapshot s;

	(void)state;
	for (i = 0; i < 100; i++)
		frames[i] = other[i] = NOWHERE + i;
	index[0] = intern(frames, 100, 0);
	before = sp_spool_count(SP_SEC_FRAMES);
	for (i = 0; i < 10; i++)
		other[i] = NOWHERE + 1000 + i;
	index[1] = intern(other, 100, 0);
	index[2] = intern(frames, 100, SP_STACK_IS_HEAP);
	/* Ten frames, up to three that the table does not know, and the jump. */
	assert_in_range(sp_spool_count(SP_SEC_FRAMES) - before, 11, 14);
	agent_snapshot(&s);
	assert_addresses(&s, index[0], frames, sizeof(frames));
	assert_addresses(&s, index[1], other, sizeof(other));
	assert_addresses(&s, index[2], frames, sizeof(frames));
	sp_snapshot_free(&s);
}

static void the_agent_takes_no_more_than_it_may(void **state)
{
	uint64_t frames[40];
	uint32_t refused = 0;

	(void)state;
	agent_close();
	assert_int_equal(agent_open("/tmp", 200000), 0);
	for (uint32_t n = 0; n < 100000; n++) {
		uint32_t index;

		for (uint32_t i = 0; i < 40; i++)
			frames[i] = NOWHERE + 40 * n + i;
		index = intern(frames, 40, SP_STACK_IS_HEAP);
		refused += index == 0;
		sp_stacks_site(index);
	}
	assert_in_range(sp_agent.spool->agent_bytes, 12000000, 13100000);
	assert_int_equal(drops(SP_DROP_FRAMES) + drops(SP_DROP_STACKS), refused);
	assert_in_range(refused, 10000, 90000);
	/* What is not a sample still finds room. */
	for (uint32_t n = 0; n < 4000; n++)
		assert_int_not_equal(sp_spool_allot(SP_SEC_THREADS, 1), 0);
	for (uint32_t n = 0; n < 8000; n++)
		assert_int_not_equal(sp_spool_allot(SP_SEC_LIVE, 1), 0);
	assert_in_range(sp_agent.spool->agent_bytes, 13000000, 16000000);
}

static void a_garbage_word_is_no_jump(void **state)
{
	const uint64_t frames[] = {NOWHERE, SP_FRAME_JUMP | 7, SP_FRAME_JUMP, NOWHERE + 1};
	const uint64_t *pool = sp_section(SP_SEC_FRAMES);
	uint32_t at = sp_frames_put(frames, 4);

	(void)state;
	assert_int_not_equal(at, 0);
	assert_int_equal(pool[at], NOWHERE);
	assert_int_equal(pool[at + 1], 0);
	assert_int_equal(pool[at + 2], 0);
	assert_int_equal(pool[at + 3], NOWHERE + 1);
}

static void a_full_site_table_overflows_to_site_0(void **state)
{
	uint64_t frames[1];
	uint32_t i, capacity, refused = 0;

	(void)state;
	agent_close();
	assert_int_equal(agent_open("/tmp", 1), 0);
	capacity = sp_agent.spool->sections[SP_SEC_SITES].capacity;
	for (i = 0; i < capacity + 10; i++) {
		frames[0] = NOWHERE + i;
		refused += sp_stacks_site(intern(frames, 1, SP_STACK_IS_HEAP)) == 0;
	}
	assert_int_equal(refused, 11);
	assert_int_equal(drops(SP_DROP_SITES), refused);
}

/* Tells whether another stack with these outer frames has their modules looked up: where the table has lost them they are
 * entered anew. */
static bool looks_up(const uint64_t outer[2])
{
	struct sp_module *modules = sp_section(SP_SEC_MODULES);
	static uint64_t leaf = NOWHERE;
	uint64_t frames[3] = {leaf += 16, outer[0], outer[1]};
	uint32_t before = sp_spool_count(SP_SEC_MODULES), i;

	for (i = 1; i < before; i++)
		modules[i].ready = 0;
	assert_int_not_equal(intern(frames, 3, 0), 0);
	return sp_spool_count(SP_SEC_MODULES) > before;
}

static void modules_of_frames_that_stay_are_looked_up_once(void **state)
{
	const uint64_t ours[2] = {(uint64_t)(uintptr_t)getppid, (uint64_t)(uintptr_t)make_frames},
		       others[2] = {ours[1], ours[1]};

	(void)state;
	assert_true(looks_up(ours));
	assert_false(looks_up(ours));
	assert_true(looks_up(others));
	assert_true(looks_up(ours)); /* the outer frame alone has stayed */
	assert_false(looks_up(ours));
	sp_add(&sp_agent.unload_gen, 1);
	assert_true(looks_up(ours));
	sp_add(&sp_agent.spool->module_epoch, 1);
	assert_true(looks_up(ours));
	sp_agent.attached = true; /* nobody tells of unloads */
	assert_true(looks_up(ours));
	sp_agent.attached = false;
	agent_close();
	assert_int_equal(agent_open("/tmp", 50000), 0);
	assert_true(looks_up(ours));
}

/* Other stacks' records are made to look like the stack that is looked for: their buckets tell that they are not. */
static void buckets_tell_stacks_apart(void **state)
{
	enum { FIRST = 400, TRIED = 50 };
	struct sp_stack *stacks = sp_section(SP_SEC_STACKS);
	uint64_t frames[2] = {NOWHERE, 0}, hash[TRIED];
	uint32_t i, n;

	(void)state;
	for (i = 0; i < TRIED; i++) {
		frames[1] = NOWHERE + 16 * (FIRST + i);
		hash[i] = stacks[intern(frames, 2, 0)].hash;
	}
	agent_close();
	assert_int_equal(agent_open("/tmp", 50000), 0);
	stacks = sp_section(SP_SEC_STACKS);
	for (i = 0; i < FIRST; i++) {
		frames[1] = NOWHERE + 16 * i;
		intern(frames, 2, 0);
	}
	for (i = 0; i < TRIED; i++) {
		uint32_t before = sp_spool_count(SP_SEC_STACKS);

		for (n = 1; n < before; n++)
			stacks[n].hash = hash[i];
		frames[1] = NOWHERE + 16 * (FIRST + i);
		assert_int_equal(intern(frames, 2, 0), before);
	}
}

static uint32_t given[TEST_THREADS][KINDS];

static unsigned intern_at_random(unsigned number)
{
	uint64_t frames[SP_MAX_FRAMES], random = number + 1;
	unsigned errors = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		/* All threads come by the same new stacks at about the same time. */
		uint32_t reach = round * (KINDS / 8) / (ROUNDS / 8) + 8;
		uint32_t kind = next_random(&random) % (reach < KINDS ? reach : KINDS);
		uint32_t index = intern(frames, make_frames(kind, frames), 0);

		errors += index == 0 || (given[number][kind] && given[number][kind] != index);
		given[number][kind] = index;
		sp_stacks_add_cpu(index, 0, 1000, 0);
		sp_stacks_site(index);
	}
	return errors;
}

static void threads_agree_and_the_reader_accepts(void **state)
{
	uint64_t frames[SP_MAX_FRAMES], samples = 0;
	struct sp_snapshot s;

	(void)state;
	memset(given, 0, sizeof(given));
	assert_int_equal(run_threads(intern_at_random), 0);
	agent_snapshot(&s);
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		uint32_t depth = make_frames(kind, frames), index = intern(frames, depth, 0);

		for (int t = 0; t < TEST_THREADS; t++)
			assert_true(!given[t][kind] || given[t][kind] == index);
		if (index >= s.stack_count) /* new just now */
			continue;
		/* Kinds of depth 0, and those that differ in nothing but their number, are one stack. */
		assert_int_equal(s.stacks[index].depth, depth);
		if (depth)
			assert_addresses(&s, index, frames, depth * sizeof(*frames));
	}
	for (size_t i = 0; i < s.stack_count; i++)
		samples += s.stacks[i].user_samples;
	assert_int_equal(samples, ROUNDS * TEST_THREADS);
	for (size_t i = 1; i < s.site_count; i++)
		assert_true(s.sites[i].stack > 0);
	/* The test program and the C library. */
	assert_in_range(s.module_count, 2, 2 + 2 * (TEST_THREADS - 1));
	sp_snapshot_free(&s);
}

static void texts_are_kept_until_the_section_is_full(void **state)
{
	uint32_t capacity = sp_agent.spool->sections[SP_SEC_TEXT].capacity, hello = sp_spool_text("hello", 5), at, n;
	char *big = calloc(1, 65535);
	struct sp_snapshot s;

	(void)state;
	memset(big, 'x', 65535);
	for (n = 0; (at = sp_spool_text(big, 65535)); n++)
		assert_true(at + 65536 <= capacity);
	assert_int_equal(n, capacity / 65536 - 1);
	free(big);
	at = sp_spool_text("bye", 3);
	agent_snapshot(&s);
	assert_string_equal(sp_snapshot_text(&s, hello), "hello");
	assert_string_equal(sp_snapshot_text(&s, at), "bye");
	sp_snapshot_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_stack_has_one_index, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stacks_keep_their_index_while_the_table_grows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(few_stacks_touch_little_of_the_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(weights_and_sites_belong_to_their_stack, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_stack_table_overflows_to_record_0, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_frame_pool_is_counted_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stacks_share_their_outer_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_agent_takes_no_more_than_it_may, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_garbage_word_is_no_jump, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_site_table_overflows_to_site_0, set_up, tear_down),
		cmocka_unit_test_setup_teardown(modules_of_frames_that_stay_are_looked_up_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(buckets_tell_stacks_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_agree_and_the_reader_accepts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(texts_are_kept_until_the_section_is_full, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
