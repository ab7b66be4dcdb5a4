/* The governor's decisions on made-up costs, and the file that remembers them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/clock/calibrate.h"
#include "sampler/clock/governor.h"
#include "sampler/cost.h"
#include "tests/unit/sampler_spool.h"

#define DEVELOPMENT sp_budget_ppm(100)

static struct sp_cpu_costs cpu_costs(uint64_t interval_ns, uint64_t sample_ns)
{
	return (struct sp_cpu_costs){
		.requested_ns = 100000, .interval_ns = interval_ns, .sample_ns = sample_ns, .budget_ppm = DEVELOPMENT};
}

static void a_budget_is_of_the_time_without_sampling(void **state)
{
	(void)state;
	/* 10 % of what is left: 1 part of 11 of the whole. */
	assert_int_equal(sp_budget_ppm(100), 90909);
	assert_int_equal(sp_budget_ppm(250), 200000);
}

static void the_interval_is_what_the_budget_pays(void **state)
{
	struct sp_cpu_costs c = cpu_costs(100000, 30000);

	(void)state;
	assert_in_range(sp_governor_cpu_interval(&c), 329000, 331000); /* 30 us are 1/11 of 330 */
	c.fixed_ppm = DEVELOPMENT / 2;
	assert_in_range(sp_governor_cpu_interval(&c), 658000, 661000);
	c.fixed_ppm = 10 * DEVELOPMENT; /* a quarter is left in any case */
	assert_in_range(sp_governor_cpu_interval(&c), 1310000, 1330000);
	c.fixed_ppm = 0;
	c.overdrawn = true;
	assert_in_range(sp_governor_cpu_interval(&c), 439000, 441000);
	c.sample_ns = 1000; /* cheap: no finer than asked for */
	assert_int_equal(sp_governor_cpu_interval(&c), 100000);
	c.doublings = 3;
	assert_int_equal(sp_governor_cpu_interval(&c), 800000);
	c.sample_ns = 3600000000000;
	assert_int_equal(sp_governor_cpu_interval(&c), 2000000000);
}

/* Follows a cost that changes by `noise` percent at random; the extremes after the first look. */
static void follow(uint64_t sample_ns, unsigned noise, uint64_t *low, uint64_t *high)
{
	struct sp_cpu_costs c = cpu_costs(100000, 0);
	uint64_t random = 88172645463325252u;

	*low = UINT64_MAX;
	*high = 0;
	for (int i = 0; i < 10000; i++) {
		c.sample_ns = sample_ns * (100 - noise + next_random(&random) % (2 * noise + 1)) / 100;
		c.overdrawn = next_random(&random) % 2;
		c.interval_ns = sp_governor_cpu_interval(&c);
		*low = c.interval_ns < *low ? c.interval_ns : *low;
		*high = c.interval_ns > *high ? c.interval_ns : *high;
	}
}

static void noise_moves_the_interval_by_less_than_two(void **state)
{
	uint64_t low, high;

	(void)state;
	follow(30000, 10, &low, &high);
	assert_true(high < 2 * low);
	follow(30000, 0, &low, &high);
	assert_true(high <= low * 4 / 3 + 1);
}

static void a_step_is_followed_at_once(void **state)
{
	struct sp_cpu_costs c = cpu_costs(330000, 300000);

	(void)state;
	c.interval_ns = sp_governor_cpu_interval(&c);
	assert_in_range(c.interval_ns, 3290000, 3310000);
	assert_int_equal(sp_governor_cpu_interval(&c), c.interval_ns);
	c.sample_ns = 30000;
	assert_in_range(sp_governor_cpu_interval(&c), 329000, 331000);
}

static void a_debt_is_repaid_and_forgotten(void **state)
{
	struct sp_cpu_costs c = cpu_costs(330000, 30000);

	(void)state;
	c.overdrawn = true;
	c.interval_ns = sp_governor_cpu_interval(&c);
	assert_in_range(c.interval_ns, 439000, 441000);
	c.overdrawn = false;
	assert_in_range(sp_governor_cpu_interval(&c), 329000, 331000);
}

