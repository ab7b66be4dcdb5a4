/* The schema: profiles as they are written follow it, and each way of breaking it is told with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/model/facts.h"
#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_buffer text;
static struct sp_validation validation;

static void write_profile(bool full)
{
	struct sp_snapshot snapshot;
	struct sp_profile *profile;

	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	sp_buffer_clear(&text);
	sp_markdown_write(&text, profile, "prog.md", full);
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
}

static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	spool_module(&spool, "/nowhere/e|v`i<l>\n</details>\n\xe2\x80\xae.so", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 30000, 4000);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, (const uint64_t[]){0x7000011, SPOOL_BASE + 1}, 2), 5000, 0);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 4096, 2);
	spool_timepoint(&spool, 100, 500);
	spool_timepoint(&spool, 200, 500);
	write_profile(false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_validation_free(&validation);
	sp_buffer_free(&text);
	spool_close(&spool);
	return 0;
}

static void validate(void)
{
	sp_validation_free(&validation);
	sp_validate(&validation, text.data, strlen(text.data));
}

static void assert_follows(void)
{
	validate();
	if (validation.count)
		fail_msg("line %zu: %s", validation.violations[0].line, validation.violations[0].what);
}

static size_t line_of(const char *at)
{
	size_t line = 1;

	for (const char *p = text.data; p < at; p++)
		line += *p == '\n';
	return line;
}

/* Replaces the first `old` by `new`, expects a violation that says `what` in that line plus `below`, and puts the
 * text back. */
static void assert_violates(const char *old, const char *new, size_t below, const char *what)
{
	char *at = strstr(text.data, old), *kept = strdup(text.data), *changed;
	bool found = false;

	if (!at)
		fail_msg("not in the profile: %s", old);
	changed = malloc(strlen(kept) + strlen(new) + 1);
	sprintf(changed, "%.*s%s%s", (int)(at - text.data), kept, new, at + strlen(old));
	size_t line = line_of(at) + below;
	sp_buffer_clear(&text);
	sp_buffer_puts(&text, changed);
	validate();
	for (size_t i = 0; i < validation.count; i++)
		found = found || (validation.violations[i].line == line && strstr(validation.violations[i].what, what));
	if (!found)
		fail_msg("no \"%s\" in line %zu, but %zu, the first in line %zu: %s", what, line, validation.count,
			validation.violations[0].line, validation.count ? validation.violations[0].what : "");
	sp_buffer_clear(&text);
	sp_buffer_puts(&text, kept);
	free(kept);
	free(changed);
}

static void what_is_written_follows(void **state)
{
	(void)state;
	assert_follows();
	assert_true(validation.cpu && validation.heap);
	assert_int_equal(validation.unknown_key_count + validation.unknown_section_count, 0);
	write_profile(true);
	assert_follows();
	spool.header->cpu.clock = SP_CLOCK_OFF;
	write_profile(false);
	assert_follows();
	assert_false(validation.cpu);
	spool.header->heap.on = 0;
	write_profile(false);
	assert_follows();
	spool.header->cpu.clock = SP_CLOCK_EVENT;
	write_profile(false);
	assert_follows();
	assert_false(validation.heap);
}

static void broken_front_matter_is_told(void **state)
{
	(void)state;
	assert_violates("pid: 4000000", "pid: many", 0, "`pid` is not a whole number: \"many\"");
	assert_violates("exit: 0", "exit: fine", 0, "`exit` is not an exit code");
	assert_violates("exit: 0", "exit 0", 0, "the line is not `key: value`");
	assert_violates("cpu_clock: event", "cpu_clock: sundial", 0, "`cpu_clock` is not event");
	assert_violates("started: 2", "started: x", 0, "`started` is not a time");
	assert_violates("tree_role: root", "tree_role: root\ntree_role: root", 1, "stands here again, after line");
	assert_violates("cpu_samples: ", "cpu_samples: -", 0, "`cpu_samples` is not a whole number");
	assert_violates("program: prog", "program: \"a\"b\"", 0, "is not a plain or double-quoted");
	assert_violates("program: prog", "program: \x1b[1m", 0,
		"it contains a control, invisible or broken character: 0x1b");
	assert_violates("ppid: 1\n", "", 1 - line_of(strstr(text.data, "ppid: 1\n")), "`ppid` is missing");
	assert_violates("heap_samples: 0\n", "", 1 - line_of(strstr(text.data, "heap_samples: 0\n")),
		"`heap_samples` is missing");
}

