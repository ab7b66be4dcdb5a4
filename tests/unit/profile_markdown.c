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
#include "tests/unit/profile_spool.h"
#include "profiles/model/build.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_snapshot snapshot;
static struct sp_profile *profile;
static struct sp_buffer text;

static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	profile = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_free(&text);
	spool_close(&spool);
	return 0;
}

static void write_profile(bool full)
{

	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	sp_markdown_write(&text, profile, "prog.md", full);
}

static void fill_some(void)
{
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);
	static const uint64_t evil[] = {0x7000011, SPOOL_BASE + 1};

	strcpy(threads[1].name, "a|`<b>\n\x1b[1m");
	threads[1].heap = (struct sp_heap_counters){.bytes_base = 12345, .allocs = 17, .frees = 3};
	spool_module(&spool, "/nowhere/e|v`i<l>\n</details>\n\xe2\x80\xae.so", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, evil, 2), 5000, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 30000, 4000);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 4096, 2)->free_bytes = 1096;
	spool.header->cpu.self_user_ns += 2000000;
}

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
	fill_some();
	write_profile(false);
	back = sp_markdown_read(text.data, text.length, &why);
	assert_string_equal(why ? why : "", "");
	assert_non_null(back);
	for (size_t i = 0; i < profile->function_count; i++) {
		const struct sp_function *a = &profile->functions[i], *b = find(back, a->name);

		if (!sp_function_total(a) && !sp_function_self(a))
			continue;
		assert_non_null(b);
		assert_int_equal(a->self_user_ns, b->self_user_ns);
		assert_int_equal(a->self_sys_ns, b->self_sys_ns);
		assert_int_equal(a->total_user_ns, b->total_user_ns);
		assert_int_equal(a->self_samples, b->self_samples);
		assert_int_equal(a->flags & SP_FUNCTION_PSEUDO, b->flags & SP_FUNCTION_PSEUDO);
		/* To the nanosecond. */
		assert_true(fabs(a->self_error - b->self_error) * (double)profile->total_ns < 1);
		assert_true(fabs(a->total_error - b->total_error) * (double)profile->total_ns < 1);
		assert_string_equal(profile->modules[a->module].path, back->modules[b->module].path);
		compared++;
	}
	assert_true(compared >= 5);
	compared = 0;
	for (size_t i = 1; i < back->module_count; i++)
		for (size_t k = 1; k < profile->module_count; k++) {
			const struct sp_module_info *a = &profile->modules[k], *b = &back->modules[i];

			if (strcmp(a->path, b->path) != 0 || !(a->self_error > 0))
				continue;
			assert_true(fabs(a->self_error - b->self_error) * (double)profile->total_ns < 1);
			assert_int_equal(a->self_ns, b->self_ns);
			compared++;
		}
	assert_true(compared >= 1);
	assert_int_equal(back->total_ns, profile->total_ns);
	assert_int_equal(back->site_count, 1);
	assert_int_equal(back->sites[0].inuse_bytes, 3000);
	assert_int_equal(back->heap_allocated_bytes, 12345);
	assert_int_equal(back->fact_count, profile->fact_count);
	for (size_t i = 0; i < back->fact_count; i++)
		assert_string_equal(back->facts[i].value, profile->facts[i].value);
	sp_profile_free(back);
}

static void the_top_ends_at_the_complete_part(void **state)
{
	size_t top;

	(void)state;
	fill_some();
	write_profile(false);
	top = sp_markdown_top(text.data, text.length);
	assert_true(top < text.length);
	assert_true(strncmp(text.data + top, "<details>\n", 10) == 0);
	assert_null(strstr(text.data + top + 1, "\n<details>\n"));
	assert_null(strstr(text.data, "hunter2"));
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
	fill_some();
	write_profile(false);
	at = text.data;
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
	spool_module(&spool, name, 0x7000000, 0x7100000, 0, UINT64_MAX);
	for (int i = 0; i < 1500; i++) {
		uint64_t addresses[20];

		for (unsigned k = 0; k < 20; k++)
			addresses[k] = 0x7000001 + 16 * (uint64_t)(k < 10 ? i * (k + 1) % 977 : k);
		spool_sample(&spool, spool_addresses(&spool, 0, 1, addresses, 20), 1000 + (uint64_t)i, 0);
	}
	write_profile(false);
	assert_true(sp_markdown_top(text.data, text.length) <= SP_TOP_BUDGET_BYTES);
	assert_non_null(strstr(text.data, "more rows, see All functions"));
	sp_buffer_clear(&text);
	sp_markdown_write(&text, profile, "prog.md", true);
	assert_true(sp_markdown_top(text.data, text.length) > SP_TOP_BUDGET_BYTES);
	assert_null(strstr(text.data, "more rows, see All functions"));
}

