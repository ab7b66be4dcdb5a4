/* smartprof report: prints the profile of a running process, of a spool, or of a written profile. */
#include "tools/report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/markdown/markdown.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "profiles/spool/read.h"
#include "tools/live.h"
#include "tools/tools.h"

#define TOP_USUAL 30u
#define PROGRESS_AFTER_NS 500000000u
#define PROGRESS_EVERY_NS 100000000u

enum {
	FLAG_NO_INLINES = 1900,
	FLAG_BRIEF,
	FLAG_JSON,
	FLAG_FORMAT = 2000,
	FLAG_METRIC,
	FLAG_LINES,
	FLAG_SOURCE,
	FLAG_OUTPUT,
	FLAG_MERGE,
	FLAG_FOR,
	FLAG_SINCE,
	FLAG_AT,
	FLAG_LOOP,
	FLAG_KEEP,
	FLAG_KEEP_BYTES,
	FLAG_SPAN,
	FLAG_RUN
};

static void print_help(void)
{
	printf("usage: smartprof report [FLAGS] PID|PROGRAM|latest|SPOOL|PROFILE.md|DIRECTORY\n"
	       "       smartprof report --for TIME|--since SNAPSHOT|MARK|--at MARK|--loop TIME [FLAGS] PID|PROGRAM\n"
	       "       smartprof report --merge [FLAGS] PROFILE.md|DIRECTORY...\n"
	       "       smartprof report --run RUN [FLAGS]\n\n"
	       "Shows a profile, as Markdown or in another format: of a process that is running right now, of a "
	       "spool,\n"
	       "or one written earlier (of which Markdown is the readable part), the latest one of a directory. The\n"
	       "index of a run, tree.*.md, stands for the sum of the run's profiles.\n\n"
	       "  --run RUN       show the profile that the history keeps of a run (smartprof list)\n"
	       "  --merge         add these profiles, and those in these directories, up to one profile\n"
	       "  --for TIME      show what happens in the next 10s, 5min or 1h; ends early with the process or "
	       "Ctrl-C\n"
	       "  --since NAME    show what happened since smartprof snapshot --name NAME, since a snapshot's file, or "
	       "since a\n"
	       "                  mark of the process (ctl PID mark NAME, or a threshold)\n"
	       "  --at MARK       show the process as it was at that mark; with --since, the window that ends there\n"
	       "  --loop TIME     write a profile of each hour (1h) until the process ends, in the directory --output\n"
	       "                  (profiles/windows); the newest --keep N files (24) stay, --keep-bytes SIZE (128MB)\n"
	       "                  at the most\n"
	       "  --by WHAT       show one table of CPU time: by function, line, file, module or thread\n"
	       "  --top N         show N rows in each table\n"
	       "  --source NAME   show a function's lines with their CPU time, and their text if it fits the program\n"
	       "  --focus REGEX   keep stacks with a function, file or module that matches; others are [filtered]\n"
	       "  --ignore REGEX  leave out stacks with a function, file or module that matches\n"
	       "  --span GLOB     keep what was done in spans of that name (smartprof.h); other stacks are [filtered]\n"
	       "  --brief         show 4 KB at most: the verdict, the hottest functions and path, a leak, what is "
	       "missing\n"
	       "  --json          write --brief as JSON\n"
	       "  --full          show everything: no limit on the length of tables\n"
	       "  --format FORMAT markdown; html: one page with flame graphs; folded, speedscope, pprof,\n"
	       "                  otlp, gperftools or json: for other programs\n"
	       "  --metric WHAT   cpu, in_use, peak, allocated, wait or wall (cpu and wait): what folded, pprof\n"
	       "                  and gperftools tell, what html, speedscope and otlp show first\n"
	       "  --lines         speedscope: write a frame for each line, not for each function\n"
	       "  --no-inlines    count inlined functions for the functions they were inlined into\n"
	       "  --output FILE   write to FILE\n" SP_SYMBOLS_HELP "  --help          show this text\n\n"
	       "Of a profile written earlier, --top, --focus and --ignore choose rows of one table in Markdown, by\n"
	       "function unless --by says otherwise; in the other formats they choose stacks. REGEX is a POSIX\n"
	       "extended regular expression.\n");
}

