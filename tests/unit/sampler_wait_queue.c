/* What waits that were not looked at had of the run queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/waits/queue.h"

#define MS 1000000u

static uint64_t unlooked(struct sp_thread *t, uint64_t ns)
{
	return sp_wait_without_queue(t, SP_WAIT_POLL, ns, 0, false);
}

static void nothing_known_nothing_taken(void **state)
{
	static struct sp_thread t;

	(void)state;
	assert_int_equal(unlooked(&t, 5 * MS), 5 * MS);
}

static void as_others_of_the_length(void **state)
{
	static struct sp_thread t = {.wait.parts[SP_WAIT_POLL] = {{.ns = 100000, .queue_ns = 50000, .count = 2},
					     {.ns = 10 * MS, .queue_ns = 2 * MS, .count = 20}}};

	(void)state;
	assert_int_equal(unlooked(&t, 40000), 20000);
	assert_int_equal(unlooked(&t, 500000), 400000);
}

static void a_long_wait_among_short_ones_stays_long(void **state)
{
	static struct sp_thread t = {
		.wait.parts[SP_WAIT_POLL][1] = {.ns = 1000 * MS, .queue_ns = 500 * MS, .count = 2000}};

	(void)state;
	assert_int_equal(unlooked(&t, 1000 * MS), 1000 * MS - MS / 4);
	t.wait.parts[SP_WAIT_POLL][SP_WAIT_LENGTHS - 1] =
		(struct sp_wait_part){.ns = 100 * MS, .queue_ns = 20 * MS, .count = 10};
	assert_int_equal(unlooked(&t, 1000 * MS), 998 * MS);
	assert_int_equal(unlooked(&t, 8 * MS), 8 * MS - 1600000);
}

static void a_short_one_among_long_ones_keeps_its_part(void **state)
{
	static struct sp_thread t = {
		.wait.parts[SP_WAIT_POLL][3] = {.ns = 1000 * MS, .queue_ns = 100 * MS, .count = 20}};

	(void)state;
	assert_int_equal(unlooked(&t, MS / 10), MS / 10 - MS / 100);
}

/* Nothing has been used of the CPU, so what is asked is asked in advance. */
static bool is_asked(uint32_t budget_permille, uint64_t spent_ns)
{
	static struct sp_spool_header spool;
	static struct sp_thread t;

	sp_agent.spool = &spool;
	sp_agent.config.budget_permille = budget_permille;
	spool.waits.queue_look_ns = spent_ns;
	return sp_wait_queue_is_due(&t, SP_WAIT_POLL, MS / 2);
}

static void what_is_asked_in_advance_follows_the_budget(void **state)
{
	(void)state;
	assert_true(is_asked(100, 19 * MS / 10));
	assert_false(is_asked(100, 21 * MS / 10));
	assert_true(is_asked(20, 39 * MS / 100));
	assert_false(is_asked(20, 41 * MS / 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_known_nothing_taken),
		cmocka_unit_test(as_others_of_the_length), cmocka_unit_test(a_long_wait_among_short_ones_stays_long),
		cmocka_unit_test(a_short_one_among_long_ones_keeps_its_part),
		cmocka_unit_test(what_is_asked_in_advance_follows_the_budget)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
