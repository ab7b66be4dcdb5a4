/* Pairs of commands: exact tests against brute force and published values, and how often they are wrong; job logs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/compare/stats.h"
#include "profiles/monitor/joblog.h"
#include "profiles/monitor/pairs.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

/* Hollander & Wolfe (1973), p. 29: depression scales before and after; R's example of wilcox.test(paired = TRUE): V = 40. */
static const double depression[] = {0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01};

/* By all ways to give the signs. */
static double brute_force(const double *d, size_t n)
{
	double ranks[16], observed = 0;
	size_t below = 0, above = 0;

	for (size_t i = 0; i < n; i++) {
		ranks[i] = 0.5;
		for (size_t k = 0; k < n; k++)
			ranks[i] += fabs(d[k]) < fabs(d[i]) ? 1 : fabs(d[k]) == fabs(d[i]) ? 0.5 : 0;
		observed += d[i] > 0 ? ranks[i] : 0;
	}
	for (size_t signs = 0; signs < 1u << n; signs++) {
		double sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += signs >> i & 1 ? ranks[i] : 0;
		below += sum <= observed + 1e-9;
		above += sum >= observed - 1e-9;
	}
	return fmin(2.0 * (double)(below < above ? below : above) / (double)(1u << n), 1);
}

static void signed_ranks(void **state)
{
	static const double ties[] = {1, -1, 2, 2, -3, 3, 3, 5, -2, 7};
	static const double zeros[] = {0, 1, 0, 2, 3};
	struct sp_shift shift;

	(void)state;
	assert_near(sp_stats_signed_rank_test(depression, 9), 0.0390625); /* twice R's one-sided 0.01953125 */
	assert_near(sp_stats_signed_rank_test(depression, 9), brute_force(depression, 9));
	assert_near(sp_stats_signed_rank_test(ties, 10), brute_force(ties, 10));
	assert_near(sp_stats_signed_rank_test(zeros, 5), 0.25);
	assert_near(sp_stats_signed_rank_test(zeros, 1), 1);
	shift = sp_stats_paired_shift(depression, 9, 0.05);
	assert_near(shift.estimate, 0.46);
	assert_true(shift.low < 0.46 && shift.low > 0 && shift.high > 0.46 && shift.high < 1.022);
	assert_true(isinf(sp_stats_paired_shift(depression, 4, 0.01).high));
}

static uint64_t chance = 1;
static double outliers = 0.05; /* the share of runs that take much longer, as on any machine */

static double uniform(void)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return ((double)(chance >> 11) + 0.5) / 9007199254740992.0;
}

static double noise(double deviation)
{
	double normal = sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());

	return exp(deviation * normal) * (uniform() < outliers ? 1.5 : 1);
}

/* Pairs until an answer, or 40; the second takes `ratio` times as long, and all drift. */
static enum sp_pairs_answer decide(double ratio, double deviation, size_t *pairs)
{
	double a[40], b[40];

	for (*pairs = 1; *pairs <= 40; ++*pairs) {
		double drift = 1e9 * (1 + 0.01 * (double)*pairs);
		struct sp_pairs_verdict verdict;

		a[*pairs - 1] = drift * noise(deviation);
		b[*pairs - 1] = drift * ratio * noise(deviation);
		if (!sp_pairs_is_look(*pairs))
			continue;
		verdict = sp_pairs_judge(SP_PAIRS_WALL, a, b, *pairs, 1);
		assert_int_equal(verdict.pairs, *pairs);
		if (verdict.answer != SP_PAIRS_UNDECIDED)
			return verdict.answer;
		assert_true(verdict.more > 0);
	}
	return SP_PAIRS_UNDECIDED;
}

