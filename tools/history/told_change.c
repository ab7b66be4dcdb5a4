/* Changes as JSON. */
#include "tools/history/told_change.h"

#include <string.h>

#include "profiles/base/json.h"
#include "tools/history/ask.h"

static json_t *commits_json(const struct sp_commit *commits, size_t count, bool known)
{
	json_t *list = known ? json_array() : json_null();

	for (size_t i = 0; i < count && i < SP_COMMITS_MOST; i++) {
		json_t *row = json_object();

		sp_json_set(row, "id", sp_json_text(commits[i].id));
		sp_json_set(row, "author", sp_json_text(commits[i].author));
		sp_json_set(row, "subject", sp_json_text(commits[i].subject));
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

json_t *sp_told_place_json(const struct sp_values *values, const struct sp_change *change)
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

static json_t *place_json(const struct sp_told_change *c)
{
	json_t *row = sp_told_place_json(c->values, c->what);

	sp_json_set(row, "commits", commits_json(c->reached, c->reached_count, c->reached_known));
	return row;
}

json_t *sp_told_change_json(const struct sp_told_change *c, const struct sp_history_group *group)
{
	const struct sp_change *w = c->what;
	const struct sp_history_point *before = sp_told_run(c, w->before), *after = sp_told_run(c, w->after);
	json_t *row = json_object();

	sp_json_set(row, "series", json_integer(group->series));
	sp_json_set(row, "program", sp_json_text(group->program));
	sp_json_set(row, "arguments_class", sp_json_text(group->args_class));
	sp_json_set(row, "machine", sp_json_text(group->machine));
	sp_json_set(row, "metric", sp_json_text(c->metric));
	sp_json_set(row, "run_before", sp_json_text(before->id));
	sp_json_set(row, "run_after", sp_json_text(after->id));
	sp_json_set(row, "started_ns", sp_ask_time_json(after->started_ns));
	sp_json_set(row, "confirmed", json_boolean(w->state == SP_CHANGE_CONFIRMED));
	sp_json_set(row, "gradual", json_boolean(w->gradual));
	sp_json_set(row, "before", sp_json_number(w->level_before));
	sp_json_set(row, "after", sp_json_number(w->level_after));
	sp_json_set(row, "ratio", sp_json_number(w->ratio));
	sp_json_set(row, "low", sp_json_number(w->low));
	sp_json_set(row, "high", sp_json_number(w->high));
	sp_json_set(row, "p", sp_json_number(w->p));
	sp_json_set(row, "runs_before", json_integer((json_int_t)w->runs_before));
	sp_json_set(row, "runs_after", json_integer((json_int_t)w->runs_after));
	sp_json_set(row, "commit_before", sp_json_text(before->commit));
	sp_json_set(row, "commit_after", sp_json_text(after->commit));
	sp_json_set(row, "same_build", json_boolean(sp_told_same_build(c)));
	sp_json_set(row, "commits", commits_json(c->commits, c->commit_count, c->commits_known));
	sp_json_set(row, "place", w->gradual ? json_null() : place_json(c));
	sp_json_set(row, "profiles_before", json_integer((json_int_t)c->cause.runs_before));
	sp_json_set(row, "profiles_after", json_integer((json_int_t)c->cause.runs_after));
	sp_json_set(row, "cause", cause_json(c));
	return row;
}
