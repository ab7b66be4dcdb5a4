/* Comparisons of runs made by hand: which functions are the same, and where cost went. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/base/normal_name.h"
#include "profiles/compare/report.h"
#include "tests/unit/compare_made.h"

static void a_rise_elsewhere_is_no_shift(void **state)
{
	struct made moved = made_plain;
	struct sp_buffer text = {0};

	(void)state;
	moved.rows[0].ms = 500; /* a.c */
	moved.rows[2].ms = 200; /* b.c */
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, moved, 6, 0.01);
	made_compare();
	assert_int_equal(made_find("parse")->state, SP_ROW_REGRESSION);
	assert_int_equal(made_find("main")->state, SP_ROW_IMPROVEMENT);
	assert_true(made_result->score == 100);
	assert_int_equal(made_result->verdict, SP_VERDICT_PASS);
	sp_compare_verdict_text(&text, made_result);
	assert_non_null(strstr(text.data,
		"No total is sure to have grown, but parse (program) costs more, confirmed: "));
	sp_buffer_free(&text);
}

/* main calls work and idle; work calls parse and lex; parse calls copy. */
static const struct made called = {{{"main", "a.c", 20}, {"work", "b.c", 100}, {"idle", "c.c", 300},
					   {"parse", "d.c", 200}, {"lex", "e.c", 200}, {"copy", "f.c", 200}},
	1100, 8e6, 64e6, NULL, {0, 1, 1, 2, 2, 4}, NULL, 0};

static void callers_and_callees_tell_renames(void **state)
{
	struct made other = called;

	(void)state;
	other.rows[3] = (struct made_row){"parse_all", "elsewhere.c", 300}; /* dearer, in another file */
	made_compare_six(&called, &other);
	assert_int_equal(made_find("parse_all")->presence, SP_ROW_RENAMED);
	assert_string_equal(made_find("parse_all")->old_function, "parse");
	assert_int_equal(made_find("parse_all")->state, SP_ROW_REGRESSION);
	assert_null(made_find("parse"));

	other = called;
	other.rows[3].name = "parse_all"; /* a chain of renamed functions */
	other.rows[5].name = "copy_all";
	made_compare_six(&called, &other);
	assert_string_equal(made_find("parse_all")->old_function, "parse");
	assert_string_equal(made_find("copy_all")->old_function, "copy");

	other = called;
	other.rows[3] = (struct made_row){"scan", "d.c", 200};
	other.caller[3] = 3; /* the same cost in the same file, but idle calls it */
	made_compare_six(&called, &other);
	assert_int_equal(made_find("scan")->presence, SP_ROW_APPEARED);
	assert_int_equal(made_find("parse")->presence, SP_ROW_DISAPPEARED);

	other = called;
	other.rows[4] = (struct made_row){"tokens", "e.c", 200};
	other.caller[5] = 5; /* the same cost and caller, but it calls copy now, which lex did not */
	made_compare_six(&called, &other);
	assert_int_equal(made_find("tokens")->presence, SP_ROW_APPEARED);
}

/* main runs three lambdas, the second of which calls mix. */
static const struct made lambdas = {
	{{"main", "a.c", 20}, {"f()::{lambda(int)#1}::operator()(int) const", "a.c", 200},
		{"f()::{lambda(int)#2}::operator()(int) const", "a.c", 100},
		{"f()::{lambda(int)#3}::operator()(int) const", "a.c", 400}, {"mix", "a.c", 300}},
	1100, 8e6, 64e6, NULL, {0, 1, 1, 1, 3}, NULL, 0};

