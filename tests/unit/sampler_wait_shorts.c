/* Short calls: what of their time was waiting, whatever the program does in turns. Time is made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/threads/thread.h"
#include "sampler/waits/look.h"
#include "sampler/waits/waits.h"
#include "tests/unit/sampler_spool.h"

#define ROUNDS 100000u

static uint64_t off_ns; /* since the last look */
static uint64_t cpu_ns;
static unsigned looks, asked; /* for the part in the run queue before a call */

/* In the place of what reads clocks. */
uint64_t sp_wait_look(struct sp_thread *t)
{
	uint64_t off = off_ns > t->wait.unlooked_ns ? off_ns - t->wait.unlooked_ns : 0;

	off_ns = t->wait.unlooked_ns = 0;
	t->wait.looked_cpu_ns = cpu_ns;
	looks++;
	return off;
}

uint64_t sp_wait_off(uint64_t ns, uint64_t off)
{
	return off < ns ? off : ns;
}

uint64_t sp_wait_slept(struct sp_thread *t, uint64_t ns, uint64_t off)
{
	(void)t;
	return sp_wait_off(ns, off);
}

static int set_up(void **state)
{
	(void)state;
	if (agent_open("/tmp", 2000) != 0)
		return -1;
	sp_agent.config.budget_permille = 30;
	sp_agent.tsc_per_us_x1024 = 1024000; /* a cycle is a nanosecond */
	sp_agent.tsc_measured = 1;
	sp_thread_adopt(sp_block_take(), 0, 0, 0);
	sp_waits_start(NULL);
	sp_waits_configure(sp_tls.thread, true);
	sp_agent.spool->waits.queue_look_ns = sp_tls.thread->wait.queue_cost_ns =
		UINT32_MAX; /* no more is to be asked */
	off_ns = cpu_ns = looks = asked = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_waits_off();
	sp_thread_release(sp_tls.thread);
	sp_tls = (struct sp_tls){0};
	agent_close();
	return 0;
}

static void call(uint64_t waits_ns, uint64_t runs_ns)
{
	struct sp_timed_call w;

	assert_true(sp_wait_begin(&w, SP_CALL_read));
	off_ns += waits_ns;
	cpu_ns += runs_ns;
	if (waits_ns + runs_ns >= sp_load(&sp_waits.least_cycles))
		sp_wait_ended(&w, SP_CALL_read, 0, waits_ns + runs_ns, 0);
	asked += sp_tls.thread->wait.short_queue_known;
	sp_tls.thread->wait.short_queue_known = false;
}

/* Rounds of one call that waits 9 us, `busy` ones that run for 3, and `tiny` ones that are too short to have waited. */
static void agrees(unsigned busy, unsigned tiny)
{
	struct sp_wait_count *read = &sp_tls.thread->record->waits[SP_WAIT_READ];
	uint64_t all_ns = ROUNDS * 9000ull;

	for (unsigned i = 0; i < ROUNDS; i++) {
		call(9000, 1000);
		for (unsigned k = 0; k < busy; k++)
			call(0, 3000);
		for (unsigned k = 0; k < tiny; k++)
			call(0, 500);
	}
	sp_short_settle(sp_tls.thread);
	print_message("%u busy, %u tiny: %.1f ms of %.1f in %lu waits of %u, %u looks\n", busy, tiny,
		(double)read->ns / 1e6, (double)all_ns / 1e6, (unsigned long)read->count, ROUNDS, looks);
	assert_true(read->ns > all_ns / 5 * 4 && read->ns < all_ns / 5 * 6);
	assert_true(read->count > ROUNDS / 5 * 4 && read->count < ROUNDS / 5 * 6);
	assert_int_equal(read->longest_ns, 9000);
}
static void all_are_waits(void **state)
{
	(void)state;
	agrees(0, 0);
}

static void in_turns_with_others(void **state)
{
	(void)state;
	agrees(1, 0);
}

static void one_of_many(void **state)
{
	(void)state;
	agrees(4, 0);
}

static void among_calls_that_are_none(void **state)
{
	(void)state;
	agrees(0, 3);
}

/* Where the budget pays for a look at each, looks at calls that do not wait end all the same, and begin again when they do. */
static void looks_that_find_nothing(void **state)
{
	struct sp_wait_count *read = &sp_tls.thread->record->waits[SP_WAIT_READ];

	(void)state;
	cpu_ns = 100000000000;
	for (unsigned i = 0; i < ROUNDS; i++)
		call(0, 3000);
	print_message("%u looks\n", looks);
	assert_true(looks < ROUNDS / 10 && looks > ROUNDS / 100);
	sp_short_settle(sp_tls.thread);
	assert_true(read->ns < ROUNDS * 3000ull / 100); /* until it is known */
	agrees(1, 0);
	assert_true(looks > ROUNDS / 10);
}

