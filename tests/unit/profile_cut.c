/* What a written profile leaves out when it has a limit: what is light, and never a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "profiles/markdown/writer.h"
#include "profiles/model/cut.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"
#include "tests/unit/profile_tables.h"

#define LIGHT 3000u
#define MOST_BYTES 100000u

/* main calls heavy, which has half of the time, and `hub`, which calls 3000 functions by 3 that are on the way alone; the heap
 * likewise. Every 100th function is in another module. */
static void put_profile(struct sp_buffer *out)
{
	sp_buffer_puts(out, "---\nschema: smartprof/1\n---\n\n<details>\n\n");
	put_table(out, "All functions", LIGHT + 1);
	sp_buffer_puts(out, "3000000000\t0\t3000000000\t0\t3000\t3000\t90000000\t90000000\theavy\t/bin/app\ta.c\t7\n");
	for (unsigned i = 0; i < LIGHT; i++)
		sp_buffer_printf(out, "1000000\t0\t1000000\t0\t1\t1\t1000000\t1000000\tlight_%u\t%s\tb.c\t%u\n", i,
			i % 100 ? "/bin/app" : "/lib/other.so", i + 1);
	sp_buffer_puts(out, "```\n\n");
	put_table(out, "All lines", LIGHT + 1);
	sp_buffer_puts(out, "3000000000\t0\t3000\t90000000\theavy\t/bin/app\ta.c\t9\n");
	for (unsigned i = 0; i < LIGHT; i++)
		sp_buffer_printf(out, "1000000\t0\t1\t1000000\tlight_%u\t%s\tb.c\t%u\n", i,
			i % 100 ? "/bin/app" : "/lib/other.so", i + 1);
	sp_buffer_puts(out, "```\n\n");
	put_table(out, "All heap sites", 2);
	sp_buffer_puts(out, "9000\t9\t9000\t9\t9000\t9\t0\t0\t9\t9\t90\t90\t0\t0\t500\theavy\t/bin/app\ta.c\t8\n");
	sp_buffer_puts(out, "3\t3\t3\t3\t3\t3\t1\t1\t3\t3\t9\t9\t1\t1\t3\tlight_1\t/bin/app\tb.c\t2\n");
	sp_buffer_puts(out, "```\n\n");
	put_table(out, "All frames", LIGHT + 8);
	sp_buffer_puts(out,
		"1\t0\t0\tmain\t/bin/app\t\n2\t0\t0\thub\t/bin/app\t\n3\t0\t0\tway_one\t/bin/app\t\n"
		"4\t0\t0\tway_two\t/bin/app\t\n5\t0\t0\tway_three\t/bin/app\t\n6\t9\t0\theavy\t/bin/app\ta.c\n"
		"7\t0\t0\tmalloc\t/lib/libc.so\t\n");
	for (unsigned i = 0; i < LIGHT; i++)
		sp_buffer_printf(out, "%x\t%u\t0\tlight_%u\t%s\tb.c\n", 16 + i, i + 1, i,
			i % 100 ? "/bin/app" : "/lib/other.so");
	sp_buffer_puts(out, "0\t0\t0\t[lock]\t\t\n");
	sp_buffer_puts(out, "```\n\n");
	put_table(out, "All CPU stacks", LIGHT + 1);
	sp_buffer_puts(out, "3000000000\t0\t3000\t0\t0 5\n");
	for (unsigned i = 0; i < LIGHT; i++)
		sp_buffer_printf(out, "1000000\t0\t1\t0\t0 1 %u %u\n", 2 + i % 3, i + 7);
	sp_buffer_puts(out, "```\n\n");
	put_table(out, "All heap stacks", 2);
	sp_buffer_puts(out,
		"9000\t9\t9000\t9\t9000\t9\t9\t0\t0 5 6\n"
		"3\t3\t3\t3\t3\t3\t3\t0\t0 1 2 8 6\n```\n\n");
	put_table(out, "All wait stacks", LIGHT + 1);
	sp_buffer_printf(out, "5000000000\t5\t5\t0\t0 5 %u\n", LIGHT + 7);
	for (unsigned i = 0; i < LIGHT; i++)
		sp_buffer_printf(out, "1000\t1\t1\t0\t0 1 %u %u %u\n", 2 + i % 3, i + 7, LIGHT + 7);
	sp_buffer_puts(out, "```\n\n</details>\n");
}