/* What was asked for. */
struct wish {
	struct sp_render_options options;
	struct sp_symbolizer_options symbols;
	regex_t focus, ignore;
	struct sp_report_wish export;
	const char *run;    /* in the history; NULL: none was asked for */
	const char *source; /* a function; NULL: none was asked for */
	bool brief, json;
	bool look_up;       /* names: of a written profile, again */
	const char *output; /* NULL: standard output */
	bool merge;
	struct sp_window_wish window;
};

struct progress {
	uint64_t start_ns, shown_ns;
};

static void show_progress(void *context, size_t done, size_t total)
{
	struct progress *p = context;
	uint64_t now = sp_time_ns(CLOCK_MONOTONIC);

	if (done == total) {
		if (p->shown_ns)
			fputs("\r\033[K", stderr);
		return;
	}
	if (now - p->start_ns < PROGRESS_AFTER_NS || now - p->shown_ns < PROGRESS_EVERY_NS)
		return;
	p->shown_ns = now;
	fprintf(stderr, "\rsmartprof: symbolizing %zu of %zu stacks", done, total);
}

static int print_text(const struct wish *wish, const struct sp_buffer *text)
{
	return sp_write_output("report", wish->output, text, O_TRUNC) ? 1 : 0;
}

/* -ENODATA: the question was fine, and has no answer here. line: of the file, 0 for all of it. */
static int complain_of(const char *path, int err, const char *why, size_t line)
{
	char at[40] = "";

	if (err == -ENODATA) {
		sp_complain("report: %s: %s", path, why);
		return 1;
	}
	if (line)
		snprintf(at, sizeof(at), "line %zu: ", line);
	sp_complain("report: %s: %s%s; give it a process id, a spool or a profile", path, at, why);
	return SP_EXIT_USAGE;
}

static int report_export(const char *path, const struct wish *wish, const struct sp_buffer *markdown)
{
	struct sp_buffer out = {0};
	const char *why = "";
	size_t line = 0;
	int err = sp_report_export(&out, markdown, &wish->export, &why, &line);
	int status = err < 0 ? complain_of(path, err, why, line) : print_text(wish, &out);

	sp_buffer_free(&out);
	return status;
}

static int report_profile(const char *path, struct sp_buffer *text, const struct wish *wish);

/* Other formats choose among the stacks of the whole profile. */
static int report_open(int fd, const char *path, struct wish *wish)
{
	struct progress progress = {.start_ns = sp_time_ns(CLOCK_MONOTONIC)};
	struct sp_render_options options = wish->options;
	struct sp_buffer out = {0};
	const char *why = "";
	int err, status;

	if (isatty(STDERR_FILENO)) {
		options.progress = show_progress;
		options.progress_context = &progress;
	}
	if (wish->export.format != SP_REPORT_MARKDOWN)
		options.filter = (struct sp_filter){.span = options.filter.span};
	options.full |= wish->source || wish->brief || wish->export.format != SP_REPORT_MARKDOWN;
	err = sp_render_open(fd, &options, &out, &why);
	if (err == -ENOKEY) {
		status = sp_mark_complain(path, fd, why);
	} else if (err < 0 && (options.since || options.since_mark) && err != -ENODATA) {
		sp_complain("report: %s: it %s the snapshot that the window begins with", path, why);
		status = SP_EXIT_USAGE;
	} else if (err < 0) {
		status = complain_of(path, err, why, 0);
	} else if (wish->source || wish->brief) {
		status = report_profile(path, &out, wish);
	} else if (wish->export.format == SP_REPORT_MARKDOWN) {
		status = print_text(wish, &out);
	} else {
		status = report_export(path, wish, &out);
	}
	sp_buffer_free(&out);
	return status;
}

static int report_spool(const char *path, struct wish *wish)
{
	int fd = sp_spool_open(path), status;

	if (fd < 0)
		return complain_of(path, fd, strerror(-fd), 0);
	status = report_open(fd, path, wish);
	close(fd);
	return status;
}

static int report_window(const char *what, struct wish *wish)
{
	struct sp_snapshot earlier = {0};
	int fd, status = SP_EXIT_USAGE;

	fd = sp_window_open(&wish->window, what, &earlier, &wish->options.since_mark);
	if (fd >= 0) {
		wish->options.since = earlier.stacks ? &earlier : NULL;
		wish->options.at_mark = wish->window.at;
		status = report_open(fd, what, wish);
		close(fd);
	}
	sp_snapshot_free(&earlier);
	return status;
}

