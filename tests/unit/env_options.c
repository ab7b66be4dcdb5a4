/* The table of settings: its rows, parsing and writing values, and which programs are wanted. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "env/env.h"

static const struct sp_option_row *row(enum sp_option option)
{
	return &sp_option_rows[option];
}

static void rows_are_sound(void **state)
{
	(void)state;
	for (int i = 0; i < SP_OPTIONS; i++) {
		const struct sp_option_row *a = row((enum sp_option)i);
		int bounded = a->type != SP_TYPE_TEXT && a->type != SP_TYPE_PATH && a->type != SP_TYPE_CHOICE;

		assert_true(*a->name);
		assert_int_equal(strncmp(a->variable, SP_VARIABLE_PREFIX, strlen(SP_VARIABLE_PREFIX)), 0);
		assert_true(strlen(sp_option_help(a)) > 10);
		if (*a->alias)
			assert_string_equal(a->alias, a->variable + strlen(SP_VARIABLE_PREFIX));
		for (int e = 0; bounded && e < SP_ENVIRONMENTS; e++)
			assert_in_range(a->defaults[e], a->min, a->max);
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(a->name, sp_option_rows[j].name);
			assert_string_not_equal(a->variable, sp_option_rows[j].variable);
		}
	}
}

static void defaults_differ_by_environment(void **state)
{
	static const struct {
		enum sp_option option;
		uint64_t values[SP_ENVIRONMENTS]; /* development, production, ci, critical */
	} wanted[] = {
		{SP_OPT_CPU_INTERVAL, {100, 2000, 500, 100}},
		{SP_OPT_CPU_MAX_SAMPLES, {200000, 50000, 75000, 500000}},
		{SP_OPT_HEAP_INTERVAL, {1024, 524288, 16384, 1024}},
		{SP_OPT_WAITS, {1, 1, 1, 1}},
		{SP_OPT_WAIT_INTERVAL, {1000, 10000, 2000, 1000}},
		{SP_OPT_WAIT_THRESHOLD, {0, 1000, 100, 0}},
		{SP_OPT_STACK_COPIES, {1, 0, 1, 1}},
		{SP_OPT_SOURCE_LINES, {1, 0, 1, 1}},
		{SP_OPT_INLINES, {1, 0, 1, 1}},
		{SP_OPT_SYSTEM_LIBRARIES, {1, 0, 0, 1}},
		{SP_OPT_OVERHEAD_BUDGET, {10, 2, 5, 25}},
		{SP_OPT_CPU_THRESHOLD, {70, 90, 85, 70}},
		{SP_OPT_MEMORY_THRESHOLD, {512, 2048, 1536, 512}},
		{SP_OPT_RESPONSE_TIME_THRESHOLD, {200, 1000, 750, 200}},
		{SP_OPT_MEMORY_WARNING_THRESHOLD, {512, 512, 512, 512}},
		{SP_OPT_MEMORY_CRITICAL_THRESHOLD, {1024, 1024, 1024, 1024}},
		{SP_OPT_MEMORY_PROFILING_THRESHOLD, {2048, 2048, 2048, 2048}},
		{SP_OPT_MEMORY_CHECK_INTERVAL, {5000, 5000, 5000, 5000}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_memory_equal(row(wanted[i].option)->defaults, wanted[i].values, sizeof(wanted[i].values));
}

static void values_parse(void **state)
{
	static const struct {
		enum sp_option option;
		const char *text;
		uint64_t number;
	} good[] = {
		{SP_OPT_CPU_INTERVAL, "500", 500},
		{SP_OPT_CPU_INTERVAL, "500us", 500},
		{SP_OPT_CPU_INTERVAL, "500 µs", 500},
		{SP_OPT_CPU_INTERVAL, "2ms", 2000},
		{SP_OPT_CPU_INTERVAL, "1s", 1000000},
		{SP_OPT_CPU_INTERVAL, "10", 10},
		{SP_OPT_HEAP_INTERVAL, "16KiB", 16384},
		{SP_OPT_HEAP_INTERVAL, "16k", 16384},
		{SP_OPT_HEAP_INTERVAL, "512 KB", 512000},
		{SP_OPT_HEAP_INTERVAL, "1MiB", 1048576},
		{SP_OPT_HEAP_INTERVAL, "1GiB", 1073741824},
		{SP_OPT_HEAP_INTERVAL, "7B", 7},
		{SP_OPT_OVERHEAD_BUDGET, "3", 3},
		{SP_OPT_OVERHEAD_BUDGET, "3%", 3},
		{SP_OPT_OVERHEAD_BUDGET, "100 %", 100},
		{SP_OPT_CPU_MAX_SAMPLES, "75000", 75000},
		{SP_OPT_VERBOSE, "1", 1},
		{SP_OPT_VERBOSE, "Yes", 1},
		{SP_OPT_VERBOSE, "TRUE", 1},
		{SP_OPT_VERBOSE, "on", 1},
		{SP_OPT_VERBOSE, "off", 0},
		{SP_OPT_VERBOSE, "false", 0},
		{SP_OPT_MODE, "cpu", SP_MODE_CPU},
		{SP_OPT_MODE, "HEAP", SP_MODE_HEAP},
		{SP_OPT_MODE, "heap,cpu", SP_MODE_CPU | SP_MODE_HEAP},
		{SP_OPT_ENVIRONMENT, "production", SP_ENV_PRODUCTION},
		{SP_OPT_ENVIRONMENT, "prod", SP_ENV_PRODUCTION},
		{SP_OPT_ENVIRONMENT, "dev", SP_ENV_DEVELOPMENT},
		{SP_OPT_ENVIRONMENT, "Critical", SP_ENV_CRITICAL},
		{SP_OPT_FOLLOW, "none", 2},
		{SP_OPT_DIR, "anything at all", 0},
		{SP_OPT_MEMORY_THRESHOLD, "512", 512},
		{SP_OPT_MEMORY_THRESHOLD, "512MB", 512},
		{SP_OPT_MEMORY_THRESHOLD, "2GB", 2000},
		{SP_OPT_MEMORY_THRESHOLD, "512MiB", 537},
		{SP_OPT_MEMORY_THRESHOLD, "500000B", 1},
		{SP_OPT_MEMORY_THRESHOLD, "80%", SP_MB_OF_LIMIT | 80},
		{SP_OPT_MEMORY_CHECK_INTERVAL, "5s", 5000},
		{SP_OPT_MEMORY_CHECK_INTERVAL, "250ms", 250},
		{SP_OPT_MEMORY_CHECK_INTERVAL, "2min", 120000},
		{SP_OPT_RESPONSE_TIME_THRESHOLD, "1499us", 1},
		{SP_OPT_SIGNAL, "SIGPROF", 0},
		{SP_OPT_SIGNAL, "usr2", 5},
		{SP_OPT_SIGNAL, "10", 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t number = 12345;

		assert_int_equal(sp_option_parse(row(good[i].option), good[i].text, &number), 0);
		assert_int_equal(number, good[i].number);
	}
}

static void bad_values_are_refused(void **state)
{
	static const struct {
		enum sp_option option;
		const char *text;
		int error;
	} bad[] = {
		{SP_OPT_CPU_INTERVAL, "", -EINVAL},
		{SP_OPT_CPU_INTERVAL, "-5", -EINVAL},
		{SP_OPT_CPU_INTERVAL, "+500", -EINVAL},
		{SP_OPT_CPU_INTERVAL, " 500", -EINVAL},
		{SP_OPT_CPU_INTERVAL, "500usx", -EINVAL},
		{SP_OPT_CPU_INTERVAL, "500KiB", -EINVAL},
		{SP_OPT_CPU_INTERVAL, "0x10", -EINVAL},
		{SP_OPT_CPU_INTERVAL, "9", -ERANGE},
		{SP_OPT_CPU_INTERVAL, "1000001", -ERANGE},
		{SP_OPT_CPU_INTERVAL, "18446744073709551615s", -ERANGE},
		{SP_OPT_CPU_INTERVAL, "99999999999999999999999", -ERANGE},
		{SP_OPT_HEAP_INTERVAL, "0", -ERANGE},
		{SP_OPT_HEAP_INTERVAL, "2GiB", -ERANGE},
		{SP_OPT_CPU_MAX_SAMPLES, "1k", -EINVAL},
		{SP_OPT_OVERHEAD_BUDGET, "101", -ERANGE},
		{SP_OPT_VERBOSE, "2", -EINVAL},
		{SP_OPT_VERBOSE, "onn", -EINVAL},
		{SP_OPT_VERBOSE, "o", -EINVAL},
		{SP_OPT_MODE, "cpu,", -EINVAL},
		{SP_OPT_MODE, "cpu|heap", -EINVAL},
		{SP_OPT_ENVIRONMENT, "productio", -EINVAL},
		{SP_OPT_ENVIRONMENT, "development,dev", -EINVAL},
		{SP_OPT_FOLLOW, "", -EINVAL},
		{SP_OPT_MEMORY_THRESHOLD, "499999B", -ERANGE},
		{SP_OPT_MEMORY_THRESHOLD, "0", -ERANGE},
		{SP_OPT_MEMORY_THRESHOLD, "18446744073709551615TB", -ERANGE},
		{SP_OPT_MEMORY_THRESHOLD, "0%", -ERANGE},
		{SP_OPT_MEMORY_THRESHOLD, "101%", -ERANGE},
		{SP_OPT_MEMORY_THRESHOLD, "80%%", -EINVAL},
		{SP_OPT_MEMORY_CHECK_INTERVAL, "5MB", -EINVAL},
		{SP_OPT_MEMORY_CHECK_INTERVAL, "99ms", -ERANGE},
		{SP_OPT_SIGNAL, "SIGKILL", -EINVAL},
		{SP_OPT_SIGNAL, "34", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t number = 12345;

		assert_int_equal(sp_option_parse(row(bad[i].option), bad[i].text, &number), bad[i].error);
		assert_int_equal(number, 12345);
	}
}

static void check_format(enum sp_option option, uint64_t number, const char *text, const char *wanted)
{
	struct sp_value value = {.number = number, .text = text};
	char buffer[64];

	assert_int_equal(sp_option_format(row(option), &value, buffer, sizeof(buffer)), strlen(wanted));
	assert_string_equal(buffer, wanted);
}

static void values_are_written_as_people_do(void **state)
{
	struct sp_value value = {.number = 123456};
	char small[4];

	(void)state;
	check_format(SP_OPT_CPU_INTERVAL, 2000, NULL, "2000 us");
	check_format(SP_OPT_HEAP_INTERVAL, 16384, NULL, "16 KiB");
	check_format(SP_OPT_HEAP_INTERVAL, 1000, NULL, "1000 B");
	check_format(SP_OPT_OVERHEAD_BUDGET, 3, NULL, "3 %");
	check_format(SP_OPT_CPU_MAX_SAMPLES, UINT64_MAX, NULL, "18446744073709551615");
	check_format(SP_OPT_VERBOSE, 1, NULL, "on");
	check_format(SP_OPT_MODE, SP_MODE_CPU | SP_MODE_HEAP, NULL, "cpu,heap");
	check_format(SP_OPT_MODE, SP_MODE_HEAP, NULL, "heap");
	check_format(SP_OPT_ENVIRONMENT, SP_ENV_PRODUCTION, NULL, "production");
	check_format(SP_OPT_FOLLOW, 1, NULL, "fork");
	check_format(SP_OPT_DIR, 0, "/x", "/x");
	check_format(SP_OPT_DIR, 0, NULL, "");
	assert_int_equal(sp_option_format(row(SP_OPT_CPU_MAX_SAMPLES), &value, small, sizeof(small)), 3);
	assert_string_equal(small, "123");
}

static void signals_have_their_numbers(void **state)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {{"SIGPROF", SIGPROF}, {"SIGSTKFLT", SIGSTKFLT}, {"SIGURG", SIGURG}, {"SIGVTALRM", SIGVTALRM},
		{"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		uint64_t by_name, by_number;
		char digits[8];

		snprintf(digits, sizeof(digits), "%d", signals[i].number);
		assert_int_equal(sp_option_parse(row(SP_OPT_SIGNAL), signals[i].name, &by_name), 0);
		assert_int_equal(sp_option_parse(row(SP_OPT_SIGNAL), digits, &by_number), 0);
		assert_int_equal(by_name, by_number);
		assert_int_equal(sp_signal_number(by_name), signals[i].number);
	}
}

/* What is printed can be given back. */
static void written_values_parse_again(void **state)
{
	(void)state;
	for (int i = 0; i < SP_OPTIONS; i++) {
		for (int e = 0; e < SP_ENVIRONMENTS; e++) {
			struct sp_value value = {.number = sp_option_rows[i].defaults[e]};
			uint64_t number;
			char text[64];

			sp_option_format(&sp_option_rows[i], &value, text, sizeof(text));
			assert_int_equal(sp_option_parse(&sp_option_rows[i], text, &number), 0);
			assert_int_equal(number, value.number);
		}
	}
}

static int wanted(const char *enabled, const char *globs, const char *program)
{
	char first[64], second[128];
	char *envp[] = {first, second, NULL};

	snprintf(first, sizeof(first), "SMARTPROF_ENABLED=%s", enabled);
	snprintf(second, sizeof(second), "SMARTPROF_PROGRAM=%s", globs);
	return sp_program_wanted(envp, NULL, program);
}

static void programs_are_chosen_by_glob(void **state)
{
	char *nothing[] = {NULL};

	(void)state;
	assert_true(sp_program_wanted(nothing, NULL, "xz"));
	assert_true(sp_program_wanted(NULL, NULL, "xz"));
	assert_true(wanted("", "", "xz"));
	assert_false(wanted("0", "", "xz"));
	assert_false(wanted("off", "xz", "xz"));
	assert_true(wanted("perhaps", "", "xz"));
	assert_true(wanted("1", "xz", "xz"));
	assert_false(wanted("1", "xz", "xzz"));
	assert_false(wanted("1", "xzz", "xz"));
	assert_true(wanted("1", "redis-*, xz", "xz"));
	assert_true(wanted("1", "redis-*,xz", "redis-server"));
	assert_false(wanted("1", "redis-*,xz", "redis"));
	assert_true(wanted("1", "python?*", "python3.11"));
	assert_true(wanted("1", "python3.1?", "python3.11"));
	assert_true(wanted("1", "*a*b*c", "xaybzabc"));
	assert_false(wanted("1", "*a*b*c", "xaybzab"));
	assert_true(wanted("1", "*", ""));
	assert_true(wanted("1", "****************************************b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
	assert_false(wanted("1", ",", "xz"));
}

static void variables_are_found_exactly(void **state)
{
	char *envp[] = {"AB=1", "A=2", "A=3", "B", "C=", NULL};

	(void)state;
	assert_string_equal(sp_environ_get(envp, "A"), "2");
	assert_string_equal(sp_environ_get(envp, "AB"), "1");
	assert_string_equal(sp_environ_get(envp, "C"), "");
	assert_null(sp_environ_get(envp, "B"));
	assert_null(sp_environ_get(envp, ""));
	assert_null(sp_environ_get(NULL, "A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(defaults_differ_by_environment),
		cmocka_unit_test(values_parse),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(values_are_written_as_people_do),
		cmocka_unit_test(signals_have_their_numbers),
		cmocka_unit_test(written_values_parse_again),
		cmocka_unit_test(programs_are_chosen_by_glob),
		cmocka_unit_test(variables_are_found_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