static void what_is_cut_off_is_refused(void **state)
{
	const char *why;

	(void)state;
	fill_some();
	write_profile(false);
	for (size_t length = 0; length + 1 < text.length; length += length + 200 < text.length ? 7 : 1) {
		char *copy = strndup(text.data, length);

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
	fill_some();
	write_profile(false);
	row = strchr(strstr(text.data, "\nself_user_ns\t") + 1, '\n') + 1;
	next = strchr(row, '\n') + 1;
	memmove(row, next, strlen(next) + 1);
	assert_null(sp_markdown_read(text.data, strlen(text.data), &why));
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
	fill_some();
	write_profile(false);
	for (size_t i = 0; i < 3; i++) {
		char *copy = strdup(text.data), *place = strstr(copy, edits[i].find);

		if (edits[i].expect)
			memcpy(place, edits[i].put, strlen(edits[i].put));
		else
			strchr(place + 1, '\n')[1] = 'x'; /* the first row's first number */
		assert_null(sp_markdown_read_at(copy, text.length, &why, &line));
		for (at = copy; line > 1; line--)
			at = strchr(at, '\n') + 1;
		assert_int_equal(*at, edits[i].expect ? edits[i].expect[0] : 'x');
		free(copy);
	}
	text.data[text.length / 2] = '\0';
	assert_null(sp_markdown_read_at(text.data, text.length / 2, &why, &line));
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
	fill_some();
	write_profile(false);
	for (int round = 0; round < 2000; round++) {
		char *copy = malloc(text.length + 1);
		const char *why;

		memcpy(copy, text.data, text.length + 1);
		for (int flips = 0; flips < 1 + round % 4; flips++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			copy[random % text.length] = (char)(random >> 40);
		}
		sp_profile_free(sp_markdown_read(copy, text.length, &why));
		free(copy);
	}
}

/* Writes it again, after a change of the spool. */
static void write_again(void)
{
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	write_profile(false);
}

static void assert_says(const char *what)
{
	if (!strstr(text.data, what))
		fail_msg("not in the profile: %s", what);
}

static void the_cost_is_held_against_the_budget(void **state)
{
	(void)state;
	fill_some();
	spool.header->cpu.budget_permille = 30;
	spool.header->heap.slow_ns = 2000000;
	write_profile(false);
	assert_says("(budget 3 %): 0.0 % the CPU's");
	assert_says("which is over the budget: the governor had no time to settle in a run this short.\n");
	spool.header->cpu.self_user_ns += 5000000000;
	spool.header->heap.slow_ns = 1000000000;
	write_again();
	assert_says("which is over the budget: a larger SMARTPROF_HEAP_INTERVAL costs less.\n");
	spool.header->cpu.handler_ns = 1500000000;
	write_again();
	assert_says("which is over the budget: a longer SMARTPROF_CPU_SAMPLING_INTERVAL costs less.\n");
	spool.header->cpu.handler_ns = 0;
	spool.header->heap.slow_ns = 1000000;
	write_again();
	assert_null(strstr(text.data, "over the budget"));
}

/* 2 s of CPU time: 500 signals of 56 us (every 4 ms), 400 ticks of 5 us and 10 ms in the handler are 2.0 %, 50 ms of the heap 2.5 %,
 * 10,000,000 calls at 1.5 ns 0.75 %. */
static void cpu_and_heap_share_the_budget(void **state)
{
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 2000000, 0);
	threads[1].heap = (struct sp_heap_counters){.bytes_base = 1, .allocs = 6000000, .frees = 4000000};
	spool.header->cpu.budget_permille = 100;
	spool.header->cpu.signals = 900;
	spool.header->cpu.ticks = 400;
	spool.header->cpu.signal_gap_ns = 20000;
	spool.header->cpu.fresh_pages = 43;
	spool.header->cpu.signal_cost_source = SP_COST_CACHED;
	spool.header->cpu.handler_ns = 10000000;
	spool.header->heap.slow_ns = 50000000;
	spool.header->heap.samples = 77;
	write_profile(false);
	assert_string_equal(sp_profile_fact(profile, "overhead_cpu_percent"), "2.0");
	assert_string_equal(sp_profile_fact(profile, "overhead_heap_percent"), "2.5");
	assert_string_equal(sp_profile_fact(profile, "overhead_measured_percent"), "4.5");
	assert_string_equal(sp_profile_fact(profile, "overhead_hooks_percent"), "0.75");
	assert_says("- Sampling cost 4.5 % of the CPU time (budget 10 %): 2.0 % the CPU's (500 signals of 56.0 µs, "
		    "400 ticks of 5.0 µs, and 10.0 ms in the handler), 2.5 % the heap's (77 samples, 50.0 ms).\n");
	assert_says("- The hooks alone cost about 0.75 % more (0.25 to 1.25), outside of the budget: 10000000 calls");
	assert_says("- A clock signal takes 20.0 µs besides its handler (interrupt, delivery, return), measured in an "
		    "earlier process of this user; 56.0 µs with what it leaves cold here, where 64 samples are on 43 "
		    "pages of code.\n");
	spool.header->cpu.signal_cost_source = SP_COST_MEASURED;
	write_again();
	assert_says("return), measured in this process; 56.0");
	spool.header->cpu.signal_cost_source = SP_COST_ASSUMED;
	write_again();
	assert_says("return), assumed, because nothing was measured");
	spool.header->heap.on = 0;
	write_again();
	assert_null(sp_profile_fact(profile, "overhead_heap_percent"));
	assert_null(strstr(text.data, "the heap's"));
}

