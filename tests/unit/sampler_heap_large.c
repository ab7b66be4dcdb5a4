/* Large blocks, which are sampled for their size alone. The random numbers are the same in every run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/heap/heap.h"
#include "tests/unit/sampler_driven.h"

#define LARGE (256u * 1024)
#define MANY 10000

static void allocate_many(size_t size)
{
	for (int i = 0; i < MANY; i++)
		allocate_at[0](new_pointer(), size);
}

static void a_large_block_is_exact_however_wide_the_interval(void **state)
{
	const struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t sum = 0;

	(void)state;
	set_interval(1u << 30);
	for (size_t size = LARGE; size <= 64u * 1024 * 1024; size += size / 4) {
		allocate_at[0](new_pointer(), size);
		sum += size;
	}
	assert_int_equal(h->inuse_bytes, sum);
	assert_int_equal(h->exact_bytes, sum);
	assert_int_equal(h->inuse_variance, 0);
	assert_int_equal(sites()[1].alloc_bytes, sum);
	assert_int_equal(sites()[1].variance_alloc, 0);
}

static void assert_next_is_exact(size_t size)
{
	const struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t before = h->inuse_bytes, exact = h->exact_bytes;

	allocate_at[1](new_pointer(), size);
	assert_int_equal(h->inuse_bytes - before, size);
	assert_int_equal(h->exact_bytes - exact, size);
}

static void many_large_blocks_leave_room_for_larger_ones(void **state)
{
	(void)state;
	set_interval(1ull << 40);
	allocate_many(LARGE);
	assert_next_is_exact(10000000);
	allocate_many(10000000);
	assert_next_is_exact(100000000);
}

static void those_sampled_for_their_size_are_a_part_of_all(void **state)
{
	const struct sp_heap_totals *h = &sp_agent.spool->heap;

	(void)state;
	set_interval(1ull << 40);
	allocate_many(LARGE);
	assert_in_range(h->samples, 64, 100);
	allocate_many(1u << 30);
	assert_true(h->always_samples <= 6 * 32 + h->samples * 6 / 8);
	assert_true(h->samples < MANY / 4);
}

/* From one place, so that a site is a size. */
static __attribute__((noinline)) void pass_through(uint32_t site, size_t size)
{
	const void *p = new_pointer();

	allocate_at[site](p, size);
	release(p);
}

/* Below, at and above the least size, far more of them than may be sampled for that alone. */
static void sizes_around_the_least_are_estimated_without_bias(void **state)
{
	static const size_t sizes[SITES] = {100000, LARGE - 1, LARGE, 300000, 4 * LARGE, 20 * LARGE};
	uint64_t random = 11, bytes[SITES] = {0}, counts[SITES] = {0};

	(void)state;
	for (uint32_t i = 0; i < 40000; i++) {
		uint32_t site = i < SITES ? i : (uint32_t)(next_random(&random) % SITES);

		if (i == SITES)
			set_interval(16 * LARGE);
		pass_through(site, sizes[site]);
		bytes[site] += sizes[site];
		counts[site]++;
	}
	assert_int_equal(site_count(), 1 + SITES);
	for (uint32_t i = 0; i < SITES; i++) {
		const struct sp_site *s = &sites()[1 + i];
		double error = 4 * sqrt((double)s->variance_alloc * SP_VARIANCE_UNIT);

		assert_true(error > 0);
		assert_within((double)s->alloc_bytes, (double)bytes[i], error / (double)bytes[i]);
		assert_within((double)s->alloc_count, (double)counts[i], error / (double)bytes[i]);
		assert_int_equal(inuse(s), 0);
	}
}

static uint64_t bytes_counted(void)
{
	return (uint64_t)(sp_tls.heap.bytes_base - sp_tls.heap.countdown);
}

/* Uses up the running step but for one byte. */
static void run_step_down(void)
{
	while (sp_tls.heap.countdown > 1)
		assert_true(sp_heap_count_quickly((size_t)sp_tls.heap.countdown - 1));
}

static void a_step_ends_without_a_look_at_the_block(void **state)
{
	uint64_t bytes, allocs, samples = sp_agent.spool->heap.samples;

	(void)state;
	set_interval(1ull << 40);
	for (int i = 0; i < 100; i++) {
		run_step_down();
		bytes = bytes_counted();
		allocs = sp_tls.heap.allocs;
		assert_false(sp_heap_count_quickly(1000));
		assert_int_equal(bytes_counted(), bytes);
		assert_true(sp_heap_step(1000));
		assert_int_equal(bytes_counted(), bytes + 1000);
		assert_int_equal(sp_tls.heap.allocs, allocs + 1);
		assert_int_equal(sp_tls.heap.countdown, LARGE);
	}
	assert_int_equal(sp_agent.spool->heap.samples, samples);
}

/* And counts nothing then. */
static void assert_no_step(size_t size)
{
	uint64_t bytes = bytes_counted(), allocs = sp_tls.heap.allocs;

	assert_false(sp_heap_count_quickly(size));
	assert_false(sp_heap_step(size));
	assert_int_equal(bytes_counted(), bytes);
	assert_int_equal(sp_tls.heap.allocs, allocs);
}

static void what_needs_a_look_is_no_step(void **state)
{
	(void)state;
	set_interval(1ull << 40);
	run_step_down();
	assert_no_step(LARGE);
	assert_no_step(SIZE_MAX);
	sp_agent.spool->control.asked++; /* it is told something */
	assert_no_step(1000);
	sp_agent.spool->control.asked--;
	sp_agent.state = SP_AGENT_STOPPED;
	assert_no_step(1000);
	sp_agent.state = SP_AGENT_ACTIVE;
	sp_tls.heap_left = 999; /* a sample is due */
	assert_no_step(1000);
	sp_tls.heap_left = 1000;
	assert_true(sp_heap_step(1000));
	assert_int_equal(sp_tls.heap.countdown, 1);
	assert_no_step(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_step_ends_without_a_look_at_the_block, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(what_needs_a_look_is_no_step, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(a_large_block_is_exact_however_wide_the_interval, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(many_large_blocks_leave_room_for_larger_ones, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(those_sampled_for_their_size_are_a_part_of_all, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(sizes_around_the_least_are_estimated_without_bias, heap_set_up,
			heap_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
