/* Written profiles: the complete part comes back, the budget holds, damage is noticed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/facts.h"
#include "profiles/markdown.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_snapshot snapshot;
static struct sp_profile *profile;
static struct sp_buffer text;

static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	profile = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_free(&text);
	spool_close(&spool);
	return 0;
}

static void write_profile(bool full)
{
	char path[] = "/tmp/profile_markdown.XXXXXX";
	const char *why = "";
	int fd = mkstemp(path);

	spool_write(&spool, path);
	assert_int_equal(sp_snapshot_read(&snapshot, fd, &why), 0);
	close(fd);
	unlink(path);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL);
	sp_facts_collect(profile);
	sp_markdown_write(&text, profile, "prog.md", full);
}

static void fill_some(void)
{
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);
	static const uint64_t evil[] = {0x7000011, SPOOL_BASE + 1};

	strcpy(threads[1].name, "a|`<b>\n\x1b[1m");
	threads[1].heap = (struct sp_heap_counters){.bytes_base = 12345, .allocs = 17, .frees = 3};
	spool_module(&spool, "/nowhere/e|v`i<l>\n</details>\n\xe2\x80\xae.so", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, evil, 2), 5000, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 30000, 4000);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 4096, 2)->free_bytes = 1096;
	spool.header->cpu.self_user_ns += 2000000;
}

static const struct sp_function *find(const struct sp_profile *p, const char *name)
{
	for (size_t i = 0; i < p->function_count; i++)
		if (strcmp(p->functions[i].name, name) == 0)
			return &p->functions[i];
	return NULL;
}

static void the_complete_part_comes_back(void **state)
{
	const char *why = "";
	struct sp_profile *back;
	size_t compared = 0;

	(void)state;
	fill_some();
	write_profile(false);
	back = sp_markdown_read(text.data, text.length, &why);
	assert_string_equal(why ? why : "", "");
	assert_non_null(back);
	for (size_t i = 0; i < profile->function_count; i++) {
		const struct sp_function *a = &profile->functions[i], *b = find(back, a->name);

		if (!sp_function_total(a) && !sp_function_self(a))
			continue;
		assert_non_null(b);
		assert_int_equal(a->self_user_ns, b->self_user_ns);
		assert_int_equal(a->self_sys_ns, b->self_sys_ns);
		assert_int_equal(a->total_user_ns, b->total_user_ns);
		assert_int_equal(a->self_samples, b->self_samples);
		assert_int_equal(a->flags & SP_FUNCTION_PSEUDO, b->flags & SP_FUNCTION_PSEUDO);
		/* To the nanosecond. */
		assert_true(fabs(a->self_error - b->self_error) * (double)profile->total_ns < 1);
		assert_true(fabs(a->total_error - b->total_error) * (double)profile->total_ns < 1);
		assert_string_equal(profile->modules[a->module].path, back->modules[b->module].path);
		compared++;
	}
	assert_true(compared >= 5);
	assert_int_equal(back->total_ns, profile->total_ns);
	assert_int_equal(back->site_count, 1);
	assert_int_equal(back->sites[0].inuse_bytes, 3000);
	assert_int_equal(back->heap_allocated_bytes, 12345);
	assert_int_equal(back->fact_count, profile->fact_count);
	for (size_t i = 0; i < back->fact_count; i++)
		assert_string_equal(back->facts[i].value, profile->facts[i].value);
	sp_profile_free(back);
}

static void the_top_ends_at_the_complete_part(void **state)
{
	size_t top;

	(void)state;
	fill_some();
	write_profile(false);
	top = sp_markdown_top(text.data, text.length);
	assert_true(top < text.length);
	assert_true(strncmp(text.data + top, "<details>\n", 10) == 0);
	assert_null(strstr(text.data + top + 1, "\n<details>\n"));
	assert_null(strstr(text.data, "hunter2"));
}

