/* smartprof fleet: asks the store that the profiles of many machines were pushed to. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/time.h"
#include "profiles/compare/report.h"
#include "profiles/html/html.h"
#include "profiles/markdown/markdown.h"
#include "tools/fleet/fleet.h"
#include "tools/history/ask.h"
#include "tools/report/report.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define ENGINE "clickhouse"
#define TIMEOUT_MS 60000u
#define HOUR_S 3600u
#define TOP_MOST 1000000u

enum {
	FLAG_FROM = 1000,
	FLAG_TOKEN_FILE,
	FLAG_SERVICE,
	FLAG_LABEL,
	FLAG_AGAINST,
	FLAG_SINCE,
	FLAG_UNTIL,
	FLAG_TOP,
	FLAG_JSON,
	FLAG_FORMAT,
	FLAG_METRIC,
	FLAG_OUTPUT,
	FLAG_FULL
};

static const struct option flags[] = {
	{"from", required_argument, NULL, FLAG_FROM},
	{"token-file", required_argument, NULL, FLAG_TOKEN_FILE},
	{"service", required_argument, NULL, FLAG_SERVICE},
	{"label", required_argument, NULL, FLAG_LABEL},
	{"against", required_argument, NULL, FLAG_AGAINST},
	{"since", required_argument, NULL, FLAG_SINCE},
	{"until", required_argument, NULL, FLAG_UNTIL},
	{"top", required_argument, NULL, FLAG_TOP},
	{"json", no_argument, NULL, FLAG_JSON},
	{"format", required_argument, NULL, FLAG_FORMAT},
	{"metric", required_argument, NULL, FLAG_METRIC},
	{"output", required_argument, NULL, FLAG_OUTPUT},
	{"full", no_argument, NULL, FLAG_FULL},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

enum question { TOP, REPORT, FLAME, COMPARE, QUESTIONS };
static const char *const questions[QUESTIONS] = {"top", "report", "flame", "compare"};

enum { COMPARE_MARKDOWN, COMPARE_TEXT, COMPARE_JSON, COMPARE_HTML, COMPARE_FORMATS };
static const char *const compare_formats[COMPARE_FORMATS] = {"markdown", "text", "json", "html"};

struct request {
	struct sp_fleet fleet;
	enum question question;
	const char *from, *token_file, *format;
	struct sp_fleet_label against[SP_FLEET_LABELS];
	size_t against_count;
	bool service, full;
	enum sp_export_view view;
	struct sp_pool texts;
};

static void print_help(void)
{
	printf("usage: smartprof fleet top|report|flame --service NAME [FLAGS]\n"
	       "       smartprof fleet compare --service NAME --label version=1.2 --against version=1.1 [FLAGS]\n\n"
	       "Asks the ClickHouse that smartprof push sent the profiles of many machines to.\n\n"
	       "  top      the functions with most CPU time, how far samples and hosts let them vary, hosts that "
	       "stand\n"
	       "           out and, over days, whether the heap grows\n"
	       "  report   the sum of all those profiles: a profile like any other\n"
	       "  flame    the same as a page with flame graphs\n"
	       "  compare  what costs more than in another selection; each host counts as one run\n\n"
	       "  --from TARGET     where they are: clickhouse+https://USER@HOST:PORT/DATABASE (default: "
	       "SMARTPROF_PUSH)\n"
	       "  --token-file FILE the user's password (default: the file that\n"
	       "                    SMARTPROF_PUSH_TOKEN_FILE names, or SMARTPROF_PUSH_TOKEN)\n"
	       "  --service NAME    of this service\n"
	       "  --label NAME=VALUE\n"
	       "                    with this label: version, environment, host, or one that was pushed; may be "
	       "repeated\n"
	       "  --against NAME=VALUE\n"
	       "                    compare: the other side has this label instead; may be repeated\n"
	       "  --since WHEN      that ended then or later: 2026-11-30, '2026-11-30 14:00', or ago: 90m, 12h, 7d, "
	       "4w\n"
	       "                    (1h)\n"
	       "  --until WHEN      that ended before (now)\n"
	       "  --top N           top: show N functions (20)\n"
	       "  --json            top: as JSON\n"
	       "  --format FORMAT   report: markdown, html, folded, speedscope, pprof, otlp, gperftools or json; "
	       "flame:\n"
	       "                    html, folded or speedscope; compare: markdown, text, json or html\n"
	       "  --metric WHAT     report, flame: cpu, in_use, peak, allocated, wait or wall\n"
	       "  --full            report: show everything, with the part that programs read\n"
	       "  --output FILE     write to FILE\n"
	       "  --help            show this text\n\n"
	       "Exit status: 0; 1 when there is no answer; 2 for bad usage. compare: that of smartprof compare, and 2 "
	       "when\nthere is no answer.\n");
}

/* As push sends names and values; lives as long as the request. */
static const char *cleaned(struct request *r, const char *text)
{
	char *clean = sp_push_label_clean(text), *kept = sp_pool_copy(&r->texts, clean, strlen(clean));

	free(clean);
	return kept;
}