static void answers(void **state)
{
	size_t pairs, wrong = 0, all = 2000, found = 0, taken = 0;

	(void)state;
	for (size_t i = 0; i < all; i++) {
		enum sp_pairs_answer answer = decide(1, 0.1, &pairs);

		wrong += answer == SP_PAIRS_LESS || answer == SP_PAIRS_MORE;
	}
	assert_true(wrong <= 6); /* 0.0006 of 2,000 are 1.2 at the most; above 6 with a chance of 0.0003 */
	outliers = 0.01;
	for (size_t i = 0; i < 200; i++) {
		found += decide(1.25, 0.03, &pairs) == SP_PAIRS_MORE;
		taken += pairs;
	}
	assert_true(found >= 199);
	assert_true(taken < 10 * 200); /* fewer than the ten runs that are made of each elsewhere */
	assert_int_equal(decide(1, 0.003, &pairs), SP_PAIRS_SAME);
	assert_int_equal(decide(0.5, 0.1, &pairs), SP_PAIRS_LESS);
}

/* A growth of 30 % is more than 20 % and less than 50 %, each metric for itself. */
static void beyond(void **state)
{
	static const double grown[SP_PAIRS_METRICS] = {
		[SP_PAIRS_WALL] = 1.2, [SP_PAIRS_CPU] = 1.5, [SP_PAIRS_PEAK] = 1};
	struct sp_monitor_run runs[2][24], *rows[2][24];
	struct sp_monitor_series sides[2] = {{.runs = rows[0], .count = 24}, {.runs = rows[1], .count = 24}};
	struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS];

	(void)state;
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < 24; i++) {
			uint64_t ns = (uint64_t)(1e9 * (1 + (double)((i + 3 * side) % 7) / 700) * (side ? 1.3 : 1));

			runs[side][i] = (struct sp_monitor_run){.state = SP_MONITOR_OK, .wall_ns = ns, .user_ns = ns};
			rows[side][i] = &runs[side][i];
		}
	sp_pairs_judge_series(&sides[0], &sides[1], 1, verdicts);
	assert_int_equal(verdicts[SP_PAIRS_WALL].answer, SP_PAIRS_MORE);
	assert_int_equal(verdicts[SP_PAIRS_CPU].answer, SP_PAIRS_MORE);
	sp_pairs_judge_beyond(&sides[0], &sides[1], 1, grown, verdicts);
	assert_int_equal(verdicts[SP_PAIRS_WALL].answer, SP_PAIRS_MORE);
	assert_int_equal(verdicts[SP_PAIRS_CPU].answer, SP_PAIRS_LESS);
}

static void job_logs(void **state)
{
	struct sp_monitor_run run = {
		.command = (char *)"a\nb", .state = SP_MONITOR_OK, .wall_ns = 1500000000, .started_ns = 2000000000};
	struct sp_joblog_done done = {0};
	struct sp_buffer text = {0};

	(void)state;
	sp_buffer_puts(&text,
		SP_JOBLOG_HEAD "garbage\n\t\t\t\t\t\t\t\t\n9\t:\t1\t1\t0\t0\t0\t9\tkilled\n"
			       "9\t:\t1\t1\t0\t0\t0\t0\ttwo\ttabs\n9\t:\t1\t1\t0\t0\t0\t0\ttwo\ttabs\n");
	sp_joblog_put(&text, 3, &run);
	assert_non_null(strstr(text.data, "\n3\t:\t2.000\t     1.500\t0\t0\t0\t0\ta b\n"));
	sp_buffer_puts(&text, "4\t:\t1\t1\t0\t0\t0\t0\tcut");
	sp_joblog_read(&done, text.data, text.length);
	assert_true(sp_joblog_take(&done, "two\ttabs"));
	assert_true(sp_joblog_take(&done, "two\ttabs"));
	assert_false(sp_joblog_take(&done, "two\ttabs")); /* each line stands for one */
	assert_true(sp_joblog_take(&done, "a\nb"));
	assert_false(sp_joblog_take(&done, "killed"));
	assert_false(sp_joblog_take(&done, "cut"));
	sp_joblog_free(&done);
	sp_buffer_free(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_ranks),
		cmocka_unit_test(answers),
		cmocka_unit_test(beyond),
		cmocka_unit_test(job_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
