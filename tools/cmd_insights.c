/* smartprof insights: what stands out in the history, with the evidence and what to type next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/history/seen.h"
#include "tools/history/ask.h"
#include "tools/tools.h"

#define RUNS 200u   /* the newest of each series */
#define SERIES 200u /* the newest */

static void help(void)
{
	printf("usage: smartprof insights [FLAGS]\n\n"
	       "Tells what is sure about the newest runs of each command in the history: fails now, flaky, slower than "
	       "ever or faster,\n"
	       "more memory than ever, growing from run to run, mostly waiting, a machine that is too noisy to tell; "
	       "with the evidence,\n"
	       "and the command to type next. Runs that went on several at a time say nothing about "
	       "time.\n\n" SP_ASK_HELP);
}

struct insights {
	struct sp_ask *ask;
	struct sp_buffer text;
	json_t *json;
	size_t looked, told;
};

/* The command to type next. */
static void put_next(struct sp_buffer *out, const struct sp_finding *f, const char *command)
{
	switch (f->kind) {
	case SP_FINDING_FAILING:
	case SP_FINDING_FLAKY:
		sp_buffer_printf(out, "smartprof history show %.*s", SP_HISTORY_SHORT, f->id);
		return;
	case SP_FINDING_MORE:
	case SP_FINDING_LESS:
	case SP_FINDING_GROWING:
		sp_buffer_printf(out, "smartprof history trend %s --run %.*s", sp_seen_keys[f->metric],
			SP_HISTORY_SHORT, f->id);
		return;
	case SP_FINDING_CHANGED:
		sp_buffer_printf(out, "smartprof history changes %s --run %.*s", sp_seen_keys[f->metric],
			SP_HISTORY_SHORT, f->id);
		return;
	case SP_FINDING_WAITING:
		sp_buffer_puts(out, "smartprof run -- ");
		break;
	default:
		sp_buffer_puts(out, "smartprof monitor --runs 10 -- ");
	}
	sp_buffer_puts(out, command);
}

static void put_escaped(struct insights *in, const char *text, size_t length)
{
	sp_escape(&in->text, in->ask->format == SP_ASK_MARKDOWN ? SP_ESCAPE_CELL : SP_ESCAPE_PLAIN, text, length);
}

/* In Markdown a code span would end at a quote of the command's own. */
static void put_finding(struct insights *in, const struct sp_finding *f, const struct sp_history_group *group)
{
	struct sp_buffer next = {0};

	put_next(&next, f, group->command);
	sp_buffer_puts(&in->text, in->ask->format == SP_ASK_MARKDOWN ? "- " : "  ");
	put_escaped(in, f->text, strlen(f->text));
	sp_buffer_puts(&in->text, "; ");
	put_escaped(in, f->evidence, strlen(f->evidence));
	sp_buffer_puts(&in->text, in->ask->format == SP_ASK_MARKDOWN ? "; next: " : "\n    next: ");
	put_escaped(in, next.data, next.length);
	sp_buffer_puts(&in->text, "\n");
	sp_buffer_free(&next);
}

static void put_series(struct insights *in, const struct sp_findings *found, const struct sp_history_group *group)
{
	bool markdown = in->ask->format == SP_ASK_MARKDOWN;

	sp_buffer_puts(&in->text, markdown ? "## " : "");
	sp_ask_put_inert_series(&in->text, markdown ? SP_ESCAPE_CELL : SP_ESCAPE_PLAIN, group);
	sp_buffer_puts(&in->text, markdown ? "\n\n" : "\n");
	for (size_t i = 0; i < found->count; i++)
		put_finding(in, &found->items[i], group);
	if (markdown)
		sp_buffer_puts(&in->text, "\n");
}

static void add_json(struct insights *in, const struct sp_finding *f, const struct sp_history_group *group)
{
	struct sp_buffer next = {0};
	json_t *row = json_object();

	put_next(&next, f, group->command);
	sp_json_set(row, "kind", sp_json_text(sp_finding_names[f->kind]));
	sp_json_set(row, "metric", sp_json_text(sp_seen_keys[f->metric]));
	sp_json_set(row, "finding", sp_json_text(f->text));
	sp_json_set(row, "evidence", sp_json_text(f->evidence));
	sp_json_set(row, "next", sp_json_text(next.data));
	sp_json_set(row, "run", sp_json_text(f->id));
	sp_json_set(row, "series", json_integer(group->series));
	sp_json_set(row, "program", sp_json_text(group->program));
	sp_json_set(row, "command", sp_json_text(group->command));
	sp_json_set(row, "machine", sp_json_text(group->machine));
	json_array_append_new(in->json, row);
	sp_buffer_free(&next);
}

static int look(const struct sp_history_group *group, void *context)
{
	struct insights *in = context;
	struct sp_findings found = {0};
	struct sp_seen seen = {0};
	int error = sp_seen_load(in->ask->store, group->series, RUNS, &seen);

	in->looked++;
	if (!error)
		sp_findings_find(&found, &seen);
	in->told += found.count;
	if (in->ask->format != SP_ASK_JSON && found.count)
		put_series(in, &found, group);
	for (size_t i = 0; i < found.count && in->ask->format == SP_ASK_JSON; i++)
		add_json(in, &found.items[i], group);
	sp_findings_free(&found);
	sp_seen_free(&seen);
	return error;
}

static int print(struct insights *in)
{
	if (in->ask->format == SP_ASK_JSON)
		return sp_ask_print_json(in->ask, json_incref(in->json));
	if (!in->told)
		sp_buffer_printf(&in->text, "Nothing stands out for sure in %zu %s of runs.\n", in->looked, "series");
	return sp_ask_print(in->ask, &in->text);
}

int sp_cmd_insights(int argc, char **argv)
{
	struct sp_ask ask;
	struct insights in = {.ask = &ask};
	int status = sp_ask_begin(&ask, "insights", argc, argv, 0, help);

	if (status < 0) {
		in.json = json_array();
		if (!ask.filter.limit)
			ask.filter.limit = SERIES;
		status = sp_history_groups(ask.store, &ask.filter, NULL, 0, look, &in) ? sp_ask_failed(&ask)
										       : print(&in);
		json_decref(in.json);
	}
	sp_buffer_free(&in.text);
	sp_ask_end(&ask);
	return status;
}
