/* Heap sampling from the allocation to the site. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/spool/marks.h"
#include "sampler/heap/heap.h"
#include "sampler/heap/live.h"
#include "sampler/upkeep/marks.h"
#include "tests/unit/sampler_driven.h"

/* What a reader makes of the lazy at-peak values. */
static uint64_t at_peak(const struct sp_site *s)
{
	return s->peak_seq < sp_agent.spool->heap.peak_seq ? inuse(s) : s->peak_bytes;
}

static void each_caller_is_a_site_and_large_allocations_are_exact(void **state)
{
	const void *p[SITES];

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < SITES; i++)
			allocate_at[i](p[i] = new_pointer(), 100 * (i + 1));
		if (round % 2)
			for (uint32_t i = 0; i < SITES; i++)
				release(p[i]);
	}
	assert_int_equal(site_count(), 1 + SITES);
	for (uint32_t i = 0; i < SITES; i++) {
		const struct sp_site *s = &sites()[1 + i];

		assert_int_equal(s->alloc_bytes, 20 * 100 * (i + 1));
		assert_int_equal(s->alloc_count, 20);
		assert_int_equal(inuse(s), 10 * 100 * (i + 1));
		assert_int_equal(s->inuse_samples, 10);
		assert_int_equal(s->short_count, 10);
		assert_int_equal(s->variance_alloc, 0);
	}
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 21 * 1000);
	assert_int_equal(sp_agent.spool->heap.live_entries, 10 * SITES);
	assert_int_equal(sp_agent.spool->heap.sampled_frees, 10 * SITES);
	assert_int_equal(sp_tls.heap.bytes_base - sp_tls.heap.countdown, 42 * 1000);
	assert_int_equal(sp_tls.heap.allocs, 20 * SITES);
	assert_int_equal(sp_tls.heap.frees, 10 * SITES);
}

/* One step of a scenario: an allocation, or (no size) a release. From one place, so that a site is a caller. */
static __attribute__((noinline)) void step(uint32_t site, const void *p, size_t size)
{
	if (size)
		allocate_at[site](p, size);
	else
		release(p);
}

static void assert_peak(uint64_t total, uint64_t first, uint64_t second, uint64_t third)
{
	assert_int_equal(sp_agent.spool->heap.peak_bytes, total);
	assert_int_equal(at_peak(&sites()[1]), first);
	assert_int_equal(at_peak(&sites()[2]), second);
	assert_int_equal(at_peak(&sites()[3]), third);
}

static void the_peak_is_remembered_by_site(void **state)
{
	const void *p[] = {new_pointer(), new_pointer(), new_pointer(), new_pointer()};
	static const struct {
		uint32_t site, p;
		size_t size;
		uint64_t peak, at_first, at_second, at_third;
	} steps[] = {
		{0, 0, 100, 100, 100, 0, 0},
		{1, 1, 200, 300, 100, 200, 0},
		{0, 0, 0, 300, 100, 200, 0},
		{1, 2, 50, 300, 100, 200, 0}, /* 250 in use: below the peak */
		{2, 3, 70, 320, 0, 250, 70},
		{1, 1, 0, 320, 0, 250, 70},
		{2, 3, 0, 320, 0, 250, 70},
		{0, 0, 270, 320, 0, 250, 70}, /* as much as at the peak is no new one */
		{1, 2, 0, 320, 0, 250, 70},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		step(steps[i].site, p[steps[i].p], steps[i].size);
		assert_peak(steps[i].peak, steps[i].at_first, steps[i].at_second, steps[i].at_third);
	}
	assert_int_equal(site_count(), 4);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 270);
}

/* A long random walk against a model that copies everything at every peak. */
static void the_lazy_peak_is_the_peak(void **state)
{
	static struct {
		const void *p;
		size_t size;
		uint32_t site;
	} held[400];
	uint64_t now[SITES] = {0}, peak[SITES] = {0}, total = 0, highest = 0, random = 5;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		uint32_t i = next_random(&random) % (step < 12000 ? 400 : 250), site;

		if (held[i].p) {
			release(held[i].p);
			now[held[i].site] -= held[i].size;
			total -= held[i].size;
			held[i].p = NULL;
			continue;
		}
		held[i].p = new_pointer();
		held[i].size = 8 + next_random(&random) % 5000;
		held[i].site = site = (uint32_t)(next_random(&random) % SITES);
		allocate_at[site](held[i].p, held[i].size);
		now[site] += held[i].size;
		total += held[i].size;
		if (total > highest) {
			highest = total;
			memcpy(peak, now, sizeof(peak));
		}
	}
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, total);
	assert_int_equal(sp_agent.spool->heap.peak_bytes, highest);
	assert_int_equal(site_count(), 1 + SITES);
	for (uint32_t s = 1; s <= SITES; s++) {
		bool found = false;

		for (uint32_t i = 0; i < SITES; i++) /* sites are numbered as they come */
			found |= inuse(&sites()[s]) == now[i] && at_peak(&sites()[s]) == peak[i];
		assert_true(found);
	}
	for (uint32_t i = 0; i < 400; i++)
		if (held[i].p)
			release(held[i].p);
	assert_int_equal(sp_agent.spool->heap.live_entries, 0);
	memset(held, 0, sizeof(held));
}

