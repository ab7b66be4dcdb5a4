/* smartprof history alert: tells when the last runs are worse than those before, and exits accordingly. */
#include "tools/history/alert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/history.h"
#include "tools/history/values.h"
#include "tools/tools.h"

#define STATUS_ALERT 1
#define QUIET_NS (24 * 3600 * 1000000000ull)

static void help(void)
{
	printf("usage: smartprof history alert [METRIC] [FLAGS]\n\n"
	       "Looks at what the history has of the last runs of each command, runs nothing, and tells what is surely "
	       "worse than\nbefore: by a step that still holds, by the last runs, three or more, by a drift, or beside "
	       "the "
	       "baseline that is\nkept. What smartprof history accept accepted is no alert. METRIC, or time, user "
	       "time, "
	       "peak memory and allocated\nmemory.\n\n"
	       "  --threshold PCT growth that is allowed (20); what noise reaches is allowed in any case\n"
	       "  --file FILE     add a line of JSON for each alert to FILE (beside the history: history.db.alerts)\n"
	       "  --on-alert CMD  run CMD, without a shell, with those lines on its standard input\n"
	       "  --quiet-time T  tell no alert again for so long (24h): 30m, 12h, 7d; 0: tell each time\n"
	       "  --brief         print alerts only, and nothing where there is none\n\n" SP_ASK_HELP
	       "\n[alert] in smartprof.toml sets threshold, file, command and quiet_time, unless a flag does.\n"
	       "Exit status: 0 nothing is surely worse; 1 something is, told or not; 2 it cannot be told.\n");
}

struct watch {
	struct sp_ask *ask;
	const char *metric;
	double threshold;
	bool brief;
	json_t *baselines;
	struct sp_keeps keeps;
	struct sp_alert_ways ways;
	struct sp_tolds alerts;
};

enum { FLAG_THRESHOLD = SP_ASK_OWN, FLAG_FILE, FLAG_ON_ALERT, FLAG_QUIET_TIME, FLAG_BRIEF };

static const struct option own_flags[] = {{"threshold", required_argument, NULL, FLAG_THRESHOLD},
	{"file", required_argument, NULL, FLAG_FILE}, {"on-alert", required_argument, NULL, FLAG_ON_ALERT},
	{"quiet-time", required_argument, NULL, FLAG_QUIET_TIME}, {"brief", no_argument, NULL, FLAG_BRIEF},
	{NULL, 0, NULL, 0}};

static int wrong(const char *flag, const char *value, const char *want)
{
	sp_complain("history alert: %s: '%s' is not %s", flag, value, want);
	return SP_EXIT_USAGE;
}

static int set_threshold(struct watch *w, const char *value)
{
	char *end;
	double percent = strtod(value, &end);

	if (end == value || (*end && strcmp(end, "%") != 0) || !(percent >= 1 && percent <= 1000))
		return wrong("--threshold", value, "a percentage from 1 to 1000");
	w->threshold = percent / 100;
	return 0;
}

static int set_quiet(void *context, const char *value)
{
	struct watch *w = context;
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	char *end;
	double number = strtod(value, &end);

	for (size_t i = 0; end > value && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 && number >= 0 && number * units[i].seconds < 1e9) {
			w->ways.quiet_ns = (uint64_t)(number * units[i].seconds * 1e9);
			return 0;
		}
	return wrong("--quiet-time", value, "a time such as 30m, 12h or 7d");
}

static int set_own(void *context, int flag, const char *value)
{
	struct watch *w = context;

	if (flag == FLAG_BRIEF) {
		w->brief = true;
		return 0;
	}
	if (strcmp(value, SP_COMPLETE_VALUES) == 0)
		return SP_EXIT_USAGE;
	if (flag == FLAG_THRESHOLD)
		return set_threshold(w, value);
	if (flag == FLAG_QUIET_TIME)
		return set_quiet(w, value);
	*(flag == FLAG_FILE ? &w->ways.file : &w->ways.command) = value;
	return 0;
}

/* --- in words */

