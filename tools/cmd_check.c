/* smartprof check: does any command take surely more than is allowed? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"
#include "profiles/base/json.h"
#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/start.h"
#include "tools/tools.h"

enum {
	FLAG_CONFIG = 1000,
	FLAG_INIT,
	FLAG_QUICK,
	FLAG_CI,
	FLAG_REPORT_ONLY,
	FLAG_STRICT,
	FLAG_DECIDE,
	FLAG_BASELINE,
	FLAG_FORMAT,
	FLAG_OUTPUT,
	FLAG_REPORT
};

static const struct option flags[] = {
	{"config", required_argument, NULL, FLAG_CONFIG},
	{"init", no_argument, NULL, FLAG_INIT},
	{"quick", no_argument, NULL, FLAG_QUICK},
	{"ci", no_argument, NULL, FLAG_CI},
	{"report-only", no_argument, NULL, FLAG_REPORT_ONLY},
	{"strict", no_argument, NULL, FLAG_STRICT},
	{"decide", no_argument, NULL, FLAG_DECIDE},
	{"baseline", required_argument, NULL, FLAG_BASELINE},
	{"format", required_argument, NULL, FLAG_FORMAT},
	{"output", required_argument, NULL, FLAG_OUTPUT},
	{"report", required_argument, NULL, FLAG_REPORT},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct {
	const char *name;
	void (*write)(struct sp_buffer *, const struct sp_check *);
} formats[] = {{"text", sp_check_text}, {"markdown", sp_check_markdown}, {"json", sp_check_json},
	{"junit", sp_check_junit}, {"github", sp_check_github}, {"openmetrics", sp_check_openmetrics}};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))
#define REPORTS_MOST 16u

struct request {
	const char *config, *baseline, *output;
	bool init, quick, ci, report_only, strict, decide;
	int format; /* -1: not told */
	struct {
		int format;
		const char *path;
	} reports[REPORTS_MOST];
	size_t report_count;
};

static void print_help(void)
{
	printf("usage: smartprof check [FLAGS] [NAME…]\n"
	       "       smartprof check --init ['COMMAND LINE'…]\n\n"
	       "Runs the commands of smartprof.toml (those of these NAMEs) and tells whether any takes surely more "
	       "than is\n"
	       "allowed: more than the baseline by more than 20 %%, or more than a limit. What is not sure is said, "
	       "with the\n"
	       "number of runs that would tell, and fails nothing. Alarms are measured again before they count.\n\n"
	       "  --init            write smartprof.toml of what these command lines take, or those in the history\n"
	       "  --quick           one run, beside those of the same build in the history: seconds\n"
	       "  --ci              in a build service: annotations and a summary where it takes them (GitHub)\n"
	       "  --report-only     the exit status is 0 whatever comes out\n"
	       "  --strict          not enough evidence is exit status 3\n"
	       "  --decide          what is suspicious: run the baseline's program and this one in turns until it is "
	       "sure\n"
	       "  --baseline NAME   compare with that baseline, or with the FILE that baseline export wrote\n"
	       "  --format FORMAT   text, markdown, json, junit, github or openmetrics\n"
	       "  --output FILE     write it to FILE\n"
	       "  --report FORMAT=FILE\n"
	       "                    write another report, too; may be repeated\n"
	       "  --config FILE     instead of smartprof.toml\n"
	       "  --help            show this text\n\n"
	       "Exit status: 0, also where evidence is missing; 1 something is surely worse than allowed, or runs "
	       "failed; 2 bad\n"
	       "usage or unreadable input; with --strict 3 where evidence is missing.\n");
}

/* --- flags */

static int set_format(const char *text, int *format)
{
	const char *names[FORMATS];

	for (size_t i = 0; i < FORMATS; i++)
		names[i] = formats[i].name;
	return sp_word_parse("check: unknown format", text, names, FORMATS, format);
}

/* FORMAT=FILE */
static int add_report(struct request *r, char *text)
{
	char *file = strchr(text, '=');

	if (!file || !file[1] || r->report_count == REPORTS_MOST) {
		sp_complain("check: --report: '%s' is not valid; write FORMAT=FILE, such as junit=check.xml", text);
		return SP_EXIT_USAGE;
	}
	*file++ = '\0';
	r->reports[r->report_count].path = file;
	return set_format(text, &r->reports[r->report_count++].format);
}