#define MARKS 7

/* What a reader finds of all sites together at the mark, and of the one that holds what is expected. */
static void assert_marked(uint32_t mark, const uint64_t expected[SITES])
{
	struct sp_snapshot s;
	uint64_t is[SITES] = {0}, found;

	agent_snapshot(&s);
	assert_int_equal(s.mark_count, MARKS);
	sp_mark_rewind(&s, &s.marks[mark]);
	assert_int_equal(s.lost_sites, 0);
	for (size_t i = 1; i < s.site_count; i++)
		is[i - 1] = inuse(&s.sites[i]);
	for (size_t i = 0; i < SITES; i++) { /* sites are numbered as they come */
		found = 0;
		for (size_t k = 0; k < SITES; k++)
			found += is[k] == expected[i];
		assert_int_not_equal(found, 0);
	}
	sp_snapshot_free(&s);
}

/* The same walk against a model that copies everything at every mark. Some follow each other at once, and from one on a
 * site is born, one does not change any more, and one is empty. */
static void the_heap_at_a_mark_is_told_later(void **state)
{
	static struct {
		const void *p;
		size_t size;
		uint32_t site;
	} held[300];
	const struct sp_mark_reason reason = {.kind = SP_MARK_NAMED, .name = "a"};
	uint64_t now[SITES] = {0}, at[MARKS][SITES] = {{0}}, random = 7;
	uint32_t marks = 0;

	(void)state;
	for (int step = 0; step < 7000; step++) {
		uint32_t i = next_random(&random) % 300, least = step > 3500 ? 1 : 0,
			 most = step > 1500 ? SITES : SITES - 1;

		if (step && step % 1000 == 0) {
			assert_int_equal(sp_mark_set(&reason), marks + 1);
			memcpy(at[marks++], now, sizeof(now));
			if (step == 4000) {
				assert_int_equal(sp_mark_set(&reason), marks + 1);
				memcpy(at[marks++], now, sizeof(now));
			}
		}
		if (held[i].p && held[i].site >= least) {
			release(held[i].p);
			now[held[i].site] -= held[i].size;
			held[i].p = NULL;
		} else if (!held[i].p) {
			held[i].p = new_pointer();
			held[i].size = 8 + next_random(&random) % 5000;
			held[i].site = least + (uint32_t)(next_random(&random) % (most - least));
			allocate_at[held[i].site](held[i].p, held[i].size);
			now[held[i].site] += held[i].size;
		}
	}
	assert_int_equal(marks, MARKS);
	for (uint32_t m = 0; m < MARKS; m++)
		assert_marked(m, at[m]);
	memset(held, 0, sizeof(held));
}

static void there_is_room_for_63_marks_and_the_rest_is_counted(void **state)
{
	const struct sp_mark_reason reason = {.kind = SP_MARK_NAMED, .name = "a-31-character-long-name-_+0123"};

	(void)state;
	assert_true(sp_mark_name_ok(reason.name));
	assert_false(sp_mark_name_ok(""));
	assert_false(sp_mark_name_ok("a b"));
	assert_false(sp_mark_name_ok("a|b"));
	assert_false(sp_mark_name_ok("a-32-character-long-name-_+01234"));
	for (uint32_t i = 1; i < SP_MARKS_MAX; i++)
		assert_int_equal(sp_mark_set(&reason), i);
	assert_int_equal(sp_mark_set(&reason), 0);
	assert_int_equal(sp_agent.spool->drops[SP_DROP_MARKS], 1);
}

/* realloc: a failed one changes nothing, one that worked is a free and an allocation. */
static void a_held_entry_is_restored_or_freed(void **state)
{
	const void *p = new_pointer(), *q = new_pointer();
	struct sp_heap_held held;

	(void)state;
	allocate_at[0](p, 1000);
	sp_heap_hold(p, &held);
	assert_true(held.held);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 1000);
	sp_heap_restore(p, &held);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 1000);
	assert_int_equal(sites()[1].free_bytes, 0);
	sp_heap_hold(p, &held);
	sp_heap_drop_held(&held);
	allocate_at[1](q, 1500);
	assert_int_equal(sites()[1].free_bytes, 1000);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 1500);
	release(p); /* not held any more: nothing happens */
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 1500);
	sp_heap_hold(p, &held);
	assert_false(held.held);
	sp_heap_drop_held(&held);
	sp_heap_restore(p, &held);
	release(q);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 0);
	assert_int_equal(sp_agent.spool->heap.live_entries, 0);
}