static void broken_tables_are_told(void **state)
{
	(void)state;
	assert_violates("| Self% | Self | Total% |", "| Own% | Self | Total% |", 0, "columns do not begin with");
	assert_violates("|---:|---:|---:|---:|:---|", "|---:|---:|---:|---:|:x--|", 0, "must be of dashes");
	assert_violates("| prog+0x30 |", "| prog|0x30 |", 0, "the row has 10 cells, and the table has 9 columns");
	assert_violates("| prog+0x30 |", "| <b> |", 0, "an HTML element");
	assert_violates("## Hot Paths\n", "## Modules\n", 0, "");
	assert_violates("## Hot Paths\n\n```text\n", "## Hot Paths\n\n```text\n\xe2\x80\xae", 3, "0xe2 at byte 1");
}

static void unknown_keys_and_sections_are_listed(void **state)
{
	char *at;

	(void)state;
	at = strstr(text.data, "pid: 4000000");
	memcpy(at, "pip: 4000000", 12);
	validate();
	assert_int_equal(validation.count, 1);
	assert_int_equal(validation.unknown_key_count, 1);
	assert_string_equal(validation.unknown_keys[0].what, "pip");
	at = strstr(text.data, "# Timeline");
	memcpy(at, "# Timelint", 10);
	validate();
	assert_int_equal(validation.count, 1);
	assert_string_equal(validation.unknown_sections[0].what, "# Timelint");
}

#define EIGHT "0\t0\t0\t0\t0\t0\t0\t0\t"

static void a_broken_complete_part_is_told(void **state)
{
	(void)state;
	assert_violates("## All functions (5)", "## All functions (6)", 0,
		"its heading announces 6 rows, and 5 were found");
	assert_violates("\tself_samples\t", "\tself_sample\t", 0, "no column `self_samples`");
	assert_violates("30000000\t4000000\t", "30000000\tx\t", 0, "field 2 is not a whole number");
	assert_violates("30000000\t4000000\t", "30000000\t", 0, "the row has 11 fields, and the table has 12 columns");
	assert_violates("30000000\t4000000\t", "90000000\t4000000\t", 0, "its self time is more than its total time");
	assert_violates("30000000\t4000000\t", "3000000\t4000000\t",
		line_of(strstr(text.data, "## All functions")) - line_of(strstr(text.data, "30000000\t4000000\t")),
		"self times add up to 0.012 s, less than the 0.039 s");
	assert_violates("\tprog+0x30\t", "\tprog\\0x30\t", 0, "a backslash that escapes nothing");
	/* More columns than are kept stand before these two. */
	assert_violates("user_ns\tsys_ns\tsamples\tshared\tframes\n",
		EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
		"user_ns\tsys_ns\tsamples\tshared\tframes\n" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
		"0\t0\t0\t0\t0\t0\t0\t0\n",
		1, "`frames` does not stand behind `shared`");
	assert_violates("\n</details>\n", "\n</details>\nmore\n", 2, "something stands behind");
	assert_violates("\n</details>\n", "\n", 0, "the complete part does not end");
}

static void foreign_texts_are_told_once(void **state)
{
	static const char *const foreign[] = {"", "hello\n", "---\n", "---\nschema: smartprof-tree/1\n---\n",
		"---\npid: 3\n---\n", "---\nschema: smartprof/2\n---\nanything"};

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		sp_buffer_clear(&text);
		sp_buffer_puts(&text, foreign[i]);
		validate();
		assert_true(validation.foreign);
		assert_int_equal(validation.count, 1);
	}
}

/* Whoever adds a key adds it to both. */
static void the_documented_keys_are_the_schema_s(void **state)
{
	FILE *file = fopen("docs/PROFILE.md", "r");
	bool documented[SP_SCHEMA_KEYS] = {false}, inside = false;
	char line[4096];

	(void)state;
	assert_non_null(file); /* run it from the root of the tree */
	while (fgets(line, sizeof(line), file)) {
		char *end;

		if (strncmp(line, "## ", 3) == 0)
			inside = strcmp(line, "## Front matter\n") == 0;
		if (!inside || strncmp(line, "| `", 3) != 0)
			continue;
		end = strstr(line + 2, " |");
		assert_non_null(end);
		*end = '\0';
		for (char *key = strtok(line + 2, "`, "); key; key = strtok(NULL, "`, ")) {
			size_t i = 0;

			while (i < SP_SCHEMA_KEYS && strcmp(sp_schema_keys[i].name, key) != 0)
				i++;
			if (i == SP_SCHEMA_KEYS)
				fail_msg("docs/PROFILE.md has the key %s, profiles/markdown/validate_schema.c has not",
					key);
			documented[i] = true;
		}
	}
	fclose(file);
	for (size_t i = 0; i < SP_SCHEMA_KEYS; i++)
		if (!documented[i])
			fail_msg("docs/PROFILE.md lacks the key %s", sp_schema_keys[i].name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_follows),
		TEST(broken_front_matter_is_told),
		TEST(broken_tables_are_told),
		TEST(unknown_keys_and_sections_are_listed),
		TEST(a_broken_complete_part_is_told),
		TEST(foreign_texts_are_told_once),
		TEST(the_documented_keys_are_the_schema_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