static struct sp_profile *profile, *back;
static struct sp_buffer written;

static void write_and_read(size_t most_bytes)
{
	struct sp_writer writer = {.profile = profile};
	struct sp_validation validation;
	const char *why = "";

	sp_buffer_puts(&written, "---\nschema: smartprof/1\n---\n\n");
	writer.sums.files = sp_files_add_up(profile, &writer.sums.file_count);
	sp_write_complete(&writer, &written, most_bytes);
	free(writer.sums.files);
	back = sp_markdown_read(written.data, written.length, &why);
	assert_non_null(back);
	sp_validate(&validation, written.data, written.length);
	for (size_t i = 0; i < validation.count && i < SP_VIOLATIONS_MAX; i++)
		if (strstr(validation.violations[i].what, "complete part") ||
			strstr(validation.violations[i].what, "row"))
			fail_msg("%s", validation.violations[i].what);
	sp_validation_free(&validation);
}

static int set_up(void **state)
{
	struct sp_buffer text = {0};
	const char *why = "";

	(void)state;
	put_profile(&text);
	profile = sp_markdown_read(text.data, text.length, &why);
	assert_non_null(profile);
	sp_paths_sort(profile);
	sp_buffer_free(&text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_profile_free(profile);
	sp_profile_free(back);
	back = NULL;
	sp_buffer_free(&written);
	return 0;
}

static const struct sp_function *function(const char *name)
{
	for (size_t i = 0; i < back->function_count; i++)
		if (strcmp(back->functions[i].name, name) == 0)
			return &back->functions[i];
	return NULL;
}

/* A stack's functions, "outer;inner". */
static void name_stack(struct sp_buffer *out, const struct sp_path *path)
{
	sp_buffer_clear(out);
	for (uint32_t k = path->depth; k-- > 0;)
		sp_buffer_printf(out, "%s%s",
			back->functions[back->frames[back->frame_ids[path->first + k]].function].name, k ? ";" : "");
}

static const struct sp_path *stack(const char *names)
{
	struct sp_buffer name = {0};
	const struct sp_path *found = NULL;

	for (size_t i = 0; i < back->path_count && !found; i++) {
		name_stack(&name, &back->paths[i]);
		if (strcmp(name.data, names) == 0)
			found = &back->paths[i];
	}
	sp_buffer_free(&name);
	return found;
}

static void without_a_limit_nothing_is_cut(void **state)
{
	(void)state;
	write_and_read(0);
	assert_true(written.length > MOST_BYTES);
	assert_int_equal(back->path_count, profile->path_count);
	assert_int_equal(back->function_count, profile->function_count);
	assert_int_equal(sp_function_total(&back->functions[SP_PSEUDO_REST]), 0);
	assert_non_null(stack("main;hub;way_two;light_1"));
	assert_int_equal(back->frames[back->frame_ids[stack("main;heavy")->first]].line, 9);
}

static void a_limit_is_kept_and_no_number_lost(void **state)
{
	uint64_t stacks_ns = 0, samples = 0, lines_ns = 0, bytes = 0, sites = 0, waited_ns = 0;

	(void)state;
	write_and_read(MOST_BYTES);
	assert_true(written.length <= MOST_BYTES);
	assert_int_equal(back->total_ns, profile->total_ns);
	assert_int_equal(back->samples, profile->samples);
	for (size_t i = 0; i < back->path_count; i++) {
		stacks_ns += back->paths[i].user_ns;
		samples += back->paths[i].samples;
		bytes += back->paths[i].alloc_bytes;
		waited_ns += back->paths[i].wait_ns;
	}
	for (size_t i = 0; i < back->line_count; i++)
		lines_ns += back->lines[i].self_user_ns;
	for (size_t i = 0; i < back->site_count; i++)
		sites += back->sites[i].alloc_bytes;
	assert_int_equal(stacks_ns, profile->total_ns);
	assert_int_equal(lines_ns, profile->total_ns);
	assert_int_equal(samples, profile->samples);
	assert_int_equal(bytes, 9003);
	assert_int_equal(waited_ns, 5000000000u + 1000u * LIGHT);
	assert_int_equal(stack("main;heavy;[lock]")->wait_ns, 5000000000u);
	assert_int_equal(sites, 9003);
	assert_int_equal(sp_function_self(function("[rest]")), 3000000000u);
	assert_non_null(strstr(written.data, "[rest] is what the others add up to"));
}

static void what_is_heavy_stays_as_it_was(void **state)
{
	const struct sp_function *heavy;

	(void)state;
	write_and_read(MOST_BYTES);
	heavy = function("heavy");
	assert_int_equal(heavy->self_user_ns, 3000000000u);
	assert_int_equal(heavy->self_samples, 3000);
	assert_string_equal(heavy->file, "a.c");
	assert_string_equal(back->modules[heavy->module].path, "/bin/app");
	assert_int_equal(stack("main;heavy")->user_ns, 3000000000u);
	assert_int_equal(back->frames[back->frame_ids[stack("main;heavy")->first]].line, 9);
	assert_int_equal(back->lines[0].line, 9);
	assert_int_equal(stack("main;heavy;malloc")->alloc_bytes, 9000);
	assert_int_equal(back->sites[0].alloc_bytes, 9000);
	assert_int_equal(back->sites[0].leaked_bytes, 500);
	assert_int_equal(back->sites[0].line, 8);
}

/* The outer frames that lead to enough of it, [rest], and where the time is spent as far as that is known to be much. */
static void light_stacks_keep_their_ends(void **state)
{
	(void)state;
	back = sp_profile_cut(profile, 0.4);
	assert_int_equal(stack("main;hub;[rest]")->user_ns, 1000000); /* equal ones are merged when they are written */
	assert_null(stack("main;hub;way_two;light_1"));
	assert_int_equal(stack("main;heavy")->user_ns, 3000000000u);
	sp_profile_cut_free(back);
	/* A function of one sample may end a stack, without its line; what leads to many such functions stays. */
	back = sp_profile_cut(profile, 7.9 / 6000);
	assert_non_null(stack("main;hub;way_two;light_1"));
	assert_int_equal(back->frames[back->frame_ids[stack("main;hub;way_two;light_1")->first]].line, 0);
	sp_profile_cut_free(back);
	back = sp_profile_cut(profile, 0.9 / 6000);
	assert_non_null(stack("main;hub;way_two;light_1"));
	sp_profile_cut_free(back);
	back = NULL;
}

/* Where a site was cut, the function that leads there is none. */
static void a_cut_site_is_nobody_elses(void **state)
{
	const struct sp_path *path;

	(void)state;
	back = sp_profile_cut(profile, 0.4);
	path = stack("main;[rest]");
	assert_non_null(path);
	assert_int_equal(path->kind, SP_STACKS_HEAP);
	assert_int_equal(sp_path_site(back, path), 0);
	assert_int_equal(back->sites[1].function, SP_PSEUDO_REST);
	assert_int_equal(back->sites[1].alloc_bytes, 3);
	assert_int_equal(back->sites[1].leaked_bytes, 3);
	sp_profile_cut_free(back);
	back = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_limit_nothing_is_cut),
		TEST(a_limit_is_kept_and_no_number_lost),
		TEST(what_is_heavy_stays_as_it_was),
		TEST(light_stacks_keep_their_ends),
		TEST(a_cut_site_is_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