/* "name=value" */
static int parse_label(struct request *r, const char *flag, const char *text, struct sp_fleet_label *label)
{
	const char *equals = strchr(text, '=');
	char *name;

	if (!equals || equals == text) {
		sp_complain("fleet: --%s: '%s' is no label; write NAME=VALUE", flag, text);
		return SP_EXIT_USAGE;
	}
	name = sp_text("%.*s", (int)(equals - text), text);
	*label = (struct sp_fleet_label){cleaned(r, name), cleaned(r, equals + 1)};
	free(name);
	return 0;
}

static int add_label(struct request *r, const char *text)
{
	struct sp_fleet_side *side = &r->fleet.side;

	if (side->count >= SP_FLEET_LABELS - 1) {
		sp_complain("fleet: --label: there are more than %u; leave some out", SP_FLEET_LABELS - 1);
		return SP_EXIT_USAGE;
	}
	return parse_label(r, "label", text, &side->labels[side->count++]);
}

static int add_against(struct request *r, const char *text)
{
	if (r->against_count >= SP_FLEET_LABELS) {
		sp_complain("fleet: --against: there are more than %u; leave some out", SP_FLEET_LABELS);
		return SP_EXIT_USAGE;
	}
	return parse_label(r, "against", text, &r->against[r->against_count++]);
}

static int set_time(const char *flag, const char *text, uint64_t *seconds)
{
	uint64_t ns;

	if (!sp_ask_when(text, &ns)) {
		sp_complain("fleet: --%s: '%s' is no time; give a date as 2026-11-30, or how long ago as 12h or 7d",
			flag, text);
		return SP_EXIT_USAGE;
	}
	*seconds = ns / 1000000000u;
	return 0;
}

static int set_top(struct request *r, const char *text)
{
	char *end;
	unsigned long top = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !top || top > TOP_MOST) {
		sp_complain("fleet: --top: '%s' is not a number of rows; give it 1 to %u", text, TOP_MOST);
		return SP_EXIT_USAGE;
	}
	r->fleet.top = top;
	return 0;
}

static int set_flag(struct request *r, int flag)
{
	switch (flag) {
	case FLAG_FROM:
		r->from = optarg;
		return 0;
	case FLAG_TOKEN_FILE:
		r->token_file = optarg;
		return 0;
	case FLAG_SERVICE:
		r->service = true;
		r->fleet.side.labels[0] = (struct sp_fleet_label){"service", cleaned(r, optarg)};
		return 0;
	case FLAG_LABEL:
		return add_label(r, optarg);
	case FLAG_AGAINST:
		return add_against(r, optarg);
	case FLAG_SINCE:
		return set_time("since", optarg, &r->fleet.since_s);
	case FLAG_UNTIL:
		return set_time("until", optarg, &r->fleet.until_s);
	case FLAG_TOP:
		return set_top(r, optarg);
	case FLAG_JSON:
		r->fleet.json = true;
		return 0;
	case FLAG_FORMAT:
		r->format = optarg;
		return 0;
	case FLAG_METRIC:
		return sp_report_parse_metric(optarg, &r->view);
	case FLAG_OUTPUT:
		r->fleet.output = optarg;
		return 0;
	default:
		r->full = true;
		return 0;
	}
}

/* Those of --label, with others in the place of those of the same names. */
static int set_against(struct request *r)
{
	struct sp_fleet_side *side = &r->fleet.against;

	*side = r->fleet.side;
	for (size_t i = 0; i < r->against_count; i++) {
		size_t k = 0;

		while (k < side->count && strcmp(side->labels[k].name, r->against[i].name) != 0)
			k++;
		if (k >= SP_FLEET_LABELS - 1) {
			sp_complain("fleet: --against: with --label there are more than %u; leave some out",
				SP_FLEET_LABELS - 1);
			return SP_EXIT_USAGE;
		}
		side->labels[k] = r->against[i];
		side->count += k == side->count;
	}
	return 0;
}

