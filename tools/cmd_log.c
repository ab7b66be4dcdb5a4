/* smartprof log: the timing log of a process's spans. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "tools/control.h"
#include "tools/live.h"
#include "tools/log/log.h"
#include "tools/report/report.h"
#include "tools/tools.h"

#define NAP_MS 20
#define HEADING "\n## Timing Log\n"

struct wish {
	bool follow, trace;
	const char *output;
};

static void print_help(void)
{
	printf("usage: smartprof log [FLAGS] PID|PROGRAM|SPOOL|PROFILE\n\n"
	       "Prints a line for every span that has ended and for every checkpoint, as far as they are still in "
	       "memory: the "
	       "last\n"
	       "16,384 of them while there is a timing log, and those that are open; of a profile its last lines. "
	       "There is a "
	       "log in\n"
	       "a program that is started with SMARTPROF_SPAN_LOG=FILE, where the lines go, too, and while one "
	       "follows.\n\n"
	       "  --follow        print lines as spans end, until the process ends or Ctrl-C; a process without a log "
	       "begins "
	       "one\n"
	       "  --format F      text (lines), chrome (a trace for ui.perfetto.dev, chrome://tracing and speedscope)\n"
	       "  --output FILE   write to FILE\n"
	       "  --help          show this text\n");
}

/* --- what is there ------------------------------------------------------------------------------ */

static int complain_of_none(const struct sp_snapshot *s)
{
	if (s->running)
		sp_complain("log: process %d has no timing log; smartprof log --follow %d begins one, and so does "
			    "SMARTPROF_SPAN_LOG=FILE from its start",
			s->header.pid, s->header.pid);
	else
		sp_complain("log: process %d had no timing log; start it with SMARTPROF_SPAN_LOG=FILE", s->header.pid);
	return 1;
}

static void put_snapshot(struct sp_buffer *out, const struct sp_snapshot *s, const struct wish *wish)
{
	struct sp_log_text lines = {0};
	struct sp_log_trace trace = {0};

	if (wish->trace) {
		sp_log_trace_put(out, &trace, s);
		sp_log_trace_end(out, &trace, s);
		sp_log_trace_free(&trace);
	} else {
		sp_log_text_put(out, &lines, s, 0);
		sp_timing_put_open(out, &lines.timing, s);
		sp_timing_free(&lines.timing);
	}
}

static int print_spool(const char *path, const struct wish *wish)
{
	struct sp_snapshot s = {0};
	struct sp_buffer out = {0};
	int status = sp_snapshot_load("log", path, &s);

	if (!status && !s.span_log.size)
		status = complain_of_none(&s);
	if (!status) {
		put_snapshot(&out, &s, wish);
		status = sp_write_output("log", wish->output, &out, O_TRUNC) ? 1 : 0;
	}
	sp_buffer_free(&out);
	sp_snapshot_free(&s);
	return status;
}

/* The lines that a profile's text has. */
static int print_profile(const char *what, const struct sp_buffer *text, const struct wish *wish)
{
	const char *at = text->data ? strstr(text->data, HEADING) : NULL, *fence = at ? strstr(at, "\n```\n") : NULL,
		   *end = fence ? strstr(fence + 4, "\n```\n") : NULL;
	struct sp_buffer lines = {0};
	int err;

	if (!end) {
		sp_complain("log: %s: it has no timing log; start the program with SMARTPROF_SPAN_LOG=FILE", what);
		return 1;
	}
	if (wish->trace) {
		sp_complain("log: %s: a profile has only lines; --format chrome takes a process or its spool", what);
		return SP_EXIT_USAGE;
	}
	sp_buffer_add(&lines, fence + 5, (size_t)(end - fence - 4)); /* the fence's newlines end the lines */
	err = sp_write_output("log", wish->output, &lines, O_TRUNC);
	sp_buffer_free(&lines);
	return err ? 1 : 0;
}

static int print(const char *what, const struct wish *wish)
{
	char path[PATH_MAX];
	struct sp_buffer text = {0};
	int status = sp_snapshot_find("log", what, path), got;

	if (!status)
		status = sp_spool_named("log", what, path);
	if (status)
		return status < 0 ? SP_EXIT_USAGE : print_spool(path, wish);
	what = sp_input_named("log", what, path);
	if (access(what, F_OK) < 0 && !strchr(what, '/')) {
		sp_spool_complain_absent("log", what);
		return SP_EXIT_USAGE;
	}
	got = sp_input_read(what, &text);
	if (got == SP_INPUT_SPOOL) {
		status = print_spool(what, wish);
	} else if (got < 0) {
		sp_complain("log: %s: %s; give it a process, a spool or a profile", what, sp_input_error(got));
		status = SP_EXIT_USAGE;
	} else {
		status = print_profile(what, &text, wish);
	}
	sp_buffer_free(&text);
	return status;
}

