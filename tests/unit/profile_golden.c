/* Whole profiles of composed spools, byte by byte: any change of the report shows as a diff in review. A
 * profile that differs is left in build/golden/; when the change is meant, copy it to tests/fixtures/golden/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/model/facts.h"
#include "profiles/markdown/markdown.h"
#include "tests/unit/profile_spool.h"

/* The machine's part of a profile. */
static void normalize(struct sp_profile *profile)
{
	for (size_t i = 0; i < profile->fact_count; i++)
		if (strcmp(profile->facts[i].key, "kernel") == 0)
			profile->facts[i].value = "KERNEL";
}

static void render(struct spool *spool, struct sp_buffer *text)
{
	struct sp_snapshot snapshot;
	struct sp_profile *profile;

	spool_snapshot(spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	normalize(profile);
	sp_markdown_write(text, profile, "prog.md", false);
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
}

static void assert_golden(struct spool *spool, const char *name)
{
	static char expected[1 << 20];
	char path[256];
	struct sp_buffer text = {0};
	size_t length = 0;
	FILE *file;

	render(spool, &text);
	snprintf(path, sizeof(path), "tests/fixtures/golden/%s.md", name);
	file = fopen(path, "r");
	if (file) {
		length = fread(expected, 1, sizeof(expected), file);
		fclose(file);
	}
	if (!file || length != text.length || memcmp(expected, text.data, length) != 0) {
		mkdir("build", 0777);
		mkdir("build/golden", 0777);
		snprintf(path, sizeof(path), "build/golden/%s.md", name);
		file = fopen(path, "w");
		assert_non_null(file);
		fwrite(text.data, 1, text.length, file);
		fclose(file);
		fail_msg("see: diff -u tests/fixtures/golden/%s.md build/golden/%s.md", name, name);
	}
	sp_buffer_free(&text);
}

static int set_up(void **state)
{
	static struct spool spool;

	setenv("TZ", "UTC", 1);
	tzset();
	spool_open(&spool);
	*state = &spool;
	return 0;
}

static int tear_down(void **state)
{
	spool_close(*state);
	return 0;
}

static void an_idle_process(void **state)
{
	assert_golden(*state, "idle");
}

static void some_of_everything(void **state)
{
	spool_fill(*state);
	assert_golden(*state, "everything");
}

static void a_killed_process(void **state)
{
	struct spool *spool = *state;

	spool_fill(spool);
	spool->header->state = SP_STATE_RUNNING;
	spool->header->end_ns = 0;
	spool->header->now_ns = 1500000000;
	spool->header->text.notes = spool_text(spool, "[x] a note\n1. another\n\x1b[1m|<b>`\n");
	spool->header->drops[SP_DROP_STACKS] = 3;
	assert_golden(spool, "killed");
}

static void the_heap_alone(void **state)
{
	struct spool *spool = *state;

	spool_fill(spool);
	spool->header->cpu.clock = SP_CLOCK_OFF;
	assert_golden(spool, "heap");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_idle_process),
		TEST(some_of_everything),
		TEST(a_killed_process),
		TEST(the_heap_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
