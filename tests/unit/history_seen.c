/* What stands out in a series of runs: what is planted is told, what chance and the machine do is not; and how it is drawn. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/history/plot.h"
#include "profiles/history/seen.h"
#include "profiles/monitor/run.h"
#include "symbolize/base/memory.h"
#include "tests/unit/history_place.h"

static uint64_t chance = 1;

static double uniform(void)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (double)(chance >> 11) / 9007199254740992.0;
}

/* Standard normal, near enough. */
static double noise(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += uniform();
	return sum;
}

static struct sp_seen_run *add(struct sp_seen *seen, double wall_ms, double cpu_ms, double peak_mib)
{
	struct sp_seen_run *run;

	sp_grow(&seen->runs, &seen->capacity, seen->count + 1, sizeof(*seen->runs));
	run = &seen->runs[seen->count++];
	*run = (struct sp_seen_run){.good = true, .ending = "ok", .build = "abc"};
	snprintf(run->id, sizeof(run->id), "%08zx", seen->count);
	run->values[SP_SEEN_WALL] = wall_ms * 1e6;
	run->values[SP_SEEN_CPU] = cpu_ms * 1e6;
	run->values[SP_SEEN_PEAK] = peak_mib * 1048576;
	run->values[SP_SEEN_QUEUE] = 0;
	run->values[SP_SEEN_MISSES] = NAN;
	return run;
}

static void spoil(struct sp_seen_run *run, const char *how)
{
	run->good = false;
	run->failed = true;
	snprintf(run->ending, sizeof(run->ending), "%s", how);
}

static struct sp_seen steady(size_t runs, double spread)
{
	struct sp_seen seen = {0};

	for (size_t i = 0; i < runs; i++) {
		double cpu = 900 * exp(spread * noise());

		add(&seen, cpu * 1.05, cpu, 50 * exp(spread / 5 * noise()));
	}
	return seen;
}

static const struct sp_finding *find(const struct sp_findings *f, enum sp_finding_kind kind, enum sp_seen_metric metric)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].kind == kind && f->items[i].metric == metric)
			return &f->items[i];
	return NULL;
}

static size_t count(struct sp_seen *seen)
{
	struct sp_findings f = {0};
	size_t n;

	sp_findings_find(&f, seen);
	n = f.count;
	sp_findings_free(&f);
	sp_seen_free(seen);
	return n;
}

static void nothing_by_chance(void **state)
{
	size_t told = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct sp_seen seen = steady(10 + (size_t)(uniform() * 90), 0.02 + 0.06 * uniform());

		told += count(&seen) > 0;
	}
	print_message("%zu of 2000 series\n", told);
	assert_true(told <= 10);
	for (size_t runs = 0; runs < 9; runs++) {
		struct sp_seen seen = steady(runs, 0.05);

		assert_int_equal(count(&seen), 0);
	}
}

static void more_than_ever(void **state)
{
	struct sp_seen seen = steady(30, 0.03);
	struct sp_findings f = {0};
	const struct sp_finding *found;

	(void)state;
	add(&seen, 1900, 1800, 50);
	sp_findings_find(&f, &seen);
	found = find(&f, SP_FINDING_MORE, SP_SEEN_WALL);
	assert_non_null(found);
	assert_non_null(find(&f, SP_FINDING_MORE, SP_SEEN_CPU));
	assert_null(find(&f, SP_FINDING_MORE, SP_SEEN_PEAK));
	assert_string_equal(found->text, "slower than ever: 1.90 s");
	assert_non_null(strstr(found->evidence, "usually 9"));
	assert_non_null(strstr(found->evidence, "in 30 runs before"));
	assert_string_equal(found->id, seen.runs[30].id);
	sp_findings_free(&f);
	/* The machine did it. */
	seen.runs[30].values[SP_SEEN_CPU] = 930e6;
	seen.runs[30].values[SP_SEEN_QUEUE] = 900e6;
	sp_findings_find(&f, &seen);
	assert_null(find(&f, SP_FINDING_MORE, SP_SEEN_WALL));
	sp_findings_free(&f);
	/* Of three fresh runs two are not enough. */
	seen.count = 30;
	add(&seen, 1900, 1800, 50);
	add(&seen, 1900, 1800, 50);
	add(&seen, 945, 900, 50);
	sp_findings_of_newest(&f, &seen, 3);
	assert_int_equal(f.count, 0);
	seen.runs[32] = seen.runs[31];
	sp_findings_of_newest(&f, &seen, 3);
	assert_int_equal(f.count, 2);
	sp_findings_free(&f);
	sp_seen_free(&seen);
}