static void put_why(struct sp_buffer *out, const struct sp_alert *a, const char *metric,
	const struct sp_history_point *since)
{
	char run[64];

	snprintf(run, sizeof(run), "run %.*s%s%.12s", SP_HISTORY_SHORT, since->id, *since->commit ? ", commit " : "",
		since->commit);
	if (a->kind == SP_ALERT_CHANGE)
		sp_buffer_printf(out, "since %s", run);
	else if (a->kind == SP_ALERT_LIMIT)
		sp_buffer_printf(out, "each run since %s is beyond what noise and the threshold allow, ", run);
	else if (a->kind == SP_ALERT_DRIFT)
		sp_buffer_printf(out, "little by little, in runs that each passed; from %s on", run);
	else if (a->kind == SP_ALERT_BASELINE)
		sp_buffer_printf(out, "the last %u runs, since %s, beside the baseline that was kept", SP_RECENT_TREND,
			run);
	else if (a->kind == SP_ALERT_ONCE)
		sp_buffer_printf(out, "since %s, beyond what noise and the threshold allow, ", run);
	else
		sp_buffer_printf(out,
			"each of the last five above the one before, from %s on; 1 of 120 orders is so by chance", run);
	if (isfinite(a->limit))
		sp_history_put_value(out, metric, a->limit);
	if (a->kind == SP_ALERT_ONCE)
		sp_buffer_puts(out, "; more runs tell");
}

static char *make_text(const struct sp_alert *a, const struct sp_history_group *group, const char *metric,
	const struct sp_history_point *since)
{
	struct sp_buffer out = {0};

	sp_ask_put_inert_series(&out, SP_ESCAPE_PLAIN, group);
	sp_buffer_printf(&out, ": %s %+.1f %%: ", metric, 100 * (a->now / a->usual - 1));
	sp_history_put_value(&out, metric, a->now);
	sp_buffer_puts(&out, ", usual ");
	sp_history_put_value(&out, metric, a->usual);
	sp_buffer_puts(&out, "; ");
	put_why(&out, a, metric, since);
	return out.data;
}

static json_t *make_json(const struct sp_alert *a, const struct sp_history_group *group, const char *metric,
	const struct sp_history_point *since)
{
	json_t *json = json_object();

	sp_json_set(json, "kind", sp_json_text(sp_alert_names[a->kind]));
	sp_json_set(json, "sure", json_boolean(a->sure));
	sp_json_set(json, "program", sp_json_text(group->program));
	sp_json_set(json, "arguments_class", sp_json_text(group->args_class));
	sp_json_set(json, "command", sp_json_text(group->command));
	sp_json_set(json, "machine", sp_json_text(group->machine));
	sp_json_set(json, "series", json_integer(group->series));
	sp_json_set(json, "metric", sp_json_text(metric));
	sp_json_set(json, "usual", sp_json_number(a->usual));
	sp_json_set(json, "now", sp_json_number(a->now));
	sp_json_set(json, "ratio", sp_json_number(a->now / a->usual));
	sp_json_set(json, "limit", sp_json_number(a->limit));
	sp_json_set(json, "p", sp_json_number(a->p));
	sp_json_set(json, "run", sp_json_text(since->id));
	sp_json_set(json, "commit", sp_json_text(since->commit));
	sp_json_set(json, "branch", sp_json_text(since->branch));
	return json;
}

/* --- looking */

static void add(struct watch *w, const struct sp_alert *a, const struct sp_history_group *group, const char *metric,
	const struct sp_history_point *since)
{
	struct sp_tolds *t = &w->alerts;

	sp_grow(&t->items, &t->capacity, t->count + 1, sizeof(*t->items));
	t->items[t->count++] =
		(struct sp_told){.key = sp_text("%s %s %s %s %s %d %s", group->program, group->args_class,
					 group->environment, group->machine, group->kind, group->profiled, metric),
			.text = make_text(a, group, metric, since),
			.json = make_json(a, group, metric, since),
			.sure = a->sure};
}

static size_t keep_positive(struct sp_values *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->count; i++)
		if (v->values[i].value > 0) {
			v->points.items[kept] = v->points.items[i];
			v->values[kept++] = v->values[i];
		}
	return v->points.count = v->count = kept;
}

static int look_at(struct watch *w, const struct sp_history_group *group, const char *metric)
{
	struct sp_values values;
	int error = sp_values_load(w->ask, group->series, metric, &values);
	struct sp_alert alert = {0};
	struct sp_alert_kept kept;
	bool *pinned = NULL;

	if (!error && keep_positive(&values)) {
		sp_accepted_find(w->baselines, group, &values, &kept, &pinned);
		alert = sp_alert_beside(values.values, values.count, w->threshold, &kept);
	}
	if (alert.kind == SP_ALERT_CHANGE && alert.since > 0)
		sp_keeps_add(&w->keeps, &values, alert.since - 1, alert.since, metric);
	if (alert.kind != SP_ALERT_NONE)
		add(w, &alert, group, metric, &values.points.items[alert.since]);
	free(pinned);
	sp_values_free(&values);
	return error;
}

