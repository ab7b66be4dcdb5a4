/* Perf maps: later lines win, whose map is believed, and what a hostile one may say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolize/perfmap.h"
#include "symbolize/symbolize.h"

#define PID 4711

static char root[64], path[128];

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/symbolize_perfmap.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/tmp", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/tmp/perf-%d.map", root, PID);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void write_map(const char *text, size_t bytes)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
}

static int read_map(struct sp_perfmap *map, const char *text)
{
	write_map(text, strlen(text));
	return sp_perfmap_read(map, root, PID, getuid(), 0);
}

static const char *name_at(const struct sp_perfmap *map, uint64_t address)
{
	const struct sp_perfmap_entry *entry = sp_perfmap_find(map, address);

	return entry ? entry->name : "-";
}

static void later_lines_win(void **state)
{
	struct sp_perfmap map;

	(void)state;
	assert_int_equal(read_map(&map,
				 "2000 100 old one\n1000 10 alone\n1f80 c0 early\n2080 10 inner\n"
				 "3000 20 a\n3000 10 b\n"),
		0);
	assert_string_equal(name_at(&map, 0xfff), "-");
	assert_string_equal(name_at(&map, 0x1000), "alone");
	assert_string_equal(name_at(&map, 0x100f), "alone");
	assert_string_equal(name_at(&map, 0x1010), "-");
	assert_string_equal(name_at(&map, 0x2000), "early");
	assert_string_equal(name_at(&map, 0x203f), "early");
	assert_string_equal(name_at(&map, 0x2040), "old one");
	assert_string_equal(name_at(&map, 0x2085), "inner");
	assert_string_equal(name_at(&map, 0x2090), "old one");
	assert_string_equal(name_at(&map, 0x2100), "-");
	assert_string_equal(name_at(&map, 0x3008), "b");
	assert_string_equal(name_at(&map, 0x3018), "a");
	sp_perfmap_free(&map);
}

/* Every address of many overlapping lines, against looking at all lines from the last to the first. */
static void overlaps_are_cut_right(void **state)
{
	uint64_t low[60], size[60];
	struct sp_perfmap map;
	char text[4096], name[16];
	size_t n = 0;

	(void)state;
	srand(5);
	for (unsigned i = 0; i < 60; i++) {
		low[i] = 0x1000 + (unsigned)rand() % 200;
		size[i] = 1 + (unsigned)rand() % 60;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%llx %llx n%u\n", (unsigned long long)low[i],
			(unsigned long long)size[i], i);
	}
	assert_int_equal(read_map(&map, text), 0);
	for (uint64_t at = 0xff0; at < 0x1200; at++) {
		strcpy(name, "-");
		for (unsigned i = 60; i-- > 0;) {
			if (at < low[i] || at >= low[i] + size[i])
				continue;
			snprintf(name, sizeof(name), "n%u", i);
			break;
		}
		assert_string_equal(name_at(&map, at), name);
	}
	sp_perfmap_free(&map);
}

static void hostile_lines_are_left_out(void **state)
{
	struct sp_perfmap map;
	char long_line[6000];

	(void)state;
	assert_int_equal(read_map(&map,
				 "\n \nxyz\n-1 10 a\n+1 10 a\n10\n10 10\n10 0 empty\n10 10 \n"
				 "ffffffffffffffff 10 wraps\n11111111111111111 1 overflows\n0x10 10 prefix\n"
				 "5000 10 | `x` <b>\x1b[31m\n6000 10 unfinished"),
		0);
	assert_int_equal(map.count, 2);
	assert_string_equal(name_at(&map, 0x10), "prefix");
	assert_string_equal(name_at(&map, 0x5000), "| `x` <b>\x1b[31m");
	sp_perfmap_free(&map);
	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line, "10 10 ", 6);
	strcpy(long_line + sizeof(long_line) - 2, "\n");
	assert_int_equal(read_map(&map, long_line), 0);
	assert_int_equal(strlen(name_at(&map, 0x10)), 4096);
	sp_perfmap_free(&map);
	write_map("10 10 cut\0off\n20 10 next\n", 25);
	assert_int_equal(sp_perfmap_read(&map, root, PID, getuid(), 0), 0);
	assert_string_equal(name_at(&map, 0x10), "cut");
	assert_string_equal(name_at(&map, 0x20), "next");
	sp_perfmap_free(&map);
	assert_int_equal(read_map(&map, ""), -ENODATA);
}

static void only_a_file_of_this_process_is_read(void **state)
{
	struct sp_perfmap map;
	char other[128];
	struct stat st;

	(void)state;
	assert_int_equal(sp_perfmap_read(&map, root, PID, getuid(), 0), -ENOENT);
	write_map("10 10 a\n", 8);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(sp_perfmap_read(&map, root, PID, getuid(), ((uint64_t)st.st_mtim.tv_sec + 2) * 1000000000u),
		-EPERM);
	if (getuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_int_equal(sp_perfmap_read(&map, root, PID, 54321, 0), -EPERM);
		assert_int_equal(sp_perfmap_read(&map, root, PID, 12345, 0), 0);
		sp_perfmap_free(&map);
	}
	snprintf(other, sizeof(other), "%s/other", root);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(sp_perfmap_read(&map, root, PID, getuid(), 0), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(sp_perfmap_read(&map, root, PID, getuid(), 0), -EPERM);
}

static void the_symbolizer_answers_from_it(void **state)
{
	struct sp_symbolizer *s = sp_symbolizer_new(NULL);
	struct sp_symbol symbol;
	int handle;

	(void)state;
	write_map("10 10 JS:*fib\n", 14);
	handle = sp_symbolizer_add_perf_map(s, root, PID, getuid(), 0);
	assert_true(handle >= 0);
	assert_int_equal(sp_symbolizer_source(s, handle), SP_SYMBOLS_PERF_MAP);
	assert_int_equal(sp_symbolize(s, handle, 0x18, &symbol, 1), 1);
	assert_string_equal(symbol.function, "JS:*fib");
	assert_int_equal(sp_symbolize(s, handle, 0x20, &symbol, 1), 1);
	assert_null(symbol.function);
	sp_symbolizer_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(later_lines_win),
		TEST(overlaps_are_cut_right),
		TEST(hostile_lines_are_left_out),
		TEST(only_a_file_of_this_process_is_read),
		TEST(the_symbolizer_answers_from_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