static void less_than_ever(void **state)
{
	struct sp_seen seen = steady(20, 0.03);
	struct sp_findings f = {0};

	(void)state;
	add(&seen, 500, 480, 20);
	sp_findings_find(&f, &seen);
	assert_non_null(find(&f, SP_FINDING_LESS, SP_SEEN_WALL));
	assert_non_null(find(&f, SP_FINDING_LESS, SP_SEEN_PEAK));
	sp_findings_free(&f);
	sp_seen_free(&seen);
}

static void growing(void **state)
{
	struct sp_seen seen = {0};
	struct sp_findings f = {0};
	const struct sp_finding *found;

	(void)state;
	for (int i = 0; i < 40; i++)
		add(&seen, 1000 * exp(0.02 * noise()), 950, 50 + i);
	sp_findings_find(&f, &seen);
	found = find(&f, SP_FINDING_GROWING, SP_SEEN_PEAK);
	assert_non_null(found);
	assert_non_null(strstr(found->text, "more and more memory: from 52"));
	assert_null(find(&f, SP_FINDING_GROWING, SP_SEEN_WALL));
	sp_findings_free(&f);
	/* A step is no growth from run to run. */
	for (size_t i = 0; i < 40; i++)
		seen.runs[i].values[SP_SEEN_PEAK] = (i < 20 ? 50e6 : 90e6) + 1000.0 * (double)i;
	sp_findings_find(&f, &seen);
	assert_null(find(&f, SP_FINDING_GROWING, SP_SEEN_PEAK));
	found = find(&f, SP_FINDING_CHANGED, SP_SEEN_PEAK);
	assert_non_null(found);
	assert_non_null(strstr(found->text, "more memory since a run 20 runs ago: +80 %"));
	assert_string_equal(found->id, seen.runs[20].id);
	sp_findings_free(&f);
	sp_seen_free(&seen);
}

static void endings(void **state)
{
	struct sp_seen seen = steady(20, 0.02);
	struct sp_findings f = {0};

	(void)state;
	spoil(add(&seen, 10, 10, 50), "exit 3");
	spoil(add(&seen, 10, 10, 50), "exit 3");
	sp_findings_find(&f, &seen);
	assert_int_equal(f.items[0].kind, SP_FINDING_FAILING);
	assert_string_equal(f.items[0].text, "fails now: exit 3");
	assert_string_equal(f.items[0].evidence, "the last 2 runs; all 20 before went well");
	assert_string_equal(f.items[0].id, seen.runs[20].id);
	sp_findings_free(&f);
	/* One failure that is past is none; two that others follow are. */
	seen.count = 20;
	spoil(&seen.runs[9], "exit 3");
	sp_findings_find(&f, &seen);
	assert_int_equal(f.count, 0);
	spoil(&seen.runs[14], "signal 11");
	sp_findings_find(&f, &seen);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.items[0].kind, SP_FINDING_FLAKY);
	assert_non_null(strstr(f.items[0].text, "2 of the last 20 runs failed"));
	assert_string_equal(f.items[0].evidence, "last: signal 11; one build of the program did both");
	sp_findings_free(&f);
	sp_seen_free(&seen);
}

static void time_that_is_none(void **state)
{
	struct sp_seen seen = {0};
	struct sp_findings f = {0};

	(void)state;
	for (int i = 0; i < 10; i++)
		add(&seen, 2000 * exp(0.01 * noise()), 100, 50);
	sp_findings_find(&f, &seen);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.items[0].kind, SP_FINDING_WAITING);
	assert_non_null(strstr(f.items[0].text, "95 %"));
	sp_findings_free(&f);
	for (size_t i = 0; i < seen.count; i++) {
		seen.runs[i].values[SP_SEEN_QUEUE] = 300e6 * uniform() + 200e6;
		seen.runs[i].values[SP_SEEN_WALL] = 2e9 * exp(0.3 * noise());
	}
	sp_findings_find(&f, &seen);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.items[0].kind, SP_FINDING_NOISY);
	sp_findings_free(&f);
	sp_seen_free(&seen);
}

static struct sp_history_run *keep(struct sp_history *store, uint64_t started_ns, const char *state, unsigned jobs)
{
	struct sp_history_run *run = sp_history_run_make();

	run->started_ns = started_ns;
	run->jobs = jobs;
	run->exit_status = strcmp(state, "ok") == 0 ? 0 : 3;
	sp_history_set(&run->program, "prog");
	sp_history_set(&run->build_id, "0123abcd");
	sp_history_set(&run->state, state);
	sp_history_add_metric(run, "wall_ns", (double)started_ns * 10, NAN);
	sp_history_add_metric(run, "user_ns", 1, NAN);
	sp_history_add_metric(run, "sys_ns", 2, NAN);
	assert_int_equal(sp_history_add(store, run), 0);
	return run;
}

