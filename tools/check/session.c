/* A check's session, and one of stored runs alone. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/history/history.h"
#include "tools/history/record.h"
#include "tools/tools.h"

/* In place of one without commands, if there was any. */
static void take_config(struct sp_check_session *s, const struct sp_gate_config *config)
{
	free(s->check.commands);
	free(s->now);
	s->check.config = config;
	s->check.command_count = config->command_count;
	s->check.commands = sp_alloc(config->command_count + 1, sizeof(*s->check.commands));
	s->now = sp_alloc(config->command_count + 1, sizeof(*s->now));
	for (size_t i = 0; i < config->command_count; i++)
		s->check.commands[i].config = &config->commands[i];
}

void sp_check_session_open(struct sp_check_session *s, const struct sp_gate_config *config, enum sp_history_how how)
{
	char path[PATH_MAX], why[SP_HISTORY_WHY];

	take_config(s, config);
	sp_git_here(&s->here, config->main_branch);
	sp_machine_here(&s->machine);
	s->check.commit = sp_copy_text(s->here.commit);
	s->check.branch = sp_copy_text(s->here.branch);
	s->check.machine = sp_copy_text(s->machine.class);
	s->check.started_ns = sp_time_ns(CLOCK_REALTIME);
	if ((how == SP_HISTORY_READ || sp_record_is_on()) && !sp_record_place("check", path) &&
		sp_history_open(&s->store, path, how, why) && how == SP_HISTORY_WRITE)
		sp_complain("check: warning: %s", why);
}

void sp_check_session_free(struct sp_check_session *s)
{
	for (size_t i = 0; s->now && i < s->check.command_count; i++) {
		struct sp_check_now *now = &s->now[i];

		for (size_t k = 0; k < now->profile_count; k++)
			free(now->profiles[k]);
		free(now->profiles);
		free(now->program);
		free(now->args_class);
		free(now->build_id);
		free(now->path);
	}
	free(s->now);
	sp_history_close(s->store);
	sp_git_here_free(&s->here);
	sp_machine_drop(&s->machine);
	sp_check_free(&s->check);
}

/* --- the baseline */

/* The baseline in that file. */
static int read_baseline(struct sp_check_session *s, const char *path)
{
	struct sp_buffer text = {0};
	const char *why = NULL;
	int error = sp_input_read(path, &text);

	s->check.baseline = error ? NULL : sp_baseline_parse(text.data ? text.data : "", text.length, &why);
	sp_buffer_free(&text);
	if (!s->check.baseline) {
		sp_complain("check: --baseline: %s: %s", path,
			error < 0       ? sp_input_error(error)
				: error ? "it is a spool"
					: why);
		return SP_EXIT_USAGE;
	}
	s->check.baseline_text = sp_text("Baseline '%s' of %s, from the file %s%s.",
		sp_baseline_text(s->check.baseline, "name"), sp_baseline_text(s->check.baseline, "created"), path,
		strcmp(sp_baseline_machine(s->check.baseline), s->machine.class) == 0
			? ""
			: "; another class of machines, so only memory is compared");
	return 0;
}

static int choose(struct sp_check_session *s, const char *name)
{
	struct stat st;

	if (name && stat(name, &st) == 0 && !S_ISDIR(st.st_mode))
		return read_baseline(s, name);
	if (s->store)
		s->check.baseline =
			sp_baseline_choose(s->store, name, &s->here, s->machine.class, &s->check.baseline_text);
	else
		s->check.baseline_text =
			sp_copy_text("There is no baseline, as no history is kept (SMARTPROF_HISTORY).");
	if (!name || s->check.baseline)
		return 0;
	sp_complain("check: --baseline: %s", s->check.baseline_text);
	return SP_EXIT_USAGE;
}

/* Copies of the baseline's programs outlive those of this check's. */
static void hold_programs(struct sp_check_session *s)
{
	const json_t *commands = json_object_get(s->check.baseline, "commands"), *command;
	char path[PATH_MAX];
	size_t i;

	json_array_foreach(commands, i, command)
	{
		sp_check_kept_program(s->store, sp_baseline_text(command, "build_id"), path);
	}
}

int sp_check_take(struct sp_check_session *s, const char *baseline)
{
	int status = choose(s, baseline);

	hold_programs(s);
	return status;
}

