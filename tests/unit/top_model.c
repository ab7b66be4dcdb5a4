/* What `smartprof top` shows, apart from the screen. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/model/heap.h"
#include "profiles/model/model.h"
#include "profiles/spool/window.h"
#include "tests/unit/profile_spool.h"
#include "tools/top/top.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_top *top;
static int fd;
static char path[64];
static const char *why;

static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	spool.header->state = SP_STATE_RUNNING;
	spool.header->end_ns = 0;
	spool.header->locked = 0;
	strcpy(path, "/tmp/top_model.XXXXXX");
	fd = mkstemp(path);
	top = NULL;
	why = "";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (top)
		sp_top_free(top);
	close(fd);
	unlink(path);
	spool_close(&spool);
	return 0;
}

static void begin(void)
{
	const struct sp_symbolizer_options options = {.cache = NULL};

	spool_write(&spool, path);
	top = sp_top_new(fd, &options, &why);
	assert_non_null(top);
}

static void look(void)
{
	spool_write(&spool, path);
	assert_true(sp_top_refresh(top, &why));
}

static const struct sp_top_row *row_of(enum sp_top_view view, const char *name)
{
	const struct sp_top_row *rows;
	size_t count = sp_top_rows(top, view, 0, NULL, &rows);

	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static double value(enum sp_top_view view, const char *name, unsigned figure)
{
	const struct sp_top_row *row = row_of(view, name);

	return row ? row->figures[figure].value : 0;
}

static void assert_near(double a, double b)
{
	if (fabs(a - b) > 1e-6 * fmax(1, fabs(b)))
		fail_msg("%.9g is not %.9g", a, b);
}

static uint32_t random_below(uint32_t n)
{
	static uint32_t state = 4321;

	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

/* --- code --------------------------------------------------------------------------------------- */

static void interval_and_window(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3, 2, 1)), b = spool_stack(&spool, 0, STACK(4, 2, 1));

	(void)state;
	spool_sample(&spool, a, 500000, 0);
	begin();
	assert_int_equal(sp_top_rows(top, SP_TOP_FUNCTIONS, 0, NULL, &(const struct sp_top_row *){NULL}), 0);
	for (int i = 0; i < 30; i++)
		spool_sample(&spool, a, 1000, 0);
	for (int i = 0; i < 10; i++)
		spool_sample(&spool, b, 0, 1000);
	look();
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 75);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x40", 0), 25);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x20", 0), 0);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x20", 1), 100);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x20", 3), 0.04);
	for (int i = 0; i < 40; i++)
		spool_sample(&spool, b, 1000, 0);
	look();
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 0);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.03);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x40", 0), 100);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x40", 2), 0.05);
	sp_top_reset(top);
	assert_null(row_of(SP_TOP_FUNCTIONS, "prog+0x30"));
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x40", 0), 100);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x40", 2), 0);
}

/* The binomial's, with one sample more. */
static void errors_of_shares(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3)), b = spool_stack(&spool, 0, STACK(4));
	const struct sp_top_row *row;

	(void)state;
	begin();
	for (int i = 0; i < 400; i++)
		spool_sample(&spool, i % 4 ? b : a, 1000, 0);
	look();
	row = row_of(SP_TOP_FUNCTIONS, "prog+0x30");
	assert_near(row->figures[0].error, 100 * 1.959964 * sqrt(0.25 * 0.75 / 400 + 1 / (400.0 * 400)));
	assert_near(row->figures[2].error, row->figures[0].error / 100 * 0.4);
	assert_false(sp_top_is_rough(&row->figures[0]));
	spool_sample(&spool, spool_stack(&spool, 0, STACK(5)), 1000, 0);
	look();
	row = row_of(SP_TOP_FUNCTIONS, "prog+0x50");
	assert_true(sp_top_is_rough(&row->figures[2]));
}

static void what_no_sample_covers(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3));

	(void)state;
	begin();
	for (int i = 0; i < 10; i++)
		spool_sample(&spool, a, 1000, 0);
	spool_thread(&spool, "silent", 7, 30000, 0);
	look();
	assert_near(value(SP_TOP_FUNCTIONS, "[unsampled]", 0), 75);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 25);
	assert_near(sp_top_state(top)->cpu_s.value, 0.04);
}

