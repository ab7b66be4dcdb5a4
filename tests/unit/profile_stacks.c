/* Stacks in the complete part: what is written comes back, and each way of damaging it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/model/facts.h"
#include "profiles/model/folded.h"
#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_snapshot snapshot;
static struct sp_profile *profile, *back;
static struct sp_buffer text;

static int set_up(void **state)
{
	const char *why = "";

	(void)state;
	spool_open(&spool);
	spool_fill(&spool);
	spool_wait(&spool, SP_CALL_pthread_mutex_lock, STACK(6, 5, 1), 7000000);
	spool_wait(&spool, SP_CALL_pread, STACK(6, 5, 1), 2000000);
	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	sp_markdown_write(&text, profile, "prog.md", false);
	back = sp_markdown_read(text.data, text.length, &why);
	assert_non_null(back);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_profile_free(profile);
	sp_profile_free(back);
	sp_snapshot_free(&snapshot);
	sp_buffer_free(&text);
	spool_close(&spool);
	return 0;
}

/* Its frames as "outer;inner", and its weights. */
static void describe(struct sp_buffer *out, const struct sp_profile *p, const struct sp_path *path)
{
	for (uint32_t k = path->depth; k-- > 0;) {
		const struct sp_profile_frame *frame = &p->frames[p->frame_ids[path->first + k]];
		const struct sp_function *f = &p->functions[frame->function];

		sp_buffer_printf(out, "%s@%s:%llx;", f->name, p->modules[f->module].path,
			(unsigned long long)frame->address);
	}
	for (enum sp_path_weight_kind w = 0; w < SP_WEIGHTS; w++)
		sp_buffer_printf(out, " %llu", (unsigned long long)sp_path_weight(path, w));
}

static bool has_path(const struct sp_profile *p, const char *description)
{
	bool found = false;

	for (size_t i = 0; i < p->path_count && !found; i++) {
		struct sp_buffer out = {0};

		describe(&out, p, &p->paths[i]);
		found = strcmp(out.data, description) == 0;
		sp_buffer_free(&out);
	}
	return found;
}

static void every_stack_comes_back(void **state)
{
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < profile->path_count; i++) {
		struct sp_buffer out = {0};

		if (!sp_path_weighs(&profile->paths[i], profile->paths[i].kind))
			continue;
		describe(&out, profile, &profile->paths[i]);
		if (!has_path(back, out.data))
			fail_msg("lost: %s", out.data);
		compared++;
		sp_buffer_free(&out);
	}
	assert_true(compared >= 4);
	assert_int_equal(back->path_count, compared);
	for (size_t i = 0; i < back->module_count; i++)
		if (strcmp(back->modules[i].path, SPOOL_PROGRAM) == 0)
			assert_int_equal(back->modules[i].start, SPOOL_BASE);
}

static void stacks_add_up_to_the_tables(void **state)
{
	uint64_t stacks_ns = 0, sites = 0, heap = 0;

	(void)state;
	for (size_t i = 0; i < back->path_count; i++) {
		stacks_ns += back->paths[i].user_ns + back->paths[i].sys_ns;
		heap += back->paths[i].alloc_bytes;
	}
	for (size_t i = 0; i < back->site_count; i++)
		sites += back->sites[i].alloc_bytes;
	assert_int_equal(stacks_ns, back->sampled_user_ns + back->sampled_sys_ns);
	assert_int_equal(heap, sites);
	assert_true(heap > 0);
}

static const struct sp_path *path_named(const struct sp_profile *p, const char *leaf)
{
	for (size_t i = 0; i < p->path_count; i++)
		if (strcmp(p->functions[p->frames[p->frame_ids[p->paths[i].first]].function].name, leaf) == 0)
			return &p->paths[i];
	fail_msg("no stack ends in %s", leaf);
	return NULL;
}

