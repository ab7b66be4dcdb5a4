/* smartprof compare: does a program cost more than before? */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/compare/noise.h"
#include "profiles/compare/report.h"
#include "profiles/export/export.h"
#include "profiles/html/html.h"
#include "tools/compare/compare.h"
#include "tools/tools.h"

#define RUNS_DEFAULT 10u

enum {
	FLAG_BELOW = 1000,
	FLAG_REGRESSION,
	FLAG_MAX,
	FLAG_MAX_END = FLAG_MAX + SP_GATING,
	FLAG_STRICT,
	FLAG_FORMAT,
	FLAG_OUTPUT,
	FLAG_CALIBRATE,
	FLAG_RUNS,
	FLAG_SPAN
};

static const struct option flags[] = {
	{"baseline", optional_argument, NULL, 'b'},
	{"current", optional_argument, NULL, 'c'},
	{"fail-below", required_argument, NULL, FLAG_BELOW},
	{"fail-on-regression", required_argument, NULL, FLAG_REGRESSION},
	{"max-cpu", required_argument, NULL, FLAG_MAX + SP_METRIC_CPU},
	{"max-peak", required_argument, NULL, FLAG_MAX + SP_METRIC_PEAK},
	{"max-allocated", required_argument, NULL, FLAG_MAX + SP_METRIC_ALLOCATED},
	{"max-wall", required_argument, NULL, FLAG_MAX + SP_METRIC_WALL},
	{"span", required_argument, NULL, FLAG_SPAN},
	{"strict", no_argument, NULL, FLAG_STRICT},
	{"format", required_argument, NULL, FLAG_FORMAT},
	{"output", required_argument, NULL, FLAG_OUTPUT},
	{"calibrate", no_argument, NULL, FLAG_CALIBRATE},
	{"runs", required_argument, NULL, FLAG_RUNS},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

enum format { FORMAT_MARKDOWN, FORMAT_TEXT, FORMAT_JSON, FORMAT_GITHUB, FORMAT_HTML, FORMATS };
static const char *const format_names[FORMATS] = {"markdown", "text", "json", "github", "html"};

struct request {
	const char **paths[SP_SIDES]; /* as named */
	size_t path_count[SP_SIDES];
	struct sp_side_files sides[SP_SIDES];
	int loose; /* arguments named without a side */
	struct sp_gate gate;
	enum format format;
	const char *output;
	const char *span;
	bool calibrate;
	size_t runs; /* 0: not told */
};

static void print_help(void)
{
	printf("usage: smartprof compare [FLAGS] BASELINE CURRENT\n"
	       "       smartprof compare [FLAGS] --baseline FILE… --current FILE…\n"
	       "       smartprof compare [--output FILE] PID@SNAPSHOT PID@SNAPSHOT\n"
	       "       smartprof compare --calibrate [--runs N] -- PROGRAM [ARGUMENTS]\n\n"
	       "Tells whether a program costs more than before: a score from 0 to 100 (100: no evidence of growth; 50: "
	       "surely\n"
	       "twice as much), the functions and heap sites it comes from, and an exit status to gate on. A side is\n"
	       "any number of profiles, or a directory of them; 6 runs a side, made in turns, are needed to be "
	       "sure.\n\n"
	       "Of two snapshots of one process (smartprof snapshot) it shows what happened between: CPU time, and "
	       "what "
	       "the\nheap grew by, site by site.\n\n"
	       "  --fail-below SCORE         fail when the score is lower\n"
	       "  --fail-on-regression PCT   fail when a total surely grew, by PCT percent or more\n"
	       "  --max-cpu SECONDS          fail when the current median is higher; also --max-wall SECONDS,\n"
	       "  --max-peak BYTES           --max-allocated BYTES\n"
	       "  --span GLOB                what one span of that name (smartprof.h) costs decides, not the totals: "
	       "more\n"
	       "                             requests of the same kind are no growth\n"
	       "  --strict                   not enough evidence, or failed runs, are exit status 3\n"
	       "  --format FORMAT            markdown, text, json, github (annotations, and a page in\n"
	       "                             $GITHUB_STEP_SUMMARY) or html: one page with the tables and a\n"
	       "                             differential flame graph\n"
	       "  --output FILE              write the report to FILE\n"
	       "  --calibrate                run PROGRAM --runs times (10) and keep what its runs differ by beside "
	       "its\n"
	       "                             profiles; comparisons of profiles in that directory use it\n"
	       "  --help                     show this text\n\n"
	       "Without a --fail or --max flag any total that surely grew fails. Exit status: 0 pass, 1 regression, 2 "
	       "bad\n"
	       "usage or unreadable input; with --strict 3 where evidence is missing, which otherwise is 0 and a "
	       "warning.\n");
}

static int bad_value(const char *flag, const char *value, const char *allowed)
{
	sp_complain("compare: --%s: '%s' is not valid; allowed: %s", flag, value, allowed);
	return SP_EXIT_USAGE;
}

/* unit: what may follow it */
static int set_number(const char *flag, const char *text, double scale, char unit, const char *allowed, double *number)
{
	char *end;

	*number = strtod(text, &end) * scale;
	if (end > text && unit && *end == unit)
		end++;
	return end == text || *end || !isfinite(*number) || *number < 0 ? bad_value(flag, text, allowed) : 0;
}

/* "512MiB" and the like, as settings are written. */
static int set_bytes(const char *flag, const char *text, double *number)
{
	struct sp_option_row row = {.type = SP_TYPE_BYTES, .max = INT64_MAX};
	uint64_t bytes;

	if (sp_option_parse(&row, text, &bytes))
		return bad_value(flag, text, "a size such as 300MB or 1GiB");
	*number = (double)bytes;
	return 0;
}

static int set_format(struct request *r, const char *name)
{
	int index = 0, status = sp_word_parse("compare: unknown format", name, format_names, FORMATS, &index);

	r->format = (enum format)index;
	return status;
}

static int set_gate(struct request *r, int flag)
{
	double runs;
	int status;

	switch (flag) {
	case FLAG_BELOW:
		status = set_number("fail-below", optarg, 1, '\0', "0 to 100", &r->gate.fail_below);
		return status || r->gate.fail_below <= 100 ? status : bad_value("fail-below", optarg, "0 to 100");
	case FLAG_REGRESSION:
		return set_number("fail-on-regression", optarg, 0.01, '%', "a percentage such as 10",
			&r->gate.fail_on_regression);
	case FLAG_MAX + SP_METRIC_CPU:
		return set_number("max-cpu", optarg, 1e9, 's', "seconds such as 2.5", &r->gate.most[SP_METRIC_CPU]);
	case FLAG_MAX + SP_METRIC_WALL:
		return set_number("max-wall", optarg, 1e9, 's', "seconds such as 2.5", &r->gate.most[SP_METRIC_WALL]);
	case FLAG_MAX + SP_METRIC_PEAK:
		return set_bytes("max-peak", optarg, &r->gate.most[SP_METRIC_PEAK]);
	case FLAG_MAX + SP_METRIC_ALLOCATED:
		return set_bytes("max-allocated", optarg, &r->gate.most[SP_METRIC_ALLOCATED]);
	case FLAG_RUNS:
		status = set_number("runs", optarg, 1, '\0', "3 to 1000", &runs);
		if (!status && (runs < 3 || runs > 1000 || runs != floor(runs)))
			status = bad_value("runs", optarg, "3 to 1000");
		r->runs = status ? 0 : (size_t)runs;
		return status;
	default:
		return 0;
	}
}

static void add_path(struct request *r, enum sp_side side, const char *path)
{
	r->paths[side][r->path_count[side]++] = path;
}

/* compare BASELINE CURRENT */
static int add_loose(struct request *r, const char *path)
{
	if (r->loose < SP_SIDES) {
		add_path(r, r->loose++, path);
		return 0;
	}
	sp_complain("compare: %s: it is not clear which side it is on; use --baseline FILE… --current FILE…", path);
	return SP_EXIT_USAGE;
}

/* Returns -1 to go on, else the exit status. */
static int parse_flags(int argc, char **argv, struct request *r)
{
	int got, status = 0, side = -1;

	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, "-:h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got == '?' || got == ':')
			return sp_flag_error("compare", got, argv, flags);
		if (got == 'b' || got == 'c')
			side = got == 'b' ? SP_BASELINE : SP_CURRENT;
		if (got == 1 && side < 0)
			status = add_loose(r, optarg);
		else if (got == 1 || ((got == 'b' || got == 'c') && optarg))
			add_path(r, side, optarg);
		r->gate.strict = r->gate.strict || got == FLAG_STRICT;
		r->calibrate = r->calibrate || got == FLAG_CALIBRATE;
		if (got == FLAG_OUTPUT)
			r->output = optarg;
		if (got == FLAG_SPAN)
			r->span = optarg;
		if (!status)
			status = got == FLAG_FORMAT ? set_format(r, optarg) : set_gate(r, got);
	}
	for (int i = optind; !status && !r->calibrate && i < argc; i++) /* behind -- */
		status = add_loose(r, argv[i]);
	return status ? status : -1;
}