/* --- of stored runs alone */

/* A configuration of a baseline's commands. */
static struct sp_gate_config config_of(const json_t *baseline)
{
	struct sp_gate_config config = {.confidence = SP_GATE_CONFIDENCE};
	const json_t *commands = json_object_get(baseline, "commands"), *command;
	size_t i;

	config.commands = sp_alloc(json_array_size(commands) + 1, sizeof(*config.commands));
	json_array_foreach(commands, i, command)
	{
		struct sp_gate_command *c = &config.commands[config.command_count++];

		*c = (struct sp_gate_command){.name = sp_baseline_text(command, "command"),
			.run = sp_baseline_text(command, "command"),
			.success = 0};
		for (int m = 0; m < SP_GATE_METRICS; m++)
			c->allowed[m] = SP_GATE_ALLOWED;
	}
	return config;
}

static int note_newest(const struct sp_history_run *run, void *context)
{
	struct sp_check_now *now = context;

	free(now->build_id);
	now->build_id = sp_copy_text(run->build_id);
	return 1;
}

static int note_profile(const struct sp_history_run *run, void *context)
{
	struct sp_check_now *now = context;

	if (strcmp(run->build_id, now->build_id) != 0 || !run->blobs[SP_HISTORY_PROFILE].hash[0])
		return 0;
	sp_grow(&now->profiles, &now->profile_capacity, now->profile_count + 1, sizeof(*now->profiles));
	now->profiles[now->profile_count++] = sp_text("blob:%s", run->blobs[SP_HISTORY_PROFILE].hash);
	return 0;
}

/* What the newest runs were of. */
static void find_now(struct sp_check_session *s, size_t index, const json_t *command)
{
	struct sp_check_now *now = &s->now[index];
	struct sp_check_command *c = &s->check.commands[index];
	json_t *item;
	const char *figure;

	now->program = sp_copy_text(sp_baseline_text(command, "program"));
	now->args_class = sp_copy_text(sp_baseline_text(command, "args_class"));
	now->several = sp_check_is_front(now->program);
	json_object_foreach(json_object_get(command, "figures"), figure, item)
	{
		for (int m = 0; m < SP_GATE_METRICS; m++)
			if (m == SP_GATE_SPAN ? strncmp(figure, "p99 ", 4) == 0
					      : strcmp(figure, sp_gate_metrics[m].key) == 0)
				sp_check_figure(c, figure, (enum sp_gate_metric)m);
	}
	sp_check_find_newest(s, index, note_newest, note_profile);
	if (!now->build_id)
		now->build_id = sp_copy_text("");
}

int sp_check_stored(const char *command, const char *name, bool json, const char *output, bool strict)
{
	struct sp_gate_config none = {0}, config;
	struct sp_check_session s = {0};
	struct sp_buffer text = {0};
	int status;

	sp_check_session_open(&s, &none, SP_HISTORY_READ);
	if (s.store)
		s.check.baseline = sp_baseline_choose(s.store, name, &s.here, s.machine.class, &s.check.baseline_text);
	if (!s.check.baseline) {
		sp_complain("%s: %s", command,
			s.check.baseline_text ? s.check.baseline_text : "there is no history here");
		sp_check_session_free(&s);
		return 1;
	}
	config = config_of(s.check.baseline);
	take_config(&s, &config);
	s.check.mode = "stored runs";
	for (size_t i = 0; i < config.command_count; i++) {
		find_now(&s, i, json_array_get(json_object_get(s.check.baseline, "commands"), i));
		sp_check_take_stored(&s, i);
		sp_check_take_trends(&s, i);
		sp_check_take_baseline(&s, i);
		sp_check_tell_code(&s, i);
	}
	sp_check_judge(&s.check, true);
	for (size_t i = 0; i < config.command_count; i++)
		sp_check_tell_cause(&s, i);
	(json ? sp_check_json : sp_check_text)(&text, &s.check);
	status = sp_write_output(command, output, &text, O_TRUNC) ? SP_EXIT_USAGE : sp_check_status(&s.check, strict);
	sp_buffer_free(&text);
	sp_check_session_free(&s);
	free(config.commands);
	return status;
}
