/* Ranges that nest, overlap and share starts: the innermost one answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolize/base/interval_map.h"

static uint32_t found(const struct sp_spans *spans, uint64_t address)
{
	const struct sp_span *span = sp_spans_find(spans, address);

	return span ? span->index : UINT32_MAX;
}

static void test_empty(void **state)
{
	struct sp_spans spans = {0};

	(void)state;
	sp_spans_sort(&spans);
	assert_null(sp_spans_find(&spans, 0));
	assert_int_equal(sp_spans_add(&spans, 5, 5, 0, 1), 0);
	assert_int_equal(sp_spans_add(&spans, 6, 5, 0, 1), 0);
	assert_int_equal(spans.count, 0);
}

static void test_nested(void **state)
{
	struct sp_spans spans = {0};

	(void)state;
	sp_spans_add(&spans, 400, 500, 0, 3);
	sp_spans_add(&spans, 100, 300, 0, 0);
	sp_spans_add(&spans, 120, 130, 0, 1);
	sp_spans_add(&spans, 200, 250, 0, 2);
	sp_spans_sort(&spans);
	assert_int_equal(found(&spans, 99), UINT32_MAX);
	assert_int_equal(found(&spans, 100), 0);
	assert_int_equal(found(&spans, 125), 1);
	assert_int_equal(found(&spans, 130), 0);
	assert_int_equal(found(&spans, 249), 2);
	assert_int_equal(found(&spans, 299), 0);
	assert_int_equal(found(&spans, 300), UINT32_MAX);
	assert_int_equal(found(&spans, 499), 3);
	assert_int_equal(found(&spans, UINT64_MAX), UINT32_MAX);
	sp_spans_free(&spans);
}

static void test_same_start(void **state)
{
	struct sp_spans spans = {0};

	(void)state;
	sp_spans_add(&spans, 10, 20, 7, 0);
	sp_spans_add(&spans, 10, 40, 3, 1);
	sp_spans_add(&spans, 10, 20, 7, 2);
	sp_spans_sort(&spans);
	assert_int_equal(found(&spans, 15), 2);
	assert_int_equal(found(&spans, 20), 1);
	sp_spans_free(&spans);
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