static bool is_filtered(const struct sp_render_options *o)
{
	return o->filter.focus || o->filter.ignore;
}

/* Whether one table is asked for, and not the profile. */
static bool selects_rows(const struct sp_render_options *o)
{
	return o->by || o->top || is_filtered(o);
}

static int report_table(const char *path, const struct sp_profile *profile, const struct wish *wish)
{
	const struct sp_render_options *o = &wish->options;
	struct sp_buffer out = {0};
	const char *why =
		sp_markdown_by(&out, profile, o->by ? o->by : SP_BY_FUNCTION, o->top ? o->top : TOP_USUAL, &o->filter);
	int status = why ? complain_of(path, -ENODATA, why, 0) : print_text(wish, &out);

	sp_buffer_free(&out);
	return status;
}

static int report_source(const char *path, const struct sp_profile *profile, const struct wish *wish)
{
	struct sp_buffer out = {0};
	char *directory = getcwd(NULL, 0);
	const char *why = sp_markdown_source(&out, profile, wish->source, directory);
	int status = why ? complain_of(path, -ENODATA, why, 0) : print_text(wish, &out);

	free(directory);
	sp_buffer_free(&out);
	return status;
}

static int report_brief(const struct sp_profile *profile, const struct sp_buffer *text, const struct wish *wish)
{
	struct sp_buffer out = {0}, verdict = {0};
	int status;

	sp_report_verdict(&verdict, text);
	sp_markdown_brief(&out, profile, verdict.data, wish->json);
	status = print_text(wish, &out);
	sp_buffer_free(&verdict);
	sp_buffer_free(&out);
	return status;
}

/* Looks the profile's names up again, or keeps what is of a span, where that was asked for. */
static int renew(const char *path, struct sp_buffer *text, const struct wish *wish)
{
	const char *slash = strrchr(path, '/'), *why;
	struct sp_buffer anew = {0};
	uint64_t named;

	if (!wish->look_up && !wish->symbols.no_inlines && !wish->options.filter.span)
		return 0;
	why = sp_markdown_again(&anew, text, slash ? slash + 1 : path, &wish->symbols, wish->look_up,
		wish->options.filter.span, &named);
	if (why) {
		sp_buffer_free(&anew);
		sp_complain("report: %s: %s", path, why);
		return strcmp(why, SP_NO_SUCH_SPAN) == 0 ? 1 : SP_EXIT_USAGE;
	}
	sp_buffer_free(text);
	*text = anew;
	return 0;
}

static int report_profile(const char *path, struct sp_buffer *text, const struct wish *wish)
{
	const struct sp_render_options *o = &wish->options;
	const char *why = "";
	struct sp_profile *profile;
	size_t line;
	int status;

	if (wish->export.format != SP_REPORT_MARKDOWN)
		return report_export(path, wish, text);
	profile = sp_markdown_read_at(text->data, text->length, &why, &line);
	if (!profile)
		return complain_of(path, -EINVAL, why, line);
	if (wish->brief) {
		status = report_brief(profile, text, wish);
		sp_profile_free(profile);
		return status;
	}
	if (!o->full)
		text->length = sp_markdown_top(text->data, text->length);
	if (wish->source)
		status = report_source(path, profile, wish);
	else if (selects_rows(o))
		status = report_table(path, profile, wish);
	else
		status = print_text(wish, text);
	sp_profile_free(profile);
	return status;
}

/* When the sum is written to a file, it keeps its complete part. */
static int report_merged(char **paths, size_t count, struct wish *wish)
{
	const struct sp_render_options *o = &wish->options;
	struct sp_buffer text = {0};
	int status, worse = 0;
	bool chosen = selects_rows(o) || wish->source || wish->brief;

	if (wish->look_up || wish->symbols.no_inlines) {
		sp_complain("report: names cannot be looked up again in a sum of profiles; run smartprof symbolize on "
			    "each profile, and merge the results");
		return SP_EXIT_USAGE;
	}
	status = sp_report_merge(&text, paths, count, o->full || chosen || wish->export.format != SP_REPORT_MARKDOWN);
	if (status != SP_EXIT_USAGE && wish->export.format == SP_REPORT_MARKDOWN && wish->output && !chosen)
		worse = print_text(wish, &text);
	else if (status != SP_EXIT_USAGE)
		worse = report_profile(paths[0], &text, wish);
	sp_buffer_free(&text);
	return worse ? worse : status;
}