/* Before a call, the kernel need not be asked about the run queue where calls do not wait. */
static void questions_where_nothing_waits(void **state)
{
	unsigned busy;

	(void)state;
	sp_agent.spool->waits.queue_look_ns = sp_tls.thread->wait.queue_cost_ns = 0;
	cpu_ns = 100000000000;
	for (unsigned i = 0; i < 4000; i++)
		call(0, 3000);
	print_message("%u looks, %u questions\n", looks, asked);
	assert_true(asked < 100);
	busy = asked;
	for (unsigned i = 0; i < 4000; i++)
		call(9000, 1000);
	assert_true(asked > busy + 200);
}

/* Looks that by chance find none of the few calls that wait, and then get rare, must not have them taken for none. */
static void few_waits_are_a_part_of_all(void **state)
{
	struct sp_wait_count *read = &sp_tls.thread->record->waits[SP_WAIT_READ];
	uint64_t all_ns = 0;

	(void)state;
	cpu_ns = 1000000000000;
	for (unsigned i = 0; i < 10 * ROUNDS; i++) {
		bool waits = sp_random(sp_tls.thread) % 200 == 0;

		call(waits ? 40000 : 0, waits ? 0 : 3000);
		all_ns += waits ? 40000 : 0;
	}
	sp_short_settle(sp_tls.thread);
	print_message("%.1f ms of %.1f, %u looks\n", (double)read->ns / 1e6, (double)all_ns / 1e6, looks);
	assert_true(read->ns > all_ns / 5 * 4 && read->ns < all_ns / 5 * 6);
}

/* A thread that has run for many minutes: so many looks have taken more than 2^32 ns. */
static void looks_are_paid_for_ever(void **state)
{
	(void)state;
	sp_tls.thread->wait.short_looks = 6000000;
	cpu_ns = 1600000000000;
	for (unsigned i = 0; i < ROUNDS; i++)
		call(2000, 1000);
	assert_in_range(sp_tls.thread->wait.short_looks, 6000000, 6000000 + ROUNDS / 100);
}

static void waits_that_never_were(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++)
		call(0, 3000);
	sp_short_settle(sp_tls.thread);
	assert_true(sp_tls.thread->record->waits[SP_WAIT_READ].ns < ROUNDS * 3000ull / 100); /* until it is known */
}

/* What looks may take goes by the CPU time that the thread uses, not by how long it waits. */
static void looks_are_paid_by_cpu_time(uint64_t waits_ns)
{
	struct sp_wait_count *read = &sp_tls.thread->record->waits[SP_WAIT_READ];
	uint64_t all_ns = ROUNDS * waits_ns, budget_ns = ROUNDS * 1000ull * 29 / 10000;

	for (unsigned i = 0; i < ROUNDS; i++)
		call(waits_ns, 1000);
	sp_short_settle(sp_tls.thread);
	print_message("waits of %lu us: %u looks\n", (unsigned long)waits_ns / 1000, looks);
	assert_true(looks * (uint64_t)SP_LOOK_NS < budget_ns * 2 + 4 * SP_FREE_LOOKS * SP_EACH_NS);
	assert_true(read->ns > all_ns / 100 * 97 && read->ns <= all_ns / 100 * 103);
	assert_true(read->count > ROUNDS / 100 * 97 && read->count <= ROUNDS / 100 * 103);
}

static void of_short_waits(void **state)
{
	(void)state;
	looks_are_paid_by_cpu_time(30000);
}

static void of_waits_that_are_looked_at_each(void **state)
{
	(void)state;
	looks_are_paid_by_cpu_time(120000);
}

/* A shell waits half a millisecond for each small program that it starts. */
static void of_waits_as_long_as_a_small_program(void **state)
{
	(void)state;
	looks_are_paid_by_cpu_time(500000);
}

static void where_they_cost_little_each_is_looked_at(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		cpu_ns += 1000000;
		call(60000, 1000);
	}
	assert_true(looks >= 1000);
	assert_int_equal(sp_tls.thread->record->waits[SP_WAIT_READ].ns, 1000 * 60000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(all_are_waits), TEST(in_turns_with_others), TEST(one_of_many),
		TEST(among_calls_that_are_none), TEST(waits_that_never_were), TEST(looks_that_find_nothing),
		TEST(questions_where_nothing_waits), TEST(few_waits_are_a_part_of_all), TEST(looks_are_paid_for_ever),
		TEST(of_short_waits), TEST(of_waits_that_are_looked_at_each), TEST(of_waits_as_long_as_a_small_program),
		TEST(where_they_cost_little_each_is_looked_at)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