static void waits_stand_inside_of_who_waits(void **state)
{
	const struct sp_path *lock = path_named(back, "[lock]"), *read = path_named(back, "[read]");

	(void)state;
	assert_true(back->waits_on);
	assert_int_equal(lock->kind, SP_STACKS_WAITS);
	assert_int_equal(lock->depth, 4);
	assert_int_equal(lock->wait_ns, 7000000);
	assert_int_equal(lock->wait_count, 5);
	assert_int_equal(lock->wait_samples, 2);
	assert_int_equal(read->wait_ns, 2000000);
	assert_int_equal(back->frame_ids[read->first + 1], back->frame_ids[lock->first + 1]);
	assert_false(sp_function_is_span(&back->functions[back->frames[back->frame_ids[lock->first]].function]));
}

#define RUNS 2000u
#define RUN_NUMBERS 12u

struct many {
	uint32_t depth[RUNS], ids[RUNS][RUN_NUMBERS];
};

static int compare_runs(const void *context, uint32_t x, uint32_t y, uint32_t *shared)
{
	const struct many *m = context;

	return sp_ids_compare(m->ids[x], m->depth[x], m->ids[y], m->depth[y], shared);
}

/* Of numbers 0 and 1, so that there are all kinds: equal ones, and such that begin with others. */
static void runs_are_sorted_by_what_they_share(void **state)
{
	static struct many m;
	struct sp_run runs[RUNS];
	uint32_t seed = 1;

	(void)state;
	for (uint32_t i = 0; i < RUNS; i++) {
		runs[i].item = i;
		seed = seed * 1103515245 + 12345;
		m.depth[i] = (seed >> 16) % (RUN_NUMBERS + 1);
		for (uint32_t k = 0; k < m.depth[i]; k++)
			m.ids[i][k] = (seed >> (4 + k)) & 1;
	}
	sp_runs_sort(runs, RUNS, compare_runs, &m);
	assert_int_equal(runs[0].shared, 0);
	for (uint32_t i = 1; i < RUNS; i++) {
		uint32_t shared = 0;
		int order = compare_runs(&m, runs[i - 1].item, runs[i].item, &shared);

		assert_true(order < 0 || (order == 0 && runs[i - 1].item < runs[i].item));
		assert_int_equal(runs[i].shared, shared);
	}
}

static void equal_stacks_are_merged(void **state)
{
	static const uint32_t stacks[][3] = {{1, 2, 3}, {1, 2, 4}, {1, 2, 3}, {1, 2, 0}};
	struct sp_folded f = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		sp_folded_add(&f)->values[0] = (double)(i + 1);
		for (size_t k = 0; k < 3 && stacks[i][k]; k++)
			sp_folded_push(&f, stacks[i][k]);
	}
	sp_folded_merge(&f);
	assert_int_equal(f.count, 3);
	assert_int_equal(f.rows[0].depth, 2);
	assert_true(f.rows[0].values[0] == 4);
	assert_true(f.rows[1].values[0] == 1 + 3);
	assert_int_equal(f.rows[0].shared, 0);
	assert_int_equal(f.rows[1].shared, 2);
	assert_int_equal(f.rows[2].shared, 2);
	sp_folded_free(&f);
}

/* Replaces `from` below `heading` and expects reader and validator to refuse what comes of it. */
static void assert_refused(const char *heading, const char *from, const char *to)
{
	struct sp_buffer damaged = {0};
	struct sp_validation validation;
	struct sp_profile *read;
	const char *at = strstr(text.data, heading), *why = NULL;

	assert_non_null(at);
	at = strstr(at, from);
	assert_non_null(at);
	sp_buffer_add(&damaged, text.data, (size_t)(at - text.data));
	sp_buffer_puts(&damaged, to);
	sp_buffer_puts(&damaged, at + strlen(from));
	read = sp_markdown_read(damaged.data, damaged.length, &why);
	if (read)
		fail_msg("read in spite of '%s' in %s", to, heading);
	assert_non_null(why);
	sp_validate(&validation, damaged.data, damaged.length);
	if (!validation.count)
		fail_msg("valid in spite of '%s' in %s", to, heading);
	sp_validation_free(&validation);
	sp_buffer_free(&damaged);
}

