/* The live set: what went in comes out, nothing else does, by many threads and with the sweep running too. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "sampler/heap/filter.h"
#include "sampler/heap/live.h"
#include "tests/unit/sampler_spool.h"

#define MANY 50000u
#define HAMMER_S 1.0
#define PER_THREAD 6000u

/* Pointers nobody dereferences. */
static const void *pointer(uint64_t i, uint64_t stride)
{
	return (const void *)(uintptr_t)(0x7f0000001010u + i * stride);
}

static struct sp_live entry_of(const void *p, uint32_t site)
{
	return (struct sp_live){.size = (uint64_t)(uintptr_t)p >> 4, .weight = (uint64_t)(uintptr_t)p, .site = site};
}

static bool drop_all(struct sp_live *entry, void *arg)
{
	(void)entry;
	(void)arg;
	return false;
}

static int set_up(void **state)
{
	(void)state;
	sp_filter_boot_done();
	return agent_open("/tmp", 50000) || sp_live_init();
}

static int tear_down(void **state)
{
	(void)state;
	agent_close();
	return 0;
}

static int empty(void **state)
{
	(void)state;
	sp_live_sweep(drop_all, NULL);
	return sp_live_permille() != 0;
}

static void what_goes_in_comes_out_once(void **state)
{
	const void *p = pointer(1, 64), *q = pointer(2, 64);
	struct sp_live in = entry_of(p, 7), out = {0};

	(void)state;
	in.count = 3;
	in.scale = 2.5f;
	in.variance = 9;
	in.born_tsc = 77;
	assert_false(sp_live_remove(p, &out));
	assert_int_equal(sp_live_insert(p, &in), 0);
	assert_false(sp_live_remove(q, &out));
	assert_true(sp_live_remove(p, &out));
	assert_memory_equal(&out, &in, sizeof(in));
	assert_false(sp_live_remove(p, &out));
	assert_true(sp_filter_surely_not(p));
}

static void the_filter_never_denies_a_live_pointer(void **state)
{
	static const uint64_t strides[] = {16, 48, 4096, 1u << 20, 1u << 24};
	struct sp_live e;
	uint32_t i;

	(void)state;
	for (size_t s = 0; s < sizeof(strides) / sizeof(*strides); s++) {
		for (i = 0; i < MANY; i++) {
			e = entry_of(pointer(i, strides[s]), i);
			assert_int_equal(sp_live_insert(pointer(i, strides[s]), &e), 0);
		}
		for (i = 0; i < MANY; i += 2) {
			assert_true(sp_live_remove(pointer(i, strides[s]), &e));
			assert_int_equal(e.site, i);
		}
		for (i = 1; i < MANY; i += 2)
			assert_false(sp_filter_surely_not(pointer(i, strides[s])));
		for (i = 1; i < MANY; i += 2)
			assert_true(sp_live_remove(pointer(i, strides[s]), &e));
		for (i = 0; i < MANY; i++)
			assert_true(sp_filter_surely_not(pointer(i, strides[s])));
		assert_int_equal(sp_live_permille(), 0);
	}
}

static void insert_all(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		struct sp_live e = entry_of(pointer(i, 64), i);

		assert_int_equal(sp_live_insert(pointer(i, 64), &e), 0);
	}
	for (uint32_t i = 0; i < to; i++)
		assert_false(sp_filter_surely_not(pointer(i, 64)));
}

/* Which filter is in force follows from what is in use: none of them misses what came in under the other. */
static void both_filters_know_every_live_pointer(void **state)
{
	uint64_t *inuse = &sp_agent.spool->heap.inuse_bytes;
	const struct sp_free_filter *coarse, *fine;
	struct sp_live e;

	(void)state;
	*inuse = 1ull << 40;
	insert_all(0, 100);
	coarse = sp_free_filter;
	*inuse = 0;
	insert_all(100, 1000);
	fine = sp_free_filter;
	*inuse = 1ull << 40;
	insert_all(1000, 1100);
	assert_ptr_equal(sp_free_filter, coarse);
	assert_ptr_not_equal(fine, coarse);
	/* A byte of the coarse one stands for neighbours too; they are found not to be there. */
	assert_false(sp_live_remove((const char *)pointer(1, 64) + 16, &e));
	for (uint32_t i = 0; i < 1100; i++)
		assert_true(sp_live_remove(pointer(i, 64), &e));
	for (uint32_t i = 0; i < 1100; i++)
		assert_true(sp_filter_surely_not(pointer(i, 64)));
	*inuse = 0;
}

