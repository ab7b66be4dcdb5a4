/* Which functions and heap sites changed. */
#include "profiles/compare/compare.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/compare/noise.h"
#include "profiles/compare/stages.h"
#include "profiles/compare/stats.h"

/* At least SP_COMPARE_SHARE of the pooled cost. */
static bool is_worth_testing(const struct sp_comparison *c, const struct sp_row *row)
{
	const double *all = c->row_totals[row->kind];
	double pooled = sp_row_mean(c, row, SP_BASELINE) + sp_row_mean(c, row, SP_CURRENT);

	return !row->gone && c->totals[sp_row_metric(row->kind)].compared && pooled > 0 &&
		pooled >= SP_COMPARE_SHARE * (all[0] + all[1]);
}

static double learned_spread(const struct sp_comparison *c, const struct sp_row *row)
{
	if (!c->input->noise || row->kind != SP_ROW_CPU)
		return -1;
	return sp_noise_function(c->input->noise, row->function, row->module);
}

/* Standard error of the difference by the errors of sampling and the noise floor. */
static double floor_error(const struct sp_comparison *c, const struct sp_row *row)
{
	const struct sp_noise *noise = c->input->noise;
	enum sp_metric metric = sp_row_metric(row->kind);
	double floor = learned_spread(c, row), sum = 0;

	if (floor < 0)
		floor = noise && noise->metrics[metric] >= 0 ? noise->metrics[metric] : sp_metric_info[metric].floor;
	for (int side = 0; side < SP_SIDES; side++) {
		double n = (double)c->input->count[side], middle = sp_row_mean(c, row, side);

		sum += row->variance[side] / (n * n) + floor * floor * middle * middle / n;
	}
	return sqrt(sum);
}

static void measure(const struct sp_comparison *c, struct sp_row *row)
{
	row->baseline = sp_row_median(c, row, SP_BASELINE);
	row->current = sp_row_median(c, row, SP_CURRENT);
	row->change = row->current - row->baseline;
	for (int side = 0; side < SP_SIDES; side++)
		row->share[side] = c->row_totals[row->kind][side] > 0
			? sp_row_mean(c, row, side) / c->row_totals[row->kind][side]
			: 0;
}

static bool is_exact(const struct sp_comparison *c)
{
	return sp_stats_rank_least(c->input->count[0], c->input->count[1]) <= SP_COMPARE_LISTED;
}

static void test_ranks(const struct sp_comparison *c, struct sp_row *row)
{
	const size_t *n = c->input->count;
	double *values[SP_SIDES];
	struct sp_shift shift;

	for (int side = 0; side < SP_SIDES; side++) {
		values[side] = sp_alloc(n[side], sizeof(double));
		sp_row_values(c, row, side, values[side]);
	}
	shift = sp_stats_shift(values[0], n[0], values[1], n[1], SP_COMPARE_LISTED);
	row->p = sp_stats_rank_test(values[0], n[0], values[1], n[1]);
	row->change = shift.estimate;
	row->low = shift.low;
	row->high = shift.high;
	free(values[0]);
	free(values[1]);
}

static void test_row(const struct sp_comparison *c, struct sp_row *row)
{
	double error;

	row->tested = true;
	if (is_exact(c)) {
		test_ranks(c, row);
		return;
	}
	error = floor_error(c, row);
	row->p = row->change == 0 ? 1 : error > 0 ? 2 * sp_stats_t_tail(fabs(row->change) / error, INFINITY) : 0;
	row->low = row->change - error * sp_stats_t_quantile(SP_COMPARE_LISTED / 2, INFINITY);
	row->high = row->change + error * sp_stats_t_quantile(SP_COMPARE_LISTED / 2, INFINITY);
}

/* Benjamini–Hochberg within a kind, Holm over all rows tested. */
static void correct(struct sp_comparison *c)
{
	double *p = sp_alloc(c->row_count, sizeof(*p)), *adjusted = sp_alloc(c->row_count, sizeof(*adjusted));

	for (unsigned kind = 0; kind <= SP_ROW_KINDS; kind++) {
		size_t count = 0, at = 0;

		for (size_t i = 0; i < c->row_count; i++)
			if (c->rows[i].tested && (kind == SP_ROW_KINDS || c->rows[i].kind == kind))
				p[count++] = c->rows[i].p;
		if (kind == SP_ROW_KINDS)
			sp_stats_holm(p, NULL, count, adjusted);
		else
			sp_stats_benjamini_hochberg(p, count, adjusted);
		for (size_t i = 0; i < c->row_count; i++) {
			if (!c->rows[i].tested || (kind < SP_ROW_KINDS && c->rows[i].kind != kind))
				continue;
			*(kind == SP_ROW_KINDS ? &c->rows[i].holm : &c->rows[i].q) = adjusted[at++];
		}
	}
	free(p);
	free(adjusted);
}

/* Listed when the test, the interval and the least effects agree. Confirmed when its total moved the same
 * way for sure, or when it would stand alone among all rows tested. */
static void judge(const struct sp_comparison *c, struct sp_row *row)
{
	const struct sp_total *total = &c->totals[sp_row_metric(row->kind)];
	double whole = fmax(c->row_totals[row->kind][0], c->row_totals[row->kind][1]), size = fabs(row->change);
	bool along = total->evidence == SP_EVIDENCE_CONFIRMED && (total->ratio > 1) == (row->change > 0);
	double least;

	if (!row->tested)
		return;
	least = fmax(SP_COMPARE_LEAST_ROW, learned_spread(c, row));
	if (row->q > SP_COMPARE_LISTED || size < SP_COMPARE_LEAST * whole ||
		size < least * fmax(row->baseline, row->current) ||
		size < sp_metric_info[sp_row_metric(row->kind)].least || (row->low <= 0 && row->high >= 0))
		return;
	row->state = row->change > 0 ? SP_ROW_REGRESSION : SP_ROW_IMPROVEMENT;
	row->evidence =
		is_exact(c) && (along || row->holm <= SP_COMPARE_ALPHA) ? SP_EVIDENCE_CONFIRMED : SP_EVIDENCE_CANDIDATE;
}

void sp_compare_rows_test(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++) {
		measure(c, &c->rows[i]);
		if (is_worth_testing(c, &c->rows[i]))
			test_row(c, &c->rows[i]);
	}
	correct(c);
	for (size_t i = 0; i < c->row_count; i++)
		judge(c, &c->rows[i]);
}
