/* smartprof report: prints the profile of a running process, of a spool, or of a written profile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/report/asked.h"
#include "tools/tools.h"

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

static int parse_flag(int got, char **argv, const struct option *flags, struct sp_report_asked *asked)
{
	struct sp_render_options *o = &asked->options;
	int taken = sp_symbols_flag(&asked->symbols, got, optarg);

	asked->look_up = asked->look_up || taken > 0;
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
		return parse_regex("focus", optarg, &asked->focus, &o->filter.focus);
	case FLAG_FORMAT:
		return sp_report_parse_format(optarg, &asked->export.format);
	case FLAG_SOURCE:
		asked->source = optarg;
		return 0;
	case FLAG_BRIEF:
		asked->brief = true;
		return 0;
	case FLAG_JSON:
		asked->json = true;
		return 0;
	case FLAG_NO_INLINES:
		asked->symbols.no_inlines = true;
		return 0;
	case FLAG_LINES:
		asked->export.lines = true;
		return 0;
	case FLAG_METRIC:
		return sp_report_parse_metric(optarg, &asked->export.view);
	case FLAG_FOR:
		asked->window.lasts = optarg;
		return 0;
	case FLAG_SINCE:
		asked->window.since = optarg;
		return 0;
	case FLAG_AT:
		asked->window.at = optarg;
		return 0;
	case FLAG_SPAN:
		o->filter.span = optarg;
		return 0;
	case FLAG_LOOP:
		asked->window.loop = optarg;
		return 0;
	case FLAG_KEEP:
		asked->window.keep = optarg;
		return 0;
	case FLAG_KEEP_BYTES:
		asked->window.keep_bytes = optarg;
		return 0;
	case FLAG_RUN:
		asked->run = optarg;
		return 0;
	case FLAG_MERGE:
		asked->merge = true;
		return 0;
	case FLAG_OUTPUT:
		asked->output = optarg;
		return 0;
	case 'i':
		return parse_regex("ignore", optarg, &asked->ignore, &o->filter.ignore);
	default:
		return sp_flag_error("report", got, argv, flags);
	}
}

/* Checks flags that only some formats know. */
static int check_format(const struct sp_report_asked *asked)
{
	const struct sp_render_options *o = &asked->options;

	const bool markdown = asked->export.format == SP_REPORT_MARKDOWN;

	if ((markdown || asked->export.format == SP_REPORT_JSON) && asked->export.view != SP_VIEWS) {
		sp_complain("report: --metric: %s contains all metrics; name another --format, or leave --metric out",
			markdown ? "Markdown" : "json");
		return SP_EXIT_USAGE;
	}
	if (asked->export.lines && asked->export.format != SP_REPORT_SPEEDSCOPE) {
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
	if ((asked->export.format == SP_REPORT_PPROF || asked->export.format == SP_REPORT_OTLP) && !asked->output &&
		isatty(STDOUT_FILENO)) {
		sp_complain("report: --format %s: it is binary and does not go to a terminal; name a file with "
			    "--output",
			asked->export.format == SP_REPORT_PPROF ? "pprof" : "otlp");
		return SP_EXIT_USAGE;
	}
	return 0;
}

static int check_window(const struct sp_report_asked *asked)
{
	const struct sp_window_wish *w = &asked->window;

	if (asked->merge && (w->lasts || w->since || w->loop || w->at)) {
		sp_complain("report: --merge: it adds up whole profiles; leave --for, --since, --at and --loop out");
		return SP_EXIT_USAGE;
	}
	if (w->loop &&
		(asked->export.format != SP_REPORT_MARKDOWN || asked->source || asked->brief || asked->options.by)) {
		sp_complain("report: --loop: it writes whole profiles; leave --format, --source, --brief and --by out");
		return SP_EXIT_USAGE;
	}
	return sp_window_check_wish(w);
}

static int check_asked(int left, struct sp_report_asked *asked)
{
	struct sp_render_options *o = &asked->options;

	if (asked->run &&
		(left || asked->merge || asked->window.lasts || asked->window.since || asked->window.at ||
			asked->window.loop)) {
		sp_complain("report: --run: it names a profile in the history; leave other names, --merge and windows "
			    "out");
		return SP_EXIT_USAGE;
	}
	if (!asked->run && (left < 1 || (left > 1 && !asked->merge))) {
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
	if (o->filter.span && asked->merge) {
		sp_complain("report: --span: a sum of profiles has no spans; leave --merge out");
		return SP_EXIT_USAGE;
	}
	if (asked->source && (sp_report_selects_rows(o) || o->full || asked->export.format != SP_REPORT_MARKDOWN)) {
		sp_complain("report: --source: it shows a single function; leave the other flags that select rows out");
		return SP_EXIT_USAGE;
	}
	if (asked->json && !asked->brief) {
		sp_complain("report: --json: only --brief has it; --format json writes the whole profile");
		return SP_EXIT_USAGE;
	}
	if (asked->brief &&
		(sp_report_selects_rows(o) || o->full || asked->source || asked->export.format != SP_REPORT_MARKDOWN)) {
		sp_complain("report: --brief: its content is fixed; leave the other flags that select rows out");
		return SP_EXIT_USAGE;
	}
	if (o->full && o->top) {
		sp_complain("report: --full and --top: they exclude each other; leave one out");
		return SP_EXIT_USAGE;
	}
	if (check_format(asked) || check_window(asked))
		return SP_EXIT_USAGE;
	if (o->by && !o->top)
		o->top = o->full ? SIZE_MAX : SP_REPORT_TOP;
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
	struct sp_report_asked asked = {.export = {.view = SP_VIEWS}};
	int got, status = 0;

	sp_symbols_options(&asked.symbols, true);
	asked.options.symbols = &asked.symbols;
	asked.export.filter = &asked.options.filter;
	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			goto out;
		}
		status = parse_flag(got, argv, flags, &asked);
	}
	if (!status)
		status = check_asked(argc - optind, &asked);
	if (!status) {
		if (!asked.window.loop)
			sp_limit_reading();
		status = asked.run    ? sp_report_show_stored(asked.run, &asked)
			: asked.merge ? sp_report_show_sum(argv + optind, (size_t)(argc - optind), &asked)
				      : sp_report_show(argv[optind], &asked);
	}
out:
	if (asked.options.filter.focus)
		regfree(&asked.focus);
	if (asked.options.filter.ignore)
		regfree(&asked.ignore);
	return status;
}
