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

#include "profiles/model/cost.h"
#include "profiles/model/facts.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/build.h"
#include "tests/unit/profile_written.h"

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
	written_fill();
	written_render(false);
	back = sp_markdown_read(written.text.data, written.text.length, &why);
	assert_string_equal(why ? why : "", "");
	assert_non_null(back);
	for (size_t i = 0; i < written.profile->function_count; i++) {
		const struct sp_function *a = &written.profile->functions[i], *b = find(back, a->name);

		if (!sp_function_total(a) && !sp_function_self(a))
			continue;
		assert_non_null(b);
		assert_int_equal(a->self_user_ns, b->self_user_ns);
		assert_int_equal(a->self_sys_ns, b->self_sys_ns);
		assert_int_equal(a->total_user_ns, b->total_user_ns);
		assert_int_equal(a->self_samples, b->self_samples);
		assert_int_equal(a->flags & SP_FUNCTION_PSEUDO, b->flags & SP_FUNCTION_PSEUDO);
		/* To the nanosecond. */
		assert_true(fabs(a->self_error - b->self_error) * (double)written.profile->total_ns < 1);
		assert_true(fabs(a->total_error - b->total_error) * (double)written.profile->total_ns < 1);
		assert_string_equal(written.profile->modules[a->module].path, back->modules[b->module].path);
		compared++;
	}
	assert_true(compared >= 5);
	compared = 0;
	for (size_t i = 1; i < back->module_count; i++)
		for (size_t k = 1; k < written.profile->module_count; k++) {
			const struct sp_module_info *a = &written.profile->modules[k], *b = &back->modules[i];

			if (strcmp(a->path, b->path) != 0 || !(a->self_error > 0))
				continue;
			assert_true(fabs(a->self_error - b->self_error) * (double)written.profile->total_ns < 1);
			assert_int_equal(a->self_ns, b->self_ns);
			compared++;
		}
	assert_true(compared >= 1);
	assert_int_equal(back->total_ns, written.profile->total_ns);
	assert_int_equal(back->site_count, 1);
	assert_int_equal(back->sites[0].inuse_bytes, 3000);
	assert_int_equal(back->heap_allocated_bytes, 12345);
	assert_int_equal(back->fact_count, written.profile->fact_count);
	for (size_t i = 0; i < back->fact_count; i++)
		assert_string_equal(back->facts[i].value, written.profile->facts[i].value);
	sp_profile_free(back);
}

static void the_top_ends_at_the_complete_part(void **state)
{
	size_t top;

	(void)state;
	written_fill();
	written_render(false);
	top = sp_markdown_top(written.text.data, written.text.length);
	assert_true(top < written.text.length);
	assert_true(strncmp(written.text.data + top, "<details>\n", 10) == 0);
	assert_null(strstr(written.text.data + top + 1, "\n<details>\n"));
	assert_null(strstr(written.text.data, "hunter2"));
}