/* Class 22 begins at 2^11 ns, class 23 at 3 * 2^10, class 30 at 2^15. */
static void the_handler_s_times_are_told(void **state)
{
	struct sp_cpu_totals *cpu = &spool.header->cpu;

	(void)state;
	fill_some();
	cpu->handler_class[22] = 1998;
	cpu->handler_class[30] = 2;
	cpu->handler_ns = 5000000;
	cpu->handler_max_ns = 40000;
	write_profile(false);
	assert_says("- The handler took 2.5 µs on average, at most 3.1 µs in 99.9 % of 2000 runs, 40.0 µs at the "
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
	const char *row = strstr(text.data, start), *cell;

	if (!row)
		fail_msg("no row: %s", start);
	cell = strstr(row, " | prog |"); /* the location is "prog [gone]" */
	assert_non_null(cell);
	snprintf(end, sizeof(end), "%.*s", (int)strcspn(cell + 1, "\n"), cell + 1);
	return end;
}

static void kernel_time_is_told_by_function(void **state)
{
	uint32_t stack = spool_stack(&spool, 0, STACK(3, 4, 1));

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(4, 1)), 60000, 0);
	spool_sample(&spool, stack, 30000, 10000);
	write_profile(false);
	assert_string_equal(row_end("| 40.0% | 40.0 ms | 40.0% | 40.0 ms | prog+0x30 |"), "| prog | 25.0% |");
	assert_string_equal(row_end("| 60.0% | 60.0 ms | 100.0% | 100.0 ms | prog+0x40 |"), "| prog | |");
	assert_says("self 40.0% (30.0 ms user, 10.0 ms system), total 40.0% (30.0 ms user, 10.0 ms system), ");
	assert_says("self 60.0% (60.0 ms user, 0 µs system), total 100.0% (90.0 ms user, 10.0 ms system), ");
	assert_null(strstr(text.data, "kernel time"));
	spool_sample(&spool, stack, 0, 20000);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(4, 1)), 0, 10000);
	write_again();
	assert_says(" 31 % of the CPU time is kernel time, 75 % of that in system calls and faults of prog+0x30. ");
}

