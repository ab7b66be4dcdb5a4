/* smartprof ctl: tells a process that is being profiled to sample or not, how finely, or to mark the moment. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "env/env.h"
#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/spool/marks.h"
#include "tools/control.h"
#include "tools/live.h"
#include "tools/tools.h"

static void print_help(void)
{
	printf("usage: smartprof ctl PID|PROGRAM start|stop|status\n"
	       "       smartprof ctl PID|PROGRAM interval TIME\n"
	       "       smartprof ctl PID|PROGRAM mark NAME\n\n"
	       "Tells a process that is being profiled what to do, through a word in its spool: it looks there "
	       "whenever it\n"
	       "takes a sample or allocates. It gets no signal, and needs no thread and no socket for it.\n\n"
	       "  start           sample, if that was stopped, or the program was started with SMARTPROF_START=off\n"
	       "  stop            do not sample until it is started again: the profile tells what was not seen\n"
	       "  interval TIME   sample after so much CPU time of a thread (us, if no unit is given); the budget "
	       "still\n"
	       "                  holds\n"
	       "  mark NAME       mark this moment, for smartprof report --at NAME and --since NAME\n"
	       "  status          say what it does, and which marks there are\n\n"
	       "  --wait TIME     wait so long for the answer (2s); a process that is idle does not look\n"
	       "  --help          show this text\n");
}

struct wish {
	struct sp_control_wish is;
	bool status;
};

/* --- what is said ------------------------------------------------------------------------------- */

static int tell_result(const struct sp_live_spool *live, const struct wish *wish, int result)
{
	int pid = live->header.pid;

	if (result == -ENOSPC) {
		sp_complain("ctl: process %d: there is no room for another mark", pid);
		return 1;
	}
	if (result) {
		sp_complain("ctl: process %d: %s", pid, strerror(-result));
		return 1;
	}
	switch (wish->is.verb) {
	case SP_CONTROL_START:
		printf("process %d is being sampled\n", pid);
		break;
	case SP_CONTROL_STOP:
		printf("process %d is not sampled any more\n", pid);
		break;
	case SP_CONTROL_INTERVAL:
		printf("process %d is sampled every %g us, if the budget allows it\n", pid,
			(double)wish->is.argument / 1e3);
		break;
	case SP_CONTROL_MARK:
		printf("process %d has the mark %s\n", pid, wish->is.name);
		break;
	case SP_CONTROL_LOG:
	case SP_CONTROL_NONE:
		break;
	}
	return 0;
}

static void put_state(struct sp_buffer *out, const struct sp_snapshot *s)
{
	const struct sp_control *c = &s->header.control;

	sp_buffer_printf(out, "process %d (", s->header.pid);
	sp_escape(out, SP_ESCAPE_PLAIN, sp_snapshot_text(s, s->header.text.program),
		strlen(sp_snapshot_text(s, s->header.text.program)));
	if (s->header.sealed_ns)
		sp_buffer_puts(out, ") installed a seccomp filter, which has ended sampling\n");
	else if (c->stopped && c->asleep && !c->starts)
		sp_buffer_puts(out, ") was loaded asleep: smartprof ctl start wakes it\n");
	else if (c->stopped)
		sp_buffer_printf(out, ") is not sampled since %.1f s\n",
			(double)(s->taken_ns - (c->stopped_at_ns < s->taken_ns ? c->stopped_at_ns : s->taken_ns)) /
				1e9);
	else
		sp_buffer_puts(out, ") is being sampled\n");
}

static void put_figures(struct sp_buffer *out, const struct sp_snapshot *s)
{
	const struct sp_spool_header *h = &s->header;
	uint64_t user_ns, sys_ns;

	sp_snapshot_cpu(s, &user_ns, &sys_ns);
	sp_buffer_puts(out, "CPU time ");
	sp_put_duration(out, user_ns + sys_ns);
	sp_buffer_printf(out, ", %llu samples, every %g us; memory ",
		(unsigned long long)(h->cpu.user_samples + h->cpu.sys_samples), (double)h->cpu.interval_ns / 1e3);
	sp_put_size(out, h->rss_bytes);
	if (h->heap.on) {
		sp_buffer_puts(out, ", heap ");
		sp_put_size(out, (int64_t)h->heap.inuse_bytes > 0 ? h->heap.inuse_bytes : 0);
		sp_buffer_printf(out, " (%llu samples)", (unsigned long long)h->heap.samples);
	}
	sp_buffer_puts(out, "\n");
}

static void put_marks(struct sp_buffer *out, const struct sp_snapshot *s)
{
	char label[SP_MARK_LABEL_BYTES];

	for (size_t i = 0; i < s->mark_count; i++) {
		const struct sp_mark *m = &s->marks[i];

		sp_mark_label(s, m, label);
		sp_buffer_printf(out, "mark %s at %.3f s: memory ", label, (double)m->t_ns / 1e9);
		sp_put_size(out, m->memory_bytes);
		sp_buffer_puts(out, ", heap ");
		sp_put_size(out, (int64_t)m->heap.inuse_bytes > 0 ? m->heap.inuse_bytes : 0);
		sp_buffer_puts(out, "\n");
	}
}

