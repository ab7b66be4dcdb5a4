/* The formats of other programs, from a spool with some of everything in it: sums, escapes, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "profiles/export/export.h"
#include "profiles/model/facts.h"
#include "profiles/base/json.h"
#include "profiles/markdown/markdown.h"
#include "profiles/export/protobuf.h"
#include "tests/unit/profile_spool.h"
#include "profiles/html/html.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_profile *profile;
static struct sp_buffer out;

static int set_up(void **state)
{
	struct sp_snapshot snapshot;
	struct sp_profile *from_spool;
	struct sp_buffer text = {0};
	const char *why = "";

	(void)state;
	spool_open(&spool);
	spool_fill(&spool);
	spool_wait(&spool, SP_CALL_pthread_mutex_lock, STACK(6, 5, 1), 7000000);
	spool_wait(&spool, SP_CALL_pread, STACK(6, 5, 1), 2000000);
	spool.header->cpu.self_user_ns += 7000000; /* [unsampled] */
	spool_module(&spool, "/nowhere/</script>;x\n", 0x9000000, 0x9001000, 0, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, (const uint64_t[]){0x9000011, SPOOL_BASE + 1}, 2), 3000, 0);
	spool_snapshot(&spool, &snapshot);
	from_spool = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(from_spool);
	sp_markdown_write(&text, from_spool, "prog.md", false);
	profile = sp_markdown_read(text.data, text.length, &why);
	assert_non_null(profile);
	assert_null(sp_export_prepare(profile, NULL));
	sp_profile_free(from_spool);
	sp_snapshot_free(&snapshot);
	sp_buffer_free(&text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_profile_free(profile);
	sp_buffer_free(&out);
	spool_close(&spool);
	return 0;
}

static void folded_lines_add_up(void **state)
{
	uint64_t sum = 0;

	(void)state;
	sp_export_folded(&out, profile, SP_VIEW_CPU);
	assert_non_null(strstr(out.data, "[unsampled] "));
	assert_non_null(strstr(out.data, "prog+0x10;")); /* outermost first */
	assert_non_null(strstr(out.data, "script>:x\\x0a+0x11 3000000\n"));
	for (const char *line = out.data; *line; line = strchr(line, '\n') + 1) {
		size_t length = strcspn(line, "\n");
		const char *blank = memrchr(line, ' ', length);

		assert_non_null(blank);
		sum += strtoull(blank, NULL, 10);
	}
	assert_int_equal(sum, profile->total_ns);
}

static void speedscope_has_a_profile_a_view(void **state)
{
	json_t *root, *profiles;
	size_t frames;

	(void)state;
	sp_export_speedscope(&out, profile, SP_VIEW_PEAK, true);
	root = json_loads(out.data, 0, NULL);
	assert_non_null(root);
	profiles = json_object_get(root, "profiles");
	assert_int_equal(json_array_size(profiles), SP_VIEWS);
	assert_int_equal(json_integer_value(json_object_get(root, "activeProfileIndex")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(profiles, 0), "endValue")),
		profile->total_ns);
	frames = json_array_size(json_object_get(json_object_get(root, "shared"), "frames"));
	assert_int_equal(frames, profile->frame_count);
	json_decref(root);
}

static void waits_and_cpu_time_are_the_wall(void **state)
{
	(void)state;
	sp_export_folded(&out, profile, SP_VIEW_WAIT);
	assert_string_equal(out.data,
		"prog+0x10;prog+0x50;prog+0x60;[lock] 7000000\nprog+0x10;prog+0x50;prog+0x60;[read] 2000000\n");
	sp_buffer_clear(&out);
	sp_export_folded(&out, profile, SP_VIEW_WALL);
	assert_non_null(strstr(out.data, "prog+0x60;[lock] 7000000\n"));
	assert_non_null(strstr(out.data, "[unsampled] "));
	assert_null(strstr(out.data, " 4096\n"));
}

/* Gives a fact that the profile has another value. */
static void change_fact(const char *key, const char *value)
{
	for (size_t i = 0; i < profile->fact_count; i++)
		if (strcmp(profile->facts[i].key, key) == 0)
			profile->facts[i].value = value;
	assert_string_equal(sp_profile_fact(profile, key), value);
}

static void json_tells_of_everything(void **state)
{
	json_t *root, *facts;

	(void)state;
	change_fact("threads", "[1]");
	sp_profile_add_fact(profile, "k\xff", "%s", "v\xff");
	sp_export_json(&out, profile);
	root = json_loads(out.data, 0, NULL);
	assert_non_null(root);
	facts = json_object_get(root, "facts");
	assert_true(json_is_integer(json_object_get(facts, "pid")));
	assert_true(json_is_string(json_object_get(facts, "program")));
	assert_string_equal(json_string_value(json_object_get(facts, "threads")), "[1]"); /* no number, so text */
	assert_string_equal(json_string_value(json_object_get(facts, "k\\xff")), "v\\xff");
	assert_int_equal(json_array_size(json_object_get(root, "heap_sites")), profile->site_count);
	assert_true(json_is_integer(json_object_get(json_array_get(json_object_get(root, "heap_sites"), 0),
		"inuse_samples")));
	assert_true(json_array_size(json_object_get(root, "functions")) >= 5);
	assert_int_equal(json_array_size(json_object_get(root, "wait_stacks")), 2);
	json_decref(root);
}