/* sampler/heap/heap.c thins the set out from 700 permille on: up to there it must not refuse. */
static void a_full_set_refuses_and_keeps_what_it_has(void **state)
{
	uint64_t random = 1;
	uint32_t n, i;
	struct sp_live e;
	const void *p;

	(void)state;
	for (n = 0;; n++) {
		p = pointer(next_random(&random) >> 30, 16);
		e = entry_of(p, n);
		if (sp_live_insert(p, &e) == -ENOSPC)
			break;
	}
	assert_in_range(sp_live_permille(), 701, 1000);
	assert_false(sp_live_remove(p, &e));
	for (random = 1, i = 0; i < n; i++) {
		p = pointer(next_random(&random) >> 30, 16);
		assert_true(sp_live_remove(p, &e));
		assert_int_equal(e.weight, (uintptr_t)p);
	}
	assert_int_equal(sp_live_permille(), 0);
}

static bool keep_odd_sites(struct sp_live *entry, void *arg)
{
	*(uint32_t *)arg += 1;
	entry->weight = 1;
	return entry->site & 1;
}

static void the_sweep_changes_keeps_and_drops(void **state)
{
	uint32_t offered = 0, i;
	struct sp_live e;

	(void)state;
	for (i = 0; i < MANY; i++) {
		e = entry_of(pointer(i, 32), i);
		assert_int_equal(sp_live_insert(pointer(i, 32), &e), 0);
	}
	sp_live_sweep(keep_odd_sites, &offered);
	assert_int_equal(offered, MANY);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(sp_live_remove(pointer(i, 32), &e), i & 1);
		if (i & 1)
			assert_int_equal(e.weight, 1);
	}
	assert_int_equal(sp_live_permille(), 0);
}

static bool sweeping; /* the sweep may hide an entry for a moment */

/* Takes p out, where a sweep is running by looking again; returns the number of errors. */
static unsigned take_out(const void *p, uint32_t site)
{
	double until = now_s() + 5;
	struct sp_live e;

	while (!sp_live_remove(p, &e)) {
		if (!sweeping || now_s() > until)
			return 1;
		sched_yield();
	}
	return e.site != site || e.weight != (uintptr_t)p;
}

static unsigned hammer(unsigned number)
{
	static bool inside[TEST_THREADS][PER_THREAD];
	uint64_t random = number + 1, base = (uint64_t)number * PER_THREAD;
	double until = now_s() + HAMMER_S;
	unsigned errors = 0;
	uint32_t i, step;

	for (step = 0; step % 1024 || now_s() < until; step++) {
		const void *p;

		i = next_random(&random) % PER_THREAD;
		p = pointer(base + i, 48);
		if (inside[number][i]) {
			errors += sp_filter_surely_not(p);
			errors += take_out(p, number);
		} else {
			struct sp_live e = entry_of(p, number);
			errors += sp_live_insert(p, &e) != 0;
		}
		inside[number][i] = !inside[number][i];
	}
	for (i = 0; i < PER_THREAD; i++) {
		if (inside[number][i])
			errors += take_out(pointer(base + i, 48), number);
		inside[number][i] = false;
	}
	return errors;
}

static void threads_do_not_lose_each_others_entries(void **state)
{
	(void)state;
	sweeping = false;
	assert_int_equal(run_threads(hammer), 0);
	assert_int_equal(sp_live_permille(), 0);
	for (uint32_t i = 0; i < TEST_THREADS * PER_THREAD; i++)
		assert_true(sp_filter_surely_not(pointer(i, 48)));
}

