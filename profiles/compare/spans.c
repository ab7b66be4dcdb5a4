/* Spans of both sides: what one of a name costs. More of them, or another mix, is no growth. */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/normal_name.h"
#include "profiles/compare/noise.h"
#include "profiles/compare/report.h"
#include "profiles/compare/stages.h"
#include "profiles/compare/stats.h"
#include "profiles/model/spans.h"

#define Z95 1.959964
#define LEAST_NS 1000.0 /* of one span: a difference below this is none */

static const struct sp_span_info *find(const struct sp_profile *p, const char *name)
{
	for (size_t i = 0; i < p->span_count; i++)
		if (strcmp(p->spans[i].name, name) == 0)
			return &p->spans[i];
	return NULL;
}

static double each(const struct sp_span_info *span, enum sp_span_metric metric)
{
	const double sums[] = {[SP_SPAN_CPU] = (double)span->cpu_ns,
		[SP_SPAN_WALL] = (double)span->sum_ns,
		[SP_SPAN_BYTES] = (double)span->bytes};

	return sums[metric] / (double)span->count;
}

/* Relative variance of what one costs in one run, as far as the run itself tells. */
static double own_variance(const struct sp_span_info *span, enum sp_span_metric metric)
{
	double n = (double)span->count, us = (double)span->sum_ns / 1e3, cpu = (double)span->cpu_ns;

	if (metric == SP_SPAN_CPU)
		return cpu > 0 ? pow(span->cpu_error / Z95 / cpu, 2) : 1;
	if (metric == SP_SPAN_WALL && us > 0)
		return fmax(span->spread.us_sq / n - us / n * (us / n), 0) / n / (us / n * (us / n));
	return 0;
}

/* What one costs, by run; false: a run has none. *variance: mean of the runs' own. */
static bool load(const struct sp_comparison *c, const char *name, enum sp_span_metric metric, enum sp_side side,
	double *values, double *variance)
{
	size_t runs = c->input->count[side];

	*variance = 0;
	for (size_t i = 0; i < runs; i++) {
		const struct sp_span_info *span = find(c->input->profiles[side][i], name);

		if (!span || !span->count)
			return false;
		values[i] = each(span, metric);
		*variance += own_variance(span, metric) / (double)runs;
	}
	return true;
}

static double floor_of(const struct sp_comparison *c, enum sp_span_metric metric)
{
	static const enum sp_metric totals[] = {
		[SP_SPAN_CPU] = SP_METRIC_CPU, [SP_SPAN_WALL] = SP_METRIC_WALL, [SP_SPAN_BYTES] = SP_METRIC_ALLOCATED};
	const struct sp_noise *noise = c->input->noise;
	enum sp_metric m = totals[metric];

	return noise && noise->metrics[m] >= 0 ? noise->metrics[m] : sp_metric_info[m].floor;
}

/* By ranks where there are runs enough, else against the noise floor and what the runs tell of themselves. */
static void test(const struct sp_comparison *c, struct sp_span_change *t, double *values[SP_SIDES], double sampled,
	double floor)
{
	const size_t *n = c->input->count;
	double na = (double)n[0], nb = (double)n[1], error;
	struct sp_shift shift;

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < n[side]; i++)
			values[side][i] = log(fmax(values[side][i], 1));
	t->exact = sp_stats_rank_least(n[0], n[1]) <= SP_COMPARE_ALPHA;
	if (t->exact) {
		shift = sp_stats_shift(values[0], n[0], values[1], n[1], SP_COMPARE_ALPHA);
		t->p = sp_stats_rank_test(values[0], n[0], values[1], n[1]);
	} else {
		shift.estimate = sp_stats_median(values[1], n[1]) - sp_stats_median(values[0], n[0]);
		error = sqrt((floor * floor + sampled) * (1 / na + 1 / nb) * (na + nb > 2 ? M_PI / 2 : 1));
		t->p = shift.estimate == 0 ? 1 : 2 * sp_stats_t_tail(fabs(shift.estimate) / error, INFINITY);
		shift.low = shift.estimate - error * sp_stats_t_quantile(SP_COMPARE_ALPHA / 2, INFINITY);
		shift.high = shift.estimate + error * sp_stats_t_quantile(SP_COMPARE_ALPHA / 2, INFINITY);
	}
	t->ratio = exp(shift.estimate);
	t->low = exp(shift.low);
	t->high = exp(shift.high);
}