/* The noise file at that place, NULL for none. Returns 0, or SP_EXIT_USAGE after a complaint. */
static int read_noise(const char *path, struct sp_noise **noise)
{
	struct sp_buffer text = {0};
	const char *why = NULL;
	size_t line = 0;
	int error = sp_input_read(path, &text), status = SP_EXIT_USAGE;

	*noise = error ? NULL : sp_noise_parse(text.data, text.length, &why, &line);
	sp_buffer_free(&text);
	if (*noise || error == -ENOENT)
		status = 0;
	else if (error)
		sp_complain("compare: %s: %s; remove it or calibrate again", path,
			error < 0 ? sp_input_error(error) : "it is not a noise file");
	else
		sp_complain("compare: %s: line %zu: %s; remove it or calibrate again", path, line, why);
	return status;
}

/* Beside the baseline, else beside the current profiles. */
static int find_noise(const struct request *r, struct sp_noise **noise)
{
	int status = 0;

	*noise = NULL;
	for (int side = 0; side < SP_SIDES && !*noise && !status; side++) {
		char copy[PATH_MAX], path[PATH_MAX];

		snprintf(copy, sizeof(copy), "%s", r->sides[side].names[0]);
		sp_noise_path(path, dirname(copy), r->sides[side].profiles[0]);
		status = read_noise(path, noise);
	}
	return status;
}