static int set_flag(struct request *r, int got)
{
	if (optarg && strcmp(optarg, SP_COMPLETE_VALUES) == 0 && got != FLAG_FORMAT)
		return SP_EXIT_USAGE;
	switch (got) {
	case FLAG_CONFIG:
		r->config = optarg;
		return 0;
	case FLAG_BASELINE:
		r->baseline = optarg;
		return 0;
	case FLAG_OUTPUT:
		r->output = optarg;
		return 0;
	case FLAG_FORMAT:
		return set_format(optarg, &r->format);
	case FLAG_REPORT:
		return add_report(r, optarg);
	case FLAG_INIT:
		r->init = true;
		return 0;
	case FLAG_QUICK:
		r->quick = true;
		return 0;
	case FLAG_CI:
		r->ci = true;
		return 0;
	case FLAG_REPORT_ONLY:
		r->report_only = true;
		return 0;
	case FLAG_STRICT:
		r->strict = true;
		return 0;
	default:
		r->decide = true;
		return 0;
	}
}

static int parse(int argc, char **argv, struct request *r)
{
	int got, status = 0;

	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got == '?' || got == ':')
			return sp_flag_error("check", got, argv, flags);
		status = set_flag(r, got);
	}
	if (!status && r->quick && r->decide) {
		sp_complain("check: --quick and --decide: leave one of them out");
		status = SP_EXIT_USAGE;
	}
	return status ? status : -1;
}

/* --- what is checked */

static struct sp_gate_config *read_config(const char *path)
{
	struct sp_buffer text = {0};
	struct sp_gate_config *config = NULL;
	char why[SP_GATE_WHY];
	int error = sp_input_read(path, &text);

	if (error == -ENOENT && strcmp(path, SP_GATE_FILE) == 0)
		sp_complain("check: there is no " SP_GATE_FILE
			    " here; smartprof check --init 'COMMAND LINE' writes one");
	else if (error)
		sp_complain("check: %s: %s", path, error < 0 ? sp_input_error(error) : "it is a spool");
	else
		config = sp_gate_config_parse(text.data ? text.data : "", text.length, why);
	if (!error && !config)
		sp_complain("check: %s: %s", path, why);
	sp_buffer_free(&text);
	return config;
}

/* Leaves only the commands of these names. */
static int choose(struct sp_gate_config *config, const char *path, char **names, int count)
{
	size_t kept = 0;

	for (int k = 0; k < count; k++) {
		bool known = false;

		for (size_t i = 0; i < config->command_count; i++)
			known = known || strcmp(config->commands[i].name, names[k]) == 0;
		if (!known) {
			sp_complain("check: %s has no command '%s'", path, names[k]);
			return SP_EXIT_USAGE;
		}
	}
	for (size_t i = 0; i < config->command_count && count; i++) {
		bool wanted = false;
		struct sp_gate_command c = config->commands[i];

		for (int k = 0; k < count; k++)
			wanted = wanted || strcmp(c.name, names[k]) == 0;
		if (!wanted)
			continue;
		config->commands[i] = config->commands[kept];
		config->commands[kept++] = c;
	}
	for (size_t i = count ? kept : config->command_count; i < config->command_count; i++)
		free(config->commands[i].limits);
	config->command_count = count ? kept : config->command_count;
	return 0;
}

/* --- the work */

static bool has_alarm(const struct sp_check_command *c)
{
	for (size_t i = 0; i < c->figure_count; i++)
		if (c->figures[i].alarmed)
			return true;
	return false;
}

static void judge(struct sp_check_session *s, bool first)
{
	for (size_t i = 0; i < s->check.command_count; i++) {
		if (!first && !has_alarm(&s->check.commands[i]))
			continue; /* it was not measured again */
		sp_check_take_baseline(s, i);
		sp_check_take_trends(s, i);
		sp_check_tell_code(s, i);
	}
	sp_check_judge(&s->check, first);
}

