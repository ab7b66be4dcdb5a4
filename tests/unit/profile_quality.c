/* Written profiles: what they tell of cost, clocks, threads, intervals and doubt. */
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

static void the_cost_is_held_against_the_budget(void **state)
{
	(void)state;
	written_fill();
	written.spool.header->cpu.budget_permille = 30;
	written.spool.header->heap.slow_ns = 2000000;
	written_render(false);
	assert_written_says("(budget 3 %): 0.0 % the CPU's");
	assert_written_says("which is over the budget: the governor had no time to settle in a run this short.\n");
	written.spool.header->cpu.self_user_ns += 5000000000;
	written.spool.header->heap.slow_ns = 1000000000;
	written_render_again();
	assert_written_says("which is over the budget: a larger SMARTPROF_HEAP_INTERVAL costs less.\n");
	written.spool.header->cpu.handler_ns = 1500000000;
	written_render_again();
	assert_written_says("which is over the budget: a longer SMARTPROF_CPU_SAMPLING_INTERVAL costs less.\n");
	written.spool.header->cpu.handler_ns = 0;
	written.spool.header->heap.slow_ns = 1000000;
	written_render_again();
	assert_null(strstr(written.text.data, "over the budget"));
}

/* 2 s of CPU time: 500 signals of 56 us (every 4 ms), 400 ticks of 5 us and 10 ms in the handler are 2.0 %, 50 ms of the heap 2.5 %,
 * 10,000,000 calls at 1.5 ns 0.75 %. */
static void cpu_and_heap_share_the_budget(void **state)
{
	struct sp_thread_record *threads = spool_records(&written.spool, SP_SEC_THREADS);

	(void)state;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 2, 1)), 2000000, 0);
	threads[1].heap = (struct sp_heap_counters){.bytes_base = 1, .allocs = 6000000, .frees = 4000000};
	written.spool.header->cpu.budget_permille = 100;
	written.spool.header->cpu.signals = 900;
	written.spool.header->cpu.ticks = 400;
	written.spool.header->cpu.signal_gap_ns = 20000;
	written.spool.header->cpu.fresh_pages = 43;
	written.spool.header->cpu.signal_cost_source = SP_COST_CACHED;
	written.spool.header->cpu.handler_ns = 10000000;
	written.spool.header->heap.slow_ns = 50000000;
	written.spool.header->heap.samples = 77;
	written_render(false);
	assert_string_equal(sp_profile_fact(written.profile, "overhead_cpu_percent"), "2.0");
	assert_string_equal(sp_profile_fact(written.profile, "overhead_heap_percent"), "2.5");
	assert_string_equal(sp_profile_fact(written.profile, "overhead_measured_percent"), "4.5");
	assert_string_equal(sp_profile_fact(written.profile, "overhead_hooks_percent"), "0.75");
	assert_written_says(
		"- Sampling cost 4.5 % of the CPU time (budget 10 %): 2.0 % the CPU's (500 signals of 56.0 µs, "
		"400 ticks of 5.0 µs, and 10.0 ms in the handler), 2.5 % the heap's (77 samples, 50.0 ms).\n");
	assert_written_says(
		"- The hooks alone cost about 0.75 % more (0.25 to 1.25), outside of the budget: 10000000 calls");
	assert_written_says(
		"- A clock signal takes 20.0 µs besides its handler (interrupt, delivery, return), measured in an "
		"earlier process of this user; 56.0 µs with what it leaves cold here, where 64 samples are on 43 "
		"pages of code.\n");
	written.spool.header->cpu.signal_cost_source = SP_COST_MEASURED;
	written_render_again();
	assert_written_says("return), measured in this process; 56.0");
	written.spool.header->cpu.signal_cost_source = SP_COST_ASSUMED;
	written_render_again();
	assert_written_says("return), assumed, because nothing was measured");
	written.spool.header->heap.on = 0;
	written_render_again();
	assert_null(sp_profile_fact(written.profile, "overhead_heap_percent"));
	assert_null(strstr(written.text.data, "the heap's"));
}

