/* Demangling: what people see, and names made to exhaust us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "symbolize/base/strings.h"
#include "symbolize/base/demangle.h"

#define PATIENCE_SECONDS 1.0

static void check(const char *mangled, const char *expected)
{
	char *text = sp_demangle(mangled);

	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
	free(text);
}

/* CPU time: the machine may be busy with other things. */
static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void refuse_quickly(const char *mangled)
{
	double start = cpu_seconds();

	check(mangled, NULL);
	assert_true(cpu_seconds() - start < PATIENCE_SECONDS);
}

static void test_known(void **state)
{
	(void)state;
	check("_Z3fooi", "foo(int)");
	check("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)");
	check("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad");
	check("_RNvCs1234_7mycrate3foo", "mycrate::foo");
	check("__physics_MOD_step", "physics::step");
	check("__physics_MOD_", NULL);
	check("___MOD_x", NULL);
	check("__GI_memcpy", NULL);
}

static void test_not_mangled(void **state)
{
	(void)state;
	check("", NULL);
	check("main", NULL);
	check("_", NULL);
	check("_Z", NULL);
	check("_Z3fo", NULL);
	check("_ZZZZZZZZ", NULL);
	check("_R", NULL);
	check("\xff\xfe_Z3foo", NULL);
}

/* Types that each name the one before twice: 4 characters double the text. */
static void test_output_blowup(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[1024];
	size_t used = (size_t)sprintf(name, "_Z1f1AIiE");

	(void)state;
	for (int i = 0; i < 30; i++)
		used += (size_t)sprintf(name + used, "S_IS%c_S%c_E", digits[i], digits[i]);
	refuse_quickly(name);
}

/* Prints nothing while it parses, 2^depth times. */
static void test_parser_blowup(void **state)
{
	char name[1024] = "_ZNK1Acv";

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(name, "T_I");
	strcat(name, "i");
	for (int i = 0; i < 60; i++)
		strcat(name, "E");
	strcat(name, "Ev");
	for (int i = 0; i < 5; i++)
		refuse_quickly(name);
	/* and the next honest name, long enough to be watched, still works */
	check("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)");
}

static void test_long_and_deep(void **state)
{
	char *name = malloc(70000);

	(void)state;
	strcpy(name, "_Z1f");
	memset(name + 4, 'P', 4000);
	strcpy(name + 4004, "i");
	free(sp_demangle(name));
	memset(name + 4, 'P', 65000);
	strcpy(name + 65004, "i");
	refuse_quickly(name);
	free(name);
}

static void test_mutations(void **state)
{
	static const char *const seeds[] = {
		"_ZNSt6vectorIiSaIiEE9push_backERKi",
		"_ZZNK3$_0clEvENKUlT_E_clIiEEDaS1_",
		"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
		"_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE",
		"_RNvMs_Cs4fqI2P2rA04_13const_genericsINtB4_8UnsignedKhb_E1f",
	};
	static const char alphabet[] = "_ZRNSIETKPXLJDpspcvluB0123456789abcUt$.";
	uint32_t random = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char name[128];

		strcpy(name, seeds[round % 5]);
		for (int i = 0; i < 3; i++) {
			random = random * 1664525 + 1013904223;
			name[2 + (random >> 8) % (strlen(name) - 2)] =
				alphabet[(random >> 20) % (sizeof(alphabet) - 1)];
		}
		free(sp_demangle(name));
	}
}

static void test_shown_names(void **state)
{
	struct sp_strings strings = {0};

	(void)state;
	assert_string_equal(sp_strings_function(&strings, "foo.cold"), "foo");
	assert_string_equal(sp_strings_function(&strings, "foo.part.0.cold.12"), "foo.part.0");
	assert_string_equal(sp_strings_function(&strings, "foo.part.0"), "foo.part.0");
	assert_string_equal(sp_strings_function(&strings, ".cold"), ".cold");
	assert_string_equal(sp_strings_function(&strings, "memcpy@@GLIBC_2.14"), "memcpy");
	assert_string_equal(sp_strings_function(&strings, "_Z3fooi.cold"), "foo(int)");
	assert_ptr_equal(sp_strings_function(&strings, "_Z3fooi"), sp_strings_function(&strings, "_Z3fooi.cold"));
	assert_null(sp_strings_function(&strings, ""));
	assert_null(sp_strings_function(&strings, NULL));
	sp_strings_free(&strings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_not_mangled),
		cmocka_unit_test(test_output_blowup),
		cmocka_unit_test(test_parser_blowup),
		cmocka_unit_test(test_long_and_deep),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_shown_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
