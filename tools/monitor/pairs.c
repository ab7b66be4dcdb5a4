/* Several commands in turns. */
#include "profiles/monitor/pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/time.h"
#include "tools/monitor/behind.h"
#include "tools/monitor/line.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/once.h"

#define PAIRS_MOST 40u
#define DISTURBED 0.1 /* threads waited for a CPU for so much of the time */

struct turns {
	struct sp_monitor_session *session;
	const struct sp_monitor_plan *plan;
	struct sp_monitor_series *series;
	struct sp_pairs_verdict (*verdicts)[SP_PAIRS_METRICS]; /* of each series against the first */
	size_t current;
	bool warming;
	unsigned pairs;
	uint64_t chance; /* of the order in which a block begins */
	struct sp_shown_live live;
	int status;
};

static void show(struct sp_watches *watches, void *context)
{
	struct turns *t = context;
	struct sp_buffer text = {0};

	if (sp_watch_is_free(watches->items))
		return;
	if (t->warming)
		sp_buffer_puts(&text, "warming up  ");
	else
		sp_buffer_printf(&text, "pair %zu of at most %u  ", t->series[t->current].count + 1, t->pairs);
	sp_live_put(&text, &t->live, watches->items);
	sp_buffer_printf(&text, "  %s", t->series[t->current].command);
	sp_line_show(text.data);
	sp_buffer_free(&text);
}

/* Returns whether to go on. */
static bool run_one(struct turns *t, size_t index)
{
	struct sp_monitor_series *series = &t->series[index];
	struct sp_monitor_session *s = t->session;
	struct sp_monitor_run *run;
	char tail[2048];

	t->current = index;
	if (!sp_attempt_prepare(s)) {
		t->status = 1;
		return false;
	}
	run = sp_attempt_one(s, &t->plan->jobs[index], index + 1, (unsigned)series->count + 1, tail);
	if (t->warming || run->interrupted) {
		sp_monitor_run_free(run);
		return !s->watches.stopped;
	}
	if (!sp_monitor_run_is_good(run)) {
		if (!sp_monitor_series_bad(series) && *tail) {
			struct sp_buffer text = {0};

			sp_monitor_put_tail(&text, tail);
			fprintf(stderr, "%s", text.data ? text.data : "");
			sp_buffer_free(&text);
		}
		t->status = 1;
	}
	sp_monitor_series_add(series, run);
	if (sp_monitor_keep(s, run))
		t->status = 2;
	return !s->watches.stopped;
}

/* Each once, in this order or the other way round. */
static bool run_round(struct turns *t, bool backwards)
{
	size_t count = t->plan->count;

	for (size_t i = 0; i < count; i++)
		if (!run_one(t, backwards ? count - 1 - i : i))
			return false;
	return true;
}

/* What comes first in a block A B B A is drawn: else what repeats on the machine every four runs would always meet the same one. */
static bool draw(struct turns *t)
{
	t->chance = t->chance * 6364136223846793005u + 1442695040888963407u;
	return t->chance >> 63;
}

/* Where the machine has others to serve, no number of pairs tells of time what CPU time tells soon. */
static bool is_decided(const struct turns *t)
{
	for (size_t i = 1; i < t->plan->count; i++) {
		const struct sp_pairs_verdict *verdicts = t->verdicts[i];
		bool disturbed = sp_monitor_series_waited(&t->series[0]) > DISTURBED ||
			sp_monitor_series_waited(&t->series[i]) > DISTURBED;

		if (verdicts[SP_PAIRS_WALL].answer == SP_PAIRS_UNDECIDED &&
			!(disturbed && verdicts[SP_PAIRS_CPU].answer != SP_PAIRS_UNDECIDED))
			return false;
	}
	return true;
}

static void judge(struct turns *t)
{
	for (size_t i = 1; i < t->plan->count; i++)
		sp_pairs_judge_series(&t->series[0], &t->series[i], 1.0 / (double)(t->plan->count - 1), t->verdicts[i]);
}

static void run_pairs(struct turns *t)
{
	bool backwards = false;

	for (unsigned pair = 1; pair <= t->pairs; pair++) {
		backwards = pair % 2 ? draw(t) : !backwards;
		if (!run_round(t, backwards))
			return;
		if (!sp_pairs_is_look(pair))
			continue;
		judge(t);
		if (is_decided(t))
			return;
	}
}

static void print(const struct turns *t)
{
	struct sp_buffer text = {0};

	for (size_t i = 0; i < t->plan->count; i++)
		if (t->series[i].count)
			sp_monitor_put_series(&text, &t->series[i]);
	for (size_t i = 1; i < t->plan->count; i++) {
		if (!t->series[0].count || !t->series[i].count)
			continue;
		sp_buffer_puts(&text, "\n");
		sp_pairs_put(&text, &t->series[0], &t->series[i], t->verdicts[i]);
		if (t->session->wish->profile)
			sp_behind_put(&text, &t->series[0], &t->series[i]);
	}
	sp_standing_put(&text, &t->session->standing, true);
	if (text.length)
		fwrite(text.data, 1, text.length, stdout);
	fflush(stdout);
	sp_buffer_free(&text);
}

static json_t *verdicts_json(const struct turns *t)
{
	json_t *list = json_array();

	for (size_t i = 1; i < t->plan->count; i++)
		json_array_append_new(list, sp_pairs_json(&t->series[0], &t->series[i], t->verdicts[i]));
	return list;
}

int sp_monitor_pairs(struct sp_monitor_session *s, const struct sp_monitor_plan *plan)
{
	const struct sp_monitor_wish *wish = s->wish;
	struct turns t = {.session = s, .plan = plan, .pairs = wish->runs ? wish->runs : PAIRS_MOST};
	bool more = true;

	t.series = sp_alloc(plan->count, sizeof(*t.series));
	t.verdicts = sp_alloc(plan->count, sizeof(*t.verdicts));
	t.chance = sp_time_ns(CLOCK_REALTIME);
	for (size_t i = 0; i < plan->count; i++)
		sp_monitor_take_names(&t.series[i], &plan->jobs[i]);
	if (sp_line_wanted()) {
		s->watches.show = show;
		s->watches.context = &t;
	}
	t.warming = true;
	for (unsigned i = 0; more && i < wish->warmup; i++)
		more = run_round(&t, false);
	t.warming = false;
	if (more)
		run_pairs(&t);
	judge(&t);
	print(&t);
	if (sp_monitor_export(wish, t.series, plan->count, verdicts_json(&t)))
		t.status = 2;
	for (size_t i = 0; i < plan->count; i++)
		sp_monitor_series_free(&t.series[i]);
	free(t.series);
	free(t.verdicts);
	return t.status;
}
