/* Which runs, shown how. */
#include "tools/history/ask.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/json.h"
#include "profiles/base/time.h"
#include "profiles/history/plot.h"
#include "symbolize/base/memory.h"
#include "tools/history/history.h"
#include "tools/tools.h"

enum {
	FLAG_PROGRAM = 1000,
	FLAG_COMMAND,
	FLAG_BRANCH,
	FLAG_COMMIT,
	FLAG_MACHINE,
	FLAG_ENVIRONMENT,
	FLAG_KIND,
	FLAG_STATE,
	FLAG_TAG,
	FLAG_SINCE,
	FLAG_UNTIL,
	FLAG_LIMIT,
	FLAG_RUN,
	FLAG_JSON,
	FLAG_MARKDOWN
};

static const struct option flags[] = {
	{"program", required_argument, NULL, FLAG_PROGRAM},
	{"command", required_argument, NULL, FLAG_COMMAND},
	{"branch", required_argument, NULL, FLAG_BRANCH},
	{"commit", required_argument, NULL, FLAG_COMMIT},
	{"machine", required_argument, NULL, FLAG_MACHINE},
	{"environment", required_argument, NULL, FLAG_ENVIRONMENT},
	{"kind", required_argument, NULL, FLAG_KIND},
	{"state", required_argument, NULL, FLAG_STATE},
	{"tag", required_argument, NULL, FLAG_TAG},
	{"since", required_argument, NULL, FLAG_SINCE},
	{"until", required_argument, NULL, FLAG_UNTIL},
	{"limit", required_argument, NULL, FLAG_LIMIT},
	{"run", required_argument, NULL, FLAG_RUN},
	{"json", no_argument, NULL, FLAG_JSON},
	{"markdown", no_argument, NULL, FLAG_MARKDOWN},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* "7d": so long ago. */
static bool parse_ago(const char *text, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}};
	char *end;
	double number = strtod(text, &end), now = (double)sp_time_ns(CLOCK_REALTIME);

	for (size_t i = 0; end > text && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 && number >= 0 && number * units[i].seconds * 1e9 < now) {
			*ns = (uint64_t)(now - number * units[i].seconds * 1e9);
			return true;
		}
	return false;
}

static bool parse_date(const char *text, uint64_t *ns)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm when = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &when);
		time_t seconds = end && !*end ? mktime(&when) : -1;

		if (seconds >= 0) {
			*ns = (uint64_t)seconds * 1000000000u;
			return true;
		}
	}
	return false;
}

bool sp_ask_when(const char *text, uint64_t *ns)
{
	return parse_ago(text, ns) || parse_date(text, ns);
}

static int set_time(const struct sp_ask *ask, const char *flag, uint64_t *ns)
{
	if (sp_ask_when(optarg, ns))
		return 0;
	sp_complain("%s: --%s: '%s' is no time; give a date as 2026-11-30, or how long ago as 12h or 7d", ask->command,
		flag, optarg);
	return SP_EXIT_USAGE;
}

static int set_limit(struct sp_ask *ask)
{
	char *end;
	unsigned long limit = strtoul(optarg, &end, 10);

	if (*optarg >= '0' && *optarg <= '9' && !*end && limit && limit < 100000000) {
		ask->filter.limit = limit;
		return 0;
	}
	sp_complain("%s: --limit: '%s' is not a number of rows; give it 1 or more", ask->command, optarg);
	return SP_EXIT_USAGE;
}

static int set_word(struct sp_ask *ask, int flag)
{
	static const char *const kinds[] = {"run", "monitor", "guard"};
	static const char *const states[] = {"ok", "failed", "signal", "timeout", "left-running", "not-started"};
	int index;

	if (flag == FLAG_KIND)
		ask->filter.kind = optarg;
	else
		ask->filter.state = optarg;
	return flag == FLAG_KIND ? sp_word_parse("unknown kind of run", optarg, kinds, 3, &index)
				 : sp_word_parse("unknown state of a run", optarg, states, 6, &index);
}

static int set_flag(struct sp_ask *ask, int flag)
{
	struct sp_history_filter *f = &ask->filter;
	const struct {
		int flag;
		const char **text;
	} texts[] = {{FLAG_PROGRAM, &f->program}, {FLAG_COMMAND, &f->command}, {FLAG_BRANCH, &f->branch},
		{FLAG_COMMIT, &f->commit}, {FLAG_MACHINE, &f->machine}, {FLAG_ENVIRONMENT, &f->environment},
		{FLAG_TAG, &f->tag}, {FLAG_RUN, &ask->run}};

	if (flag == FLAG_JSON || flag == FLAG_MARKDOWN) {
		ask->format = flag == FLAG_JSON ? SP_ASK_JSON : SP_ASK_MARKDOWN;
		return 0;
	}
	if (flag == FLAG_KIND || flag == FLAG_STATE)
		return set_word(ask, flag);
	if (strcmp(optarg, SP_COMPLETE_VALUES) == 0)
		return SP_EXIT_USAGE;
	if (flag == FLAG_SINCE || flag == FLAG_UNTIL)
		return flag == FLAG_SINCE ? set_time(ask, "since", &f->since_ns) : set_time(ask, "until", &f->until_ns);
	if (flag == FLAG_LIMIT)
		return set_limit(ask);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].flag == flag)
			*texts[i].text = optarg;
	return 0;
}

static int narrow(struct sp_ask *ask)
{
	struct sp_history_run *run;

	if (!ask->run)
		return 0;
	if (sp_history_find(ask->store, ask->run, 0, &run))
		return sp_ask_failed(ask);
	ask->filter.series = run->series;
	sp_history_run_free(run);
	return 0;
}

