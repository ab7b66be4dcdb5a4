/* Ranges that nest, overlap and share starts: the innermost one answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolize/base/interval_map.h"

static uint32_t found(const struct sp_interval_map *intervals, uint64_t address)
{
	const struct sp_interval *interval = sp_interval_map_find(intervals, address);

	return interval ? interval->index : UINT32_MAX;
}

static void test_empty(void **state)
{
	struct sp_interval_map intervals = {0};

	(void)state;
	sp_interval_map_sort(&intervals);
	assert_null(sp_interval_map_find(&intervals, 0));
	sp_interval_map_add(&intervals, 5, 5, 0, 1);
	sp_interval_map_add(&intervals, 6, 5, 0, 1);
	assert_int_equal(intervals.count, 0);
}

static void test_nested(void **state)
{
	struct sp_interval_map intervals = {0};

	(void)state;
	sp_interval_map_add(&intervals, 400, 500, 0, 3);
	sp_interval_map_add(&intervals, 100, 300, 0, 0);
	sp_interval_map_add(&intervals, 120, 130, 0, 1);
	sp_interval_map_add(&intervals, 200, 250, 0, 2);
	sp_interval_map_sort(&intervals);
	assert_int_equal(found(&intervals, 99), UINT32_MAX);
	assert_int_equal(found(&intervals, 100), 0);
	assert_int_equal(found(&intervals, 125), 1);
	assert_int_equal(found(&intervals, 130), 0);
	assert_int_equal(found(&intervals, 249), 2);
	assert_int_equal(found(&intervals, 299), 0);
	assert_int_equal(found(&intervals, 300), UINT32_MAX);
	assert_int_equal(found(&intervals, 499), 3);
	assert_int_equal(found(&intervals, UINT64_MAX), UINT32_MAX);
	sp_interval_map_free(&intervals);
}

static void test_same_start(void **state)
{
	struct sp_interval_map intervals = {0};

	(void)state;
	sp_interval_map_add(&intervals, 10, 20, 7, 0);
	sp_interval_map_add(&intervals, 10, 40, 3, 1);
	sp_interval_map_add(&intervals, 10, 20, 7, 2);
	sp_interval_map_sort(&intervals);
	assert_int_equal(found(&intervals, 15), 2);
	assert_int_equal(found(&intervals, 20), 1);
	sp_interval_map_free(&intervals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_same_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