static int report_stored(const char *id, struct wish *wish)
{
	char name[SP_STORED_NAME];
	struct sp_buffer text = {0};
	int status = sp_report_stored(id, &text, name);

	if (!status)
		status = renew(name, &text, wish);
	if (!status)
		status = report_profile(name, &text, wish);
	sp_buffer_free(&text);
	return status;
}

/* Whether this looks like the name of a file: if the file does not exist, the message is about that. */
static bool is_file_name(const char *what)
{
	const char *dot = strrchr(what, '.');

	return !*what || (dot && (strcmp(dot, ".md") == 0 || strcmp(dot, ".spool") == 0));
}

static int report(const char *what, struct wish *wish)
{
	char path[PATH_MAX], latest[PATH_MAX] = "";
	struct sp_buffer text = {0};
	struct stat st;
	int got, status;

	if (wish->window.loop)
		return sp_window_loop(&wish->window, what, wish->output, &wish->options);
	if (wish->window.lasts || wish->window.since || wish->window.at)
		return report_window(what, wish);
	got = sp_snapshot_find("report", what, path);
	if (!got)
		got = sp_spool_named("report", what, path);
	if (got)
		return got < 0 ? SP_EXIT_USAGE : report_spool(path, wish);
	what = sp_input_named("report", what, path);
	if (access(what, F_OK) < 0 && !strchr(what, '/') && !is_file_name(what)) {
		sp_spool_complain_absent("report", what);
		return SP_EXIT_USAGE;
	}
	if (stat(what, &st) == 0 && S_ISDIR(st.st_mode)) {
		snprintf(path, sizeof(path), "%s/latest.md",
			what); /* if it is not there, it is what is complained about */
		sp_profile_latest(what, latest);
		what = *latest ? latest : path;
	}
	got = sp_input_read(what, &text);
	if (got < 0)
		status = complain_of(what, got, sp_input_error(got), 0);
	else if (got == SP_INPUT_SPOOL)
		status = report_spool(what, wish);
	else if (got == 0 && sp_report_is_index(&text))
		status = report_merged((char *[]){(char *)what}, 1, wish);
	else
		status = (status = renew(what, &text, wish)) ? status : report_profile(what, &text, wish);
	sp_buffer_free(&text);
	return status;
}

static int parse_top(const char *text, size_t *top)
{
	size_t digits = strspn(text, "0123456789");

	*top = digits && digits < 8 && !text[digits] ? (size_t)atol(text) : 0;
	if (*top)
		return 0;
	sp_complain("report: --top: '%s' is not a number of rows; give it 1 to 9999999", text);
	return SP_EXIT_USAGE;
}

static int parse_by(const char *text, enum sp_by *by)
{
	static const char *const words[] = {"function", "line", "file", "module", "thread"};
	int index = 0,
	    status = sp_word_parse("report: unknown table", text, words, sizeof(words) / sizeof(words[0]), &index);

	*by = (enum sp_by)(SP_BY_FUNCTION + index);
	return status;
}

static int parse_regex(const char *flag, const char *text, regex_t *regex, const regex_t **used)
{
	char why[128];
	int err;

	if (*used) {
		sp_complain("report: --%s: it is given twice; join the expressions with |", flag);
		return SP_EXIT_USAGE;
	}
	err = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	if (!err) {
		*used = regex;
		return 0;
	}
	regerror(err, regex, why, sizeof(why));
	sp_complain("report: --%s: '%s' is not a regular expression: %s", flag, text, why);
	return SP_EXIT_USAGE;
}