static int look(const struct sp_history_group *group, void *context)
{
	struct watch *w = context;
	int error = 0;

	if (group->parallel)
		return 0;
	if (w->metric)
		return look_at(w, group, w->metric);
	for (size_t i = 0; sp_values_metrics[i] && !error; i++)
		error = look_at(w, group, sp_values_metrics[i]);
	return error;
}

/* --- telling */

static void put_told(struct sp_buffer *out, const struct watch *w, const struct sp_told *told)
{
	struct sp_buffer cell = {0};

	if (told->quiet || (w->brief && !told->sure))
		return;
	if (w->ask->format == SP_ASK_MARKDOWN)
		sp_escape(&cell, SP_ESCAPE_CELL, told->text, strlen(told->text));
	sp_buffer_printf(out, "%s%s %s\n", w->ask->format == SP_ASK_MARKDOWN ? "- " : "",
		told->sure ? "worse:" : "to watch:", cell.data ? cell.data : told->text);
	sp_buffer_free(&cell);
}

static int print(const struct watch *w)
{
	struct sp_buffer text = {0};
	json_t *list = json_array();
	size_t quiet = 0;
	int status;

	for (size_t i = 0; i < w->alerts.count; i++) {
		put_told(&text, w, &w->alerts.items[i]);
		quiet += w->alerts.items[i].quiet;
		json_array_append(list, w->alerts.items[i].json);
	}
	if (!w->brief && quiet)
		sp_buffer_printf(&text, "%zu more: told within the quiet time\n", quiet);
	else if (!w->brief && !text.length)
		sp_buffer_puts(&text, "Nothing is worse than before.\n");
	status = w->ask->format == SP_ASK_JSON ? sp_ask_print_json(w->ask, json_incref(list))
					       : sp_ask_print(w->ask, &text);
	json_decref(list);
	sp_buffer_free(&text);
	return status;
}

static int tell(struct watch *w)
{
	const char *path = sp_history_path(w->ask->store);
	bool sure = false, told;

	sp_alerts_quiet(&w->alerts, &w->ways, path);
	for (size_t i = 0; i < w->alerts.count; i++)
		sure = sure || w->alerts.items[i].sure;
	told = sp_alerts_tell(&w->alerts, &w->ways, path);
	if (print(w) || (!told && !sure))
		return SP_EXIT_USAGE;
	return sure ? STATUS_ALERT : 0;
}

static void free_alerts(struct sp_tolds *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->items[i].key);
		free(t->items[i].text);
		json_decref(t->items[i].json);
	}
	free(t->items);
}

int sp_history_cmd_alert(int argc, char **argv)
{
	struct sp_ask ask;
	struct watch w = {.ask = &ask, .threshold = SP_THRESHOLD, .ways.quiet_ns = QUIET_NS};
	const struct sp_ask_own own = {own_flags, set_own, NULL, &w};
	const struct sp_alert_settings settings = {&w.threshold, &w.ways, set_quiet, &w};
	json_t *file;
	bool read = sp_alert_settings_read(&settings, &file);
	int status = sp_ask_begin_with(&ask, &own, "history alert", argc, argv, 1, help);

	if (status < 0 && !read) {
		status = SP_EXIT_USAGE;
	} else if (status < 0) {
		w.metric = ask.word_count ? ask.words[0] : NULL;
		if (w.metric && !sp_values_is_metric(&ask, w.metric))
			status = SP_EXIT_USAGE;
		else if (sp_accepted_read(ask.store, &w.baselines) ||
			sp_history_groups(ask.store, &ask.filter, NULL, 0, look, &w))
			status = sp_ask_failed(&ask) ? SP_EXIT_USAGE : 0;
		else
			status = tell(&w);
		sp_keeps_write(&w.keeps, ask.store);
	} else if (status > 0) {
		status = SP_EXIT_USAGE; /* 1 is an answer */
	}
	free_alerts(&w.alerts);
	json_decref(w.baselines);
	sp_ask_end(&ask);
	json_decref(file);
	return status;
}
