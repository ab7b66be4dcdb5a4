/* When a threshold is marked, and when the mark is taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/upkeep/thresholds.h"

#define WINDOW 20u
#define MARK SP_THRESHOLD_MARK
#define WITHDRAW SP_THRESHOLD_WITHDRAW
#define NOTHING SP_THRESHOLD_NOTHING

static struct sp_threshold rule;

static int set_up(void **state)
{
	(void)state;
	rule = (struct sp_threshold){.limit = 100};
	return 0;
}

/* As the caller does it. */
static enum sp_threshold_action look(uint64_t value, uint64_t now, bool may_again)
{
	enum sp_threshold_action action = sp_threshold_look(&rule, value, now, WINDOW, may_again);

	if (action == MARK)
		rule.marked = 1;
	if (action == WITHDRAW)
		rule.marked = 0;
	return action;
}

static void the_first_look_above_is_the_mark(void **state)
{
	(void)state;
	assert_int_equal(look(99, 1, true), NOTHING);
	assert_int_equal(look(100, 2, true), MARK);
	assert_int_equal(look(110, 10, true), NOTHING);
	assert_int_equal(look(120, 2 + WINDOW, true), NOTHING);
	assert_int_equal(rule.marked, 0);
}

static void what_does_not_stay_above_is_taken_back(void **state)
{
	(void)state;
	assert_int_equal(look(150, 1, true), MARK);
	assert_int_equal(look(99, 1 + WINDOW, true), WITHDRAW);
	assert_int_equal(look(99, 2 + WINDOW, true), NOTHING);
	assert_int_equal(look(101, 3 + WINDOW, true), MARK); /* armed at once: it was none */
}

static void it_fires_again_after_a_fall_or_a_quarter_more(void **state)
{
	(void)state;
	assert_int_equal(look(100, 0, true), MARK);
	assert_int_equal(look(124, 100, true), NOTHING);
	assert_int_equal(sp_threshold_next(&rule), 125);
	assert_int_equal(look(125, 101, false), NOTHING);
	assert_int_equal(look(125, 102, true), MARK);
	assert_int_equal(look(90, 200, true), WITHDRAW); /* within the window, by the clock of looks */
	assert_int_equal(look(120, 300, true), MARK);
	assert_int_equal(look(120, 400, true), NOTHING);
	assert_int_equal(look(90, 500, true), NOTHING); /* 90 % is not below */
	assert_int_equal(look(100, 600, true), NOTHING);
	assert_int_equal(look(89, 700, true), NOTHING);
	assert_int_equal(sp_threshold_next(&rule), 100);
	assert_int_equal(look(100, 800, false), MARK);
}

static void a_rule_without_a_limit_does_nothing(void **state)
{
	(void)state;
	rule.limit = 0;
	assert_int_equal(look(UINT64_MAX, 1, true), NOTHING);
	assert_true(sp_threshold_next(&rule) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_look_above_is_the_mark, set_up),
		cmocka_unit_test_setup(what_does_not_stay_above_is_taken_back, set_up),
		cmocka_unit_test_setup(it_fires_again_after_a_fall_or_a_quarter_more, set_up),
		cmocka_unit_test_setup(a_rule_without_a_limit_does_nothing, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