/* Class 22 begins at 2^11 ns, class 23 at 3 * 2^10, class 30 at 2^15. */
static void the_handler_s_times_are_told(void **state)
{
	struct sp_cpu_totals *cpu = &written.spool.header->cpu;

	(void)state;
	written_fill();
	cpu->handler_class[22] = 1998;
	cpu->handler_class[30] = 2;
	cpu->handler_ns = 5000000;
	cpu->handler_max_ns = 40000;
	written_render(false);
	assert_written_says(
		"- The handler took 2.5 µs on average, at most 3.1 µs in 99.9 % of 2000 runs, 40.0 µs at the "
		"longest.\n");
	assert_int_equal(sp_cost_handler_quantile_ns(cpu, 0.9991), 40000);
	cpu->handler_max_ns = 60000;
	assert_int_equal(sp_cost_handler_quantile_ns(cpu, 0.9991), 49152);
	assert_int_equal(sp_cost_handler_quantile_ns(cpu, 0.5), 3072);
	cpu->handler_class[30] = 0;
	cpu->handler_class[SP_TIME_CLASSES - 1] = 1000;
	cpu->handler_max_ns = 90000000;
	assert_int_equal(sp_cost_handler_quantile_ns(cpu, 0.999), 90000000);
}

/* The last two cells of the row that starts like this. */
static const char *row_end(const char *start)
{
	static char end[64];
	const char *row = strstr(written.text.data, start), *cell;

	if (!row)
		fail_msg("no row: %s", start);
	cell = strstr(row, " | prog |"); /* the location is "prog [gone]" */
	assert_non_null(cell);
	snprintf(end, sizeof(end), "%.*s", (int)strcspn(cell + 1, "\n"), cell + 1);
	return end;
}

static void kernel_time_is_told_by_function(void **state)
{
	uint32_t stack = spool_stack(&written.spool, 0, STACK(3, 4, 1));

	(void)state;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(4, 1)), 60000, 0);
	spool_sample(&written.spool, stack, 30000, 10000);
	written_render(false);
	assert_string_equal(row_end("| 40.0% | 40.0 ms | 40.0% | 40.0 ms | prog+0x30 |"), "| prog | 25.0% |");
	assert_string_equal(row_end("| 60.0% | 60.0 ms | 100.0% | 100.0 ms | prog+0x40 |"), "| prog | |");
	assert_written_says("self 40.0% (30.0 ms user, 10.0 ms system), total 40.0% (30.0 ms user, 10.0 ms system), ");
	assert_written_says("self 60.0% (60.0 ms user, 0 µs system), total 100.0% (90.0 ms user, 10.0 ms system), ");
	assert_null(strstr(written.text.data, "kernel time"));
	spool_sample(&written.spool, stack, 0, 20000);
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(4, 1)), 0, 10000);
	written_render_again();
	assert_written_says(
		" 31 % of the CPU time is kernel time, 75 % of that in system calls and faults of prog+0x30. ");
}

static void threads_tell_their_clocks_and_what_is_missing(void **state)
{
	struct sp_thread_record *t = spool_records(&written.spool, SP_SEC_THREADS);

	(void)state;
	t[1].clocks = SP_THREAD_EVENT | SP_THREAD_TIMER;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 1000000, 0);
	written.spool.header->cpu.interval_max_ns = 1000000;
	t = spool_thread(&written.spool, "fine", 11, 50000, 0);
	t->clocks = SP_THREAD_EVENT | SP_THREAD_TIMER;
	t->user_ns = 49500000, t->user_samples = 50;
	t = spool_thread(&written.spool, "deaf", 12, 100000, 20000);
	t->clocks = SP_THREAD_EVENT | SP_THREAD_TIMER;
	t->flags = SP_THREAD_BLOCKED;
	spool_thread(&written.spool, "poor", 13, 70000, 0);
	t = spool_thread(&written.spool, "late", 14, 90000, 0);
	t->clocks = SP_THREAD_TIMER;
	t->flags = SP_THREAD_FOUND;
	t->user_ns = 60000000, t->user_samples = 20;
	t = spool_thread(&written.spool, "sharing", 15, 40000, 0);
	t->clocks = SP_THREAD_PROCESS;
	t->user_ns = 10000000, t->user_samples = 3;
	t = spool_thread(&written.spool, "half", 17, 50000, 20000);
	t->clocks = SP_THREAD_EVENT;
	t->user_ns = 50000000, t->user_samples = 50;
	spool_thread(&written.spool, "short", 16, 700, 0)->clocks = SP_THREAD_EVENT;
	written_render(false);
	assert_written_says("| 50 | fine | 11 |  | 0 B | event, timer | 500 µs |  |");
	assert_written_says("| 0 | deaf | 12 |  | 0 B | event, timer | 120.0 ms | blocked the signal |");
	assert_written_says("| 0 | poor | 13 |  | 0 B | none | 70.0 ms | no clock available |");
	assert_written_says("| 20 | late [found] | 14 |  | 0 B | timer | 30.0 ms | found late |");
	assert_written_says("| 3 | sharing | 15 |  | 0 B | process timer | 30.0 ms | shares a timer |");
	assert_written_says("| 50 | half | 17 |  | 0 B | event | 20.0 ms | no timer |");
	assert_written_says("| 0 | short | 16 |  | 0 B | event | 700 µs | shorter than the interval |");
	assert_written_says(
		"- Threads sampled by an event: 5; by the kernel tick alone: 1; by the process's timer: 1; not at all: "
		"1.\n");
	assert_written_says(
		"% of the CPU time (120.0 ms) is unsampled in 1 thread that blocked the profiling signal; choose");
	assert_written_says("(70.0 ms) is unsampled in 1 thread that got no clock; raise the limits");
	assert_null(strstr(written.text.data, "ended before a sample was due")); /* too little to matter */
	written.spool.header->sealed_ns = 1;
	written_render_again();
	assert_written_says("| 3 | sharing | 15 |  | 0 B | process timer | 30.0 ms | seccomp filter |");
}

