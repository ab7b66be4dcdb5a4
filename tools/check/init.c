/* smartprof.toml, of what was measured. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/tools.h"

#define COMMANDS_MOST 20u
#define RUNS 5u
#define ROOM 2.0 /* limits above what was measured */

/* A basic string of TOML. */
static void put_string(struct sp_buffer *out, const char *text)
{
	sp_buffer_puts(out, "\"");
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		if (*at == '"' || *at == '\\')
			sp_buffer_printf(out, "\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			sp_buffer_printf(out, "\\u%04x", *at);
		else
			sp_buffer_printf(out, "%c", *at);
	sp_buffer_puts(out, "\"");
}

/* Two figures, upwards: a limit that people would write. */
static double rounded_up(double value)
{
	double step = pow(10, floor(log10(value)) - 1);

	return ceil(value / step) * step;
}

static void put_limit(struct sp_buffer *out, const struct sp_check_figure *f)
{
	double most = ROOM * sp_gate_median(&f->current);

	if (sp_gate_metrics[f->metric].unit == SP_GATE_BYTES)
		sp_buffer_printf(out, "%s = \"%.0fKiB\"\n", sp_gate_metrics[f->metric].key, rounded_up(most / 1024));
	else
		sp_buffer_printf(out, "%s = \"%gms\"\n", sp_gate_metrics[f->metric].key, rounded_up(most) / 1e6);
}

static void put_name(struct sp_buffer *out, const struct sp_check_session *s, size_t index)
{
	const char *program = s->now[index].program;
	size_t before = 0;
	char *name;

	for (size_t i = 0; i < index; i++)
		before += s->now[i].program && strcmp(s->now[i].program, program) == 0;
	name = before ? sp_text("%s %zu", program, before + 1) : sp_copy_text(program);
	put_string(out, name);
	free(name);
}

static void put_command(struct sp_buffer *out, const struct sp_check_session *s, size_t index)
{
	const struct sp_check_command *c = &s->check.commands[index];

	if (!s->now[index].program)
		return;
	sp_buffer_puts(out, "\n[[command]]\nname = ");
	put_name(out, s, index);
	sp_buffer_puts(out, "\nrun = ");
	put_string(out, c->config->run);
	sp_buffer_puts(out, "\n");
	for (size_t i = 0; i < c->figure_count; i++) {
		const struct sp_check_figure *f = &c->figures[i];

		if (f->current.count && (f->metric == SP_GATE_CPU || f->metric == SP_GATE_PEAK) &&
			sp_gate_median(&f->current) > 0)
			put_limit(out, f);
	}
}

static void put_file(struct sp_buffer *out, const struct sp_check_session *s)
{
	sp_buffer_puts(out,
		"# What `smartprof check` runs, and what is allowed: see docs/CHECK.md, or `smartprof check "
		"--help`.\n\n"
		"[check]\n"
		"runs = 10          # of each command, besides those with the agent\n"
		"profiled = 1       # with the agent: functions, what was allocated, spans\n"
		"regression = 20    # percent that each figure may grow by\n"
		"confidence = 99    # percent: so sure must a failure be\n");
	for (size_t i = 0; i < s->check.command_count; i++)
		put_command(out, s, i);
}

/* Never over what is there. */
static int write_file(const char *path, const struct sp_buffer *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), error;

	if (fd < 0) {
		sp_complain("check: --init: %s: %s%s", path, strerror(errno),
			errno == EEXIST ? "; it stays as it is" : "");
		return 1;
	}
	error = sp_buffer_write(text, fd);
	close(fd);
	if (error) {
		unlink(path);
		sp_complain("check: --init: %s: %s", path, strerror(-error));
		return 1;
	}
	printf("%s is written; limits are twice what was measured. Next: smartprof check, then smartprof baseline "
	       "save\n",
		path);
	return 0;
}

/* --- command lines of the history */

struct found {
	char *lines[COMMANDS_MOST];
	size_t count;
};

static int note_command(const struct sp_history_group *group, void *context)
{
	struct found *found = context;

	if (strcmp(group->kind, "monitor") != 0 || group->parallel || !group->good || found->count == COMMANDS_MOST)
		return 0;
	for (size_t i = 0; i < found->count; i++)
		if (strcmp(found->lines[i], group->command) == 0)
			return 0;
	found->lines[found->count++] = sp_copy_text(group->command);
	return 0;
}

static void find_lines(struct found *found)
{
	struct sp_gate_config none = {0};
	struct sp_history_filter filter = {0};
	struct sp_check_session s = {0};

	sp_check_session_open(&s, &none, SP_HISTORY_READ);
	filter.machine = s.machine.class;
	if (s.store)
		sp_history_groups(s.store, &filter, NULL, 0, note_command, found);
	sp_check_session_free(&s);
}

static int measure(const char *path, char *const *lines, size_t count)
{
	struct sp_gate_config config = {.commands = sp_alloc(count, sizeof(*config.commands)), .command_count = count};
	struct sp_buffer text = {0};
	struct sp_check_session s = {0};
	int status = 0, stopped = 0;

	for (size_t i = 0; i < count; i++)
		config.commands[i] = (struct sp_gate_command){
			.name = lines[i], .run = lines[i], .runs = RUNS, .profiled = 1, .success = 1};
	sp_check_session_open(&s, &config, SP_HISTORY_WRITE);
	for (size_t i = 0; i < count && !status && !stopped; i++) {
		status = sp_check_measure(&s, i, &stopped);
		if (!status && !stopped && s.check.commands[i].failed) {
			sp_complain("check: --init: '%s' fails: %s", lines[i], s.check.commands[i].failure);
			status = 1;
		}
	}
	if (!status && !stopped) {
		put_file(&text, &s);
		status = write_file(path, &text);
	}
	sp_buffer_free(&text);
	sp_check_session_free(&s);
	free(config.commands);
	return stopped ? 128 + stopped : status;
}

int sp_check_init(const char *path, char *const *lines, size_t count)
{
	struct found found = {0};
	int status;

	if (access(path, F_OK) == 0) {
		sp_complain("check: --init: %s is there and stays as it is; remove it first, or edit it", path);
		return 1;
	}
	if (!count)
		find_lines(&found);
	if (!count && !found.count) {
		sp_complain("check: --init: say which commands: smartprof check --init 'build/app input' 'build/app "
			    "--other'");
		return SP_EXIT_USAGE;
	}
	status = count ? measure(path, lines, count) : measure(path, found.lines, found.count);
	for (size_t i = 0; i < found.count; i++)
		free(found.lines[i]);
	return status;
}