static int parse_flag(int got, char **argv, const struct option *flags, struct wish *wish)
{
	struct sp_render_options *o = &wish->options;
	int taken = sp_symbols_flag(&wish->symbols, got, optarg);

	wish->look_up = wish->look_up || taken > 0;
	if (taken)
		return taken < 0 ? SP_EXIT_USAGE : 0;
	switch (got) {
	case 'f':
		o->full = true;
		return 0;
	case 't':
		return parse_top(optarg, &o->top);
	case 'b':
		return parse_by(optarg, &o->by);
	case 'o':
		return parse_regex("focus", optarg, &wish->focus, &o->filter.focus);
	case FLAG_FORMAT:
		return sp_report_parse_format(optarg, &wish->export.format);
	case FLAG_SOURCE:
		wish->source = optarg;
		return 0;
	case FLAG_BRIEF:
		wish->brief = true;
		return 0;
	case FLAG_JSON:
		wish->json = true;
		return 0;
	case FLAG_NO_INLINES:
		wish->symbols.no_inlines = true;
		return 0;
	case FLAG_LINES:
		wish->export.lines = true;
		return 0;
	case FLAG_METRIC:
		return sp_report_parse_metric(optarg, &wish->export.view);
	case FLAG_FOR:
		wish->window.lasts = optarg;
		return 0;
	case FLAG_SINCE:
		wish->window.since = optarg;
		return 0;
	case FLAG_AT:
		wish->window.at = optarg;
		return 0;
	case FLAG_SPAN:
		o->filter.span = optarg;
		return 0;
	case FLAG_LOOP:
		wish->window.loop = optarg;
		return 0;
	case FLAG_KEEP:
		wish->window.keep = optarg;
		return 0;
	case FLAG_KEEP_BYTES:
		wish->window.keep_bytes = optarg;
		return 0;
	case FLAG_RUN:
		wish->run = optarg;
		return 0;
	case FLAG_MERGE:
		wish->merge = true;
		return 0;
	case FLAG_OUTPUT:
		wish->output = optarg;
		return 0;
	case 'i':
		return parse_regex("ignore", optarg, &wish->ignore, &o->filter.ignore);
	default:
		return sp_flag_error("report", got, argv, flags);
	}
}

/* Checks flags that only some formats know. */
static int check_format(const struct wish *wish)
{
	const struct sp_render_options *o = &wish->options;

	const bool markdown = wish->export.format == SP_REPORT_MARKDOWN;

	if ((markdown || wish->export.format == SP_REPORT_JSON) && wish->export.view != SP_VIEWS) {
		sp_complain("report: --metric: %s contains all metrics; name another --format, or leave --metric out",
			markdown ? "Markdown" : "json");
		return SP_EXIT_USAGE;
	}
	if (wish->export.lines && wish->export.format != SP_REPORT_SPEEDSCOPE) {
		sp_complain("report: --lines: only --format speedscope has it; leave it out");
		return SP_EXIT_USAGE;
	}
	if (markdown)
		return 0;
	if (o->by || o->top || o->full) {
		sp_complain("report: --%s: only Markdown has it, as other formats contain everything; leave it out",
			o->by            ? "by"
				: o->top ? "top"
					 : "full");
		return SP_EXIT_USAGE;
	}
	if ((wish->export.format == SP_REPORT_PPROF || wish->export.format == SP_REPORT_OTLP) && !wish->output &&
		isatty(STDOUT_FILENO)) {
		sp_complain("report: --format %s: it is binary and does not go to a terminal; name a file with "
			    "--output",
			wish->export.format == SP_REPORT_PPROF ? "pprof" : "otlp");
		return SP_EXIT_USAGE;
	}
	return 0;
}

static int check_window(const struct wish *wish)
{
	const struct sp_window_wish *w = &wish->window;

	if (wish->merge && (w->lasts || w->since || w->loop || w->at)) {
		sp_complain("report: --merge: it adds up whole profiles; leave --for, --since, --at and --loop out");
		return SP_EXIT_USAGE;
	}
	if (w->loop && (wish->export.format != SP_REPORT_MARKDOWN || wish->source || wish->brief || wish->options.by)) {
		sp_complain("report: --loop: it writes whole profiles; leave --format, --source, --brief and --by out");
		return SP_EXIT_USAGE;
	}
	return sp_window_check_wish(w);
}