static void damage_is_refused(void **state)
{
	(void)state;
	assert_refused("## All CPU stacks", "\t0\t0 ", "\t1\t0 ");
	assert_refused("## All CPU stacks", "\t0\t0 ", "\t0\t99999 ");
	assert_refused("## All CPU stacks", "\t0\t0 ", "\t0\t0,");
	assert_refused("## All CPU stacks", "\t0\t0 ", "\t-1\t0 ");
	assert_refused("## All heap stacks", "4096\t2", "4096\tx");
	assert_refused("## All wait stacks", "7000000\t5", "7000000\tx");
	assert_refused("## All wait stacks", "\t2\t0\t", "\t2\t1\t");
	assert_refused("## All frames", "file\n0\t0\t0\t7\t", "file\n0\t0\t0\t\t");
	assert_refused("## All frames", "\n10\t0\t0\t", "\n10\t0\t0\t99");
	assert_refused("## All frames", "\n10\t0\t0\t", "\n10\t0\t0\tx");
	assert_refused("## All frames", "\n10\t0\t0\t3\t", "\n10\t0\t0\t3\tmain");
	assert_refused("## All frames", "\n10\t0\t0\t", "\n1g\t0\t0\t");
	assert_refused("## All frames", "\n10\t0\t0\t", "\n10\t0\t2\t");
	assert_refused("## All frames", "\n10\t0\t0\t", "\n10\t4294967296\t0\t");
	assert_refused("## All mappings", "400000\t410000", "400000\t41000O");
	assert_refused("## All mappings", "400000\t\t/nowhere", "400000\txyz\t/nowhere");
}

static struct sp_profile *read_golden(const char *path)
{
	FILE *file = fopen(path, "r");
	struct sp_buffer markdown = {0};
	struct sp_validation validation;
	struct sp_profile *read;
	const char *why = NULL;
	char line[4096];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		sp_buffer_puts(&markdown, line);
	fclose(file);
	read = sp_markdown_read(markdown.data, markdown.length, &why);
	assert_non_null(read);
	sp_validate(&validation, markdown.data, markdown.length);
	assert_int_equal(validation.count, 0);
	sp_validation_free(&validation);
	sp_buffer_free(&markdown);
	return read;
}

/* As in profiles that were written before frames named rows of All functions. */
static void frames_may_name_their_functions(void **state)
{
	struct sp_profile *old = read_golden("tests/fixtures/golden/functions_by_name.md");
	struct sp_profile *new = read_golden("tests/fixtures/golden/everything.md");

	(void)state;
	assert_true(old->path_count > 0);
	assert_int_equal(old->path_count, new->path_count);
	for (size_t i = 0; i < old->path_count; i++) {
		struct sp_buffer out = {0};

		describe(&out, old, &old->paths[i]);
		if (!has_path(new, out.data))
			fail_msg("lost: %s", out.data);
		sp_buffer_free(&out);
	}
	sp_profile_free(old);
	sp_profile_free(new);
}

static void a_profile_without_stacks_is_a_profile(void **state)
{
	struct sp_buffer old = {0};
	struct sp_validation validation;
	struct sp_profile *read;
	const char *why = NULL;

	(void)state;
	sp_buffer_add(&old, text.data, (size_t)(strstr(text.data, "## All mappings") - text.data));
	sp_buffer_puts(&old, "</details>\n");
	read = sp_markdown_read(old.data, old.length, &why);
	assert_non_null(read);
	assert_int_equal(read->total_ns, back->total_ns);
	assert_int_equal(read->path_count, 0);
	sp_profile_free(read);
	sp_validate(&validation, old.data, old.length);
	assert_int_equal(validation.count, 0);
	sp_validation_free(&validation);
	sp_buffer_free(&old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_stack_comes_back),
		TEST(stacks_add_up_to_the_tables),
		TEST(waits_stand_inside_of_who_waits),
		TEST(runs_are_sorted_by_what_they_share),
		TEST(equal_stacks_are_merged),
		TEST(damage_is_refused),
		TEST(frames_may_name_their_functions),
		TEST(a_profile_without_stacks_is_a_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