/* What is not shown is not looked at, and nothing of it is lost. */
static void views_catch_up(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3));

	(void)state;
	((struct sp_thread_record *)spool_records(&spool, SP_SEC_THREADS))[1].state = 1;
	begin();
	for (int i = 0; i < 5; i++) {
		spool_sample(&spool, a, 1000, 0);
		look();
		assert_non_null(row_of(SP_TOP_THREADS, "prog"));
	}
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.005);
	spool_sample(&spool, a, 1000, 0);
	look();
	assert_non_null(row_of(SP_TOP_THREADS, "prog"));
	spool_sample(&spool, a, 1000, 0);
	look();
	sp_top_reset(top);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0);
}

/* --- the same as windows ------------------------------------------------------------------------ */

static struct sp_live *live_record(uint32_t i)
{
	return (struct sp_live *)spool_records(&spool, SP_SEC_LIVE) + i;
}

static void allocate(uint32_t site)
{
	static uint64_t clock = 1000;
	struct sp_site *s = (struct sp_site *)spool_records(&spool, SP_SEC_SITES) + site;
	uint64_t bytes = 100 + random_below(1000);

	s->alloc_bytes += bytes;
	s->alloc_count++;
	s->samples++;
	s->variance_alloc += 7;
	*live_record(spool.header->sections[SP_SEC_LIVE].used++) = (struct sp_live){.alive = 1,
		.site = site,
		.size = bytes,
		.weight = bytes,
		.variance = 7,
		.count = 1,
		.born_tsc = clock++};
}

static void release(void)
{
	struct sp_live *live = live_record(1 + random_below(spool.header->sections[SP_SEC_LIVE].used));
	struct sp_site *s = (struct sp_site *)spool_records(&spool, SP_SEC_SITES) + live->site;

	if (!live->alive)
		return;
	s->free_bytes += live->weight;
	s->free_count++;
	live->alive = 0;
}

static void live_on(const uint32_t *stacks, uint32_t stack_count)
{
	for (int i = 0; i < 25; i++) {
		spool_sample(&spool, stacks[random_below(stack_count)], 1000 + random_below(500),
			random_below(2) * 300);
		allocate(1 + random_below(2));
		if (random_below(3) == 0)
			release();
	}
}

static void compare_functions(const struct sp_profile *profile)
{
	size_t compared = 0;

	for (size_t i = SP_PSEUDOS; i < profile->function_count; i++) {
		const struct sp_function *f = &profile->functions[i];

		if (!sp_function_total(f))
			continue;
		assert_near(value(SP_TOP_FUNCTIONS, f->name, 2), (double)sp_function_self(f) / 1e9);
		assert_near(value(SP_TOP_FUNCTIONS, f->name, 3), (double)sp_function_total(f) / 1e9);
		compared++;
	}
	assert_int_equal(compared, 5);
}

static void compare_sites(const struct sp_profile *profile)
{
	assert_int_equal(profile->site_count, 2);
	for (size_t i = 0; i < profile->site_count; i++) {
		const struct sp_heap_site *site = &profile->sites[i];
		const struct sp_top_row *row = row_of(SP_TOP_HEAP, profile->functions[site->function].name);

		assert_near(row->figures[2].value, (double)site->growth_bytes);
		assert_near(row->figures[2].error, sp_heap_error(site->growth_variance, site->growth_samples));
		assert_near(row->figures[3].value, (double)site->alloc_bytes);
		assert_near(row->figures[3].error, sp_heap_error(site->alloc_variance, site->samples));
	}
}

static void a_window_is_a_window(void **state)
{
	uint32_t stacks[4] = {spool_stack(&spool, 0, STACK(3, 2, 1)), spool_stack(&spool, 0, STACK(4, 2, 1)),
		spool_stack(&spool, 0, STACK(2, 2, 1)), 0};
	struct sp_snapshot earlier = {0}, later = {0};
	struct sp_profile *profile;

	(void)state;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 0, 0);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(7, 5, 1)), 0, 0);
	live_on(stacks, 3);
	begin();
	spool_snapshot(&spool, &earlier);
	stacks[3] = spool_stack(&spool, 0, STACK(8, 2, 1));
	for (int i = 0; i < 8; i++) {
		live_on(stacks, 4);
		look();
		if (i % 3 == 0)
			assert_non_null(row_of(SP_TOP_HEAP, "prog+0x60"));
	}
	spool_snapshot(&spool, &later);
	assert_int_equal(sp_window_take(&later, &earlier, &why), 0);
	profile = sp_profile_from_snapshot(&later, NULL, NULL, NULL);
	compare_functions(profile);
	compare_sites(profile);
	sp_profile_free(profile);
	sp_snapshot_free(&earlier);
	sp_snapshot_free(&later);
}

