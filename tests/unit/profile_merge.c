/* Profiles that are added up: sums, errors, builds, the critical path, what tells processes apart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "profiles/markdown/what.h"
#include "profiles/model/critical.h"
#include "profiles/model/facts.h"
#include "profiles/model/heap.h"
#include "profiles/model/merge.h"
#include "profiles/model/spans.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

#define SECOND 1000000000ull

static struct sp_buffer one, sum;

static int set_up(void **state)
{
	struct sp_snapshot snapshot = {0};
	struct sp_profile *profile;
	struct spool spool;

	(void)state;
	spool_open(&spool);
	spool_fill(&spool);
	spool_wait(&spool, SP_CALL_pthread_mutex_lock, STACK(6, 5, 1), 7000000);
	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	sp_markdown_write(&one, profile, "prog.md", false);
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	spool_close(&spool);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_buffer_free(&one);
	sp_buffer_free(&sum);
	return 0;
}

static struct sp_profile *read_back(const struct sp_buffer *text)
{
	const char *why = "";
	struct sp_profile *profile = sp_markdown_read(text->data, text->length, &why);

	if (!profile)
		fail_msg("%s", why);
	return profile;
}

/* How often the one profile is added. */
static void add_up(struct sp_profile *profile, unsigned times)
{
	struct sp_merge *merge = sp_merge_new();

	for (unsigned i = 0; i < times; i++)
		sp_merge_add(merge, profile, "prog.md");
	sp_buffer_clear(&sum);
	sp_markdown_write(&sum, sp_merge_finish(merge, 0), "merged.md", false);
	sp_merge_free(merge);
}

static const struct sp_function *find(const struct sp_profile *p, const char *name)
{
	for (size_t i = 0; i < p->function_count; i++)
		if (strcmp(p->functions[i].name, name) == 0)
			return &p->functions[i];
	fail_msg("%s is not there", name);
	return NULL;
}

static void assert_valid(void)
{
	struct sp_validation v;

	sp_validate(&v, sum.data, sum.length);
	if (v.count)
		fail_msg("line %zu: %s", v.violations[0].line, v.violations[0].what);
	assert_int_equal(v.unknown_key_count + v.unknown_section_count, 0);
	sp_validation_free(&v);
}

static double error_ns(const struct sp_profile *p, const struct sp_function *f)
{
	return f->self_error * (double)p->total_ns;
}

static uint64_t waited_ns(const struct sp_profile *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->path_count; i++)
		sum += p->paths[i].wait_ns;
	return sum;
}

static void times_and_counts_add_up_and_variances_do(void **state)
{
	struct sp_profile *in = read_back(&one), *out;

	(void)state;
	add_up(in, 4);
	assert_valid();
	out = read_back(&sum);
	assert_int_equal(out->total_ns, 4 * in->total_ns);
	assert_int_equal(out->samples, 4 * in->samples);
	assert_int_equal(out->heap_allocated_bytes, 4 * in->heap_allocated_bytes);
	assert_int_equal(out->process_count, 4);
	assert_int_equal(out->path_count, in->path_count);
	assert_int_equal(out->site_count, in->site_count);
	assert_int_equal(out->line_count, in->line_count);
	assert_true(out->waits_on);
	assert_int_equal(waited_ns(in), 7000000);
	assert_int_equal(waited_ns(out), 4 * 7000000);
	for (size_t i = 0; i < in->function_count; i++) {
		const struct sp_function *f = &in->functions[i], *g;

		if (!sp_function_total(f))
			continue;
		g = find(out, f->name);
		assert_int_equal(sp_function_self(g), 4 * sp_function_self(f));
		assert_int_equal(sp_function_total(g), 4 * sp_function_total(f));
		assert_true(fabs(error_ns(out, g) - 2 * error_ns(in, f)) <= 4);
	}
	assert_string_equal(sp_profile_fact(out, "merged_profiles"), "4");
	sp_profile_free(out);
	sp_profile_free(in);
}