static void pprof_is_gzip_of_a_message(void **state)
{
	unsigned char plain[65536];
	z_stream z = {.next_out = plain, .avail_out = sizeof(plain)};

	(void)state;
	sp_export_pprof(&out, profile, SP_VIEW_CPU);
	z.next_in = (void *)out.data;
	z.avail_in = (uInt)out.length;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(plain[0], 1 << 3 | 2); /* sample_type comes first */
	assert_non_null(memmem(plain, z.total_out, "nanoseconds", 11));
	inflateEnd(&z);
}

static uint64_t take_varint(const unsigned char **at)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		value |= (uint64_t)(**at & 0x7f) << shift;
		if (!(*(*at)++ & 0x80))
			return value;
	}
}

/* Of a field of the whole message; 0: it is not there. */
static uint64_t number_in_pprof(unsigned field)
{
	static unsigned char plain[65536];
	z_stream z = {.next_out = plain, .avail_out = sizeof(plain)};
	const unsigned char *at = plain;
	uint64_t found = 0;

	sp_buffer_clear(&out);
	sp_export_pprof(&out, profile, SP_VIEW_CPU);
	z.next_in = (void *)out.data;
	z.avail_in = (uInt)out.length;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	while (at < plain + z.total_out) {
		uint64_t tag = take_varint(&at), value = take_varint(&at);

		if (tag >> 3 == field)
			found = value;
		if ((tag & 7) == 2)
			at += value;
	}
	return found;
}

static void times_past_the_format_are_left_out(void **state)
{
	(void)state;
	change_fact("started", "2262-04-11T00:00:00+00:00");
	assert_int_equal(number_in_pprof(9), 9223286400000000000);
	change_fact("started", "9999-01-01T00:00:00+00:00");
	assert_int_equal(number_in_pprof(9), 0);
}

/* Half a document is worse than none. */
static void json_without_memory_is_the_end(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child) {
		json_malloc_t ask;

		sp_json_init();
		json_get_alloc_funcs(&ask, NULL);
		_exit(ask(SIZE_MAX / 4) ? 3 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void protobuf_fields_are_encoded(void **state)
{
	static const uint64_t values[] = {0, 1, 300, UINT64_MAX};
	static const char expected[] = "\x08\x96\x01"    /* field 1: 150, the documentation's example */
				       "\x12\x07testing" /* field 2, ditto */
				       "\x1a\x0e\x00\x01\xac\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"; /* field 3 */

	(void)state;
	sp_pb_number(&out, 1, 150);
	sp_pb_number(&out, 9, 0);
	sp_pb_bytes(&out, 2, "testing", 7);
	sp_pb_packed(&out, 3, values, 4);
	assert_int_equal(out.length, sizeof(expected) - 1);
	assert_memory_equal(out.data, expected, out.length);
}

static void inert_json_starts_no_markup(void **state)
{
	(void)state;
	sp_json_put(&out, json_pack("[s, o]", "</script>&\xe2\x80\xae", sp_json_text("\xff<")), true);
	assert_string_equal(out.data, "[\"\\u003c/script\\u003e\\u0026\\u202E\",\"\\\\xff\\u003c\"]");
}

static void the_page_holds_its_data_and_nothing_foreign(void **state)
{
	const char *end = NULL;
	size_t scripts = 0;

	(void)state;
	sp_html_profile(&out, profile, &(struct sp_html_text){"**Verdict (a\\|b):** 5 \\< 6", "# CPU Profile\n", NULL},
		SP_VIEW_CPU);
	for (const char *at = out.data; (at = strstr(at, "</script>")); at++)
		scripts++, end = at;
	assert_int_equal(scripts, 3);
	assert_non_null(strstr(end, "</body>"));
	assert_non_null(strstr(out.data, "Verdict (a|b): 5 \\u003c 6"));
	assert_null(strstr(out.data, "@@"));
	assert_non_null(strstr(out.data, "Mike Bostock")); /* the licence asks for it */
	assert_null(strstr(out.data, "src="));
}

static void other_stacks_are_one(void **state)
{
	struct sp_filter filter = {0};
	regex_t focus;

	(void)state;
	regcomp(&focus, "0x60", REG_EXTENDED | REG_NOSUB);
	filter.focus = &focus;
	sp_frames_filter(profile, &filter, NULL);
	sp_export_folded(&out, profile, SP_VIEW_ALLOCATED);
	assert_string_equal(out.data, "prog+0x10;prog+0x50;prog+0x60 4096\n");
	sp_buffer_clear(&out);
	sp_export_folded(&out, profile, SP_VIEW_CPU);
	assert_string_equal(strchr(out.data, ']'), strchr(out.data, ' ') - 1);
	regfree(&focus);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(folded_lines_add_up),
		TEST(speedscope_has_a_profile_a_view),
		TEST(waits_and_cpu_time_are_the_wall),
		TEST(json_tells_of_everything),
		TEST(pprof_is_gzip_of_a_message),
		TEST(times_past_the_format_are_left_out),
		TEST(json_without_memory_is_the_end),
		TEST(protobuf_fields_are_encoded),
		TEST(inert_json_starts_no_markup),
		TEST(the_page_holds_its_data_and_nothing_foreign),
		TEST(other_stacks_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
