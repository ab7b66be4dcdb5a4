/* The subset of TOML: what it reads, what it refuses and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/gate/toml.h"

static void reads(const char *text, const char *json)
{
	const char *why = "";
	size_t line = 0;
	json_t *root = sp_toml_parse(text, strlen(text), &why, &line);
	char *got;

	if (!root)
		fail_msg("line %zu: %s: %s", line, why, text);
	got = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(got, json);
	free(got);
	json_decref(root);
}

static void refuses(const char *text, size_t at)
{
	const char *why = NULL;
	size_t line = 0;
	json_t *root = sp_toml_parse(text, strlen(text), &why, &line);

	if (root)
		fail_msg("is read: %s", text);
	assert_non_null(why);
	assert_int_equal(line, at);
}

static void test_read(void **state)
{
	(void)state;
	reads("", "{}");
	reads("# nothing\n\n  \t\r\n", "{}");
	reads("a = 1\nb = -2.5e1 # two\nc = true\nk = false", "{\"a\":1,\"b\":-25.0,\"c\":true,\"k\":false}");
	reads("'a b' = \"x\\t\\\"\\u00e9\\\\\"\n\"c\" = 'C:\\n'\r\n", "{\"a b\":\"x\\t\\\"é\\\\\",\"c\":\"C:\\\\n\"}");
	reads("a = [1, 'x', [true],\n  # more\n 2.0,\n]\ne = []", "{\"a\":[1,\"x\",[true],2.0],\"e\":[]}");
	reads("[t]\nx = 0\n[t.u]\ny = 1\n", "{\"t\":{\"u\":{\"y\":1},\"x\":0}}");
	reads("[[c]]\nn = 1\n[c.p99]\nr = 'x'\n[[c]]\nn = 2\n[ c . p99 ]\nr = 'y'",
		"{\"c\":[{\"n\":1,\"p99\":{\"r\":\"x\"}},{\"n\":2,\"p99\":{\"r\":\"y\"}}]}");
}

static void test_refuse(void **state)
{
	(void)state;
	refuses("a", 1);
	refuses("\na =", 2);
	refuses("a = b", 1);
	refuses("a = 1 2", 1);
	refuses("a = 1\na = 2", 2);
	refuses("[t]\n[t]", 2);
	refuses("[t", 1);
	refuses("[[t]", 1);
	refuses("[a.b.c.d.e.f.g.h.i.j]", 1);
	refuses("t = 1\n[t]", 2);
	refuses("t = 1\n[t.u]", 2);
	refuses("[t]\n[[t]]", 2);
	refuses("t = [1]\n[[t]]", 2);
	refuses("a.b = 1", 1);
	refuses("a = {b = 1}", 1);
	refuses("a = \"x\ny\"", 1);
	refuses("a = \"x", 1);
	refuses("a = '''x'''", 1);
	refuses("a = \"\\q\"", 1);
	refuses("a = \"\\ud800\"", 1);
	refuses("a = \"\\u00\"", 1);
	refuses("a = [1\n", 2);
	refuses("a = [1 2]", 1);
	refuses("a = 01", 1);
	refuses("a = 1_000", 1);
	refuses("a = .5", 1);
	refuses("a = 5.", 1);
	refuses("a = 0x1f", 1);
	refuses("a = 1979-05-27", 1);
	refuses("a = 99999999999999999999", 1);
	refuses("a = 1e999", 1);
	refuses("a = [[[[[[[1]]]]]]]", 1);
	refuses("a = \"\xff\"", 1);
	refuses("= 1", 1);
}

static void test_zeros(void **state)
{
	const char *why;
	size_t line;

	(void)state;
	assert_null(sp_toml_parse("a\0b", 3, &why, &line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