static void sums_of_sums_have_all_processes(void **state)
{
	struct sp_profile *in = read_back(&one), *out;
	struct sp_buffer first = {0};

	(void)state;
	add_up(in, 2);
	sp_profile_free(in);
	sp_buffer_add(&first, sum.data, sum.length);
	in = read_back(&first);
	add_up(in, 3);
	assert_valid();
	out = read_back(&sum);
	assert_int_equal(out->process_count, 6);
	assert_int_equal(out->total_ns, 3 * in->total_ns);
	assert_int_equal(out->processes[5].pid, in->processes[0].pid);
	assert_string_equal(out->processes[5].profile, "prog.md");
	sp_profile_free(in);
	sp_profile_free(out);
	sp_buffer_free(&first);
}

static void builds_that_differ_stay_apart(void **state)
{
	struct sp_profile *a = read_back(&one), *b = read_back(&one), *out;
	struct sp_merge *merge = sp_merge_new();
	size_t rows = 0;

	(void)state;
	for (size_t i = 0; i < a->module_count; i++)
		if (strcmp(a->modules[i].path, SPOOL_PROGRAM) == 0) {
			a->modules[i].build_id = "aaaaaaaaaaaaaaaaaaaa";
			b->modules[i].build_id = "bbbbbbbbbbbbbbbbbbbb";
		}
	sp_merge_add(merge, a, "a.md");
	sp_merge_add(merge, b, "b.md");
	sp_merge_add(merge, a, "c.md");
	sp_markdown_write(&sum, sp_merge_finish(merge, 0), "merged.md", false);
	sp_merge_free(merge);
	assert_valid();
	out = read_back(&sum);
	for (size_t i = 0; i < out->module_count; i++) {
		rows += strcmp(out->modules[i].path, SPOOL_PROGRAM) == 0;
		rows += strcmp(out->modules[i].path, SPOOL_PROGRAM " (build bbbbbbbbbbbb)") == 0;
	}
	assert_int_equal(rows, 2);
	assert_int_equal(out->total_ns, 3 * a->total_ns);
	assert_non_null(strstr(sum.data, "different builds"));
	sp_profile_free(out);
	sp_profile_free(a);
	sp_profile_free(b);
}

static void heaps_say_what_their_peaks_are(void **state)
{
	struct sp_profile *in = read_back(&one);

	(void)state;
	add_up(in, 2);
	assert_non_null(strstr(sum.data, "| In use at the peak of each process, added up |"));
	assert_non_null(strstr(sum.data, "| At most, in processes alive together |"));
	sp_profile_free(in);
}

/* --- processes alone */

static struct sp_member processes[] = {
	{"make", "make -j2 all", "7.1", "0", "", 10, 1, true, 100 * SECOND, 20 * SECOND, .peak_bytes = 1},
	{"cc1", "cc1 -quiet -MMD build/a.d a.c -o /tmp/x1.s", "7.1", "0", "", 11, 99, false, 101 * SECOND, 4 * SECOND,
		.peak_bytes = 100},
	{"cc1", "cc1 -quiet -MMD build/b.d b.c -o /tmp/x2.s", "7.1", "0", "", 12, 10, false, 102 * SECOND, 9 * SECOND,
		.peak_bytes = 10},
	{"cc1", "cc1 -quiet -MMD build/c.d c.c -o /tmp/x3.s", "7.1", "0", "", 13, 10, false, 106 * SECOND, 2 * SECOND,
		.peak_bytes = 1000},
	{"sh", "sh -c link", "7.1", "0", "", 14, 10, false, 112 * SECOND, 7 * SECOND, .peak_bytes = 1},
	{"ld", "ld -o prog a.o b.o c.o", "7.1", "0", "", 15, 14, false, 113 * SECOND, 5 * SECOND, .peak_bytes = 5},
};

static struct sp_profile alone = {.processes = processes, .process_count = 6};

static void the_critical_path_goes_back_from_the_end(void **state)
{
	static const struct {
		uint32_t process;
		uint64_t from, to;
	} expected[] = {{0, 100, 102}, {2, 102, 111}, {0, 111, 112}, {4, 112, 113}, {5, 113, 118}, {4, 118, 119},
		{0, 119, 120}};
	size_t count;
	struct sp_wait *waits = sp_critical_path(&alone, &count);

	(void)state;
	assert_int_equal(count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(waits[i].process, expected[i].process);
		assert_int_equal(waits[i].from_ns, expected[i].from * SECOND);
		assert_int_equal(waits[i].to_ns, expected[i].to * SECOND);
	}
	free(waits);
}

