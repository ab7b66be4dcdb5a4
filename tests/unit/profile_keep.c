/* What is written again and again is bounded: the oldest go. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/base/keep.h"

static char directory[] = "/tmp/keep.XXXXXX";
static int fd;

static void put(const char *name, int second)
{
	const struct timespec times[2] = {{second, 0}, {second, 0}};
	int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_equal(write(file, "0123456789", 10), 10);
	assert_int_equal(futimens(file, times), 0);
	close(file);
}

static int make(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/keep.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	fd = open(directory, O_RDONLY | O_DIRECTORY);
	put("a.3.md", 3);
	put("a.1.md", 1);
	put("a.5.md", 5);
	put("b.2.md", 2);
	put("a.4.txt", 4);
	return 0;
}

static int drop(void **state)
{
	static const char *const names[] = {"a.3.md", "a.1.md", "a.5.md", "b.2.md", "a.4.txt"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(fd, names[i], 0);
	close(fd);
	return rmdir(directory);
}

static bool is_there(const char *name)
{
	return faccessat(fd, name, F_OK, 0) == 0;
}

static void by_bytes(void **state)
{
	(void)state;
	sp_keep_newest(directory, fd, "", ".md", UINT64_MAX, 25);
	assert_true(is_there("a.5.md") && is_there("a.3.md"));
	assert_false(is_there("b.2.md") || is_there("a.1.md"));
	assert_true(is_there("a.4.txt"));
}

static void by_number_and_name(void **state)
{
	(void)state;
	sp_keep_newest(directory, fd, "a.", ".md", 2, 1000);
	assert_true(is_there("a.5.md") && is_there("a.3.md") && is_there("b.2.md"));
	assert_false(is_there("a.1.md"));
}

static void the_newest_stays(void **state)
{
	(void)state;
	sp_keep_newest(directory, fd, "", ".md", 0, 0);
	assert_true(is_there("a.5.md"));
	assert_false(is_there("a.3.md"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_bytes, make, drop),
		cmocka_unit_test_setup_teardown(by_number_and_name, make, drop),
		cmocka_unit_test_setup_teardown(the_newest_stays, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