static void lambdas_are_matched_in_order(void **state)
{
	struct made other = lambdas;

	(void)state;
	/* One more in front, next to nothing of cost; mix has another name; the last one grew. */
	other.rows[5] = (struct made_row){"f()::{lambda(int)#4}::operator()(int) const", "a.c", 520};
	other.caller[5] = 1;
	other.rows[3].ms = 100;
	other.rows[2].ms = 200;
	other.rows[1].ms = 1;
	other.rows[4].name = "blend";
	other.caller[4] = 4;
	made_compare_six(&lambdas, &other);
	assert_string_equal(made_find(other.rows[2].name)->old_function, lambdas.rows[1].name);
	assert_string_equal(made_find(other.rows[3].name)->old_function, lambdas.rows[2].name);
	assert_string_equal(made_find(other.rows[5].name)->old_function, lambdas.rows[3].name);
	assert_int_equal(made_find(other.rows[2].name)->state, SP_ROW_STEADY);
	assert_int_equal(made_find(other.rows[5].name)->state, SP_ROW_REGRESSION);
	assert_string_equal(made_find("blend")->old_function, "mix");
	assert_int_equal(made_find("blend")->state, SP_ROW_STEADY);
	made_compare_six(&other, &lambdas); /* and one taken away */
	assert_string_equal(made_find(lambdas.rows[3].name)->old_function, other.rows[5].name);
	assert_int_equal(made_find(lambdas.rows[1].name)->state, SP_ROW_STEADY);
	memset(other.caller, 0, sizeof(other.caller)); /* profiles without stacks */
	made_compare_six(&lambdas, &other);
	assert_int_equal(made_find(other.rows[2].name)->state, SP_ROW_STEADY);
}

static void numbers_stay_where_nothing_came_or_went(void **state)
{
	struct made other = lambdas;

	(void)state;
	for (size_t i = 1; i < 4; i++) /* as dear as the next one was */
		other.rows[i].ms *= 2;
	made_compare_six(&lambdas, &other);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(made_find(other.rows[i].name)->presence, SP_ROW_BOTH);
		assert_int_equal(made_find(other.rows[i].name)->state, SP_ROW_REGRESSION);
	}
}

static void cost_shifts_within_the_callers_subtree(void **state)
{
	struct made other = called;

	(void)state;
	other.rows[4].ms = 290; /* lex takes over from copy, below work */
	other.rows[5].ms = 110;
	made_compare_six(&called, &other);
	assert_int_equal(made_find("lex")->state, SP_ROW_SHIFT);
	assert_int_equal(made_find("copy")->state, SP_ROW_SHIFT);
	assert_string_equal(made_find("lex")->within, "work");
	assert_true(made_result->score == 100);

	other = called;
	other.rows[3].ms = 290; /* parse does what it called copy for */
	other.rows[5].ms = 110;
	made_compare_six(&called, &other);
	assert_string_equal(made_find("parse")->within, "parse");

	other = called;
	other.rows[5].ms = 290; /* copy grows, what is not below its caller falls */
	other.rows[2].ms = 210;
	made_compare_six(&called, &other);
	assert_int_equal(made_find("copy")->state, SP_ROW_REGRESSION);
	assert_int_equal(made_find("idle")->state, SP_ROW_IMPROVEMENT);

	other = called;
	other.rows[4].ms = 260; /* a fall that is larger than the rise stays a gain */
	other.rows[5].ms = 40;
	made_compare_six(&called, &other);
	assert_int_equal(made_find("lex")->state, SP_ROW_SHIFT);
	assert_int_equal(made_find("copy")->state, SP_ROW_IMPROVEMENT);
}