static void every_section_is_there(void **state)
{
	static const char *const headings[] = {"---\nschema: smartprof/1\n", "**Verdict", "## Find things",
		"\n# CPU Profile\n", "| Duration | Samples | Interval | Functions |", "**Top ",
		"\n## Hot Functions (Self Time)\n",
		"| Self% | Self | Total% | Total | Function | Location | ± | Module | Kernel% |",
		"\n## Call Tree (Total Time)\n", "\n## Hot Paths\n", "\n## Function Details\n", "\n## Threads\n",
		"| CPU% | User | System | Samples | Thread | TID | Start | Allocated | Clock | Unsampled | Why |",
		"\n## Modules\n", "\n# Heap Profile\n", "\n## Heap Sites (In Use)\n",
		"| % | Bytes | Count | Function | Location | ± | Module |", "\n## Heap Sites (Allocated)\n",
		"\n# Data Quality\n", "\n# Settings\n", "\n<details>\n"};
	const char *at;

	(void)state;
	written_fill();
	written_render(false);
	at = written.text.data;
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
	spool_module(&written.spool, name, 0x7000000, 0x7100000, 0, UINT64_MAX);
	for (int i = 0; i < 1500; i++) {
		uint64_t addresses[20];

		for (unsigned k = 0; k < 20; k++)
			addresses[k] = 0x7000001 + 16 * (uint64_t)(k < 10 ? i * (k + 1) % 977 : k);
		spool_sample(&written.spool, spool_addresses(&written.spool, 0, 1, addresses, 20), 1000 + (uint64_t)i,
			0);
	}
	written_render(false);
	assert_true(sp_markdown_top(written.text.data, written.text.length) <= SP_TOP_BUDGET_BYTES);
	assert_non_null(strstr(written.text.data, "more rows, see All functions"));
	sp_buffer_clear(&written.text);
	sp_markdown_write(&written.text, written.profile, "prog.md", true);
	assert_true(sp_markdown_top(written.text.data, written.text.length) > SP_TOP_BUDGET_BYTES);
	assert_null(strstr(written.text.data, "more rows, see All functions"));
}

static void what_is_cut_off_is_refused(void **state)
{
	const char *why;

	(void)state;
	written_fill();
	written_render(false);
	for (size_t length = 0; length + 1 < written.text.length;
		length += length + 200 < written.text.length ? 7 : 1) {
		char *copy = strndup(written.text.data, length);

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
	written_fill();
	written_render(false);
	row = strchr(strstr(written.text.data, "\nself_user_ns\t") + 1, '\n') + 1;
	next = strchr(row, '\n') + 1;
	memmove(row, next, strlen(next) + 1);
	assert_null(sp_markdown_read(written.text.data, strlen(written.text.data), &why));
	assert_non_null(why);
}

/* Where it ends: that is the line a person looks at. */
static void the_bad_line_is_told(void **state)
{
	const struct {
		const char *find, *put; /* as long */
		const char *expect;     /* of the line */
	} edits[] = {{"---", "+++", "+++"}, {"smartprof/1", "smartprof/2", "schema: smartprof/2"},
		{"\nself_user_ns\t", "\nself_user_ns\t", NULL}};
	const char *why = NULL, *at;
	size_t line = 0;

	(void)state;
	written_fill();
	written_render(false);
	for (size_t i = 0; i < 3; i++) {
		char *copy = strdup(written.text.data), *place = strstr(copy, edits[i].find);

		if (edits[i].expect)
			memcpy(place, edits[i].put, strlen(edits[i].put));
		else
			strchr(place + 1, '\n')[1] = 'x'; /* the first row's first number */
		assert_null(sp_markdown_read_at(copy, written.text.length, &why, &line));
		for (at = copy; line > 1; line--)
			at = strchr(at, '\n') + 1;
		assert_int_equal(*at, edits[i].expect ? edits[i].expect[0] : 'x');
		free(copy);
	}
	written.text.data[written.text.length / 2] = '\0';
	assert_null(sp_markdown_read_at(written.text.data, written.text.length / 2, &why, &line));
	assert_true(line > 20);
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
	written_fill();
	written_render(false);
	for (int round = 0; round < 2000; round++) {
		char *copy = malloc(written.text.length + 1);
		const char *why;

		memcpy(copy, written.text.data, written.text.length + 1);
		for (int flips = 0; flips < 1 + round % 4; flips++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			copy[random % written.text.length] = (char)(random >> 40);
		}
		sp_profile_free(sp_markdown_read(copy, written.text.length, &why));
		free(copy);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, written_set_up, written_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_complete_part_comes_back),
		TEST(the_top_ends_at_the_complete_part),
		TEST(every_section_is_there),
		TEST(the_budget_holds_and_cuts_are_told),
		TEST(what_is_cut_off_is_refused),
		TEST(a_missing_row_is_noticed),
		TEST(the_bad_line_is_told),
		TEST(other_schemas_are_refused),
		TEST(damaged_profiles_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