static void measure(const struct sp_comparison *c, struct sp_compared_span *row, enum sp_span_metric metric)
{
	struct sp_span_change *t = &row->changes[metric];
	double *values[SP_SIDES], variance[SP_SIDES];
	bool both = true;

	*t = (struct sp_span_change){.ratio = 1, .low = 1, .high = 1, .p = 1};
	for (int side = 0; side < SP_SIDES; side++) {
		values[side] = sp_alloc(c->input->count[side], sizeof(double));
		both = load(c, row->name, metric, side, values[side], &variance[side]) && both;
	}
	t->tested = both;
	if (both) {
		t->each[0] = sp_stats_median(values[0], c->input->count[0]);
		t->each[1] = sp_stats_median(values[1], c->input->count[1]);
	}
	if (both && !c->same_runs)
		test(c, t, values, fmax(variance[0], variance[1]), floor_of(c, metric));
	free(values[0]);
	free(values[1]);
}

/* By Holm over all that are asked about. Bytes are told, and decide nothing. */
static void judge(struct sp_comparison *c)
{
	size_t most = c->span_count * SP_SPAN_BYTES, count = 0;
	double *p = sp_alloc(most, sizeof(*p)), *corrected = sp_alloc(most, sizeof(*corrected));

	for (size_t i = 0; i < c->span_count; i++)
		for (unsigned m = 0; m < SP_SPAN_BYTES; m++)
			if (c->spans[i].asked && c->spans[i].changes[m].tested)
				p[count++] = c->spans[i].changes[m].p;
	sp_stats_holm(p, NULL, count, corrected);
	count = 0;
	for (size_t i = 0; i < c->span_count; i++)
		for (unsigned m = 0; m < SP_SPAN_BYTES; m++) {
			struct sp_span_change *t = &c->spans[i].changes[m];

			if (!c->spans[i].asked || !t->tested)
				continue;
			t->p = corrected[count++];
			if (t->p <= SP_COMPARE_ALPHA && (t->low > 1 || t->high < 1) &&
				fabs(log(t->ratio)) >= log1p(SP_COMPARE_LEAST) &&
				fabs(t->each[1] - t->each[0]) >= LEAST_NS)
				t->evidence = t->exact ? SP_EVIDENCE_CONFIRMED : SP_EVIDENCE_CANDIDATE;
		}
	free(p);
	free(corrected);
}

/* --- the function inside -------------------------------------------------------------------------- */

/* Whether the path stands in the span: its frames are the outermost, in that order, among those of labels. */
static bool is_inside(const struct sp_profile *p, const struct sp_path *path, const char *name)
{
	const char *last = strstr(name, SP_SPAN_INSIDE), *at = name;
	uint32_t k = path->depth;

	for (; at; at = last ? last + strlen(SP_SPAN_INSIDE) : NULL, last = at ? strstr(at, SP_SPAN_INSIDE) : NULL) {
		size_t length = last ? (size_t)(last - at) : strlen(at);
		bool found = false;

		while (k-- > 0 && !found) {
			const char *frame = p->functions[p->frames[p->frame_ids[path->first + k]].function].name;

			if (frame[0] != '{')
				return false;
			found = strncmp(frame + 1, at, length) == 0 && strcmp(frame + 1 + length, "}") == 0;
			k += found;
		}
		if (!found)
			return false;
	}
	return true;
}

struct sums {
	struct sp_names names;
	double *each[SP_SIDES];
	size_t capacity[SP_SIDES], count;
};

static void add_function(struct sums *s, const char *name, enum sp_side side, double amount)
{
	uint32_t id = sp_names_id(&s->names, name);

	for (int k = 0; k < SP_SIDES; k++)
		sp_grow(&s->each[k], &s->capacity[k], id + 1, sizeof(*s->each[k]));
	for (; s->count <= id; s->count++)
		s->each[0][s->count] = s->each[1][s->count] = 0;
	s->each[side][id] += amount;
}

/* Mean over the runs of what a function uses in one span. */
static void add_side(const struct sp_comparison *c, const char *name, enum sp_side side, struct sums *s)
{
	struct sp_buffer normal = {0};

	for (size_t run = 0; run < c->input->count[side]; run++) {
		const struct sp_profile *p = c->input->profiles[side][run];
		double n = (double)find(p, name)->count * (double)c->input->count[side];

		for (size_t i = 0; i < p->path_count; i++) {
			const struct sp_path *path = &p->paths[i];

			if (path->kind != SP_STACKS_CPU || !path->depth || !(path->user_ns + path->sys_ns) ||
				!is_inside(p, path, name))
				continue;
			sp_buffer_clear(&normal);
			sp_normal_name(&normal, p->functions[p->frames[p->frame_ids[path->first]].function].name);
			add_function(s, normal.data, side, (double)(path->user_ns + path->sys_ns) / n);
		}
	}
	sp_buffer_free(&normal);
}

