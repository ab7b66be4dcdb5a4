/* The peak of what is in use, of programs that renew it. The random numbers are the same in every run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sampler_driven.h"

#define BLOCKS 15000
#define LARGE 10000000
#define INTERVAL (4u << 20)
#define BEFORE_BYTES (256u * 1024) /* that a process has allocated when its sampling begins at the interval asked for */

/* Blocks of up to 2 KB in 15,000 places, which are renewed at random. Returns the most that was in use. */
static double renew(uint32_t times, uint64_t interval)
{
	static struct {
		const void *p;
		size_t size;
	} held[BLOCKS];
	uint64_t random = 88172645463325252ull, bytes = 0, all = 0, most = 0;

	set_interval(16384);
	for (uint32_t i = 0; i < BLOCKS * (times + 1); i++) {
		uint32_t k = i < BLOCKS ? i : (uint32_t)(next_random(&random) % BLOCKS);

		if (i >= BLOCKS) {
			release(held[k].p);
			bytes -= held[k].size;
		}
		held[k].p = new_pointer();
		held[k].size = 16 + next_random(&random) % 2000;
		bytes += held[k].size;
		all += held[k].size;
		most = bytes > most ? bytes : most;
		if (all > BEFORE_BYTES)
			sp_agent.spool->heap.interval_bytes = interval;
		allocate_at[0](held[k].p, held[k].size);
	}
	return (double)most;
}

/* And then a block that is exact and makes the peak, give or take what the others are below their own: one part in fifty. */
static double renew_and_end_large(uint32_t times)
{
	double most = renew(times, INTERVAL);

	allocate_at[1](new_pointer(), LARGE);
	return most + LARGE;
}

static double peak(void)
{
	return sp_agent.spool->heap.peak.smooth;
}

static double peak_error(void)
{
	return 1.96 * sqrt(sp_agent.spool->heap.peak.smooth_variance);
}

static void what_was_renewed_a_hundred_times_has_a_peak_that_is_known(void **state)
{
	double truth = renew_and_end_large(100);

	(void)state;
	assert_within(peak(), truth, 0.05);
	assert_true(peak_error() < 1.5 * INTERVAL);
}

static void what_was_hardly_renewed_may_be_otherwise(void **state)
{
	double truth = renew_and_end_large(1);

	(void)state;
	assert_true(peak_error() > 2.5 * INTERVAL);
	assert_true(fabs(peak() - truth) < peak_error());
}

/* Allocates as many blocks again, which stay; beside each of them a small one comes and goes, so frees are of other sizes than the
 * mean. Returns the bytes that stay. */
static double grow(void)
{
	for (uint32_t i = 0; i < BLOCKS; i++) {
		const void *passing = new_pointer();

		allocate_at[2](passing, 16);
		allocate_at[1](new_pointer(), 1000);
		release(passing);
	}
	return BLOCKS * 1000.0;
}

/* However often it was renewed before. */
static void what_has_grown_may_be_otherwise(void **state)
{
	const uint32_t runs = 30;
	uint32_t covered = 0;

	for (uint32_t run = 1; run <= runs; run++) {
		double truth;

		sp_tls.thread->random = run * 0x9e3779b97f4a7c15ull;
		truth = renew(100, INTERVAL) + grow();
		covered += fabs(peak() - truth) < peak_error();
		heap_tear_down(state);
		heap_set_up(state);
	}
	assert_true(covered >= runs * 2 / 3);
}

/* The samples say by how much the estimate by exact counts may be off, but only as far as that is not their own chance. */
static void chance_moves_no_peak(void **state)
{
	const uint32_t runs = 15;
	uint32_t near = 0;

	for (uint32_t run = 1; run <= runs; run++) {
		double truth;

		sp_tls.thread->random = run * 0x9e3779b97f4a7c15ull;
		truth = renew(100, INTERVAL / 8);
		near += fabs(peak() - truth) < truth / 25;
		heap_tear_down(state);
		heap_set_up(state);
	}
	assert_true(near >= runs * 2 / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_renewed_a_hundred_times_has_a_peak_that_is_known, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(what_was_hardly_renewed_may_be_otherwise, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(what_has_grown_may_be_otherwise, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(chance_moves_no_peak, heap_set_up, heap_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