static int tell_status(const struct sp_live_spool *live)
{
	struct sp_snapshot s = {0};
	struct sp_buffer out = {0};
	const char *why = "";
	int status = 0;

	if (sp_snapshot_read(&s, live->fd, &why) < 0) {
		sp_complain("ctl: process %d: its spool %s", live->header.pid, why);
		status = 1;
	} else {
		put_state(&out, &s);
		put_figures(&out, &s);
		put_marks(&out, &s);
		if (s.header.control.asked != s.header.control.answered)
			sp_buffer_puts(&out, "it has not yet looked at what was asked of it last\n");
		fputs(out.data, stdout);
	}
	sp_buffer_free(&out);
	sp_snapshot_free(&s);
	return status;
}

/* --- the command -------------------------------------------------------------------------------- */

static int control(const struct sp_live_spool *live, const struct wish *wish)
{
	int result, status;

	if (wish->status)
		return tell_status(live);
	status = sp_control_ask("ctl", live, &wish->is, &result);
	return status ? 1 : tell_result(live, wish, result);
}

static const char *const verbs[] = {"start", "stop", "interval", "mark", "status"};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int parse_interval(const char *text, uint64_t *ns)
{
	uint64_t us;

	if (sp_option_parse(&sp_option_rows[SP_OPT_CPU_INTERVAL], text, &us) < 0) {
		sp_complain("ctl: interval: '%s' is not from 10us to 1s; give it a time", text);
		return SP_EXIT_USAGE;
	}
	*ns = us * 1000;
	return 0;
}

static int parse_mark(const char *text, const char **name)
{
	if (!sp_name_is_plain(text, SP_MARK_NAME_BYTES - 1)) {
		sp_complain("ctl: mark: '%s' cannot be a name; give it 1 to %u letters, digits, -, _ and +", text,
			SP_MARK_NAME_BYTES - 1);
		return SP_EXIT_USAGE;
	}
	*name = text;
	return 0;
}

/* words: the verb and what it takes. */
static int parse(int count, char **words, struct wish *wish)
{
	static const enum sp_control_verb asks[VERBS] = {
		SP_CONTROL_START, SP_CONTROL_STOP, SP_CONTROL_INTERVAL, SP_CONTROL_MARK, SP_CONTROL_NONE};
	const char *meant;
	size_t i = 0;

	while (i < VERBS && strcmp(words[0], verbs[i]) != 0)
		i++;
	if (i == VERBS) {
		meant = sp_suggest(words[0], verbs, VERBS);
		return sp_complain_unknown("ctl: unknown word", words[0], "", meant, "smartprof ctl --help");
	}
	wish->is.verb = asks[i];
	wish->status = wish->is.verb == SP_CONTROL_NONE;
	if (count != (wish->is.verb == SP_CONTROL_INTERVAL || wish->is.verb == SP_CONTROL_MARK ? 2 : 1)) {
		sp_complain("ctl: %s takes %s; see smartprof ctl --help", words[0],
			wish->is.verb == SP_CONTROL_INTERVAL       ? "a time"
				: wish->is.verb == SP_CONTROL_MARK ? "a name"
								   : "nothing more");
		return SP_EXIT_USAGE;
	}
	return wish->is.verb == SP_CONTROL_INTERVAL ? parse_interval(words[1], &wish->is.argument)
		: wish->is.verb == SP_CONTROL_MARK  ? parse_mark(words[1], &wish->is.name)
						    : 0;
}

int sp_cmd_ctl(int argc, char **argv)
{
	static const struct option flags[] = {
		{"wait", required_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct wish wish = {.is.wait_ns = SP_CONTROL_WAIT_NS};
	struct sp_live_spool live;
	int got, status;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 'w')
			return sp_flag_error("ctl", got, argv, flags);
		if (sp_duration_parse("ctl", "wait", optarg, &wish.is.wait_ns))
			return SP_EXIT_USAGE;
	}
	if (argc - optind == 2 && strcmp(argv[optind + 1], SP_COMPLETE_VALUES) == 0) {
		for (size_t i = 0; i < VERBS; i++)
			sp_completion_put(verbs[i]);
		return SP_EXIT_USAGE;
	}
	if (argc - optind < 2) {
		sp_complain("ctl: give it a process and what to tell it: start, stop, interval, mark or status; see "
			    "smartprof ctl --help");
		return SP_EXIT_USAGE;
	}
	status = parse(argc - optind - 1, argv + optind + 1, &wish);
	if (!status)
		status = sp_live_open(&live, "ctl", argv[optind]);
	if (status)
		return status;
	status = control(&live, &wish);
	sp_live_close(&live);
	return status;
}