static int write_report(const struct request *r, const struct sp_comparison *c)
{
	static void (*const writers[FORMATS])(struct sp_buffer *, const struct sp_comparison *) = {
		sp_compare_markdown, sp_compare_text, sp_compare_json, sp_compare_github, sp_html_comparison};
	const char *summary = getenv("GITHUB_STEP_SUMMARY");
	struct sp_buffer text = {0};
	int status;

	writers[r->format](&text, c);
	status = sp_write_output("compare", r->output, &text, O_TRUNC) ? SP_EXIT_USAGE : 0;
	if (r->format == FORMAT_GITHUB && summary && *summary) {
		sp_buffer_clear(&text);
		sp_compare_markdown(&text, c);
		status = sp_write_output("compare", summary, &text, O_APPEND) ? SP_EXIT_USAGE : status;
	}
	sp_buffer_free(&text);
	return status;
}

static int compare(const struct request *r)
{
	struct sp_comparison_input input = {.gate = r->gate};
	struct sp_noise *noise;
	struct sp_comparison *c;
	int status = find_noise(r, &noise);

	if (status)
		return status;
	input.noise = noise;
	input.span = r->span;
	input.sources = getenv("GITHUB_WORKSPACE");
	for (int side = 0; side < SP_SIDES; side++) {
		input.profiles[side] = r->sides[side].profiles;
		input.names[side] = r->sides[side].names;
		input.count[side] = r->sides[side].count;
	}
	sp_compare_weights(input.weights);
	c = sp_compare(&input);
	for (int side = 0; side < SP_SIDES && r->format == FORMAT_HTML; side++)
		for (size_t i = 0; i < r->sides[side].count; i++)
			sp_export_prepare(r->sides[side].profiles[i], NULL);
	status = write_report(r, c);
	if (!status && c->verdict == SP_VERDICT_UNKNOWN)
		sp_complain("compare: warning: the evidence is not sufficient%s: %s",
			r->gate.strict ? "" : ", which fails only with --strict", c->reasons.items[0]);
	status = status ? status : sp_compare_status(c);
	sp_comparison_free(c);
	sp_noise_free(noise);
	return status;
}

/* Whether a flag tells what is to fail. */
static bool is_gated(const struct request *r)
{
	bool gated = r->span || r->gate.strict || !isnan(r->gate.fail_below) || !isnan(r->gate.fail_on_regression);

	for (unsigned m = 0; m < SP_GATING; m++)
		gated = gated || !isnan(r->gate.most[m]);
	return gated;
}

static int run_request(struct request *r, char **program)
{
	int status, unreadable = 0;

	if (sp_settings_check() > 0)
		return SP_EXIT_USAGE;
	if (r->calibrate) {
		if (*program)
			return sp_calibrate(program, r->runs ? r->runs : RUNS_DEFAULT);
		sp_complain("compare: --calibrate: no program given; name it behind --: "
			    "smartprof compare --calibrate -- app args");
		return SP_EXIT_USAGE;
	}
	if (r->runs) {
		sp_complain("compare: --runs: only --calibrate runs anything; smartprof run --repeat N makes profiles");
		return SP_EXIT_USAGE;
	}
	sp_limit_reading();
	if (r->path_count[SP_BASELINE] == 1 && r->path_count[SP_CURRENT] == 1) {
		status = sp_compare_snapshots(r->paths[SP_BASELINE][0], r->paths[SP_CURRENT][0], r->output,
			is_gated(r) || r->format != FORMAT_MARKDOWN);
		if (status >= 0)
			return status;
	}
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < r->path_count[side]; i++)
			unreadable += sp_side_add(&r->sides[side], r->paths[side][i]);
	status = unreadable ? SP_EXIT_USAGE : 0;
	if (!status)
		status = sp_side_check(&r->sides[SP_BASELINE], "baseline");
	if (!status)
		status = sp_side_check(&r->sides[SP_CURRENT], "current");
	return status ? status : compare(r);
}

int sp_cmd_compare(int argc, char **argv)
{
	struct request r = {.gate = {.fail_below = NAN, .fail_on_regression = NAN}};
	int status;

	for (unsigned m = 0; m < SP_GATING; m++)
		r.gate.most[m] = NAN;
	for (int side = 0; side < SP_SIDES; side++)
		r.paths[side] = sp_alloc((size_t)argc, sizeof(*r.paths[side]));
	status = parse_flags(argc, argv, &r);
	if (status < 0)
		status = run_request(&r, argv + optind);
	for (int side = 0; side < SP_SIDES; side++) {
		sp_side_free(&r.sides[side]);
		free(r.paths[side]);
	}
	return status;
}