/* What came before the first clock has a row of its own; the sum of short threads has one reason. */
static void threads_are_not_blamed_for_what_came_before(void **state)
{
	struct sp_thread_record *threads = spool_records(&written.spool, SP_SEC_THREADS);

	(void)state;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 10000, 0);
	written.spool.header->cpu.before_user_ns = 5000000;
	written.spool.header->cpu.interval_max_ns = 1000000;
	threads[1].cpu_user_ns = 15000000;
	threads[1].clocks = SP_THREAD_EVENT;
	threads[0].merged = 100;
	threads[0].cpu_user_ns = 30000000;
	threads[0].user_ns = 20000000;
	written_render(false);
	assert_written_says("| 0 | prog | 4000000 |  | 0 B | event |  |  |");
	assert_written_says("| 100 short threads |  |  | 0 B | - | 10.0 ms | shorter than the interval |");
	assert_written_says("is unsampled in 100 threads that ended before a sample was due; a shorter "
			    "SMARTPROF_CPU_SAMPLING_INTERVAL hits");
}

static void clocks_are_named(void **state)
{
	(void)state;
	written_fill();
	written_render(false);
	assert_string_equal(sp_profile_fact(written.profile, "cpu_clock"), "event");
	assert_written_says(
		"- CPU clock: per-thread events for user time, kernel tick for system time; it was told so.\n");
	assert_null(strstr(written.text.data, "sampled by an event:"));
	written.spool.header->cpu.clock = SP_CLOCK_TIMER;
	written_render_again();
	assert_string_equal(sp_profile_fact(written.profile, "cpu_clock"), "timer");
	assert_written_says("`sysctl kernel.perf_event_paranoid=2`");
	written.spool.header->cpu.clock = SP_CLOCK_PROCESS;
	written_render_again();
	assert_string_equal(sp_profile_fact(written.profile, "cpu_clock"), "process");
	assert_written_says("- CPU clock: one timer for all threads, at the kernel tick; it was told so.\n");
	assert_written_says("the limit on pending signals (`ulimit -i`)");
	written.spool.header->cpu.clock = SP_CLOCK_OFF;
	written_render_again();
	assert_string_equal(sp_profile_fact(written.profile, "cpu_clock"), "off");
	written.spool.header->cpu.clock = 17;
	written_render_again();
	assert_string_equal(sp_profile_fact(written.profile, "cpu_clock"), "unknown");
}

/* A tick that finds user and system time grown is one signal and counts as two samples. */
static void a_tick_of_both_times_is_one_interval(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 3000, 1000);
	written.spool.header->cpu.clock = SP_CLOCK_TIMER;
	written.spool.header->cpu.user_samples = written.spool.header->cpu.sys_samples = 10;
	written.spool.header->cpu.signals = 10;
	written_render(false);
	assert_string_equal(sp_profile_fact(written.profile, "cpu_interval_achieved_us"), "4000.0");
}

