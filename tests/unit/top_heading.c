/* The heading of `smartprof top`: what does not fit goes, the least worth first. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/top/top.h"

#define MIB (1u << 20)

static const struct sp_top_state running = {.process = SP_TOP_RUNNING,
	.pid = 523,
	.program = "redis-server",
	.text = "running",
	.interval_s = 1,
	.window_s = 9.4,
	.cores = {.22, .01},
	.cpu_s = {2.47, .01},
	.samples = 35,
	.rss_bytes = 300 * MIB,
	.heap = {260 * MIB, 4.8 * MIB},
	.allocated = {37 * MIB, 0}};

static void assert_heading(const struct sp_top_state *state, unsigned line, int columns, const char *expected)
{
	struct sp_buffer text = {0};

	sp_top_heading(&text, line, state, true, columns);
	assert_string_equal(text.data, expected);
	sp_buffer_free(&text);
}

static void the_least_worth_goes_first(void **unused)
{
	(void)unused;
	assert_heading(&running, 0, INT_MAX,
		"redis-server (523) running   0.22 +-0.01 cores   window 9.4 s: 2.47 +-0.01 s CPU");
	assert_heading(&running, 0, 80,
		"redis-server (523) running   0.22 +-0.01 cores   window 9.4 s: 2.47 +-0.01 s CPU");
	assert_heading(&running, 0, 79, "redis-server (523)   0.22 +-0.01 cores   window 9.4 s: 2.47 +-0.01 s CPU");
	assert_heading(&running, 0, 60, "redis-server (523) running   0.22 +-0.01 cores");
	assert_heading(&running, 0, 40, "redis-server (523)   0.22 +-0.01 cores");
	assert_heading(&running, 0, 30, "redis-server (523) running");
	assert_heading(&running, 1, 80, "last 1.0 s: 35 samples   RSS 300M   heap 260M +-4.8M   allocates 37M/s");
	assert_heading(&running, 1, 60, "RSS 300M   heap 260M +-4.8M   allocates 37M/s");
	assert_heading(&running, 1, 40, "RSS 300M   heap 260M +-4.8M");
}

/* The screen marks what goes beyond its edge. */
static void one_part_always_stays(void **unused)
{
	(void)unused;
	assert_heading(&running, 0, 5, "redis-server (523)");
	assert_heading(&running, 1, 1, "RSS 300M");
}

static void what_is_not_known_leaves_no_gap(void **unused)
{
	struct sp_top_state first_look = running;

	(void)unused;
	first_look.interval_s = 0;
	assert_heading(&first_look, 0, INT_MAX, "redis-server (523) running   window 9.4 s: 2.47 +-0.01 s CPU");
	assert_heading(&first_look, 1, INT_MAX, "RSS 300M   heap 260M +-4.8M");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_worth_goes_first),
		cmocka_unit_test(one_part_always_stays),
		cmocka_unit_test(what_is_not_known_leaves_no_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