/* --- what comes --------------------------------------------------------------------------------- */

struct following {
	const struct wish *wish;
	struct sp_live_spool live;
	struct sp_events_follow events;
	struct sp_log_text lines;
	struct sp_log_trace trace;
	struct sp_buffer out;
	int fd;
	bool began; /* the process writes a log because of us */
};

/* False: it cannot be. */
static bool begin_log(struct following *f, uint64_t on)
{
	struct sp_control_wish wish = {
		.verb = SP_CONTROL_LOG, .argument = on, .wait_ns = on ? SP_CONTROL_WAIT_NS : SP_CONTROL_WAIT_NS / 4};
	int result = 0, status = sp_control_ask("log", &f->live, &wish, &result);

	if (!status && result)
		sp_complain("log: process %d: there is no room for a timing log (%s)", f->live.header.pid,
			strerror(-result));
	return (!status && !result) || status == SP_CONTROL_LATER;
}

static int take(struct following *f, bool last)
{
	const char *why;
	const struct sp_snapshot *s = &f->events.is;
	int err = sp_events_look(&f->events, last, &why);

	if (err) {
		sp_complain("log: process %d: its spool %s", f->live.header.pid, why);
		return 1;
	}
	sp_buffer_clear(&f->out);
	last = last && !f->events.more;
	if (f->wish->trace) {
		sp_log_trace_put(&f->out, &f->trace, s);
		if (last)
			sp_log_trace_end(&f->out, &f->trace, s);
	} else {
		sp_log_text_put(&f->out, &f->lines, s, f->events.place.lost);
		if (last)
			sp_timing_put_open(&f->out, &f->lines.timing, s);
	}
	err = f->out.length ? sp_buffer_write(&f->out, f->fd) : 0;
	if (err && err != -EPIPE) /* who reads no more needs no word about it */
		sp_complain("log: %s: %s; the log is not complete",
			f->wish->output ? f->wish->output : "standard output", strerror(-err));
	return err ? 1 : 0;
}

static int run(struct following *f)
{
	bool last = false;
	int status;

	while (!(status = take(f, last)) && (!last || f->events.more)) {
		last = last || sp_live_is_interrupted() || sp_log_is_over(&f->events);
		if (!last && !f->events.more)
			sp_nap_ms(NAP_MS);
	}
	return status;
}

/* From what ends next. */
static int prepare(struct following *f)
{
	struct sp_events_follow *e = &f->events;
	const char *why = "";

	e->fd = f->live.fd;
	if (sp_events_look(e, false, &why) < 0) {
		sp_complain("log: process %d: its spool %s", f->live.header.pid, why);
		return 1;
	}
	e->place = (struct sp_events_place){.next = e->is.span_log.next, .begun = true};
	f->began = !e->is.span_log.on;
	return f->began && !begin_log(f, 1) ? 1 : 0;
}

static int follow(const char *what, const struct wish *wish)
{
	struct following f = {.wish = wish, .fd = STDOUT_FILENO};
	int status = sp_live_open(&f.live, "log", what);

	if (status)
		return status;
	if (wish->output) {
		f.fd = open(wish->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
		if (f.fd < 0)
			sp_complain("log: %s: %s; name a file that can be written to", wish->output, strerror(errno));
	}
	sp_live_catch();
	signal(SIGPIPE, SIG_IGN); /* the log that began because of us is to be ended */
	status = f.fd < 0 ? SP_EXIT_USAGE : prepare(&f);
	if (!status) {
		status = run(&f);
		if (f.began && !sp_log_is_over(&f.events))
			begin_log(&f, 0);
	}
	sp_live_close(&f.live);
	if (wish->output && f.fd >= 0)
		close(f.fd);
	sp_events_free(&f.events);
	sp_timing_free(&f.lines.timing);
	sp_log_trace_free(&f.trace);
	sp_buffer_free(&f.out);
	return status;
}

int sp_cmd_log(int argc, char **argv)
{
	static const struct option flags[] = {{"follow", no_argument, NULL, 'f'},
		{"format", required_argument, NULL, 'F'}, {"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static const char *const formats[] = {"text", "chrome"};
	struct wish wish = {0};
	int got, format = 0, status = 0;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got == 'f')
			wish.follow = true;
		else if (got == 'o')
			wish.output = optarg;
		else if (got == 'F')
			status = sp_word_parse("log: unknown format", optarg, formats, 2, &format);
		else
			status = sp_flag_error("log", got, argv, flags);
		if (status)
			return status;
	}
	wish.trace = format == 1;
	if (argc - optind != 1) {
		sp_complain("log: give it one process id, program, spool or profile; see smartprof log --help");
		return SP_EXIT_USAGE;
	}
	if (wish.follow)
		sp_limit_memory();
	else
		sp_limit_reading();
	return wish.follow ? follow(argv[optind], &wish) : print(argv[optind], &wish);
}