static void the_interval_over_time_is_told(void **state)
{
	static const uint64_t course[] = {100, 101, 312, 290, 340, 300, 311, 640, 1300, 1290};
	size_t arrows = 0;
	const char *at;

	(void)state;
	written_fill();
	written.spool.header->cpu.sample_cap = 500;
	for (size_t i = 0; i < sizeof(course) / sizeof(course[0]); i++)
		spool_timepoint(&written.spool, 50 * i, course[i])->heap_interval_bytes = 1024 << i / 5;
	written_render(false);
	assert_written_says(
		"- CPU interval over time: 100–101 µs → 290–340 µs from 0.10 s → 640 µs from 0.35 s → 1290–1300 µs "
		"from "
		"0.40 s.\n");
	assert_written_says("| Until | CPU cores | CPU | RSS | Heap in use | CPU interval µs | Heap interval |");
	assert_written_says("| 0.10 s | 0.00 | 0 µs | 0 B | 0 B | 312 | 1.0 KiB |");
	assert_written_says("| 0.45 s | 0.00 | 0 µs | 0 B | 0 B | 1290 | 2.0 KiB |");
	assert_null(strstr(written.text.data, "doubled"));
	written.spool.header->cpu.thinned = 2;
	written.spool.header->drops[SP_DROP_SAMPLE_CAP] = 2;
	for (uint64_t i = 1; i <= 20; i++)
		spool_timepoint(&written.spool, 500 + 50 * i, 100ull << i);
	written_render_again();
	assert_written_says("- The interval doubled 2 times so that the cap on samples (500) lasts; raise");
	for (at = strstr(written.text.data, "interval over time"); *at != '\n'; at++)
		arrows += strncmp(at, " → ", strlen(" → ")) == 0;
	assert_int_equal(arrows, 5);
}

static void no_interval_is_told_that_the_tick_cannot_keep(void **state)
{
	(void)state;
	written_fill();
	written.spool.header->cpu.clock = SP_CLOCK_TIMER;
	written.spool.header->cpu.tick_ns = 4000000;
	written.spool.header->cpu.user_samples = 3;
	written.spool.header->cpu.interval_max_ns = 900000;
	spool_timepoint(&written.spool, 50, 100);
	spool_timepoint(&written.spool, 100, 900);
	written_render(false);
	assert_written_says("µs achieved, at most 4000 µs in force.\n");
	assert_written_says("- CPU interval over time: 4000 µs throughout.\n");
	assert_written_says("| 0.10 s | 0.00 | 0 µs | 0 B | 0 B | 4000 | 0 B |");
}

static void no_interval_has_more_time_than_its_cores(void **state)
{
	static const uint64_t used_ms[] = {80, 130, 280, 380}, alone_ms[] = {80, 130, 150, 190};
	struct sp_timepoint *points;
	struct sp_thread_record *ended;

	(void)state;
	written_fill();
	ended = spool_records(&written.spool, SP_SEC_THREADS);
	ended->merged = 3;
	written.spool.header->host_cores = 4;
	written.spool.header->usable_millicores = 2000;
	for (size_t i = 0; i < 4; i++)
		spool_timepoint(&written.spool, 50 * (i + 1), 100)->user_ns = used_ms[i] * 1000000;
	written_render(false);
	assert_written_says("at most 2.00 cores\n");
	assert_written_says("| 0.05 s | 1.60 | 80.0 ms |");
	assert_written_says("| 0.10 s | 2.00 | 100.0 ms |"); /* what came late in the next */
	assert_written_says("| 0.15 s | 2.00 | 100.0 ms |");
	assert_written_says("| 0.20 s | 2.00 | 100.0 ms |");
	sp_profile_free(written.profile);
	sp_snapshot_free(&written.snapshot);
	sp_buffer_clear(&written.text);
	written.spool.header->usable_millicores = 1500; /* a quota: for a moment all cores may run */
	written_render(false);
	assert_written_says("at most 3.00 cores\n");
	sp_profile_free(written.profile);
	sp_snapshot_free(&written.snapshot);
	sp_buffer_clear(&written.text);
	ended->merged = 0; /* a single thread runs on one at a time; the first interval has what was told too early */
	written.spool.header->usable_millicores = 2000;
	points = spool_records(&written.spool, SP_SEC_TIMELINE);
	for (size_t i = 0; i < 4; i++)
		points[i].user_ns = alone_ms[i] * 1000000;
	written_render(false);
	assert_written_says("at most 1.00 cores\n");
}