static void every_section_is_there(void **state)
{
	static const char *const headings[] = {"---\nschema: smartprof/1\n", "**Verdict", "## Find things",
		"\n# CPU Profile\n", "| Duration | Samples | Interval | Functions |", "**Top ",
		"\n## Hot Functions (Self Time)\n",
		"| Self% | Self | Total% | Total | Function | Location | ± | Module |", "\n## Call Tree (Total Time)\n",
		"\n## Hot Paths\n", "\n## Function Details\n", "\n## Threads\n", "\n## Modules\n", "\n# Heap Profile\n",
		"\n## Heap Sites (In Use)\n", "| % | Bytes | Count | Function | Location | ± | Module |",
		"\n## Heap Sites (Allocated)\n", "\n# Data Quality\n", "\n# Settings\n", "\n<details>\n"};
	const char *at;

	(void)state;
	fill_some();
	write_profile(false);
	at = text.data;
	for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
		const char *found = strstr(at, headings[i]);

		if (!found)
			fail_msg("missing or out of order: %s", headings[i]);
		at = found;
	}
}

static void the_budget_holds_and_cuts_are_told(void **state)
{
	char name[200];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	spool_module(&spool, name, 0x7000000, 0x7100000, 0, UINT64_MAX);
	for (int i = 0; i < 1500; i++) {
		uint64_t addresses[20];

		for (unsigned k = 0; k < 20; k++)
			addresses[k] = 0x7000001 + 16 * (uint64_t)(k < 10 ? i * (k + 1) % 977 : k);
		spool_sample(&spool, spool_addresses(&spool, 0, 1, addresses, 20), 1000 + (uint64_t)i, 0);
	}
	write_profile(false);
	assert_true(sp_markdown_top(text.data, text.length) <= SP_TOP_BUDGET_BYTES);
	assert_non_null(strstr(text.data, "more rows, see All functions"));
	sp_buffer_clear(&text);
	sp_markdown_write(&text, profile, "prog.md", true);
	assert_true(sp_markdown_top(text.data, text.length) > SP_TOP_BUDGET_BYTES);
	assert_null(strstr(text.data, "more rows, see All functions"));
}

static void what_is_cut_off_is_refused(void **state)
{
	const char *why;

	(void)state;
	fill_some();
	write_profile(false);
	for (size_t length = 0; length + 1 < text.length; length += length + 200 < text.length ? 7 : 1) {
		char *copy = strndup(text.data, length);

		why = NULL;
		assert_null(sp_markdown_read(copy, length, &why));
		assert_non_null(why);
		free(copy);
	}
}

static void a_missing_row_is_noticed(void **state)
{
	const char *why = NULL;
	char *row, *next;

	(void)state;
	fill_some();
	write_profile(false);
	row = strchr(strstr(text.data, "\nself_user_ns\t") + 1, '\n') + 1;
	next = strchr(row, '\n') + 1;
	memmove(row, next, strlen(next) + 1);
	assert_null(sp_markdown_read(text.data, strlen(text.data), &why));
	assert_non_null(why);
}

static void other_schemas_are_refused(void **state)
{
	static const char *const bad[] = {"", "hello", "---\n", "---\na: b\n---\n", "---\nschema: smartprof/2\n---\n",
		"---\nschema: other/1\n---\n", "---\nschema smartprof/1\n---\n"};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(sp_markdown_read(bad[i], strlen(bad[i]), &why));
		assert_non_null(why);
	}
}

static void damaged_profiles_do_no_harm(void **state)
{
	uint64_t random = 88172645463325252ULL;

	(void)state;
	fill_some();
	write_profile(false);
	for (int round = 0; round < 2000; round++) {
		char *copy = malloc(text.length + 1);
		const char *why;

		memcpy(copy, text.data, text.length + 1);
		for (int flips = 0; flips < 1 + round % 4; flips++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			copy[random % text.length] = (char)(random >> 40);
		}
		sp_profile_free(sp_markdown_read(copy, text.length, &why));
		free(copy);
	}
}

