/* What the history and the baseline say of a command that is checked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/history/history.h"
#include "tools/history/record.h"
#include "tools/tools.h"

#define PAUSE_NS (1800ull * 1000000000u) /* a longer one begins another occasion */
#define OCCASIONS_MOST 60u
#define POINTS_MOST 2000u

/* The history's metric of a figure, to be freed; *profiled: of runs with the agent. */
static char *metric_of(const struct sp_check_figure *figure, bool *profiled)
{
	static const char *const metrics[SP_GATE_METRICS] = {[SP_GATE_WALL] = "wall_ns",
		[SP_GATE_CPU] = "cpu_ns",
		[SP_GATE_PEAK] = "peak_rss_bytes",
		[SP_GATE_ALLOCATED] = "allocated_bytes"};

	*profiled = figure->metric == SP_GATE_ALLOCATED || figure->metric == SP_GATE_SPAN;
	if (figure->metric == SP_GATE_SPAN)
		return sp_text("span.%s.p99_ns", figure->name + strlen("p99 "));
	return metrics[figure->metric] ? sp_copy_text(metrics[figure->metric]) : NULL;
}

static int note_series(const struct sp_history_group *group, void *context)
{
	int64_t *series = context; /* the one that ran last comes first */

	if (strcmp(group->kind, "monitor") == 0 && !group->parallel && !series[group->profiled])
		series[group->profiled] = group->series;
	return 0;
}

/* Globs of what is to be meant literally. */
static char *literal(const char *text)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	for (; *text; text++)
		if (strchr("*?[", *text))
			sp_buffer_printf(&out, "[%c]", *text);
		else
			sp_buffer_add(&out, text, 1);
	return out.data;
}

/* The series of its runs without and with the agent here; 0: there is none. */
static void find_series(struct sp_check_session *s, const struct sp_check_now *now, int64_t series[2])
{
	char *program = literal(now->program), *args = literal(now->args_class);
	struct sp_history_filter filter = {
		.program = program, .args_class = args, .machine = s->machine.class, .kind = "monitor"};

	series[0] = series[1] = 0;
	sp_history_groups(s->store, &filter, NULL, 0, note_series, series);
	free(program);
	free(args);
}

/* --- trends */

static void add_occasion(struct sp_check_figure *figure, struct sp_gate_values *occasion)
{
	if (occasion->count)
		sp_gate_add_value(&figure->trend, sp_gate_median(occasion));
	occasion->count = 0;
}

static void take_trend(struct sp_check_session *s, struct sp_check_figure *figure, const char *metric, int64_t series)
{
	struct sp_history_filter filter = {
		.series = series, .until_ns = s->check.started_ns, .good = true, .limit = POINTS_MOST};
	struct sp_history_points points = {0};
	struct sp_gate_values occasion = {0};

	if (sp_history_series(s->store, &filter, metric, &points))
		return;
	for (size_t i = points.count; i-- > 0;) { /* the newest come first */
		const struct sp_history_point *p = &points.items[i], *before = i + 1 < points.count ? p + 1 : NULL;

		if (before &&
			(p->started_ns - before->started_ns > PAUSE_NS || strcmp(p->commit, before->commit) != 0 ||
				strcmp(p->build_id, before->build_id) != 0))
			add_occasion(figure, &occasion);
		sp_gate_add_value(&occasion, p->value);
	}
	add_occasion(figure, &occasion);
	if (figure->trend.count > OCCASIONS_MOST) {
		memmove(figure->trend.items, figure->trend.items + figure->trend.count - OCCASIONS_MOST,
			OCCASIONS_MOST * sizeof(double));
		figure->trend.count = OCCASIONS_MOST;
	}
	free(occasion.items);
	sp_history_points_free(&points);
}

void sp_check_take_trends(struct sp_check_session *s, size_t index)
{
	struct sp_check_command *c = &s->check.commands[index];
	int64_t series[2];

	if (!s->store || !s->now[index].program)
		return;
	find_series(s, &s->now[index], series);
	for (size_t i = 0; i < c->figure_count; i++) {
		bool profiled;
		char *metric = metric_of(&c->figures[i], &profiled);

		c->figures[i].trend.count = 0;
		if (metric && series[profiled])
			take_trend(s, &c->figures[i], metric, series[profiled]);
		free(metric);
	}
}

/* --- runs of now */

struct taking {
	struct sp_check_session *s;
	size_t index, taken;
};