static void an_interval_that_stays_is_told_once(void **state)
{
	(void)state;
	written_fill();
	for (uint64_t i = 0; i < 40; i++)
		spool_timepoint(&written.spool, 50 * i, 4000);
	written_render(false);
	assert_written_says("- CPU interval over time: 4000 µs throughout.\n");
}

static void a_killed_process_is_told_of(void **state)
{
	(void)state;
	written_fill();
	written.spool.header->state = SP_STATE_RUNNING;
	written.spool.header->end_ns = 0;
	written.spool.header->now_ns = 1500000000;
	written_render(false);
	assert_non_null(strstr(written.text.data, " in 1.50 s until its last sample, "));
	assert_non_null(strstr(written.text.data, "averages end at its last sample"));
}

static void few_samples_have_no_error_bar(void **state)
{
	struct sp_site *site;

	(void)state;
	written_fill();
	written.spool.header->heap.peak_bytes = 200000;
	written.spool.header->heap.peak_seq = 1;
	written.spool.header->heap.samples = 3;
	written.spool.header->heap.class_bytes[9] = 300;
	spool_site(&written.spool, spool_stack(&written.spool, SP_STACK_IS_HEAP, STACK(8, 1)), 2000, 2);
	site = spool_site(&written.spool, spool_stack(&written.spool, SP_STACK_IS_HEAP, STACK(7, 1)), 100000, 20);
	site->samples = site->inuse_samples = 50;
	written_render(false);
	assert_non_null(strstr(written.text.data, "rough: 3 samples | prog |"));
	assert_non_null(strstr(written.text.data, "Estimates, rough: 3 samples."));
	assert_non_null(strstr(written.text.data, "| 253 B | prog |")); /* 1.96 sqrt(4 * 4096 * 51 / 50) */
	assert_non_null(strstr(written.text.data,
		"the largest part of the peak, 50.0 % ± 0.1, was allocated in prog+0x70"));
}

static void what_came_before_sampling_is_no_ground_for_conclusions(void **state)
{
	(void)state;
	written_fill();
	written.spool.header->heap.peak_bytes = 4096;
	written.spool.header->heap.peak_seq = 1;
	written.spool.header->heap.before_bytes = 6000;
	written_render(false);
	assert_non_null(strstr(written.text.data, "the largest part"));
	assert_null(strstr(written.text.data, "cannot be judged"));
	sp_profile_free(written.profile);
	sp_snapshot_free(&written.snapshot);
	sp_buffer_clear(&written.text);
	written.spool.header->heap.before_bytes = 7000;
	written_render(false);
	assert_null(strstr(written.text.data, "the largest part"));
	assert_non_null(strstr(written.text.data, "allocated, 6.8 KiB were allocated before sampling began"));
	assert_non_null(strstr(written.text.data, "## Leak Suspects\n\nLeaks cannot be judged: 56.7 % of the bytes"));
}

static void what_thresholds_do_is_said(void **state)
{
	(void)state;
	written_render(false);
	assert_null(strstr(written.text.data, "beyond a threshold"));
	sp_profile_free(written.profile);
	sp_snapshot_free(&written.snapshot);
	sp_buffer_clear(&written.text);
	written.spool.header->text.settings =
		spool_text(&written.spool, "cpu_threshold\t80 %\tdefault\nlast\ton\tdefault\n");
	written_render(false);
	assert_non_null(strstr(written.text.data, "|\n\nA moment beyond a threshold is marked: see Marks.\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, written_set_up, written_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_cost_is_held_against_the_budget),
		TEST(cpu_and_heap_share_the_budget),
		TEST(the_handler_s_times_are_told),
		TEST(kernel_time_is_told_by_function),
		TEST(threads_tell_their_clocks_and_what_is_missing),
		TEST(threads_are_not_blamed_for_what_came_before),
		TEST(clocks_are_named),
		TEST(a_tick_of_both_times_is_one_interval),
		TEST(the_interval_over_time_is_told),
		TEST(no_interval_is_told_that_the_tick_cannot_keep),
		TEST(no_interval_has_more_time_than_its_cores),
		TEST(an_interval_that_stays_is_told_once),
		TEST(a_killed_process_is_told_of),
		TEST(few_samples_have_no_error_bar),
		TEST(what_came_before_sampling_is_no_ground_for_conclusions),
		TEST(what_thresholds_do_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
