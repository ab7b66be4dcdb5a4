/* Changes: their commits, and as text and JSON. */
#include "tools/history/told_change.h"

#include <math.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/history/plot.h"
#include "tools/history/ask.h"

static void find_between(const struct sp_told_change *c, size_t before, size_t after, struct sp_told_commits *commits)
{
	commits->known =
		sp_commits_between(sp_told_commit(c, before), sp_told_commit(c, after), commits->list, &commits->count);
}

void sp_told_commits_find(struct sp_told_change *c)
{
	const struct sp_change *w = c->what;

	find_between(c, w->before, w->after, &c->between);
	if (strcmp(sp_told_commit(c, w->surely_before), sp_told_commit(c, w->before)) == 0 &&
		strcmp(sp_told_commit(c, w->surely_after), sp_told_commit(c, w->after)) == 0)
		c->reached = c->between;
	else
		find_between(c, w->surely_before, w->surely_after, &c->reached);
}

void sp_told_put_size(struct sp_buffer *out, const char *metric, const struct sp_change *change)
{
	sp_buffer_printf(out, "%+.1f %%", 100 * (change->ratio - 1));
	if (isfinite(change->low) && isfinite(change->high))
		sp_buffer_printf(out, " (%+.1f to %+.1f)", 100 * (change->low - 1), 100 * (change->high - 1));
	sp_buffer_puts(out, ", ");
	sp_history_put_value(out, metric, change->level_before);
	sp_buffer_puts(out, " became ");
	sp_history_put_value(out, metric, change->level_after);
}

/* --- as JSON */

static json_t *commits_json(const struct sp_told_commits *commits)
{
	json_t *list = commits->known ? json_array() : json_null();

	for (size_t i = 0; i < commits->count && i < SP_COMMITS_MOST; i++) {
		const struct sp_commit *commit = &commits->list[i];
		json_t *row = json_object();

		sp_json_set(row, "id", sp_json_text(commit->id));
		sp_json_set(row, "author", sp_json_text(commit->author));
		sp_json_set(row, "subject", sp_json_text(commit->subject));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *cause_json(const struct sp_told_change *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->cause.count; i++) {
		const struct sp_cause_row *row = &c->cause.rows[i];
		json_t *item = json_object();

		sp_json_set(item, "function", sp_json_text(row->function));
		sp_json_set(item, "module", sp_json_text(row->module));
		sp_json_set(item, "before", sp_json_number(row->before));
		sp_json_set(item, "after", sp_json_number(row->after));
		sp_json_set(item, "change", sp_json_number(row->change));
		sp_json_set(item, "q", sp_json_number(row->q));
		sp_json_set(item, "sure", json_boolean(row->sure));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *place_json(const struct sp_values *values, const struct sp_change *change)
{
	const struct sp_history_point *before = &values->points.items[change->surely_before];
	const struct sp_history_point *after = &values->points.items[change->surely_after];
	json_t *row = json_object();

	sp_json_set(row, "confidence", json_real(SP_CHANGES_SURE));
	sp_json_set(row, "runs", json_integer((json_int_t)change->places));
	sp_json_set(row, "run_before", sp_json_text(before->id));
	sp_json_set(row, "run_after", sp_json_text(after->id));
	sp_json_set(row, "commit_before", sp_json_text(before->commit));
	sp_json_set(row, "commit_after", sp_json_text(after->commit));
	return row;
}

json_t *sp_told_values_json(const struct sp_values *values, const struct sp_change *change)
{
	json_t *row = json_object();

	sp_json_set(row, "confirmed", json_boolean(change->state == SP_CHANGE_CONFIRMED));
	sp_json_set(row, "gradual", json_boolean(change->gradual));
	sp_json_set(row, "before", sp_json_number(change->level_before));
	sp_json_set(row, "after", sp_json_number(change->level_after));
	sp_json_set(row, "ratio", sp_json_number(change->ratio));
	sp_json_set(row, "low", sp_json_number(change->low));
	sp_json_set(row, "high", sp_json_number(change->high));
	sp_json_set(row, "p", sp_json_number(change->p));
	sp_json_set(row, "place", change->gradual ? json_null() : place_json(values, change));
	return row;
}

json_t *sp_told_change_json(const struct sp_told_change *c, const struct sp_history_group *group)
{
	const struct sp_change *w = c->what;
	const struct sp_history_point *before = sp_told_run(c, w->before), *after = sp_told_run(c, w->after);
	json_t *row = sp_told_values_json(c->values, w), *place = json_object_get(row, "place");

	sp_json_set(row, "series", json_integer(group->series));
	sp_json_set(row, "program", sp_json_text(group->program));
	sp_json_set(row, "arguments_class", sp_json_text(group->args_class));
	sp_json_set(row, "machine", sp_json_text(group->machine));
	sp_json_set(row, "metric", sp_json_text(c->metric));
	sp_json_set(row, "run_before", sp_json_text(before->id));
	sp_json_set(row, "run_after", sp_json_text(after->id));
	sp_json_set(row, "started_ns", sp_ask_time_json(after->started_ns));
	sp_json_set(row, "runs_before", json_integer((json_int_t)w->runs_before));
	sp_json_set(row, "runs_after", json_integer((json_int_t)w->runs_after));
	sp_json_set(row, "commit_before", sp_json_text(before->commit));
	sp_json_set(row, "commit_after", sp_json_text(after->commit));
	sp_json_set(row, "same_build", json_boolean(sp_told_same_build(c)));
	sp_json_set(row, "commits", commits_json(&c->between));
	if (json_is_object(place))
		sp_json_set(place, "commits", commits_json(&c->reached));
	sp_json_set(row, "profiles_before", json_integer((json_int_t)c->cause.runs_before));
	sp_json_set(row, "profiles_after", json_integer((json_int_t)c->cause.runs_after));
	sp_json_set(row, "cause", cause_json(c));
	return row;
}
