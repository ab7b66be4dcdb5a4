/* This user's directories of the XDG Base Directory Specification. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiles/base/xdg.h"

static void test_cache_path(void **state)
{
	char path[PATH_MAX];

	(void)state;
	setenv("XDG_CACHE_HOME", "/x", 1);
	assert_int_equal(sp_cache_path(path, sizeof(path), "symbols.db"), 0);
	assert_string_equal(path, "/x/smartprof/symbols.db");
	assert_int_equal(sp_cache_path(path, 10, "symbols.db"), -ENOENT);
	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", "/h", 1);
	assert_int_equal(sp_cache_path(path, sizeof(path), "symbols.db"), 0);
	assert_string_equal(path, "/h/.cache/smartprof/symbols.db");
	unsetenv("HOME");
	assert_int_equal(sp_cache_path(path, sizeof(path), "symbols.db"), -ENOENT);
	setenv("HOME", "", 1);
	assert_int_equal(sp_cache_path(path, sizeof(path), "symbols.db"), -ENOENT);
}

static void test_state_path(void **state)
{
	char path[PATH_MAX];

	(void)state;
	setenv("XDG_STATE_HOME", "/x", 1);
	assert_int_equal(sp_state_path(path, sizeof(path), "spool"), 0);
	assert_string_equal(path, "/x/smartprof/spool");
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/h", 1);
	assert_int_equal(sp_state_path(path, sizeof(path), "spool"), 0);
	assert_string_equal(path, "/h/.local/state/smartprof/spool");
	unsetenv("HOME"); /* then the password file tells */
	if (sp_state_path(path, sizeof(path), "spool") == 0)
		assert_int_equal(path[0], '/');
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache_path), cmocka_unit_test(test_state_path)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
