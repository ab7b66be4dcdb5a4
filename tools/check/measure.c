/* Running what a check measures. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/model/spans.h"
#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/history/record.h"
#include "tools/monitor/line.h"
#include "tools/monitor/monitor.h"
#include "tools/tools.h"

bool sp_check_is_front(const char *program)
{
	static const char *const names[] = {"python", "perl", "ruby", "node", "nodejs", "lua", "php", "bash", "sh",
		"dash", "zsh", "ksh", "fish", "tclsh", "Rscript", "R", "java", "guile", "awk", "gawk", "mawk", "sed",
		"busybox", "env", "nice", "time", "timeout", "nohup", "setsid", "stdbuf", "ionice", "chrt", "taskset",
		"make", "ninja", "cmake", "cargo", "npm", "go", "docker", "podman", "sudo", "su", "xargs", "parallel",
		"git", "qemu-x86_64", "valgrind", "strace", "gdb"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);

		/* python3.11 is python */
		if (strncmp(program, names[i], length) == 0 &&
			!program[length + strspn(program + length, "0123456789.-")])
			return true;
	}
	return false;
}

static void note_now(struct sp_check_now *now, const struct sp_monitor_run *run, bool profiled)
{
	struct sp_history_run *kept;
	struct sp_target target;

	if (!now->program) {
		kept = sp_record_from_monitor(run);
		now->program = sp_copy_text(kept->program);
		now->args_class = sp_copy_text(kept->args_class);
		now->build_id = sp_copy_text(kept->build_id ? kept->build_id : "");
		now->path = sp_copy_text(run->program_path ? run->program_path : "");
		now->several = sp_check_is_front(now->program) || sp_target_find(&target, run->argv[0]) ||
			target.is_script || sp_check_is_front(basename(target.path));
		sp_history_run_free(kept);
	}
	if (!profiled) /* the agent's renderer is no process of the program's */
		now->several = now->several || run->processes_most > 1;
	if (run->profile_path) {
		sp_grow(&now->profiles, &now->profile_capacity, now->profile_count + 1, sizeof(*now->profiles));
		now->profiles[now->profile_count++] = sp_copy_text(run->profile_path);
	}
}

static void add_totals(struct sp_check_command *c, const struct sp_monitor_run *run)
{
	sp_gate_add_value(&sp_check_figure(c, "wall", SP_GATE_WALL)->current, (double)run->wall_ns);
	sp_gate_add_value(&sp_check_figure(c, "cpu", SP_GATE_CPU)->current, (double)(run->user_ns + run->sys_ns));
	if (run->peak_rss_bytes > run->floor_rss_bytes)
		sp_gate_add_value(&sp_check_figure(c, "peak", SP_GATE_PEAK)->current, (double)run->peak_rss_bytes);
}

/* Of a run that was profiled. */
static void add_profiled(struct sp_check_command *c, const struct sp_monitor_run *run)
{
	struct sp_history_run *kept = sp_record_from_monitor(run);
	double allocated = sp_history_value(kept, "allocated_bytes", NULL);

	if (allocated > 0)
		sp_gate_add_value(&sp_check_figure(c, "allocated", SP_GATE_ALLOCATED)->current, allocated);
	for (size_t i = 0; i < kept->metric_count; i++) {
		char *figure = sp_baseline_span_figure(kept->metrics[i].name);

		if (figure)
			sp_gate_add_value(&sp_check_figure(c, figure, SP_GATE_SPAN)->current, kept->metrics[i].value);
		free(figure);
	}
	sp_history_run_free(kept);
}

static void note_failure(struct sp_check_command *c, const struct sp_monitor_run *run)
{
	struct sp_buffer text = {0};

	c->failed++;
	if (c->failure)
		return;
	sp_monitor_put_ending(&text, run);
	c->failure = sp_copy_text(text.data ? text.data : "it failed");
	sp_buffer_free(&text);
}

struct batch {
	struct sp_check_session *s;
	size_t index;
	unsigned runs;
	enum { TOTALS, PROFILED, START } what;
	double waited_ns, wall_ns;
};

static int take(struct batch *b, struct sp_monitor_session *session, struct sp_monitor_run *run)
{
	struct sp_check_command *c = &b->s->check.commands[b->index];
	int status = 0;

	if (run->interrupted)
		return 0;
	c->runs++;
	if (!sp_monitor_run_is_good(run)) {
		note_failure(c, run);
	} else if (b->what == START) {
		sp_gate_add_value(&sp_check_figure(c, "start", SP_GATE_START)->current, (double)run->wall_ns);
	} else {
		note_now(&b->s->now[b->index], run, b->what == PROFILED);
		if (b->what == TOTALS)
			add_totals(c, run);
		else
			add_profiled(c, run);
	}
	b->waited_ns += (double)run->queue_ns;
	b->wall_ns += (double)run->wall_ns;
	if (b->what != START)
		status = sp_monitor_keep(session, run);
	return status;
}

static void show(const struct sp_check_command *c, unsigned done, unsigned all)
{
	struct sp_buffer text = {0};

	if (!sp_line_wanted())
		return;
	sp_buffer_puts(&text, "");
	sp_escape(&text, SP_ESCAPE_PLAIN, c->config->name, strlen(c->config->name));
	sp_buffer_printf(&text, ": run %u of %u", done + 1, all);
	sp_line_show(text.data);
	sp_buffer_free(&text);
}

static int run_batch(struct batch *b, const char *line, int *stopped)
{
	struct sp_check_command *c = &b->s->check.commands[b->index];
	const char *loose[] = {line, NULL};
	struct sp_monitor_wish wish = {.runs = 2, /* of several: standard input is not ours to give */
		.prepare = c->config->prepare,
		.timeout_ns = c->config->timeout_ns,
		.profile = b->what == PROFILED,
		.loose = (char **)loose};
	struct sp_monitor_plan plan = {0};
	struct sp_monitor_session session;
	char tail[2048];
	int status = sp_monitor_plan_make(&plan, &wish);

	if (!status)
		status = sp_monitor_session_open(&session, &wish, 1);
	if (status) {
		sp_monitor_plan_free(&plan);
		return status;
	}
	for (unsigned i = 0; i < b->runs && !status && !session.watches.stopped; i++) {
		struct sp_monitor_run *run;

		show(c, i, b->runs);
		if (!sp_attempt_prepare(&session)) {
			status = session.watches.stopped ? 0 : 1;
			break;
		}
		run = sp_attempt_one(&session, &plan.jobs[0], b->index + 1, i + 1, tail);
		status = take(b, &session, run);
		sp_monitor_run_free(run);
	}
	sp_line_clear();
	*stopped = session.watches.stopped;
	sp_monitor_session_close(&session);
	sp_monitor_plan_free(&plan);
	return status;
}

int sp_check_measure(struct sp_check_session *s, size_t index, int *stopped)
{
	struct sp_check_command *c = &s->check.commands[index];
	struct batch b = {.s = s, .index = index, .runs = s->quick ? 1 : c->config->runs, .what = TOTALS};
	int status = run_batch(&b, c->config->run, stopped);

	if (b.wall_ns > 0)
		c->waited[0] = b.waited_ns / b.wall_ns;
	b.what = PROFILED;
	b.runs = c->config->profiled;
	if (!status && !*stopped && !s->quick && b.runs)
		status = run_batch(&b, c->config->run, stopped);
	b.what = START;
	b.runs = s->quick ? 1 : c->config->runs;
	if (!status && !*stopped && c->config->start)
		status = run_batch(&b, c->config->start, stopped);
	return status;
}