static void find_function(struct sp_comparison *c, struct sp_compared_span *row)
{
	struct sums s = {0};
	double most = 0;

	add_side(c, row->name, SP_BASELINE, &s);
	add_side(c, row->name, SP_CURRENT, &s);
	for (size_t i = 0; i < s.count; i++) {
		const char *name = sp_names_text(&s.names, (uint32_t)i);

		if (s.each[1][i] - s.each[0][i] <= most || name[0] == '[' || name[0] == '{')
			continue;
		most = s.each[1][i] - s.each[0][i];
		row->function = sp_pool_copy(&c->pool, name, strlen(name));
		row->function_each[0] = s.each[0][i];
		row->function_each[1] = s.each[1][i];
	}
	sp_names_free(&s.names);
	free(s.each[0]);
	free(s.each[1]);
}

/* --- the stage ------------------------------------------------------------------------------------ */

/* A glob is of the innermost name, or of all that stand in each other. */
static bool is_asked(const char *glob, const char *name)
{
	const char *last = name;

	for (const char *at = name; (at = strstr(at, SP_SPAN_INSIDE)); last = at)
		at += strlen(SP_SPAN_INSIDE);
	return fnmatch(glob, name, 0) == 0 || fnmatch(glob, last, 0) == 0;
}

static void add_row(struct sp_comparison *c, const char *name)
{
	struct sp_compared_span *row;

	sp_grow(&c->spans, &c->span_capacity, c->span_count + 1, sizeof(*c->spans));
	row = &c->spans[c->span_count++];
	*row = (struct sp_compared_span){.name = name, .asked = !c->input->span || is_asked(c->input->span, name)};
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < c->input->count[side]; i++) {
			const struct sp_span_info *span = find(c->input->profiles[side][i], name);

			row->count[side] += span ? (double)span->count / (double)c->input->count[side] : 0;
			row->p99[side] += !span ? 0
				: span->p99_ns  ? (double)span->p99_ns / (double)c->input->count[side]
						: NAN; /* of a sum of profiles */
		}
	for (unsigned m = 0; m < SP_SPAN_METRICS; m++)
		measure(c, row, m);
}

void sp_compare_spans(struct sp_comparison *c)
{
	const struct sp_profile *first = c->input->profiles[SP_BASELINE][0];

	for (size_t i = 0; i < first->span_count; i++)
		add_row(c, first->spans[i].name);
	judge(c);
	for (size_t i = 0; i < c->span_count; i++) {
		const struct sp_span_change *t = c->spans[i].changes;

		if (t[SP_SPAN_CPU].evidence && t[SP_SPAN_CPU].ratio > 1)
			find_function(c, &c->spans[i]);
	}
}

/* --- the verdict, where spans were asked for -------------------------------------------------------- */

static void gate_change(struct sp_comparison *c, const struct sp_compared_span *row, enum sp_span_metric metric,
	double effect)
{
	static const char *const what[] = {[SP_SPAN_CPU] = "CPU time", [SP_SPAN_WALL] = "Time"};
	const struct sp_span_change *t = &row->changes[metric];
	double asked = c->input->gate.fail_on_regression;

	if (!t->tested)
		return;
	if (t->evidence && t->ratio > 1 && (isnan(asked) || t->ratio - 1 >= asked)) {
		c->verdict = SP_VERDICT_REGRESSION;
		sp_sentences_add(c, &c->reasons, "%s of a span %s grew by %.1f %% (%.1f to %.1f), %s%s%s.",
			what[metric], row->name, 100 * (t->ratio - 1), 100 * (t->low - 1), 100 * (t->high - 1),
			sp_evidence_name(t->evidence), row->function ? "; most in " : "",
			row->function ? row->function : "");
	} else if (metric == SP_SPAN_CPU && t->high > 1 + effect && t->each[1] > LEAST_NS) {
		c->verdict = c->verdict == SP_VERDICT_PASS ? SP_VERDICT_UNKNOWN : c->verdict;
		sp_sentences_add(c, &c->reasons,
			"CPU time of a span %s may have grown by up to %.0f %%: not enough evidence; run more a "
			"side%s.",
			row->name, 100 * (t->high - 1), t->exact || c->input->noise ? "" : ", or calibrate");
	}
}

void sp_compare_gate_spans(struct sp_comparison *c, double effect)
{
	double growth = 1;
	bool any = false;

	for (size_t i = 0; i < c->span_count; i++) {
		const struct sp_compared_span *row = &c->spans[i];

		any |= row->asked && row->changes[SP_SPAN_CPU].tested;
		for (unsigned m = 0; m < SP_SPAN_BYTES && row->asked; m++) {
			gate_change(c, row, m, effect);
			if (row->changes[m].evidence)
				growth = fmax(growth, row->changes[m].low);
		}
	}
	c->score = c->worst_score = 100 / growth;
	if (any)
		return;
	c->verdict = SP_VERDICT_UNKNOWN;
	sp_sentences_add(c, &c->reasons, "No span that --span matches has ended in every profile.");
}