static void check_name(const char *name, const char *expected)
{
	struct sp_buffer out = {0};

	sp_normal_name(&out, name);
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

static void check_family(const char *name, const char *expected)
{
	struct sp_buffer family = {0};

	assert_int_equal(sp_normal_family(&family, name), strcmp(name, expected) != 0);
	assert_string_equal(family.data, expected);
	sp_buffer_free(&family);
}

static void check_module(const char *path, const char *expected)
{
	struct sp_buffer out = {0};

	sp_normal_module(&out, path, "app");
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

/* A function that took over from a faster one is not what made the heap grow. */
static void the_cause_is_of_a_total_that_grew(void **state)
{
	struct made other = made_plain;
	struct sp_buffer text = {0};

	(void)state;
	other.rows[0].ms = 500; /* a.c */
	other.rows[2].ms = 200; /* b.c */
	other.peak *= 2;
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, other, 6, 0.01);
	made_compare();
	assert_int_equal(made_find("parse")->state, SP_ROW_REGRESSION);
	assert_true(made_result->score < 100);
	sp_compare_verdict_text(&text, made_result);
	assert_non_null(strstr(text.data, " +100.0 %. No single function or heap site stands out."));
	sp_buffer_clear(&text);

	made_forget();
	other = made_plain;
	other.rows[0].ms = 500;
	other.rows[2].ms = 200;
	other.site = 120e6;
	other.allocated = 124e6;
	made_add_runs(SP_BASELINE, made_plain, 6, 0.01);
	made_add_runs(SP_CURRENT, other, 6, 0.01);
	made_compare();
	sp_compare_verdict_text(&text, made_result);
	assert_non_null(strstr(text.data, " Most of it is in store (program)"));
	sp_buffer_free(&text);
}

static void names_are_normalized(void **state)
{
	(void)state;
	check_name("parse", "parse");
	check_name("parse.cold", "parse");
	check_name("parse.part.0.isra.12.constprop.3", "parse");
	check_name("parse.llvm.123456", "parse");
	check_name("parse(int) [clone .isra.0]", "parse(int)");
	check_name("std::vector<std::vector<int> >::at", "std::vector<std::vector<int>>::at");
	check_name("std::__cxx11::basic_string<char, x>", "std::basic_string<char,x>");
	check_name(".cold", ".cold");
	check_name("a.0", "a.0");
	check_name("my.partial", "my.partial");
	check_module("/opt/v1/app", "(program)");
	check_module("/lib/libfoo.so.1.2", "libfoo.so");
	check_module("/lib/libfoo.so", "libfoo.so");
	check_module("/lib/libfoo.sourcery", "libfoo.sourcery");
	check_name("core::fmt::write::h0123456789abcdef", "core::fmt::write");
	check_name("core::fmt::write::h0123456789abcdeg", "core::fmt::write::h0123456789abcdeg");
	check_name("<alloc[8f2ab3c4d5e6f708]::vec::Vec<u8> as core[b7fd1c0a9e8d7c6b]::clone::Clone>::clone",
		"<alloc::vec::Vec<u8> as core::clone::Clone>::clone");
	check_module("/opt/v2/libw-1.3.so", "libw.so");
	check_module("/opt/v2/libw-1.3.so.4", "libw.so");
	check_module("/usr/lib/libpython3.11.so.1.0", "libpython.so");
	check_module("/usr/lib/libz2.so.1", "libz2.so");
	check_family("f(int)::{lambda(int)#12}::operator()(int) const",
		"f(int)::{lambda(int)#}::operator()(int) const");
	check_family("f()::$_3::operator()() const", "f()::$_::operator()() const");
	check_family("f()::'lambda0'()::operator()() const", "f()::'lambda'()::operator()() const");
	check_family("work._omp_fn.1", "work._omp_fn.");
	check_family("counter.4711", "counter.");
	check_family("app::run::{closure#2}", "app::run::{closure#}");
	check_family("camlList__map_34", "camlList__map_");
	check_family("mul_64", "mul_64");
	check_family("vec3<2>::at(4)", "vec3<2>::at(4)");
	check_family("sha256_x2.avx512", "sha256_x2.avx512");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_set_up, made_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_rise_elsewhere_is_no_shift),
		TEST(callers_and_callees_tell_renames),
		TEST(cost_shifts_within_the_callers_subtree),
		TEST(lambdas_are_matched_in_order),
		TEST(numbers_stay_where_nothing_came_or_went),
		TEST(the_cause_is_of_a_total_that_grew),
		TEST(names_are_normalized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