static void threads_tell_their_clocks_and_what_is_missing(void **state)
{
	struct sp_thread_record *t = spool_records(&spool, SP_SEC_THREADS);

	(void)state;
	t[1].clocks = SP_THREAD_EVENT | SP_THREAD_TIMER;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 1)), 1000000, 0);
	spool.header->cpu.interval_max_ns = 1000000;
	t = spool_thread(&spool, "fine", 11, 50000, 0);
	t->clocks = SP_THREAD_EVENT | SP_THREAD_TIMER;
	t->user_ns = 49500000, t->user_samples = 50;
	t = spool_thread(&spool, "deaf", 12, 100000, 20000);
	t->clocks = SP_THREAD_EVENT | SP_THREAD_TIMER;
	t->flags = SP_THREAD_BLOCKED;
	spool_thread(&spool, "poor", 13, 70000, 0);
	t = spool_thread(&spool, "late", 14, 90000, 0);
	t->clocks = SP_THREAD_TIMER;
	t->flags = SP_THREAD_FOUND;
	t->user_ns = 60000000, t->user_samples = 20;
	t = spool_thread(&spool, "sharing", 15, 40000, 0);
	t->clocks = SP_THREAD_PROCESS;
	t->user_ns = 10000000, t->user_samples = 3;
	t = spool_thread(&spool, "half", 17, 50000, 20000);
	t->clocks = SP_THREAD_EVENT;
	t->user_ns = 50000000, t->user_samples = 50;
	spool_thread(&spool, "short", 16, 700, 0)->clocks = SP_THREAD_EVENT;
	write_profile(false);
	assert_says("| 50 | fine | 11 |  | 0 | event, timer | 500 µs |  |\n");
	assert_says("| 0 | deaf | 12 |  | 0 | event, timer | 120.0 ms | blocked the signal |\n");
	assert_says("| 0 | poor | 13 |  | 0 | none | 70.0 ms | no clock available |\n");
	assert_says("| 20 | late [found] | 14 |  | 0 | timer | 30.0 ms | found late |\n");
	assert_says("| 3 | sharing | 15 |  | 0 | process timer | 30.0 ms | shares a timer |\n");
	assert_says("| 50 | half | 17 |  | 0 | event | 20.0 ms | no timer |\n");
	assert_says("| 0 | short | 16 |  | 0 | event | 700 µs | shorter than the interval |\n");
	assert_says(
		"- Threads sampled by an event: 5; by the kernel tick alone: 1; by the process's timer: 1; not at all: "
		"1.\n");
	assert_says("% of the CPU time (120.0 ms) is unsampled in 1 thread that blocked the profiling signal; choose");
	assert_says("(70.0 ms) is unsampled in 1 thread that got no clock; raise the limits");
	assert_null(strstr(text.data, "ended before a sample was due")); /* too little to matter */
	spool.header->sealed_ns = 1;
	write_again();
	assert_says("| 3 | sharing | 15 |  | 0 | process timer | 30.0 ms | seccomp filter |\n");
}

/* What came before the first clock has a row of its own; the sum of short threads has one reason. */
static void threads_are_not_blamed_for_what_came_before(void **state)
{
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 1)), 10000, 0);
	spool.header->cpu.before_user_ns = 5000000;
	spool.header->cpu.interval_max_ns = 1000000;
	threads[1].cpu_user_ns = 15000000;
	threads[1].clocks = SP_THREAD_EVENT;
	threads[0].merged = 100;
	threads[0].cpu_user_ns = 30000000;
	threads[0].user_ns = 20000000;
	write_profile(false);
	assert_says("| 0 | prog | 4000000 |  | 0 | event |  |  |\n");
	assert_says("| 100 short threads |  |  | 0 | - | 10.0 ms | shorter than the interval |\n");
	assert_says("is unsampled in 100 threads that ended before a sample was due; a shorter "
		    "SMARTPROF_CPU_SAMPLING_INTERVAL hits");
}