static int check_wish(int left, struct wish *wish)
{
	struct sp_render_options *o = &wish->options;

	if (wish->run &&
		(left || wish->merge || wish->window.lasts || wish->window.since || wish->window.at ||
			wish->window.loop)) {
		sp_complain("report: --run: it names a profile in the history; leave other names, --merge and windows "
			    "out");
		return SP_EXIT_USAGE;
	}
	if (!wish->run && (left < 1 || (left > 1 && !wish->merge))) {
		sp_complain(left > 1
				? "report: more than one process id, spool or profile given; --merge adds several up"
				: "report: no process id, spool or profile given; see smartprof report --help");
		return SP_EXIT_USAGE;
	}
	if (o->by == SP_BY_THREAD && sp_filter_is_on(&o->filter)) {
		sp_complain("report: --by thread: the profile does not say which thread a stack belongs to; leave "
			    "--focus, --ignore and --span out");
		return SP_EXIT_USAGE;
	}
	if (o->filter.span && wish->merge) {
		sp_complain("report: --span: a sum of profiles has no spans; leave --merge out");
		return SP_EXIT_USAGE;
	}
	if (wish->source && (selects_rows(o) || o->full || wish->export.format != SP_REPORT_MARKDOWN)) {
		sp_complain("report: --source: it shows a single function; leave the other flags that select rows out");
		return SP_EXIT_USAGE;
	}
	if (wish->json && !wish->brief) {
		sp_complain("report: --json: only --brief has it; --format json writes the whole profile");
		return SP_EXIT_USAGE;
	}
	if (wish->brief && (selects_rows(o) || o->full || wish->source || wish->export.format != SP_REPORT_MARKDOWN)) {
		sp_complain("report: --brief: its content is fixed; leave the other flags that select rows out");
		return SP_EXIT_USAGE;
	}
	if (o->full && o->top) {
		sp_complain("report: --full and --top: they exclude each other; leave one out");
		return SP_EXIT_USAGE;
	}
	if (check_format(wish) || check_window(wish))
		return SP_EXIT_USAGE;
	if (o->by && !o->top)
		o->top = o->full ? SIZE_MAX : TOP_USUAL;
	return 0;
}

int sp_cmd_report(int argc, char **argv)
{
	static const struct option flags[] = {{"full", no_argument, NULL, 'f'}, {"top", required_argument, NULL, 't'},
		{"by", required_argument, NULL, 'b'}, {"focus", required_argument, NULL, 'o'},
		{"ignore", required_argument, NULL, 'i'}, {"format", required_argument, NULL, FLAG_FORMAT},
		{"metric", required_argument, NULL, FLAG_METRIC}, {"lines", no_argument, NULL, FLAG_LINES},
		{"source", required_argument, NULL, FLAG_SOURCE}, {"output", required_argument, NULL, FLAG_OUTPUT},
		{"no-inlines", no_argument, NULL, FLAG_NO_INLINES}, {"brief", no_argument, NULL, FLAG_BRIEF},
		{"json", no_argument, NULL, FLAG_JSON}, {"merge", no_argument, NULL, FLAG_MERGE},
		{"for", required_argument, NULL, FLAG_FOR}, {"since", required_argument, NULL, FLAG_SINCE},
		{"at", required_argument, NULL, FLAG_AT}, {"loop", required_argument, NULL, FLAG_LOOP},
		{"keep", required_argument, NULL, FLAG_KEEP}, {"keep-bytes", required_argument, NULL, FLAG_KEEP_BYTES},
		{"span", required_argument, NULL, FLAG_SPAN}, {"run", required_argument, NULL, FLAG_RUN},
		SP_SYMBOLS_FLAGS, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct wish wish = {.export = {.view = SP_VIEWS}};
	int got, status = 0;

	sp_symbols_options(&wish.symbols, true);
	wish.options.symbols = &wish.symbols;
	wish.export.filter = &wish.options.filter;
	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			goto out;
		}
		status = parse_flag(got, argv, flags, &wish);
	}
	if (!status)
		status = check_wish(argc - optind, &wish);
	if (!status) {
		if (!wish.window.loop)
			sp_limit_reading();
		status = wish.run    ? report_stored(wish.run, &wish)
			: wish.merge ? report_merged(argv + optind, (size_t)(argc - optind), &wish)
				     : report(argv[optind], &wish);
	}
out:
	if (wish.options.filter.focus)
		regfree(&wish.focus);
	if (wish.options.filter.ignore)
		regfree(&wish.ignore);
	return status;
}