static void processes_of_several_runs_have_none(void **state)
{
	size_t count;

	(void)state;
	processes[3].tree = "8.1";
	assert_null(sp_critical_path(&alone, &count));
	assert_null(sp_processes_program(&alone));
	processes[3].tree = "7.1";
	assert_string_equal(sp_processes_program(&alone), "make");
}

static void a_run_whose_first_process_has_no_profile_has_one(void **state)
{
	struct sp_profile p = {.processes = processes + 1, .process_count = 3};
	size_t count;
	struct sp_wait *waits = sp_critical_path(&p, &count);

	(void)state;
	assert_int_equal(count, 2);
	assert_int_equal(waits[0].process, SP_NO_PROCESS);
	assert_int_equal(waits[1].process, 1);
	assert_int_equal(waits[1].to_ns, 111 * SECOND);
	free(waits);
}

/* Numbers that come again, parents that are their own children: nothing of it may be waited for forever. */
static void odd_processes_end(void **state)
{
	static struct sp_member odd[] = {{"a", "", "1.1", "0", "", 1, 1, true, .start_ns = 5, .wall_ns = 10},
		{"b", "", "1.1", "0", "", 2, 3, false, .start_ns = 5, .wall_ns = 10},
		{"c", "", "1.1", "0", "", 3, 2, false, .start_ns = 5, .wall_ns = 10},
		{"d", "", "1.1", "0", "", 4, 4, false, .start_ns = 0, .wall_ns = INT64_MAX}};
	struct sp_profile p = {.processes = odd, .process_count = 4};
	size_t count;

	(void)state;
	free(sp_critical_path(&p, &count));
	assert_true(count >= 1);
}

static void peaks_add_only_while_alive(void **state)
{
	(void)state;
	assert_int_equal(sp_processes_peak_together(&alone), 1 + 10 + 1000);
}

static void a_word_tells_processes_apart(void **state)
{
	struct sp_what what;

	(void)state;
	sp_what_tell(&what, &alone);
	assert_string_equal(what.of[1], "a.c");
	assert_string_equal(what.of[2], "b.c");
	assert_string_equal(what.of[3], "c.c");
	assert_string_equal(what.of[5], "prog");
	sp_what_free(&what);
}

static void starts_are_known_to_the_millisecond(void **state)
{
	struct sp_profile p = {0};

	(void)state;
	sp_profile_add_fact(&p, "started", "%s", "1970-01-01T01:00:02.345+01:00");
	assert_int_equal(sp_facts_start_ns(&p), 2345000000);
	p.facts[0].value = "1970-01-01T00:00:02+00:00";
	assert_int_equal(sp_facts_start_ns(&p), 2 * SECOND);
	p.facts[0].value = "1970-01-01T00:00:02.5";
	assert_int_equal(sp_facts_start_ns(&p), 0);
	sp_pool_free(&p.pool);
	free(p.facts);
}

static void give_spans(struct sp_profile *p, const struct sp_span_info *spans, size_t count)
{
	p->spans = sp_alloc(count, sizeof(*spans));
	memcpy(p->spans, spans, count * sizeof(*spans));
	p->span_count = count;
}