static void clocks_are_named(void **state)
{
	(void)state;
	fill_some();
	write_profile(false);
	assert_string_equal(sp_profile_fact(profile, "cpu_clock"), "event");
	assert_says("- CPU clock: per-thread events for user time, kernel tick for system time; it was told so.\n");
	assert_null(strstr(text.data, "sampled by an event:"));
	spool.header->cpu.clock = SP_CLOCK_TIMER;
	write_again();
	assert_string_equal(sp_profile_fact(profile, "cpu_clock"), "timer");
	assert_says("`sysctl kernel.perf_event_paranoid=2`");
	spool.header->cpu.clock = SP_CLOCK_PROCESS;
	write_again();
	assert_string_equal(sp_profile_fact(profile, "cpu_clock"), "process");
	assert_says("- CPU clock: one timer for all threads, at the kernel tick; it was told so.\n");
	assert_says("the limit on pending signals (`ulimit -i`)");
	spool.header->cpu.clock = SP_CLOCK_OFF;
	write_again();
	assert_string_equal(sp_profile_fact(profile, "cpu_clock"), "off");
	spool.header->cpu.clock = 17;
	write_again();
	assert_string_equal(sp_profile_fact(profile, "cpu_clock"), "unknown");
}

/* A tick that finds user and system time grown is one signal and counts as two samples. */
static void a_tick_of_both_times_is_one_interval(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 1)), 3000, 1000);
	spool.header->cpu.clock = SP_CLOCK_TIMER;
	spool.header->cpu.user_samples = spool.header->cpu.sys_samples = 10;
	spool.header->cpu.signals = 10;
	write_profile(false);
	assert_string_equal(sp_profile_fact(profile, "cpu_interval_achieved_us"), "4000.0");
}

static void the_interval_over_time_is_told(void **state)
{
	static const uint64_t course[] = {100, 101, 312, 290, 340, 300, 311, 640, 1300, 1290};
	size_t arrows = 0;
	const char *at;

	(void)state;
	fill_some();
	spool.header->cpu.sample_cap = 500;
	for (size_t i = 0; i < sizeof(course) / sizeof(course[0]); i++)
		spool_timepoint(&spool, 50 * i, course[i])->heap_interval_bytes = 1024 << i / 5;
	write_profile(false);
	assert_says("- CPU interval over time: 100–101 µs → 290–340 µs from 0.10 s → 640 µs from 0.35 s → 1290–1300 µs "
		    "from "
		    "0.40 s.\n");
	assert_says("| Until | CPU cores | CPU | RSS | Heap in use | CPU interval µs | Heap interval |\n");
	assert_says("| 0.10 s | 0.00 | 0 µs | 0 B | 0 B | 312 | 1.0 KiB |\n");
	assert_says("| 0.45 s | 0.00 | 0 µs | 0 B | 0 B | 1290 | 2.0 KiB |\n");
	assert_null(strstr(text.data, "doubled"));
	spool.header->cpu.thinned = 2;
	spool.header->drops[SP_DROP_SAMPLE_CAP] = 2;
	for (uint64_t i = 1; i <= 20; i++)
		spool_timepoint(&spool, 500 + 50 * i, 100ull << i);
	write_again();
	assert_says("- The interval doubled 2 times so that the cap on samples (500) lasts; raise");
	for (at = strstr(text.data, "interval over time"); *at != '\n'; at++)
		arrows += strncmp(at, " → ", strlen(" → ")) == 0;
	assert_int_equal(arrows, 5);
}

static void no_interval_is_told_that_the_tick_cannot_keep(void **state)
{
	(void)state;
	fill_some();
	spool.header->cpu.clock = SP_CLOCK_TIMER;
	spool.header->cpu.tick_ns = 4000000;
	spool.header->cpu.user_samples = 3;
	spool.header->cpu.interval_max_ns = 900000;
	spool_timepoint(&spool, 50, 100);
	spool_timepoint(&spool, 100, 900);
	write_profile(false);
	assert_says("µs achieved, at most 4000 µs in force.\n");
	assert_says("- CPU interval over time: 4000 µs throughout.\n");
	assert_says("| 0.10 s | 0.00 | 0 µs | 0 B | 0 B | 4000 | 0 B |\n");
}