static struct option *join_flags(const struct sp_ask_own *own)
{
	size_t shared = sizeof(flags) / sizeof(flags[0]), count = 0;
	struct option *all;

	while (own && own->flags[count].name)
		count++;
	all = sp_alloc(count + shared, sizeof(*all));
	if (count)
		memcpy(all, own->flags, count * sizeof(*all));
	memcpy(all + count, flags, sizeof(flags));
	return all;
}

/* Reads the flags; -1, or the exit status. */
static int read_flags(struct sp_ask *ask, const struct sp_ask_own *own, int argc, char **argv, void (*help)(void))
{
	struct option *all = join_flags(own);
	int got, status = -1;

	opterr = 0;
	optind = 0;
	while (status < 0 && (got = getopt_long(argc, argv, "-:h", all, NULL)) != -1) {
		int wrong = 0;

		if (got == 'h') {
			help();
			status = 0;
		} else if (got == '?' || got == ':') {
			status = sp_flag_error(ask->command, got, argv, all);
		} else if (got == 1) {
			ask->words[ask->word_count++] = optarg;
		} else {
			wrong = got < FLAG_PROGRAM ? own->set(own->context, got, optarg) : set_flag(ask, got);
		}
		if (wrong)
			status = wrong;
	}
	free(all);
	return status;
}

int sp_ask_begin_with(struct sp_ask *ask, const struct sp_ask_own *own, const char *command, int argc, char **argv,
	size_t words_most, void (*help)(void))
{
	int status;

	*ask = (struct sp_ask){.command = command, .words = sp_alloc((size_t)argc + 1, sizeof(char *))};
	status = read_flags(ask, own, argc, argv, help);
	if (status >= 0)
		return status;
	status = 0;
	while (optind < argc)
		ask->words[ask->word_count++] = argv[optind++];
	if (ask->word_count > words_most) {
		sp_complain("%s: '%s' is not understood; see smartprof %s --help", command, ask->words[words_most],
			command);
		status = SP_EXIT_USAGE;
	}
	if (!status && (!own || !own->needs_history || own->needs_history(own->context))) {
		status = sp_history_open_here(command, SP_HISTORY_READ, &ask->store);
		if (!status)
			status = narrow(ask);
	}
	return status ? status : -1;
}

int sp_ask_begin(struct sp_ask *ask, const char *command, int argc, char **argv, size_t words_most, void (*help)(void))
{
	return sp_ask_begin_with(ask, NULL, command, argc, argv, words_most, help);
}

void sp_ask_end(struct sp_ask *ask)
{
	sp_history_close(ask->store);
	free(ask->words);
}

int sp_ask_failed(const struct sp_ask *ask)
{
	sp_complain("%s: %s", ask->command, sp_history_error(ask->store));
	return 1;
}

int sp_ask_print(const struct sp_ask *ask, const struct sp_buffer *text)
{
	return sp_write_output(ask->command, NULL, text, 0) ? 1 : 0;
}

int sp_ask_print_json(const struct sp_ask *ask, json_t *json)
{
	struct sp_buffer text = {0};
	int status;

	sp_json_put(&text, json, false);
	if (text.length && text.data[text.length - 1] != '\n')
		sp_buffer_puts(&text, "\n");
	status = sp_ask_print(ask, &text);
	sp_buffer_free(&text);
	return status;
}

int sp_ask_print_table(const struct sp_ask *ask, const struct sp_table *table, const char *nothing)
{
	struct sp_buffer text = {0};
	int status;

	if (ask->format == SP_ASK_JSON)
		return sp_ask_print_json(ask, sp_table_json(table));
	if (!sp_table_rows(table))
		sp_buffer_printf(&text, "%s\n", nothing);
	else if (ask->format == SP_ASK_MARKDOWN)
		sp_table_put_markdown(&text, table);
	else
		sp_table_put_text(&text, table, "");
	status = sp_ask_print(ask, &text);
	sp_buffer_free(&text);
	return status;
}

/* --- words */

void sp_ask_put_time(struct sp_buffer *out, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	char text[32] = "-";
	struct tm local;

	if (ns && localtime_r(&seconds, &local))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &local);
	sp_buffer_puts(out, text);
}

json_t *sp_ask_time_json(uint64_t ns)
{
	return ns ? sp_json_count(ns) : json_null();
}

void sp_ask_add_value(struct sp_table *table, const char *metric, double value)
{
	struct sp_buffer text = {0};

	sp_history_put_value(&text, metric, value);
	sp_table_add(table, text.data, sp_json_number(value));
	sp_buffer_free(&text);
}

void sp_ask_add_time(struct sp_table *table, uint64_t ns)
{
	struct sp_buffer text = {0};

	sp_ask_put_time(&text, ns);
	sp_table_add(table, text.data, sp_ask_time_json(ns));
	sp_buffer_free(&text);
}

void sp_ask_add_id(struct sp_table *table, const char *id)
{
	char text[SP_HISTORY_ID];

	snprintf(text, sizeof(text), "%.*s", SP_HISTORY_SHORT, id);
	sp_table_add(table, text, sp_json_text(id));
}

void sp_ask_put_series(struct sp_buffer *out, const struct sp_history_group *group)
{
	sp_buffer_puts(out, group->program);
	if (*group->args_class)
		sp_buffer_printf(out, " %s", group->args_class);
	if (group->profiled)
		sp_buffer_puts(out, " (profiled)");
	if (group->parallel)
		sp_buffer_puts(out, " (several at a time)");
}

void sp_ask_put_inert_series(struct sp_buffer *out, enum sp_escape how, const struct sp_history_group *group)
{
	struct sp_buffer name = {0};

	sp_ask_put_series(&name, group);
	sp_escape(out, how, name.data, name.length);
	sp_buffer_free(&name);
}