static int take_run(const struct sp_history_run *run, void *context)
{
	struct taking *t = context;
	struct sp_check_command *c = &t->s->check.commands[t->index];
	const struct sp_check_now *now = &t->s->now[t->index];

	if (strcmp(run->build_id, now->build_id) != 0 ||
		(run->dirty >= 0 && t->s->here.dirty >= 0 && run->dirty != t->s->here.dirty))
		return 0;
	if (now->several && t->s->here.dirty != 0) /* nobody knows whether the files were these */
		return 0;
	c->runs++;
	t->taken++;
	for (size_t i = 0; i < c->figure_count; i++) {
		bool profiled;
		char *metric = metric_of(&c->figures[i], &profiled);
		double value = metric && profiled == run->profiled ? sp_history_value(run, metric, NULL) : NAN;

		if (isfinite(value))
			sp_gate_add_value(&c->figures[i].current, value);
		free(metric);
	}
	return 0;
}

void sp_check_take_stored(struct sp_check_session *s, size_t index)
{
	int64_t series[2];

	if (!s->store || !s->now[index].program)
		return;
	sp_check_figure(&s->check.commands[index], "allocated", SP_GATE_ALLOCATED);
	find_series(s, &s->now[index], series);
	for (int profiled = 0; profiled < 2; profiled++) {
		struct sp_history_filter filter = {.series = series[profiled],
			.commit = *s->here.commit ? s->here.commit : NULL,
			.until_ns = s->check.started_ns,
			.good = true,
			.limit = SP_BASELINE_RUNS_MOST};
		struct taking taking = {.s = s, .index = index};

		if (series[profiled])
			sp_history_each(s->store, &filter, SP_HISTORY_METRICS, take_run, &taking);
	}
}

void sp_check_find_newest(struct sp_check_session *s, size_t index, sp_history_each_fn *newest,
	sp_history_each_fn *profiled)
{
	int64_t series[2];
	struct sp_history_filter filter = {.commit = *s->here.commit ? s->here.commit : NULL, .good = true, .limit = 6};

	if (!s->store)
		return;
	find_series(s, &s->now[index], series);
	for (int k = 0; k < 3; k++) { /* where there is none without the agent, those with it */
		filter.series = series[k > 0];
		if (filter.series && (k != 1 || !s->now[index].build_id))
			sp_history_each(s->store, &filter, 0, k < 2 ? newest : profiled, &s->now[index]);
	}
}

/* --- the baseline */

static double baseline_waited(const json_t *command)
{
	struct sp_gate_values wall = {0}, queue = {0};
	double waited = -1;

	sp_baseline_values(command, "wall", &wall);
	sp_baseline_values(command, "queue", &queue);
	if (wall.count && queue.count && sp_gate_median(&wall) > 0)
		waited = sp_gate_median(&queue) / sp_gate_median(&wall);
	free(wall.items);
	free(queue.items);
	return waited;
}

static bool is_of_machine(enum sp_gate_metric metric)
{
	return metric != SP_GATE_PEAK && metric != SP_GATE_ALLOCATED;
}

void sp_check_take_baseline(struct sp_check_session *s, size_t index)
{
	struct sp_check_command *c = &s->check.commands[index];
	const struct sp_check_now *now = &s->now[index];
	bool here = s->check.baseline && strcmp(sp_baseline_machine(s->check.baseline), s->machine.class) == 0;

	for (size_t i = 0; i < c->config->limit_count; i++) {
		const struct sp_gate_limit *limit = &c->config->limits[i];
		char *name =
			limit->span ? sp_text("p99 %s", limit->span) : sp_copy_text(sp_gate_metrics[limit->metric].key);

		sp_check_figure(c, name, limit->metric)->limit = limit->most;
		free(name);
	}
	c->waited[1] = -1;
	c->baseline = s->check.baseline && now->program
		? sp_baseline_find(s->check.baseline, now->program, now->args_class)
		: NULL;
	if (c->baseline)
		c->waited[1] = baseline_waited(c->baseline);
	for (size_t i = 0; i < c->figure_count; i++) {
		struct sp_check_figure *f = &c->figures[i];

		f->allowed = c->config->allowed[f->metric];
		f->baseline.count = 0;
		if (c->baseline && (here || !is_of_machine(f->metric)))
			sp_baseline_values(c->baseline, f->name, &f->baseline);
	}
}