static void of_runs(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	/* Imported: started before the others, added after them. */
	struct sp_history_run *late = keep(store, 30, "ok", 1), *middle = keep(store, 20, "failed", 1),
			      *early = keep(store, 10, "ok", 1), *beside = keep(store, 40, "ok", 2);
	struct sp_seen seen = {0}, newest = {0}, other = {0};

	(void)state;
	assert_int_equal(sp_seen_load(store, late->series, 100, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_string_equal(seen.runs[0].id, early->id);
	assert_string_equal(seen.runs[1].id, middle->id);
	assert_true(seen.runs[1].failed && !seen.runs[1].good && strcmp(seen.runs[1].ending, "exit 3") == 0);
	assert_true(!seen.runs[2].failed && seen.runs[2].good && strcmp(seen.runs[2].build, "0123abcd") == 0);
	for (size_t i = 0; i < 3; i++)
		assert_true(seen.runs[i].values[SP_SEEN_WALL] == 100 * (double)(i + 1));
	assert_true(seen.runs[0].values[SP_SEEN_CPU] == 3 && isnan(seen.runs[0].values[SP_SEEN_PEAK]));
	assert_int_equal(sp_seen_load(store, late->series, 2, &newest), 0);
	assert_int_equal(newest.count, 2);
	assert_string_equal(newest.runs[0].id, middle->id);
	assert_true(newest.runs[1].values[SP_SEEN_WALL] == 300);
	assert_int_equal(sp_seen_load(store, beside->series, 100, &other), 0);
	assert_true(other.count == 1 && !other.runs[0].good);
	sp_seen_free(&seen);
	sp_seen_free(&newest);
	sp_seen_free(&other);
	sp_history_run_free(late);
	sp_history_run_free(middle);
	sp_history_run_free(early);
	sp_history_run_free(beside);
	sp_history_close(store);
}

static const char *spark(const double *values, size_t n, size_t width)
{
	static struct sp_buffer text;

	sp_buffer_free(&text);
	sp_history_put_spark(&text, values, n, width);
	return text.data ? text.data : "";
}

static void drawn(void **state)
{
	static const double flat[] = {100, 101, 99, 100}, step[] = {1, 1, 1, 2, 2, 2},
			    many[] = {1, 1, 1, 1, 9, 9, 9, 9};
	static const bool marks[] = {false, false, false, true, false, false};
	struct sp_history_plot plot = {
		.metric = "switches", .values = step, .marks = marks, .count = 6, .columns = 6, .rows = 4};
	struct sp_buffer text = {0};

	(void)state;
	assert_string_equal(spark(flat, 0, 10), "");
	assert_string_equal(spark(flat, 1, 10), "▅");
	assert_string_equal(spark(flat, 4, 10), "▅▅▄▅");
	assert_string_equal(spark(step, 6, 10), "▁▁▁███");
	assert_string_equal(spark(many, 8, 2), "▁█");
	sp_history_put_plot(&text, &plot);
	assert_string_equal(text.data,
		"      2.125 ┤   •••\n"
		"            │   ┊  \n"
		"    1.34375 ┤   ┊  \n"
		"      0.875 ┤•••┊  \n"
		"            └───▲──\n");
	sp_buffer_clear(&text);
	plot.count = 0;
	sp_history_put_plot(&text, &plot);
	assert_int_equal(text.length, 0);
	sp_history_put_value(&text, "x_bytes", 2048);
	sp_history_put_value(&text, "cpu_percent", 93.4);
	sp_history_put_value(&text, "switches", 17);
	sp_history_put_value(&text, "wall_ns", NAN);
	assert_string_equal(text.data, "2.0 KiB93 %17-");
	sp_buffer_free(&text);
}

static void stored_timelines(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"points\":[]}", "{\"points\":[[1,2]]}x",
		"{\"points\":[[0,1,1,1]]}", "{\"points\":[[5,1,1,1],[4,1,1,1]]}", "{\"points\":[[5,2,1,1],[6,1,1,1]]}",
		"{\"points\":[[-5,2,1,1]]}", "{\"points\":[\"x\"]}"};
	struct sp_monitor_timeline line = {0};

	(void)state;
	assert_true(sp_monitor_timeline_read(&line, "{\"points\":[[5,1,9,1],[6,1,8,2]]}", 32));
	assert_int_equal(line.count, 2);
	assert_int_equal(line.points[1].processes, 2);
	free(line.points);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		line = (struct sp_monitor_timeline){0};
		assert_false(sp_monitor_timeline_read(&line, bad[i], strlen(bad[i])));
		free(line.points);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_by_chance),
		cmocka_unit_test(more_than_ever),
		cmocka_unit_test(less_than_ever),
		cmocka_unit_test(growing),
		cmocka_unit_test(endings),
		cmocka_unit_test(time_that_is_none),
		cmocka_unit_test_setup_teardown(of_runs, make_place, remove_place),
		cmocka_unit_test(drawn),
		cmocka_unit_test(stored_timelines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