/* Names are looked for after the look: what happens meanwhile is the next interval's. */
static void the_first_interval_ends_with_its_look(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3));

	(void)state;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 0, 0);
	begin();
	spool_sample(&spool, a, 1000, 0);
	allocate(1);
	look();
	spool_sample(&spool, a, 1000, 0);
	allocate(1);
	spool_write(&spool, path);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.001);
	assert_near(value(SP_TOP_HEAP, "prog+0x60", 2), (double)live_record(1)->weight);
}

/* --- processes in which nothing happens --------------------------------------------------------- */

static void an_idle_process_shows_all_it_did(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3));

	(void)state;
	for (int i = 0; i < 7; i++)
		spool_sample(&spool, a, 1000, 0);
	begin();
	look();
	assert_true(sp_top_state(top)->whole);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 0);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.007);
	spool_sample(&spool, a, 1000, 0);
	look();
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 100);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.008);
}

static void an_ended_process_stays_as_it_was(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3));

	(void)state;
	begin();
	spool_sample(&spool, a, 1000, 0);
	look();
	spool_sample(&spool, a, 2000, 0);
	spool.header->state = SP_STATE_ENDED;
	spool.header->end_ns = 5000000000;
	spool.header->exit_value = 3;
	look();
	assert_true(sp_top_has_ended(top));
	assert_string_equal(sp_top_state(top)->text, "ended with 3");
	spool_sample(&spool, a, 4000, 0);
	look();
	sp_top_reset(top);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.003);
	assert_int_equal(truncate(path, 100), 0);
	assert_true(sp_top_refresh(top, &why));
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.003);
}

/* It is read twice then. */
static void the_last_interval_is_a_difference(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(3));

	(void)state;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 0, 0);
	begin();
	for (int i = 0; i < 2; i++) {
		spool_sample(&spool, a, 1000, 0);
		allocate(1);
		look();
		assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 100);
		assert_true(value(SP_TOP_HEAP, "prog+0x60", 1) > 0);
	}
	spool_sample(&spool, a, 2000, 0);
	allocate(1);
	spool.header->state = SP_STATE_ENDED;
	spool.header->locked = 1; /* and nothing has the lock */
	spool.header->end_ns = 5000000000;
	look();
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 0), 100);
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.004);
	assert_true(value(SP_TOP_HEAP, "prog+0x60", 1) > 0);
	assert_true(value(SP_TOP_HEAP, "prog+0x60", 1) <
		value(SP_TOP_HEAP, "prog+0x60", 3) / sp_top_state(top)->interval_s);
	assert_near(row_of(SP_TOP_HEAP, "prog+0x60")->figures[2].value,
		row_of(SP_TOP_HEAP, "prog+0x60")->figures[3].value);
}

/* A call of execve may fail, and the program goes on. */
static void one_that_calls_execve_may_come_back(void **state)
{
	(void)state;
	begin();
	spool.header->state = SP_STATE_EXEC;
	look();
	assert_int_equal(sp_top_state(top)->process, SP_TOP_RUNNING);
	spool.header->locked = 1; /* and nothing has the lock */
	look();
	assert_int_equal(sp_top_state(top)->process, SP_TOP_EXEC);
}

static void one_that_ended_before_shows_all_it_did(void **state)
{
	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3)), 1000, 0);
	spool.header->state = SP_STATE_ENDED;
	begin();
	assert_true(sp_top_state(top)->whole && sp_top_has_ended(top));
	assert_near(value(SP_TOP_FUNCTIONS, "prog+0x30", 2), 0.001);
}

/* --- what is not as it should be ---------------------------------------------------------------- */

static void a_spool_that_was_cut(void **state)
{
	(void)state;
	begin();
	assert_int_equal(truncate(path, 5000), 0);
	assert_false(sp_top_refresh(top, &why));
	assert_string_equal(why, "has been cut short");
}

static void one_of_another_version(void **state)
{
	const struct sp_symbolizer_options options = {.cache = NULL};

	(void)state;
	spool.header->version++;
	spool_write(&spool, path);
	assert_null(sp_top_new(fd, &options, &why));
	assert_string_equal(why, "was written by another version of smartprof, whose own command can read it");
}