static void the_rate_falls_like_one_over_time(void **state)
{
	const uint64_t cap = 16000;
	double time = 0, hour = 0, last = 0;
	uint64_t n;

	(void)state;
	assert_int_equal(sp_governor_doublings(cap / 2, cap), 0);
	assert_int_equal(sp_governor_doublings(cap / 2 + 1, cap), 1);
	assert_int_equal(sp_governor_doublings(cap / 2 + cap / 16, cap), 2);
	/* Time in units of the first half of the cap. */
	for (n = 0; n < cap; n++)
		time += (double)(1u << sp_governor_doublings(n, cap)) / (double)(cap / 2);
	assert_true(time > 60 && time < 70);
	/* An hour at 350 us and a cap of 200,000 (development): samples in the first and last minute. */
	for (n = 0; hour < 3600; n++) {
		hour += 350e-6 * (double)(1u << sp_governor_doublings(n, 200000));
		last += hour >= 3540;
	}
	assert_in_range(n, 190000, 230000);
	assert_true(last > 100);
	assert_int_equal(sp_governor_doublings(UINT64_MAX / 2, 16), 24);
	assert_int_equal(sp_governor_doublings(2, 1), 3);
}

/* A program that allocates at a fixed rate: share = cost / interval. */
static uint64_t heap_settle(uint64_t interval, double rate, uint64_t *low, uint64_t *high)
{
	struct sp_heap_costs c = {
		.interval_bytes = interval, .floor_bytes = 1024, .ceiling_bytes = 1024 * 4096, .budget_ppm = 45000};
	double spent = 0, passed = 0;

	*low = UINT64_MAX;
	*high = 0;
	for (int i = 0; i < 2000; i++) {
		double share = rate * 1e6 / (double)c.interval_bytes;

		c.share_ppm = (uint64_t)(share < 900000 ? share : 900000);
		spent += (double)c.share_ppm;
		passed += 1;
		c.overdrawn = spent > passed * 45000;
		c.interval_bytes = sp_governor_heap_interval(&c);
		if (i > 100) {
			*low = c.interval_bytes < *low ? c.interval_bytes : *low;
			*high = c.interval_bytes > *high ? c.interval_bytes : *high;
		}
	}
	return (uint64_t)(spent / passed);
}

static void the_heap_settles_inside_its_part(void **state)
{
	uint64_t low, high;

	(void)state;
	assert_true(heap_settle(1024, 2000, &low, &high) <= 45100);
	assert_true(high <= 2 * low);
	assert_true(low > 2000 * 1000 / 46);
	/* Little is allocated: the interval asked for stays, also after a wider one. */
	heap_settle(1024, 10, &low, &high);
	assert_int_equal(high, 1024);
	heap_settle(1024 * 1024, 10, &low, &high);
	assert_int_equal(high, 1024);
	/* More than can be had: the widest, and no overflow. */
	heap_settle(1024, 1e12, &low, &high);
	assert_in_range(high, 4096 * 1024, 4096 * 1024);
}

static void the_heap_s_debt_is_repaid_and_forgotten(void **state)
{
	struct sp_heap_costs c = {
		.interval_bytes = 40000, .floor_bytes = 1024, .ceiling_bytes = 1024 * 4096, .budget_ppm = 45000};

	(void)state;
	c.share_ppm = c.budget_ppm;
	c.overdrawn = true;
	c.interval_bytes = sp_governor_heap_interval(&c);
	assert_in_range(c.interval_bytes, 53000, 54000);
	/* The cost goes with 1 / interval, but samples are never spread evenly. */
	c.share_ppm = c.budget_ppm * 40000 / c.interval_bytes * 102 / 100;
	assert_int_equal(sp_governor_heap_interval(&c), c.interval_bytes);
	c.overdrawn = false;
	assert_in_range(sp_governor_heap_interval(&c), 39000, 42000);
}

static void heap_samples_may_use_their_part_in_advance(void **state)
{
	(void)state;
	assert_int_equal(agent_open("/tmp", 1000), 0);
	sp_agent.config.budget_permille = 100;
	sp_agent.spool->cpu.requested_ns = 100000;
	sp_agent.spool->cpu.clock = SP_CLOCK_EVENT;
	sp_agent.spool->heap.on = 1;
	/* Not those of a tree's other members, which pay for their start first. */
	sp_governor_start();
	assert_int_equal(sp_governor_heap_allowance_ns(6000000), 0);
	assert_in_range(sp_governor_heap_allowance_ns(20000000), 600000, 610000);
	sp_agent.spool->is_root = 1;
	sp_governor_start();
	assert_in_range(sp_governor_heap_ppm(), 45454, 45455);
	assert_in_range(sp_governor_heap_allowance_ns(0), 900000, 910000);
	assert_in_range(sp_governor_heap_allowance_ns(980000000), 45400000, 45500000);
	/* The first interval is not the one asked for, which the budget does not pay. */
	assert_in_range(sp_agent.spool->cpu.interval_ns, 600000, 800000);
	/* It is half of the budget whatever the CPU clock needs: the rest of what a process pays for its heap is no sample's. */
	sp_agent.spool->cpu.requested_ns = 10000000;
	sp_governor_start();
	assert_in_range(sp_governor_heap_ppm(), 45454, 45455);
	assert_int_equal(sp_agent.spool->cpu.interval_ns, 10000000);
	sp_agent.spool->cpu.clock = SP_CLOCK_OFF;
	sp_agent.config.budget_permille = 30;
	sp_governor_start();
	assert_in_range(sp_governor_heap_ppm(), 14560, 14565);
	agent_close();
}