/* What alarmed is measured anew, and judged by that alone. */
static int repeat(struct sp_check_session *s, int *stopped)
{
	int status = 0;

	for (size_t i = 0; i < s->check.command_count && !status && !*stopped; i++) {
		struct sp_check_command *c = &s->check.commands[i];

		if (!has_alarm(c))
			continue;
		for (size_t k = 0; k < c->figure_count; k++)
			c->figures[k].current.count = 0;
		status = sp_check_measure(s, i, stopped);
	}
	s->check.repeated = true;
	return status;
}

static int measure(struct sp_check_session *s, bool decide, int *stopped)
{
	int status = 0;

	for (size_t i = 0; i < s->check.command_count && !status && !*stopped; i++) {
		status = sp_check_measure(s, i, stopped);
		if (s->quick)
			sp_check_take_stored(s, i);
		if (s->store && s->now[i].path)
			sp_check_keep_program(s->store, s->now[i].build_id, s->now[i].path);
	}
	if (status || *stopped)
		return status;
	judge(s, true);
	if (s->check.alarms && !s->quick) {
		status = repeat(s, stopped);
		if (status || *stopped)
			return status;
		judge(s, false);
	}
	for (size_t i = 0; i < s->check.command_count; i++)
		sp_check_tell_cause(s, i);
	if (!s->quick)
		status = sp_check_decide(s, !decide, stopped);
	if (!status && !*stopped)
		sp_check_sum_up(&s->check);
	return status;
}

static int write_reports(const struct request *r, const struct sp_check *check)
{
	const char *summary = getenv("GITHUB_STEP_SUMMARY");
	bool github = r->ci && getenv("GITHUB_ACTIONS");
	int format = r->format >= 0 ? r->format : 0, status = 0;
	struct sp_buffer text = {0};

	formats[format].write(&text, check);
	status |= sp_write_output("check", r->output, &text, O_TRUNC);
	sp_buffer_clear(&text);
	if (github && strcmp(formats[format].name, "github") != 0) {
		sp_check_github(&text, check);
		status |= sp_write_output("check", NULL, &text, O_TRUNC);
		sp_buffer_clear(&text);
	}
	if (r->ci && summary && *summary) {
		sp_check_markdown(&text, check);
		status |= sp_write_output("check", summary, &text, O_APPEND);
		sp_buffer_clear(&text);
	}
	for (size_t i = 0; i < r->report_count; i++) {
		formats[r->reports[i].format].write(&text, check);
		status |= sp_write_output("check", r->reports[i].path, &text, O_TRUNC);
		sp_buffer_clear(&text);
	}
	sp_buffer_free(&text);
	return status ? SP_EXIT_USAGE : 0;
}

static int run(const struct request *r, const struct sp_gate_config *config)
{
	struct sp_check_session s = {.quick = r->quick};
	int status, stopped = 0;

	sp_check_session_open(&s, config, SP_HISTORY_WRITE);
	s.check.mode = r->quick ? "quick" : r->decide ? "decide" : r->ci ? "ci" : "all runs";
	status = sp_check_take(&s, r->baseline);
	if (!status)
		status = measure(&s, r->decide, &stopped);
	if (!status && !stopped) {
		status = write_reports(r, &s.check);
		if (!status)
			status = sp_check_status(&s.check, r->strict);
		if (r->report_only && status != SP_EXIT_USAGE)
			status = 0;
	}
	sp_check_session_free(&s);
	return stopped ? sp_end_like(stopped) : status;
}

int sp_cmd_check(int argc, char **argv)
{
	struct request r = {.config = SP_GATE_FILE, .format = -1};
	struct sp_gate_config *config;
	int status = parse(argc, argv, &r);

	if (status >= 0)
		return status;
	sp_json_init();
	if (sp_settings_check() > 0)
		return SP_EXIT_USAGE;
	if (r.init)
		return sp_check_init(r.config, argv + optind, (size_t)(argc - optind));
	config = read_config(r.config);
	if (!config)
		return SP_EXIT_USAGE;
	status = choose(config, r.config, argv + optind, argc - optind);
	if (!status)
		status = run(&r, config);
	sp_gate_config_free(config);
	return status;
}