static void no_interval_has_more_time_than_its_cores(void **state)
{
	static const uint64_t used_ms[] = {80, 130, 280, 380}, alone_ms[] = {80, 130, 150, 190};
	struct sp_timepoint *points;
	struct sp_thread_record *ended;

	(void)state;
	fill_some();
	ended = spool_records(&spool, SP_SEC_THREADS);
	ended->merged = 3;
	spool.header->host_cores = 4;
	spool.header->usable_millicores = 2000;
	for (size_t i = 0; i < 4; i++)
		spool_timepoint(&spool, 50 * (i + 1), 100)->user_ns = used_ms[i] * 1000000;
	write_profile(false);
	assert_says("at most 2.00 cores\n");
	assert_says("| 0.05 s | 1.60 | 80.0 ms |");
	assert_says("| 0.10 s | 2.00 | 100.0 ms |"); /* what came late in the next */
	assert_says("| 0.15 s | 2.00 | 100.0 ms |");
	assert_says("| 0.20 s | 2.00 | 100.0 ms |");
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->usable_millicores = 1500; /* a quota: for a moment all cores may run */
	write_profile(false);
	assert_says("at most 3.00 cores\n");
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	ended->merged = 0; /* a single thread runs on one at a time; the first interval has what was told too early */
	spool.header->usable_millicores = 2000;
	points = spool_records(&spool, SP_SEC_TIMELINE);
	for (size_t i = 0; i < 4; i++)
		points[i].user_ns = alone_ms[i] * 1000000;
	write_profile(false);
	assert_says("at most 1.00 cores\n");
}

static void an_interval_that_stays_is_told_once(void **state)
{
	(void)state;
	fill_some();
	for (uint64_t i = 0; i < 40; i++)
		spool_timepoint(&spool, 50 * i, 4000);
	write_profile(false);
	assert_says("- CPU interval over time: 4000 µs throughout.\n");
}

static void a_killed_process_is_told_of(void **state)
{
	(void)state;
	fill_some();
	spool.header->state = SP_STATE_RUNNING;
	spool.header->end_ns = 0;
	spool.header->now_ns = 1500000000;
	write_profile(false);
	assert_non_null(strstr(text.data, " in 1.50 s until its last sample, "));
	assert_non_null(strstr(text.data, "averages end at its last sample"));
}

static void few_samples_have_no_error_bar(void **state)
{
	struct sp_site *site;

	(void)state;
	fill_some();
	spool.header->heap.peak_bytes = 200000;
	spool.header->heap.peak_seq = 1;
	spool.header->heap.samples = 3;
	spool.header->heap.class_bytes[9] = 300;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(8, 1)), 2000, 2);
	site = spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(7, 1)), 100000, 20);
	site->samples = site->inuse_samples = 50;
	write_profile(false);
	assert_non_null(strstr(text.data, "rough: 3 samples | prog |"));
	assert_non_null(strstr(text.data, "Estimates, rough: 3 samples."));
	assert_non_null(strstr(text.data, "| 253 B | prog |")); /* 1.96 sqrt(4 * 4096 * 51 / 50) */
	assert_non_null(strstr(text.data, "the largest part of the peak, 50.0 % ± 0.1, was allocated in prog+0x70"));
}

static void what_came_before_sampling_is_no_ground_for_conclusions(void **state)
{
	(void)state;
	fill_some();
	spool.header->heap.peak_bytes = 4096;
	spool.header->heap.peak_seq = 1;
	spool.header->heap.before_bytes = 6000;
	write_profile(false);
	assert_non_null(strstr(text.data, "the largest part"));
	assert_null(strstr(text.data, "cannot be judged"));
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->heap.before_bytes = 7000;
	write_profile(false);
	assert_null(strstr(text.data, "the largest part"));
	assert_non_null(strstr(text.data, "allocated, 6.8 KiB were allocated before sampling began"));
	assert_non_null(strstr(text.data, "## Leak Suspects\n\nLeaks cannot be judged: 56.7 % of the bytes"));
}

static void thresholds_are_said_to_be_idle(void **state)
{
	(void)state;
	write_profile(false);
	assert_null(strstr(text.data, "nothing acts on them yet"));
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	sp_buffer_clear(&text);
	spool.header->text.settings = spool_text(&spool, "cpu_threshold\t80 %\tdefault\nlast\ton\tdefault\n");
	write_profile(false);
	assert_non_null(strstr(text.data,
		"|\n\nThe thresholds and their check interval are recorded, but nothing acts"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		TEST(thresholds_are_said_to_be_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