static void a_thread_that_is_switched_often_does_without(void **state)
{
	(void)state;
	assert_true(sp_governor_allows_event(true, 130000, 20000000, DEVELOPMENT));
	assert_false(sp_governor_allows_event(true, 2600000, 20000000, DEVELOPMENT)); /* 13 % */
	/* Between an eighth and a quarter of the budget things stay as they are. */
	assert_true(sp_governor_allows_event(true, 325000, 20000000, DEVELOPMENT));
	assert_false(sp_governor_allows_event(false, 325000, 20000000, DEVELOPMENT));
	assert_true(sp_governor_allows_event(false, 130000, 20000000, DEVELOPMENT));
	/* Too much for a whole window is too much before its end; little time alone tells nothing. */
	assert_false(sp_governor_allows_event(true, 2600000, 1000000, DEVELOPMENT));
	assert_true(sp_governor_allows_event(true, 130000, 1000000, DEVELOPMENT));
}

static void a_switch_costs_more_where_the_timer_is_the_next_one(void **state)
{
	(void)state;
	assert_in_range(sp_switch_cost_ns(10000, 1000000000, 4000000), 1500, 1600);
	assert_in_range(sp_switch_cost_ns(10000, 4000000, 4000000), 4600, 6600);
	assert_in_range(sp_switch_cost_ns(10000, 400000, 4000000), 10000, 12100);
	assert_in_range(sp_switch_cost_ns(300, 400000, 4000000), 1500, 1800);
	assert_int_equal(sp_switch_cost_ns(10000, 400000, 0), 11500);
}

static void cycles_of_years_are_nanoseconds_still(void **state)
{
	const uint64_t year_s = 31536000;

	(void)state;
	sp_agent.tsc_per_us_x1024 = 2500 * 1024;
	assert_int_equal(sp_tsc_ns(2500), 1000);
	assert_int_equal(sp_tsc_ns(2500000000u * 7300ull), 7300000000000u); /* two hours and a bit */
	assert_int_equal(sp_tsc_ns(2500000000u * year_s), 1000000000u * year_s);
	sp_agent.tsc_per_us_x1024 = 0;
	assert_int_equal(sp_tsc_ns(2500), 0);
}

static void the_median_gap_counts(void **state)
{
	uint64_t gaps[] = {60000, 58000, 9000000, 59000, 61000};

	(void)state;
	sp_agent.tsc_per_us_x1024 = 2000 * 1024;
	assert_int_equal(sp_calibrate_gap_ns(gaps, 5), 30000);
	assert_int_equal(sp_calibrate_gap_ns(gaps, 4), 0);
	sp_agent.tsc_per_us_x1024 = 0;
}

static void code_that_runs_all_over_costs_more(void **state)
{
	uint32_t *fresh;

	(void)state;
	assert_int_equal(agent_open("/tmp", 1000), 0);
	fresh = &sp_agent.spool->cpu.fresh_pages;
	for (unsigned i = 0; i < SP_FRESH_SAMPLES - 1; i++)
		sp_calibrate_code(0x400000 + 40 * i);
	assert_int_equal(*fresh, 0); /* not known before so many samples are there */
	sp_calibrate_code(0x400000);
	assert_int_equal(*fresh, 1);
	for (unsigned i = 0; i < 40 * SP_FRESH_SAMPLES; i++)
		sp_calibrate_code(0x400000 + 4096 * i);
	assert_in_range(*fresh, 58, SP_FRESH_SAMPLES); /* a few share a bit by chance */
	for (unsigned i = 0; i < 40 * SP_FRESH_SAMPLES; i++)
		sp_calibrate_code(0x400000 + 4096 * (i % 5));
	assert_in_range(*fresh, 4, 7);
	agent_close();
}

