/* Shows the profile of a running process, of a spool, or a written one, as it was asked for. */
#include "tools/report/asked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/markdown/markdown.h"
#include "profiles/spool/find.h"
#include "profiles/spool/read.h"
#include "tools/tools.h"

#define PROGRESS_AFTER_NS 500000000u
#define PROGRESS_EVERY_NS 100000000u

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

static int print_text(const struct sp_report_asked *asked, const struct sp_buffer *text)
{
	return sp_write_output("report", asked->output, text, O_TRUNC) ? 1 : 0;
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

static int report_export(const char *path, const struct sp_report_asked *asked, const struct sp_buffer *markdown)
{
	struct sp_buffer out = {0};
	const char *why = "";
	size_t line = 0;
	int err = sp_report_export(&out, markdown, &asked->export, &why, &line);
	int status = err < 0 ? complain_of(path, err, why, line) : print_text(asked, &out);

	sp_buffer_free(&out);
	return status;
}

static int report_profile(const char *path, struct sp_buffer *text, const struct sp_report_asked *asked);

/* Other formats choose among the stacks of the whole profile. */
static int report_open(int fd, const char *path, struct sp_report_asked *asked)
{
	struct progress progress = {.start_ns = sp_time_ns(CLOCK_MONOTONIC)};
	struct sp_render_options options = asked->options;
	struct sp_buffer out = {0};
	const char *why = "";
	int err, status;

	if (isatty(STDERR_FILENO)) {
		options.progress = show_progress;
		options.progress_context = &progress;
	}
	if (asked->export.format != SP_REPORT_MARKDOWN)
		options.filter = (struct sp_filter){.span = options.filter.span};
	options.full |= asked->source || asked->brief || asked->export.format != SP_REPORT_MARKDOWN;
	err = sp_render_open(fd, &options, &out, &why);
	if (err == -ENOKEY) {
		status = sp_mark_complain(path, fd, why);
	} else if (err < 0 && (options.since || options.since_mark) && err != -ENODATA) {
		sp_complain("report: %s: it %s the snapshot that the window begins with", path, why);
		status = SP_EXIT_USAGE;
	} else if (err < 0) {
		status = complain_of(path, err, why, 0);
	} else if (asked->source || asked->brief) {
		status = report_profile(path, &out, asked);
	} else if (asked->export.format == SP_REPORT_MARKDOWN) {
		status = print_text(asked, &out);
	} else {
		status = report_export(path, asked, &out);
	}
	sp_buffer_free(&out);
	return status;
}

static int report_spool(const char *path, struct sp_report_asked *asked)
{
	int fd = sp_spool_open(path), status;

	if (fd < 0)
		return complain_of(path, fd, strerror(-fd), 0);
	status = report_open(fd, path, asked);
	close(fd);
	return status;
}

static int report_window(const char *what, struct sp_report_asked *asked)
{
	struct sp_snapshot earlier = {0};
	int fd, status = SP_EXIT_USAGE;

	fd = sp_window_open(&asked->window, what, &earlier, &asked->options.since_mark);
	if (fd >= 0) {
		asked->options.since = earlier.stacks ? &earlier : NULL;
		asked->options.at_mark = asked->window.at;
		status = report_open(fd, what, asked);
		close(fd);
	}
	sp_snapshot_free(&earlier);
	return status;
}

static bool is_filtered(const struct sp_render_options *o)
{
	return o->filter.focus || o->filter.ignore;
}

bool sp_report_selects_rows(const struct sp_render_options *o)
{
	return o->by || o->top || is_filtered(o);
}

static int report_table(const char *path, const struct sp_profile *profile, const struct sp_report_asked *asked)
{
	const struct sp_render_options *o = &asked->options;
	struct sp_buffer out = {0};
	const char *why = sp_markdown_by(&out, profile, o->by ? o->by : SP_BY_FUNCTION, o->top ? o->top : SP_REPORT_TOP,
		&o->filter);
	int status = why ? complain_of(path, -ENODATA, why, 0) : print_text(asked, &out);

	sp_buffer_free(&out);
	return status;
}

static int report_source(const char *path, const struct sp_profile *profile, const struct sp_report_asked *asked)
{
	struct sp_buffer out = {0};
	char *directory = getcwd(NULL, 0);
	const char *why = sp_markdown_source(&out, profile, asked->source, directory);
	int status = why ? complain_of(path, -ENODATA, why, 0) : print_text(asked, &out);

	free(directory);
	sp_buffer_free(&out);
	return status;
}

static int report_brief(const struct sp_profile *profile, const struct sp_buffer *text,
	const struct sp_report_asked *asked)
{
	struct sp_buffer out = {0}, verdict = {0};
	int status;

	sp_report_verdict(&verdict, text);
	sp_markdown_brief(&out, profile, verdict.data, asked->json);
	status = print_text(asked, &out);
	sp_buffer_free(&verdict);
	sp_buffer_free(&out);
	return status;
}

/* Looks the profile's names up again, or keeps what is of a span, where that was asked for. */
static int renew(const char *path, struct sp_buffer *text, const struct sp_report_asked *asked)
{
	const char *slash = strrchr(path, '/'), *why;
	struct sp_buffer anew = {0};
	uint64_t named;

	if (!asked->look_up && !asked->symbols.no_inlines && !asked->options.filter.span)
		return 0;
	why = sp_markdown_again(&anew, text, slash ? slash + 1 : path, &asked->symbols, asked->look_up,
		asked->options.filter.span, &named);
	if (why) {
		sp_buffer_free(&anew);
		sp_complain("report: %s: %s", path, why);
		return strcmp(why, SP_NO_SUCH_SPAN) == 0 ? 1 : SP_EXIT_USAGE;
	}
	sp_buffer_free(text);
	*text = anew;
	return 0;
}

static int report_profile(const char *path, struct sp_buffer *text, const struct sp_report_asked *asked)
{
	const struct sp_render_options *o = &asked->options;
	const char *why = "";
	struct sp_profile *profile;
	size_t line;
	int status;

	if (asked->export.format != SP_REPORT_MARKDOWN)
		return report_export(path, asked, text);
	profile = sp_markdown_read_at(text->data, text->length, &why, &line);
	if (!profile)
		return complain_of(path, -EINVAL, why, line);
	if (asked->brief) {
		status = report_brief(profile, text, asked);
		sp_profile_free(profile);
		return status;
	}
	if (!o->full)
		text->length = sp_markdown_top(text->data, text->length);
	if (asked->source)
		status = report_source(path, profile, asked);
	else if (sp_report_selects_rows(o))
		status = report_table(path, profile, asked);
	else
		status = print_text(asked, text);
	sp_profile_free(profile);
	return status;
}

int sp_report_show_sum(char **paths, size_t count, struct sp_report_asked *asked)
{
	const struct sp_render_options *o = &asked->options;
	struct sp_buffer text = {0};
	int status, worse = 0;
	bool chosen = sp_report_selects_rows(o) || asked->source || asked->brief;

	if (asked->look_up || asked->symbols.no_inlines) {
		sp_complain("report: names cannot be looked up again in a sum of profiles; run smartprof symbolize on "
			    "each profile, and merge the results");
		return SP_EXIT_USAGE;
	}
	status = sp_report_merge(&text, paths, count, o->full || chosen || asked->export.format != SP_REPORT_MARKDOWN);
	if (status != SP_EXIT_USAGE && asked->export.format == SP_REPORT_MARKDOWN && asked->output && !chosen)
		worse = print_text(asked, &text);
	else if (status != SP_EXIT_USAGE)
		worse = report_profile(paths[0], &text, asked);
	sp_buffer_free(&text);
	return worse ? worse : status;
}

int sp_report_show_stored(const char *id, struct sp_report_asked *asked)
{
	char name[SP_STORED_NAME];
	struct sp_buffer text = {0};
	int status = sp_report_stored(id, &text, name);

	if (!status)
		status = renew(name, &text, asked);
	if (!status)
		status = report_profile(name, &text, asked);
	sp_buffer_free(&text);
	return status;
}

/* Whether this looks like the name of a file: if the file does not exist, the message is about that. */
static bool is_file_name(const char *what)
{
	const char *dot = strrchr(what, '.');

	return !*what || (dot && (strcmp(dot, ".md") == 0 || strcmp(dot, ".spool") == 0));
}

int sp_report_show(const char *what, struct sp_report_asked *asked)
{
	char path[PATH_MAX], latest[PATH_MAX] = "";
	struct sp_buffer text = {0};
	struct stat st;
	int got, status;

	if (asked->window.loop)
		return sp_window_loop(&asked->window, what, asked->output, &asked->options);
	if (asked->window.lasts || asked->window.since || asked->window.at)
		return report_window(what, asked);
	got = sp_snapshot_find("report", what, path);
	if (!got)
		got = sp_spool_named("report", what, path);
	if (got)
		return got < 0 ? SP_EXIT_USAGE : report_spool(path, asked);
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
		status = report_spool(what, asked);
	else if (got == 0 && sp_report_is_index(&text))
		status = sp_report_show_sum((char *[]){(char *)what}, 1, asked);
	else
		status = (status = renew(what, &text, asked)) ? status : report_profile(what, &text, asked);
	sp_buffer_free(&text);
	return status;
}
