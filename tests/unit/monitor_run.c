/* What a measured run says of itself: timelines of any length, lines and classes of words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/monitor/run.h"

#define MS 1000000ull

static void timeline_of_any_length(void **state)
{
	struct sp_monitor_timeline *timeline = calloc(1, sizeof(*timeline));
	uint64_t most = 0, looks = 360000; /* an hour */

	(void)state;
	timeline->step_ns = 10 * MS;
	for (uint64_t i = 1; i <= looks; i++) {
		struct sp_monitor_point seen = {.at_ns = 10 * MS * i,
			.cpu_ns = 5 * MS * i,
			.rss_bytes = i == 123456 ? 1 << 30 : 1 << 20,
			.processes = i == 77 ? 9 : 1};

		sp_monitor_timeline_add(timeline, &seen);
		assert_true(timeline->count <= SP_MONITOR_POINTS);
	}
	assert_true(timeline->count > SP_MONITOR_POINTS / 2 - 1);
	assert_int_equal(timeline->step_ns, 512 * 10 * MS);
	assert_int_equal(timeline->points[timeline->count - 1].at_ns, 10 * MS * looks);
	assert_int_equal(timeline->points[timeline->count - 1].cpu_ns, 5 * MS * looks);
	assert_int_equal(timeline->points[0].processes, 9);
	for (size_t i = 0; i < timeline->count; i++) {
		const struct sp_monitor_point *point = &timeline->points[i], *before = i ? point - 1 : NULL;

		assert_true(!before || point->at_ns > before->at_ns);
		if (point->rss_bytes == 1 << 30 && point->at_ns >= 1234560 * MS &&
			(!before || before->at_ns < 1234560 * MS))
			most++;
	}
	assert_int_equal(most, 1); /* the one moment of much memory is where it was */
	free(timeline->points);
	free(timeline);
}

static void check_line(char *const *argv, const char *line)
{
	char *got = sp_monitor_command_line(argv);

	assert_string_equal(got, line);
	free(got);
}

static void command_lines(void **state)
{
	(void)state;
	check_line((char *[]){"xz", "-3", "a b", "", "it's", "x=$y", "a/b.c:1", NULL},
		"xz -3 'a b' '' 'it'\\''s' 'x=$y' a/b.c:1");
	check_line((char *[]){NULL}, "");
}

static void check_class(const char *word, const char *class)
{
	char *argv[] = {"cmd", "-n", (char *)word, NULL}, *got = sp_monitor_class(argv), wanted[256];

	strcat(strcpy(wanted, "-n "), class);
	assert_string_equal(got, wanted);
	free(got);
}

static void classes(void **state)
{
	(void)state;
	check_class("-3", "-3");
	check_class("--level=19", "--level=19");
	check_class("src/main.c", "src/main.c");
	check_class("/tmp/tmp.X8sd/file", "/tmp/*");
	check_class("--out=/tmp/a:/usr/lib", "--out=/tmp/*:/usr/lib");
	check_class("run-20261130-4711.log", "run-*-4711.log");
	check_class("2026-11-30T06:12:00Z", "*");
	check_class("deadbeef", "deadbeef"); /* a word */
	check_class("9fceb02d0ae598e95dc970b74767f19372d61af8", "*");
	check_class("build/9fceb02d/x", "build/*/x");
	check_class("a1b2c3d4.txt", "*.txt");
	check_class("123456", "*");
	check_class("12345", "12345");
}

static void endings(void **state)
{
	static const struct {
		struct sp_monitor_run run;
		const char *text;
	} ends[] = {
		{{.state = SP_MONITOR_FAILED, .exit_status = 3}, "exit 3"},
		{{.state = SP_MONITOR_LEFT_RUNNING, .left = 2}, "exit 0, 2 left running"},
		{{.state = SP_MONITOR_SIGNAL, .signal = 9}, "signal 9 (Killed)"},
		{{.state = SP_MONITOR_TIMEOUT, .signal = 15}, "timeout"},
		{{.state = SP_MONITOR_SIGNAL, .signal = 15, .interrupted = true}, "interrupted"},
		{{.state = SP_MONITOR_NOT_STARTED, .exec_errno = 13}, "not started: Permission denied"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct sp_buffer out = {0};

		sp_monitor_put_ending(&out, &ends[i].run);
		assert_string_equal(out.data, ends[i].text);
		sp_buffer_free(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeline_of_any_length),
		cmocka_unit_test(command_lines),
		cmocka_unit_test(classes),
		cmocka_unit_test(endings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