static bool check_and_keep(struct sp_live *entry, void *arg)
{
	for (volatile int i = 0; i < 100; i++) /* long enough to be interrupted in */
		;
	if (entry->site >= TEST_THREADS || entry->size != entry->weight >> 4)
		__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
	return true;
}

static unsigned hammer_or_sweep(unsigned number)
{
	double until = now_s() + HAMMER_S;
	unsigned errors = 0;

	if (number)
		return hammer(number);
	while (now_s() < until)
		sp_live_sweep(check_and_keep, &errors);
	return errors;
}

static void a_sweep_that_keeps_everything_loses_nothing(void **state)
{
	(void)state;
	sweeping = true;
	assert_int_equal(run_threads(hammer_or_sweep), 0);
	assert_int_equal(sp_live_permille(), 0);
}

/* Until the real free is known every pointer takes the slow path. */
static void after_a_reset_nothing_is_found(void **state)
{
	const void *p = pointer(9, 64);
	struct sp_live e = entry_of(p, 1);

	(void)state;
	assert_int_equal(sp_live_insert(p, &e), 0);
	sp_live_forked();
	assert_false(sp_live_remove(p, &e));
	sp_filter_boot_done();
	assert_true(sp_filter_surely_not(p));
	sp_filter_mark_arena(p);
	assert_false(sp_filter_surely_not(p));
}

/* An empty slot looks like NULL's: it is nobody's to vacate. */
static void null_is_never_there(void **state)
{
	const struct sp_live e = {.weight = 1};
	struct sp_live out;
	int block[4];

	(void)state;
	assert_false(sp_live_remove(NULL, &out));
	assert_int_equal(sp_live_insert(block, &e), 0);
	assert_false(sp_live_remove(NULL, &out));
	assert_true(sp_live_remove(block, &out));
}

/* ThreadSanitizer touches pages of its own for each of ours. */
#if defined(__SANITIZE_THREAD__)
#define COUNTS_PAGES false
#elif defined(__has_feature)
#define COUNTS_PAGES (!__has_feature(thread_sanitizer))
#else
#define COUNTS_PAGES true
#endif

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Each page that is touched costs more than a sample: the keys of a few take one page, and samples that are far apart leave
 * the fine filter alone. */
static void a_small_set_touches_few_pages(void **state)
{
	uint64_t interval = sp_agent.config.heap_interval_bytes;
	struct sp_live e;
	long began;

	(void)state;
	if (!COUNTS_PAGES)
		skip();
	sp_agent.config.heap_interval_bytes = 512 * 1024;
	assert_int_equal(sp_live_init(), 0);
	began = faults();
	for (uint32_t i = 0; i < 50; i++) {
		e = entry_of(pointer(i, 1u << 12), i);
		assert_int_equal(sp_live_insert(pointer(i, 1u << 12), &e), 0);
	}
	assert_in_range(faults() - began, 0, 15);
	for (uint32_t i = 0; i < 50; i++)
		assert_true(sp_live_remove(pointer(i, 1u << 12), &e));
	sp_agent.config.heap_interval_bytes = interval;
	assert_int_equal(sp_live_init(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_set_touches_few_pages),
		cmocka_unit_test_teardown(what_goes_in_comes_out_once, empty),
		cmocka_unit_test_teardown(the_filter_never_denies_a_live_pointer, empty),
		cmocka_unit_test_teardown(both_filters_know_every_live_pointer, empty),
		cmocka_unit_test_teardown(a_full_set_refuses_and_keeps_what_it_has, empty),
		cmocka_unit_test_teardown(the_sweep_changes_keeps_and_drops, empty),
		cmocka_unit_test_teardown(threads_do_not_lose_each_others_entries, empty),
		cmocka_unit_test_teardown(a_sweep_that_keeps_everything_loses_nothing, empty),
		cmocka_unit_test_teardown(null_is_never_there, empty),
		cmocka_unit_test(after_a_reset_nothing_is_found),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
