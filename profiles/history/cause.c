/* Functions of many runs, before and after. */
#include "profiles/history/cause.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/stats.h"
#include "profiles/model/model.h"
#include "symbolize/base/memory.h"

#define USUAL_SPREAD 0.15 /* of single runs' logarithms, where there are too few to measure it */
#define UNUSUAL 3.0       /* standard deviations */

/* What each function cost in each run: of those before first. */
struct table {
	struct sp_history_run **runs;
	size_t before, n;
	struct sp_map map;
	struct sp_cause_row *rows;
	double *values; /* row by row */
	size_t count, capacity, value_capacity;
	double *totals;
};

static bool has_functions(const struct sp_history_run *run, enum sp_history_of of)
{
	for (size_t i = 0; i < run->function_count; i++)
		if (run->functions[i].of == of)
			return true;
	return false;
}

static size_t take_runs(struct table *t, struct sp_history_run *const *runs, size_t count, enum sp_history_of of)
{
	size_t taken = 0;

	for (size_t i = 0; i < count; i++)
		if (has_functions(runs[i], of)) {
			t->runs[t->n++] = runs[i];
			taken++;
		}
	return taken;
}

static size_t row_of(struct table *t, const struct sp_history_function *f)
{
	int found;
	uint32_t *cell = sp_map_at(&t->map, sp_hash_bytes(f->name, strlen(f->name)),
		sp_hash_bytes(f->module, strlen(f->module)), &found);

	if (!found) {
		*cell = (uint32_t)t->count;
		sp_grow(&t->rows, &t->capacity, t->count + 1, sizeof(*t->rows));
		sp_grow(&t->values, &t->value_capacity, (t->count + 1) * t->n, sizeof(*t->values));
		memset(t->values + t->count * t->n, 0, t->n * sizeof(*t->values));
		t->rows[t->count++] = (struct sp_cause_row){.function = f->name, .module = f->module, .p = 1, .q = 1};
	}
	return *cell;
}

/* What profiling took is no cause of the program's. */
static bool is_own(const struct sp_history_function *f)
{
	return !*f->module && strcmp(f->name, SP_OWN) == 0;
}

static void fill(struct table *t, enum sp_history_of of)
{
	for (size_t k = 0; k < t->n; k++)
		for (size_t i = 0; i < t->runs[k]->function_count; i++) {
			const struct sp_history_function *f = &t->runs[k]->functions[i];
			size_t row;

			if (f->of != of || !(f->self >= 0) || !isfinite(f->self) || is_own(f))
				continue;
			row = row_of(t, f); /* may move the values */
			t->values[row * t->n + k] += f->self;
			t->totals[k] += f->self;
		}
}

/* Whether so few runs differ by more than runs do where nothing changed, and by more than sampling explains. */
static bool unusual(const struct sp_cause_row *row, size_t before, size_t after)
{
	double spread = USUAL_SPREAD * sqrt(1.0 / (double)before + 1.0 / (double)after);
	double least = fmin(row->before, row->after);

	return least <= 0 || log(fmax(row->before, row->after) / least) > UNUSUAL * spread;
}

static void test(const struct table *t, struct sp_cause_row *row, const double *values)
{
	size_t after = t->n - t->before;

	row->change = sp_stats_shift(values, t->before, values + t->before, after, SP_CAUSE_LISTED).estimate;
	row->p = sp_stats_rank_test(values, t->before, values + t->before, after);
}

/* Rows that are large enough to matter come first; returns how many they are. */
static size_t test_large(struct table *t, double total)
{
	size_t large = 0;

	for (size_t i = 0; i < t->count; i++) {
		const double *values = t->values + i * t->n;
		struct sp_cause_row row = t->rows[i];

		row.before = sp_stats_median(values, t->before);
		row.after = sp_stats_median(values + t->before, t->n - t->before);
		if (fmax(row.before, row.after) < SP_CAUSE_LEAST * total)
			continue;
		test(t, &row, values);
		t->rows[large++] = row;
	}
	return large;
}

static void keep_different(struct sp_cause *cause, const struct table *t, size_t large, double total)
{
	double *p = sp_alloc(large + 1, sizeof(*p)), *q = sp_alloc(large + 1, sizeof(*q));
	bool few = sp_stats_rank_least(t->before, t->n - t->before) > SP_CAUSE_LISTED / 5;

	for (size_t i = 0; i < large; i++)
		p[i] = t->rows[i].p;
	sp_stats_benjamini_hochberg(p, large, q);
	cause->rows = sp_alloc(large + 1, sizeof(*cause->rows));
	for (size_t i = 0; i < large; i++) {
		struct sp_cause_row row = t->rows[i];

		row.q = q[i];
		row.sure = q[i] <= SP_CAUSE_LISTED;
		if (fabs(row.change) >= SP_CAUSE_LEAST * total && fabs(row.change) >= SP_CAUSE_LEAST_ROW * row.before &&
			(row.sure || (few && unusual(&row, t->before, t->n - t->before))))
			cause->rows[cause->count++] = row;
	}
	free(p);
	free(q);
}

/* What made costs grow first, the most of it at the top. */
static int by_growth(const void *a, const void *b)
{
	double x = ((const struct sp_cause_row *)a)->change, y = ((const struct sp_cause_row *)b)->change;

	return (x < y) - (x > y);
}

static int by_decline(const void *a, const void *b)
{
	return by_growth(b, a);
}

void sp_cause_find(struct sp_cause *cause, struct sp_history_run *const *before, size_t before_count,
	struct sp_history_run *const *after, size_t after_count, enum sp_history_of of)
{
	struct table t = {.runs = sp_alloc(before_count + after_count + 1, sizeof(*t.runs))};

	*cause = (struct sp_cause){0};
	cause->runs_before = t.before = take_runs(&t, before, before_count, of);
	cause->runs_after = take_runs(&t, after, after_count, of);
	t.totals = sp_alloc(t.n + 1, sizeof(*t.totals));
	if (cause->runs_before && cause->runs_after) {
		fill(&t, of);
		cause->before = sp_stats_median(t.totals, t.before);
		cause->after = sp_stats_median(t.totals + t.before, t.n - t.before);
		keep_different(cause, &t, test_large(&t, fmax(cause->before, cause->after)),
			fmax(cause->before, cause->after));
		qsort(cause->rows, cause->count, sizeof(*cause->rows),
			cause->after >= cause->before ? by_growth : by_decline);
	}
	sp_map_free(&t.map);
	free(t.runs);
	free(t.totals);
	free(t.rows);
	free(t.values);
}

void sp_cause_free(struct sp_cause *cause)
{
	free(cause->rows);
	*cause = (struct sp_cause){0};
}