static void the_fit_gives_what_was_measured(void **state)
{
	(void)state;
	/* See sp_signal_cost_ns: measured in us at a gap of 23. */
	assert_in_range(sp_signal_cost_ns(23000, 1, 100000), 23000, 25000);
	assert_in_range(sp_signal_cost_ns(23000, 1, 350000), 25500, 27000);
	assert_in_range(sp_signal_cost_ns(23000, 1, 1000000), 28000, 30000);
	assert_in_range(sp_signal_cost_ns(23000, 3, 250000), 22500, 26000);
	assert_in_range(sp_signal_cost_ns(23000, 21, 250000), 27500, 29500);
	assert_in_range(sp_signal_cost_ns(23000, 21, 1000000), 29000, 36000);
	assert_in_range(sp_signal_cost_ns(23000, 56, 250000), 46000, 52500);
	assert_in_range(sp_signal_cost_ns(23000, 59, 250000), 48000, 52000);
	assert_in_range(sp_signal_cost_ns(23000, 59, 1000000), 61000, 87000);
	assert_in_range(sp_signal_cost_ns(23000, 59, 2000000), 75000, 90000);
	/* What is beyond the measured does not run away. */
	assert_int_equal(sp_signal_cost_ns(23000, 5, 4000000), sp_signal_cost_ns(23000, 5, 400000000000));
	assert_int_equal(sp_signal_cost_ns(23000, 5, 125000), sp_signal_cost_ns(23000, 5, 0));
}

#define NOW 1800000000000000000u

static void write_cost(const char *path, uint64_t when, uint64_t signal, uint64_t heap)
{
	struct sp_cost_file f = {.realtime_ns = when, .signal_gap_ns = signal, .heap_cost_ns = heap};

	assert_int_equal(sp_cost_write(path, &f), 0);
}

static void the_file_is_believed_when_it_makes_sense(void **state)
{
	char path[64], link[80];
	struct sp_cost_file f;
	struct stat st;

	(void)state;
	snprintf(path, sizeof path, "/tmp/sampler_governor.%d", (int)getpid());
	snprintf(link, sizeof link, "%s.link", path);
	assert_false(sp_cost_read(path, NOW, &f));
	write_cost(path, NOW - 1, 25000, 4000);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(sp_cost_read(path, NOW, &f));
	assert_int_equal(f.signal_gap_ns, 25000);
	assert_int_equal(f.heap_cost_ns, 4000);
	/* Too old, from the future, absurd. */
	assert_false(sp_cost_read(path, NOW + 86400000000000u, &f));
	assert_false(sp_cost_read(path, NOW - 2, &f));
	write_cost(path, NOW, 999, 4000);
	assert_false(sp_cost_read(path, NOW, &f));
	write_cost(path, NOW, 1000001, 4000);
	assert_false(sp_cost_read(path, NOW, &f));
	write_cost(path, NOW, 25000, 0);
	assert_false(sp_cost_read(path, NOW, &f));
	/* Not ours alone; not a file; not whole; changed. */
	write_cost(path, NOW, 25000, 4000);
	assert_int_equal(chmod(path, 0644), 0);
	assert_false(sp_cost_read(path, NOW, &f));
	assert_int_equal(chmod(path, 0600), 0);
	assert_true(sp_cost_read(path, NOW, &f));
	assert_int_equal(symlink(path, link), 0);
	assert_false(sp_cost_read(link, NOW, &f));
	unlink(link);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 17), 1);
	assert_false(sp_cost_read(path, NOW, &f));
	assert_int_equal(ftruncate(fd, 8), 0);
	close(fd);
	assert_false(sp_cost_read(path, NOW, &f));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(sp_cost_read(path, NOW, &f));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_budget_is_of_the_time_without_sampling),
		cmocka_unit_test(the_interval_is_what_the_budget_pays),
		cmocka_unit_test(noise_moves_the_interval_by_less_than_two),
		cmocka_unit_test(a_step_is_followed_at_once),
		cmocka_unit_test(a_debt_is_repaid_and_forgotten),
		cmocka_unit_test(the_rate_falls_like_one_over_time),
		cmocka_unit_test(the_heap_settles_inside_its_part),
		cmocka_unit_test(the_heap_s_debt_is_repaid_and_forgotten),
		cmocka_unit_test(heap_samples_may_use_their_part_in_advance),
		cmocka_unit_test(a_thread_that_is_switched_often_does_without),
		cmocka_unit_test(a_switch_costs_more_where_the_timer_is_the_next_one),
		cmocka_unit_test(cycles_of_years_are_nanoseconds_still),
		cmocka_unit_test(the_median_gap_counts),
		cmocka_unit_test(code_that_runs_all_over_costs_more),
		cmocka_unit_test(the_fit_gives_what_was_measured),
		cmocka_unit_test(the_file_is_believed_when_it_makes_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