static void the_cost_is_held_against_the_budget(void **state)
{
	(void)state;
	fill_some();
	spool.header->cpu.budget_permille = 30;
	spool.header->heap.slow_ns = 2000000;
	write_profile(false);
	assert_non_null(strstr(text.data, "(budget 3 %): over the budget: the governor had no time to settle"));
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->cpu.self_user_ns += 5000000000;
	spool.header->heap.slow_ns = 1000000000;
	write_profile(false);
	assert_non_null(strstr(text.data, "(budget 3 %): over the budget.\n"));
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->heap.slow_ns = 1000000;
	write_profile(false);
	assert_null(strstr(text.data, "over the budget"));
}

static void a_killed_process_is_told_of(void **state)
{
	(void)state;
	fill_some();
	spool.header->state = SP_STATE_RUNNING;
	spool.header->end_ns = 0;
	spool.header->now_ns = 1500000000;
	write_profile(false);
	assert_non_null(strstr(text.data, " in 1.50 s until its last sample, "));
	assert_non_null(strstr(text.data, "averages reach until its last sample"));
}

static void few_samples_have_no_error_bar(void **state)
{
	struct sp_site *site;

	(void)state;
	fill_some();
	spool.header->heap.peak_bytes = 200000;
	spool.header->heap.peak_seq = 1;
	spool.header->heap.samples = 3;
	spool.header->heap.class_bytes[9] = 300;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(8, 1)), 2000, 2);
	site = spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(7, 1)), 100000, 20);
	site->samples = site->inuse_samples = 50;
	write_profile(false);
	assert_non_null(strstr(text.data, "rough: 3 samples | prog |"));
	assert_non_null(strstr(text.data, "Estimates, rough: 3 samples."));
	assert_non_null(strstr(text.data, "| 253 | prog |")); /* 1.96 sqrt(4 * 4096 * 51 / 50) */
	assert_non_null(strstr(text.data, "the largest part of the peak, 50.0 % ± 0.1, was allocated in prog+0x70"));
}

static void what_came_before_sampling_is_no_ground_for_conclusions(void **state)
{
	(void)state;
	fill_some();
	spool.header->heap.peak_bytes = 4096;
	spool.header->heap.peak_seq = 1;
	spool.header->heap.before_bytes = 6000;
	write_profile(false);
	assert_non_null(strstr(text.data, "the largest part"));
	assert_null(strstr(text.data, "Not judged"));
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->heap.before_bytes = 7000;
	write_profile(false);
	assert_null(strstr(text.data, "the largest part"));
	assert_non_null(strstr(text.data, "allocated, 6.8 KiB were allocated before sampling began"));
	assert_non_null(strstr(text.data, "## Leak Suspects\n\nNot judged: 56.7 % of the bytes"));
}

static void thresholds_are_said_to_be_idle(void **state)
{
	(void)state;
	write_profile(false);
	assert_null(strstr(text.data, "nothing acts on them yet"));
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->text.settings = spool_text(&spool, "cpu_threshold\t80 %\tdefault\nlast\ton\tdefault\n");
	write_profile(false);
	assert_non_null(strstr(text.data, "|\n\nThe thresholds and their check interval are only noted: nothing acts"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_complete_part_comes_back),
		TEST(the_top_ends_at_the_complete_part),
		TEST(every_section_is_there),
		TEST(the_budget_holds_and_cuts_are_told),
		TEST(what_is_cut_off_is_refused),
		TEST(a_missing_row_is_noticed),
		TEST(other_schemas_are_refused),
		TEST(damaged_profiles_do_no_harm),
		TEST(the_cost_is_held_against_the_budget),
		TEST(a_killed_process_is_told_of),
		TEST(few_samples_have_no_error_bar),
		TEST(what_came_before_sampling_is_no_ground_for_conclusions),
		TEST(thresholds_are_said_to_be_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