static void spans_add_up_in_the_order_of_a_tree(void **state)
{
	const struct sp_span_info first[] = {
		{.name = "load", .parent = UINT32_MAX, .count = 1, .sum_ns = 50, .p99_ns = 50},
		{.name = "request › kind=get › parse",
			.parent = UINT32_MAX,
			.count = 4,
			.sum_ns = 20,
			.self_ns = 20,
			.cpu_ns = 16,
			.cpu_error = 3,
			.bytes = 100,
			.median_ns = 5,
			.p99_ns = 6,
			.max_ns = 7,
			.spread = {.us_sq = 9}},
		{.name = "request", .parent = UINT32_MAX, .count = 4, .sum_ns = 30, .self_ns = 10, .max_ns = 9}};
	const struct sp_span_info second[] = {
		{.name = "request", .parent = UINT32_MAX, .count = 2, .sum_ns = 30, .self_ns = 1},
		{.name = "request › answer", .parent = UINT32_MAX, .count = 2, .sum_ns = 25},
		{.name = "request › kind=get › parse",
			.parent = UINT32_MAX,
			.count = 1,
			.sum_ns = 8,
			.self_ns = 8,
			.cpu_ns = 8,
			.cpu_error = 4,
			.bytes = 1,
			.median_ns = 8,
			.p99_ns = 8,
			.max_ns = 8,
			.spread = {.us_sq = 1}}};
	static const char *const order[] = {"request", "request › answer", "request › kind=get › parse", "load"};
	struct sp_profile *a = read_back(&one), *b = read_back(&one), *out;
	struct sp_merge *merge = sp_merge_new();

	(void)state;
	give_spans(a, first, 3);
	give_spans(b, second, 3);
	sp_merge_add(merge, a, "a.md");
	sp_merge_add(merge, b, "b.md");
	sp_buffer_clear(&sum);
	sp_markdown_write(&sum, sp_merge_finish(merge, 0), "merged.md", false);
	assert_valid();
	out = read_back(&sum);
	assert_int_equal(out->span_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(out->spans[i].name, order[i]);
	assert_int_equal(out->spans[0].count, 6);
	assert_int_equal(out->spans[0].sum_ns, 60);
	assert_int_equal(out->spans[0].self_ns, 11);
	assert_int_equal(out->spans[2].cpu_ns, 24);
	assert_float_equal(out->spans[2].cpu_error, 5, 0);
	assert_int_equal(out->spans[2].bytes, 101);
	assert_int_equal(out->spans[2].max_ns, 8);
	assert_float_equal(out->spans[2].spread.us_sq, 10, 0);
	assert_int_equal(out->spans[2].p99_ns, 0); /* of a sum nobody knows it */
	assert_int_equal(out->spans[3].p99_ns, 50);
	assert_non_null(strstr(sum.data, "| request › kind=get › parse | 5 | 28 ns | 28 ns |  |  | 8 ns |"));
	sp_profile_free(a);
	sp_profile_free(b);
	sp_profile_free(out);
	sp_merge_free(merge);
}

/* A name of very many parts is one all the same. */
static void spans_in_very_many_are_told_apart(void **state)
{
	struct sp_profile *p = read_back(&one), *out;
	struct sp_span_info spans[2] = {{.parent = UINT32_MAX, .count = 1, .sum_ns = 1}};
	struct sp_buffer names[2] = {{0}, {0}};
	struct sp_merge *merge = sp_merge_new();

	(void)state;
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < 10000; i++)
			sp_buffer_puts(&names[k], "a › ");
		sp_buffer_puts(&names[k], k ? "y" : "x");
		spans[k] = spans[0];
		spans[k].name = names[k].data;
	}
	give_spans(p, spans, 2);
	sp_merge_add(merge, p, "a.md");
	out = sp_merge_finish(merge, 0);
	assert_int_equal(out->span_count, 2);
	assert_string_equal(out->spans[0].name, names[0].data);
	sp_merge_free(merge);
	sp_profile_free(p);
	sp_buffer_free(&names[0]);
	sp_buffer_free(&names[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(times_and_counts_add_up_and_variances_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sums_of_sums_have_all_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(builds_that_differ_stay_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(heaps_say_what_their_peaks_are, set_up, tear_down),
		cmocka_unit_test(the_critical_path_goes_back_from_the_end),
		cmocka_unit_test(processes_of_several_runs_have_none),
		cmocka_unit_test(a_run_whose_first_process_has_no_profile_has_one),
		cmocka_unit_test(odd_processes_end),
		cmocka_unit_test(peaks_add_only_while_alive),
		cmocka_unit_test(a_word_tells_processes_apart),
		cmocka_unit_test(starts_are_known_to_the_millisecond),
		cmocka_unit_test_setup_teardown(spans_add_up_in_the_order_of_a_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(spans_in_very_many_are_told_apart, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("profile_merge", tests, NULL, NULL);
}