static uint64_t sum_of_sites(size_t field)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < site_count(); i++)
		sum += *(const uint64_t *)((const char *)&sites()[i] + field);
	return sum;
}

/* Many allocations of one size: their bytes and their number. */
static void estimate_size(size_t size, uint32_t n)
{
	const struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t bytes = h->inuse_bytes, count = h->inuse_count;

	set_interval(1024);
	for (uint32_t i = 0; i < n; i++)
		allocate_at[0](new_pointer(), size);
	assert_within((double)(h->inuse_bytes - bytes), (double)size * n, 0.05);
	assert_within((double)(h->inuse_count - count), n, 0.05);
	assert_int_equal(sum_of_sites(offsetof(struct sp_site, alloc_bytes)), h->inuse_bytes);
	assert_int_equal(sum_of_sites(offsetof(struct sp_site, alloc_count)), h->inuse_count);
}

/* A few thousand samples each: one standard deviation is below 1.5 %. */
static void bytes_and_numbers_are_estimated_without_bias(void **state)
{
	(void)state;
	estimate_size(16, 300000);
	estimate_size(300, 20000);
	estimate_size(512, 15000);
	estimate_size(1500, 8000);
	estimate_size(9000, 100);
}

/* Its free was missed: what comes to lie at the same address takes its place. */
static void an_address_sampled_twice_is_in_use_once(void **state)
{
	const void *p = new_pointer();

	(void)state;
	allocate_at[0](p, 100000);
	allocate_at[1](p, 200000);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 200000);
	assert_int_equal(inuse(&sites()[1]), 0);
	release(p);
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 0);
}

/* malloc(0) is an allocation of nothing, also when the countdown happens to be used up. */
static void an_allocation_of_no_bytes_weighs_nothing(void **state)
{
	(void)state;
	allocate_at[0](new_pointer(), 1000);
	for (int i = 0; i < 3; i++) {
		sp_tls.heap.bytes_base -= sp_tls.heap.countdown;
		sp_tls.heap.countdown = 0;
		allocate_at[1](new_pointer(), 0);
	}
	assert_int_equal(sp_agent.spool->heap.inuse_bytes, 1000);
	assert_int_equal(sp_agent.spool->heap.peak_bytes, 1000);
}

/* The live set fills: the interval widens, entries are thinned out, and the estimate stays true. */
static void thinning_out_keeps_the_estimate(void **state)
{
	const struct sp_heap_totals *h = &sp_agent.spool->heap;
	const uint32_t n = 150000;
	uint64_t first;

	(void)state;
	set_interval(8);
	first = next_address;
	for (uint32_t i = 0; i < n; i++)
		allocate_at[0](new_pointer(), 64);
	assert_true(h->interval_floor >= 16);
	assert_true(h->interval_bytes >= h->interval_floor && h->interval_max_bytes >= h->interval_bytes);
	assert_true(sp_live_permille() <= 701);
	assert_within((double)h->inuse_bytes, 64.0 * n, 0.02);
	assert_within((double)h->inuse_count, n, 0.05);
	assert_int_equal(h->inuse_bytes, inuse(&sites()[1]));
	assert_int_equal(sp_agent.spool->drops[SP_DROP_LIVE], 0);
	next_address = first;
	for (uint32_t i = 0; i < n; i++)
		release(new_pointer());
	assert_int_equal(h->inuse_bytes, 0);
	assert_int_equal(h->inuse_count, 0);
	assert_int_equal(h->live_entries, 0);
	assert_int_equal(sites()[1].variance_inuse, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_caller_is_a_site_and_large_allocations_are_exact, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(the_peak_is_remembered_by_site, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(the_lazy_peak_is_the_peak, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(the_heap_at_a_mark_is_told_later, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(there_is_room_for_63_marks_and_the_rest_is_counted, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(a_held_entry_is_restored_or_freed, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(bytes_and_numbers_are_estimated_without_bias, heap_set_up,
			heap_tear_down),
		cmocka_unit_test_setup_teardown(an_address_sampled_twice_is_in_use_once, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(an_allocation_of_no_bytes_weighs_nothing, heap_set_up, heap_tear_down),
		cmocka_unit_test_setup_teardown(thinning_out_keeps_the_estimate, heap_set_up, heap_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