static int check(struct request *r)
{
	if (!r->service) {
		sp_complain("fleet: no service given; name it with --service");
		return SP_EXIT_USAGE;
	}
	if ((r->question == COMPARE) != (r->against_count > 0)) {
		sp_complain(r->question == COMPARE
				? "fleet compare: nothing to compare with; name the other side's label with --against"
				: "fleet: --against: only compare has another side");
		return SP_EXIT_USAGE;
	}
	if (r->fleet.since_s >= r->fleet.until_s) {
		sp_complain("fleet: --since is not before --until");
		return SP_EXIT_USAGE;
	}
	if (!r->from || !*r->from) {
		sp_complain("fleet: no store given; name it with --from, as clickhouse+http://localhost:8123");
		return SP_EXIT_USAGE;
	}
	return set_against(r);
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct request *r)
{
	int got, status = 0, index = 0;

	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		status = got == '?' || got == ':' ? sp_flag_error("fleet", got, argv, flags) : set_flag(r, got);
	}
	if (status)
		return status;
	if (optind != argc - 1) {
		sp_complain(optind == argc ? "fleet: no question given; ask top, report, flame or compare"
					   : "fleet: more than one question given; ask top, report, flame or compare");
		return SP_EXIT_USAGE;
	}
	status = sp_word_parse("fleet: unknown question", argv[optind], questions, QUESTIONS, &index);
	r->question = (enum question)index;
	status = status ? status : check(r);
	return status ? status : -1;
}

static int export(struct request *r, const struct sp_buffer *markdown, enum sp_report_format format)
{
	const struct sp_report_wish wish = {.format = format, .view = r->view};
	struct sp_buffer out = {0};
	const char *why = "";
	size_t line;
	int err = sp_report_export(&out, markdown, &wish, &why, &line), status = 1;

	if (err < 0)
		sp_complain("fleet: %s: %s", r->fleet.target.text, why);
	else
		status = sp_write_output("fleet", r->fleet.output, &out, O_TRUNC) ? 1 : 0;
	sp_buffer_free(&out);
	return status;
}

/* Into a file goes all of it. */
static int report(struct request *r, enum sp_report_format format)
{
	struct sp_buffer text = {0};
	int status = sp_fleet_merged(&r->fleet, &text);

	if (!status && format != SP_REPORT_MARKDOWN) {
		status = export(r, &text, format);
	} else if (!status) {
		if (!r->full && !r->fleet.output)
			text.length = sp_markdown_top(text.data, text.length);
		status = sp_write_output("fleet", r->fleet.output, &text, O_TRUNC) ? 1 : 0;
	}
	sp_buffer_free(&text);
	return status;
}

static int answer(struct request *r)
{
	static sp_fleet_write_fn *const writers[COMPARE_FORMATS] = {
		sp_compare_markdown, sp_compare_text, sp_compare_json, sp_html_comparison};
	enum sp_report_format format = r->question == FLAME ? SP_REPORT_HTML : SP_REPORT_MARKDOWN;
	int index = 0, status = 0;

	if (r->question == TOP)
		return sp_fleet_top(&r->fleet);
	if (r->question == COMPARE) {
		if (r->format)
			status = sp_word_parse("fleet: unknown format", r->format, compare_formats, COMPARE_FORMATS,
				&index);
		return status ? status : sp_fleet_compare(&r->fleet, writers[index]);
	}
	if (r->format)
		status = sp_report_parse_format(r->format, &format);
	return status ? status : report(r, format);
}

static int open_and_answer(struct request *r)
{
	struct sp_http_options options = {.timeout_ms = TIMEOUT_MS, .ca_file = sp_push_setting(SP_OPT_PUSH_CA_FILE)};
	const char *why = NULL;
	char *token;
	int status = SP_EXIT_USAGE;

	if (sp_push_target_parse(&r->fleet.target, r->from, &why))
		why = strcmp(r->fleet.target.engine->name, ENGINE) == 0 ? NULL : "only a ClickHouse can be asked";
	if (why) {
		sp_complain("fleet: --from: '%s': %s; write clickhouse+http://HOST:8123/DATABASE", r->from, why);
		return SP_EXIT_USAGE;
	}
	if (!r->token_file)
		r->token_file = sp_push_setting(SP_OPT_PUSH_TOKEN_FILE);
	token = sp_http_token(r->token_file, SP_PUSH_TOKEN_VARIABLE, &why);
	if (!token) {
		sp_complain("fleet: --token-file: %s: %s", r->token_file ? r->token_file : SP_PUSH_TOKEN_VARIABLE, why);
		return SP_EXIT_USAGE;
	}
	options.token = *token ? token : NULL;
	options.user = *r->fleet.target.user ? r->fleet.target.user : NULL;
	r->fleet.http = sp_http_open(&options, &why);
	if (r->fleet.http)
		status = answer(r);
	else
		sp_complain("fleet: %s", why);
	sp_http_close(r->fleet.http);
	free(token);
	return status;
}

int sp_cmd_fleet(int argc, char **argv)
{
	uint64_t now_s = sp_time_ns(CLOCK_REALTIME) / 1000000000u;
	struct request r = {.fleet = {.side = {.count = 1}, .since_s = now_s - HOUR_S, .until_s = now_s + 1},
		.from = sp_push_setting(SP_OPT_PUSH),
		.view = SP_VIEWS};
	int status = parse(argc, argv, &r);

	if (status < 0) {
		sp_limit_reading();
		status = open_and_answer(&r);
	}
	sp_pool_free(&r.texts);
	return status;
}