static void damaged_records(void **state)
{
	struct sp_stack *stacks = spool_records(&spool, SP_SEC_STACKS);
	uint64_t *frames = spool_records(&spool, SP_SEC_FRAMES);
	uint32_t a = spool_stack(&spool, 0, STACK(3, 2)), b = spool_stack(&spool, 0, STACK(4, 2)),
		 c = spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5));

	(void)state;
	spool_site(&spool, a, 0, 0);
	spool_site(&spool, 4000000000u, 0, 0);
	spool_site(&spool, 2000, 0, 0);
	spool_site(&spool, c, 0, 0);
	begin();
	stacks[a].frame = 4000000000u;
	frames[stacks[b].frame + 1] = SP_FRAME_JUMP | 3999999999u;
	spool_sample(&spool, a, 1000, 0);
	spool_sample(&spool, b, 1000, 0);
	spool_sample(&spool, c, 1000, 0);
	for (uint32_t site = 0; site < 5; site++)
		allocate(site);
	allocate(4);
	live_record(3)->site = 4000000000u;
	look();
	assert_near(value(SP_TOP_FUNCTIONS, "[overflow]", 2), 0.002);
	assert_true(value(SP_TOP_HEAP, "prog+0x60", 2) > 0);
	look();
	assert_int_equal(sp_top_rows(top, SP_TOP_LINES, 3, NULL, &(const struct sp_top_row *){NULL}), 0);
}

/* --- text --------------------------------------------------------------------------------------- */

static void assert_cell(double figure, double error, enum sp_top_unit unit, const char *shown, const char *shown_error)
{
	struct sp_top_cell cell;

	sp_top_cell(&cell, &(struct sp_top_figure){figure, error}, unit, true);
	assert_string_equal(cell.value, shown);
	assert_string_equal(cell.error, shown_error);
	assert_true(strlen(cell.value) <= sp_top_value_width(unit));
}

static void cells(void **state)
{
	(void)state;
	assert_cell(0, 0, SP_TOP_PERCENT, "", "");
	assert_cell(12.34, 1.96, SP_TOP_PERCENT, "12.3", "+-2.0");
	assert_cell(100, 0, SP_TOP_PERCENT, "100.0", "");
	assert_cell(6400, 0, SP_TOP_PERCENT, "6400", "");
	assert_cell(1.234, 0.05, SP_TOP_SECONDS, "1.23", "+-0.05");
	assert_cell(99.996, 0, SP_TOP_SECONDS, "100.0", "");
	assert_cell(123456, 0, SP_TOP_SECONDS, "123456", "");
	assert_cell(999, 0, SP_TOP_BYTES, "999B", "");
	assert_cell(-1023 * 1024.0, 1536, SP_TOP_BYTES, "-1.0M", "+-1.5K");
	assert_cell(-999 * 1024.0, 0, SP_TOP_BYTES, "-999K", "");
	assert_cell(1e300, 0, SP_TOP_BYTES, "huge", "");
	assert_cell(0, 2048, SP_TOP_BYTES, "0B", "+-2.0K");
}

static void assert_inert(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 && *text != '\n')
			fail_msg("byte %d", *text);
}

static void foreign_text_is_inert(void **state)
{
	struct sp_buffer out = {0};

	(void)state;
	strcpy((char *)spool_records(&spool, SP_SEC_TEXT) + spool.header->text.program, "\x1b[2J");
	spool_module(&spool, "/nowhere/e\x1b]0;x\a\n\xff\u202e.so", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_thread(&spool, "\x1b[31mred\n", 9, 0, 0)->state = 1;
	begin();
	spool_sample(&spool, spool_addresses(&spool, 0, 1, (const uint64_t[]){0x7000010}, 1), 1000, 0);
	((struct sp_thread_record *)spool_records(&spool, SP_SEC_THREADS))[2].cpu_user_ns = 1000000;
	look();
	sp_top_put_text(&out, top);
	assert_inert(out.data);
	assert_non_null(strstr(out.data, "\\x1b[31mred"));
	assert_null(strstr(out.data, "\u202e"));
	sp_buffer_clear(&out);
	sp_top_put_json(&out, top);
	assert_inert(out.data);
	assert_int_equal(strchr(out.data, '\n') - out.data, (long)out.length - 1);
	sp_buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(interval_and_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_of_shares, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_no_sample_covers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(views_catch_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_window_is_a_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_interval_ends_with_its_look, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_idle_process_shows_all_it_did, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_ended_process_stays_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_interval_is_a_difference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_calls_execve_may_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_ended_before_shows_all_it_did, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_spool_that_was_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_of_another_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_records, set_up, tear_down),
		cmocka_unit_test(cells),
		cmocka_unit_test_setup_teardown(foreign_text_is_inert, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
