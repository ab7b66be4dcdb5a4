/* Samples by slice of the timeline and thread, and how sources are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/model/places.h"
#include "profiles/model/samples.h"

#define PATHS 4u
#define MANY 40000u

static struct {
	struct sp_snapshot snapshot;
	struct sp_profile profile;
	struct sp_path paths[PATHS];
	struct sp_timepoint timeline[200];
	struct sp_thread_record threads[3];
	struct sp_log_entry *log;
	struct sp_samples samples;
	uint32_t same[PATHS];
} t;

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.log = calloc(MANY, sizeof(*t.log));
	for (uint32_t i = 0; i < PATHS; i++) {
		t.paths[i] = (struct sp_path){.user_ns = 1};
		t.same[i] = i;
	}
	t.threads[1] = (struct sp_thread_record){.tid = 11};
	t.threads[2] = (struct sp_thread_record){.tid = 12, .start_ns = 150};
	t.snapshot =
		(struct sp_snapshot){.timeline = t.timeline, .threads = t.threads, .thread_count = 3, .log = t.log};
	t.profile = (struct sp_profile){.snapshot = &t.snapshot, .paths = t.paths, .path_count = PATHS};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_samples_free(&t.samples);
	free(t.log);
	return 0;
}

static void point(uint64_t t_ns)
{
	t.timeline[t.snapshot.timeline_count++] =
		(struct sp_timepoint){.t_ns = t_ns, .user_ns = t_ns, .logged = t.snapshot.log_count};
}

static void sample(uint32_t thread, uint32_t stack)
{
	t.log[t.snapshot.log_count++] = (struct sp_log_entry){.thread = thread, .stack = stack, .weight = 1};
}

static void assert_row(size_t row, uint32_t slice, int tid, const char *runs)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	assert_true(row < t.samples.row_count);
	assert_int_equal(t.samples.rows[row].slice, slice);
	assert_int_equal(t.samples.rows[row].tid, tid);
	for (size_t i = 0; i < t.samples.rows[row].count; i++) {
		const struct sp_sample_run *run = &t.samples.runs[t.samples.rows[row].first + i];

		sp_buffer_printf(&out, "%u*%u ", run->path, run->count);
	}
	assert_string_equal(out.data, runs);
	sp_buffer_free(&out);
}

static void samples_stand_by_slice_and_thread_in_their_order(void **state)
{
	(void)state;
	sample(1, 3);
	sample(2, 1); /* its record is of a thread that began later */
	sample(1, 0);
	sample(1, 0);
	point(100);
	sample(2, 2);
	sample(1, 1);
	sample(9, 1); /* no such record */
	point(200);
	sample(1, 2); /* after the last point */
	sp_samples_take(&t.samples, &t.profile, t.same, 0);
	assert_int_equal(t.samples.slice_count, 2);
	assert_int_equal(t.samples.row_count, 5);
	assert_row(0, 0, 0, "1*1 ");
	assert_row(1, 0, 11, "3*1 0*2 ");
	assert_row(2, 1, 0, "1*1 ");
	assert_row(3, 1, 11, "1*1 2*1 ");
	assert_row(4, 1, 12, "2*1 ");
}

static void many_samples_of_a_stack_stand_together(void **state)
{
	uint64_t sums[PATHS] = {0};

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		if (i % (MANY / 100) == 0)
			point(i);
		sample(1, i % PATHS);
	}
	sp_samples_take(&t.samples, &t.profile, t.same, 0);
	assert_in_range(t.samples.run_count, 1, 100 * PATHS);
	for (size_t i = 0; i < t.samples.run_count; i++)
		sums[t.samples.runs[i].path] += t.samples.runs[i].count;
	for (size_t i = 0; i < PATHS; i++)
		assert_int_equal(sums[i], MANY / PATHS);
}

static void samples_of_equal_stacks_are_of_the_first(void **state)
{
	(void)state;
	t.same[3] = 1;
	sample(1, 3);
	sample(1, 1);
	sample(1, 2);
	point(100);
	sp_samples_take(&t.samples, &t.profile, t.same, 0);
	assert_row(0, 0, 11, "1*2 2*1 ");
}

static void assert_shown(const char *path, const char *shown)
{
	struct sp_buffer clean = {0};

	assert_string_equal(sp_place_shown(&clean, &t.profile, path), shown);
	sp_buffer_free(&clean);
}

static void sources_are_named_from_where_they_differ(void **state)
{
	struct sp_module_info modules[3] = {{.path = ""}, {.path = "/lib/a.so"}, {.path = "/lib/b.so"}};
	struct sp_function functions[] = {{.module = 1, .file = "/tmp/build.1/./Objects/x.c"},
		{.module = 1, .file = "/tmp/build.1/Python/../Python/y.c"}, {.module = 1, .file = "/usr/include/z.h"},
		{.module = 2, .file = "/tmp/build.1/Modules/m.c"}, {.module = 2, .file = "relative/r.c"}};

	(void)state;
	t.profile.modules = modules;
	t.profile.module_count = 3;
	t.profile.functions = functions;
	t.profile.function_count = 5;
	t.profile.snapshot = NULL;
	sp_places_find(&t.profile);
	assert_shown("/tmp/build.1/./Objects/x.c", "Objects/x.c");
	assert_shown("/tmp/build.1/Modules/m.c", "Modules/m.c");
	assert_shown("/usr/include/z.h", "/usr/include/z.h");
	assert_shown("./relative/r.c", "relative/r.c");
	assert_shown("/tmp/build.2/x.c", "/tmp/build.2/x.c");
	sp_pool_free(&t.profile.pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(samples_stand_by_slice_and_thread_in_their_order),
		TEST(many_samples_of_a_stack_stand_together),
		TEST(samples_of_equal_stacks_are_of_the_first),
		TEST(sources_are_named_from_where_they_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
