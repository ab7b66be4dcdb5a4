/* The verdict's advice: one profile for each kind of run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/model/facts.h"
#include "profiles/markdown/markdown.h"
#include "tests/unit/profile_spool.h"
#include "profiles/model/build.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static struct sp_buffer text;

static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_buffer_free(&text);
	spool_close(&spool);
	return 0;
}

/* `adjust` sees the model before it is written: for what needs a program of its own, such as names. */
static void write_profile(void (*adjust)(struct sp_profile *))
{
	struct sp_snapshot snapshot;
	struct sp_profile *profile;

	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	profile->unnamed_frames = 0; /* prog+0x10 passes for a name here */
	for (size_t i = 0; i < profile->function_count; i++)
		profile->functions[i].flags &= ~(uint32_t)SP_FUNCTION_UNNAMED;
	if (adjust)
		adjust(profile);
	sp_facts_collect(profile);
	sp_markdown_write(&text, profile, "prog.md", false);
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
}

static void assert_next(const char *expected)
{
	const char *next = strstr(text.data, "Next: ");
	size_t length;

	assert_non_null(next);
	length = strcspn(next, "\n");
	if (strlen(expected) != length || strncmp(next, expected, length) != 0)
		fail_msg("%.*s", (int)length, next);
}

/* `n` samples of a millisecond. */
static void samples(const int *functions, unsigned n, uint64_t sys_us)
{
	uint32_t stack = spool_stack(&spool, 0, functions);

	for (unsigned i = 0; i < n; i++)
		spool_sample(&spool, stack, 1000 - sys_us, sys_us);
}

static void heat_a_line(struct sp_profile *p)
{
	for (size_t i = 0; i < p->function_count; i++)
		if (strcmp(p->functions[i].name, "prog+0x30") == 0)
			*sp_profile_line(p) = (struct sp_line_info){.function = (uint32_t)i,
				.file = "/nowhere/src/hot.c",
				.line = 42,
				.self_user_ns = 300000000};
}

static void one_hot_function(void **state)
{
	(void)state;
	samples(STACK(3, 2, 1), 600, 0);
	samples(STACK(4, 1), 200, 0);
	write_profile(heat_a_line);
	assert_next("Next: see who calls prog+0x30 under Function Details.");
}

static void a_flat_profile(void **state)
{
	(void)state;
	for (int i = 10; i < 40; i++)
		samples(STACK(i, i % 3 ? 2 : 3, 1), 20, 0);
	write_profile(NULL);
	assert_next(
		"Next: no function stands out, so look at branches in Call Tree: 67 % of the time is in prog+0x20 and "
		"what it calls.");
	assert_non_null(strstr(text.data,
		"The time is spread over many functions: the ten hottest have 33 % together."));
}

static void a_process_that_waits(void **state)
{
	(void)state;
	samples(STACK(3, 1), 20, 0);
	spool.header->end_ns = 10000000000;
	write_profile(NULL);
	assert_next(
		"Next: the process mostly waited (it kept a core busy for 0.2 % of the time), so its CPU time is not "
		"what makes it slow: while it waits, `smartprof where PID` shows what each thread waits in.");
}

static void few_samples(void **state)
{
	(void)state;
	samples(STACK(3, 1), 40, 0);
	spool.header->end_ns = 50000000;
	write_profile(NULL);
	assert_next("Next: give it more work, as 40 samples only show the coarse picture: shares are known to about 3 "
		    "points "
		    "after 1.00 s of CPU time, of which this run had 40.0 ms.");
}

static void a_kernel_heavy_process(void **state)
{
	(void)state;
	samples(STACK(3, 2, 1), 400, 900);
	samples(STACK(4, 1), 100, 0);
	write_profile(NULL);
	assert_next("Next: see who calls prog+0x30 under Function Details: fewer and larger system calls, and memory "
		    "that is "
		    "used again, keep the kernel out of it.");
}

static void name_an_allocator(struct sp_profile *p)
{
	for (size_t i = 0; i < p->function_count; i++)
		if (strcmp(p->functions[i].name, "prog+0x30") == 0)
			p->functions[i].name = "_int_free";
}

static void an_allocation_heavy_process(void **state)
{
	(void)state;
	samples(STACK(3, 2, 1), 300, 0);
	samples(STACK(4, 1), 500, 0);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 4096, 9000);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(7, 5, 1)), 8192, 2);
	write_profile(name_an_allocator);
	assert_next(
		"Next: allocate less often, as 38 % of the CPU time goes into allocating and freeing; most calls come "
		"from "
		"prog+0x60, see Heap Sites (Allocated) and Short-Lived Allocations.");
}

static void a_leak(void **state)
{
	struct sp_live *live = spool_records(&spool, SP_SEC_LIVE);
	struct sp_spool_header *h = spool.header;

	(void)state;
	samples(STACK(3, 2, 1), 600, 0);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 2 << 20, 100);
	h->tsc_per_us_x1024 = 1024 * 1000; /* a cycle a nanosecond */
	h->start_tsc = 1000;
	for (uint64_t i = 0; i < 20; i++)
		live[h->sections[SP_SEC_LIVE].used++] = (struct sp_live){
			.alive = 1, .site = 1, .size = 64, .weight = 100000, .born_tsc = 1000 + i * 90000000};
	write_profile(NULL);
	assert_next(
		"Next: find out whether what prog+0x60 allocates is ever freed: it left 1.9 MiB behind all through the "
		"run, see Leak Suspects.");
}

static void cut_stacks(void **state)
{
	uint32_t stack = spool_stack(&spool, SP_STACK_TRUNCATED, STACK(3, 2, 2, 2));

	(void)state;
	samples(STACK(4, 1), 200, 0);
	for (int i = 0; i < 300; i++)
		spool_sample(&spool, stack, 1000, 0);
	write_profile(NULL);
	assert_next("Next: trust self times more than totals, as 60 % of the time has stacks that end early: they are "
		    "deeper "
		    "than 256 frames; Hot Paths shows what recurses.");
	((struct sp_stack *)spool_records(&spool, SP_SEC_STACKS))[stack].flags = SP_STACK_BROKEN;
	sp_buffer_clear(&text);
	write_profile(NULL);
	assert_next(
		"Next: trust self times more than totals, as 60 % of the time has stacks that end early: code without "
		"unwind "
		"tables; build it with -fasynchronous-unwind-tables, or with -g and keep its debug file.");
}

static void unsampled_time(void **state)
{
	(void)state;
	samples(STACK(3, 1), 200, 0);
	spool_thread(&spool, "deaf", 12, 300000, 0);
	write_profile(NULL);
	assert_next("Next: 60 % of the CPU time was not sampled: Threads says whose, Data Quality why and what would "
		    "help.");
}

static void forget_names(struct sp_profile *p)
{
	p->unnamed_frames = 0.75 * p->all_frames;
}

static void frames_without_names(void **state)
{
	(void)state;
	samples(STACK(3, 1), 200, 0);
	write_profile(forget_names);
	assert_next(
		"Next: get the symbols of prog, 75 % of all frames have no name; Data Quality says how to get them.");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_hot_function),
		TEST(a_flat_profile),
		TEST(a_process_that_waits),
		TEST(few_samples),
		TEST(a_kernel_heavy_process),
		TEST(an_allocation_heavy_process),
		TEST(a_leak),
		TEST(cut_stacks),
		TEST(unsampled_time),
		TEST(frames_without_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
