/* Where runs are kept, and what is the same for all runs of one command. */
#include "tools/history/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/history/upkeep.h"
#include "profiles/model/git_info.h"
#include "symbolize/elf/object.h"
#include "tools/git.h"
#include "tools/tools.h"

#define NS_PER_DAY (86400 * (uint64_t)1000000000)

static struct sp_history *store;
static bool tried;

/* "off" and "auto", or a path. */
static const char *setting(void)
{
	static struct sp_value value;

	sp_value_load(&value, SP_OPT_HISTORY, environ, sp_settings_file());
	return value.text ? value.text : "";
}

static const struct sp_config *config(void)
{
	static struct sp_config loaded;
	static bool done;

	if (!done)
		sp_config_load(&loaded, sp_settings_where(), sp_settings_file());
	done = true;
	return &loaded;
}

bool sp_record_is_on(void)
{
	return *setting() ? strcmp(setting(), "off") != 0 : config()->environment != SP_ENV_PRODUCTION;
}

int sp_record_place(const char *command, char path[static PATH_MAX])
{
	const char *where = setting(), *note;
	char absolute[PATH_MAX];
	static bool told;
	int err;

	if (strcmp(where, "off") == 0)
		where = "auto";
	if (*where && strcmp(where, "auto") != 0 && sp_absolute(absolute, where))
		where = absolute;
	err = sp_history_place(path, where, sp_settings_where()->cwd, &note);
	if (err)
		sp_complain(
			"%s: there is no place for the history: neither XDG_STATE_HOME nor HOME is an absolute path; "
			"name one with SMARTPROF_HISTORY",
			command);
	else if (note && sp_record_is_on() && !told)
		sp_complain("%s: the history is kept in %s: %s; SMARTPROF_HISTORY names another place", command, path,
			note);
	told |= note != NULL;
	return err ? 1 : 0;
}

static void close_store(void)
{
	sp_history_close(store);
	store = NULL;
}

static struct sp_history *open_once(const char *command)
{
	char path[PATH_MAX], why[SP_HISTORY_WHY];

	if (tried)
		return store;
	if (sp_record_place(command, path) == 0 && sp_history_open(&store, path, SP_HISTORY_WRITE, why))
		sp_complain("%s: this run is not kept: %s", command, why);
	if (store)
		atexit(close_store);
	tried = true;
	return store;
}

static bool is_empty(const char *text)
{
	return !text || !*text;
}

/* Files are not looked at anew for each run of a command. */
static int dirty_once(void)
{
	static int dirty;
	static bool asked;

	if (!asked)
		dirty = sp_git_dirty();
	asked = true;
	return dirty;
}

static void fill_in(struct sp_history_run *run)
{
	struct sp_git_info git;

	if (is_empty(run->environment))
		sp_history_set(&run->environment, sp_environment_name(config()->environment));
	if (is_empty(run->directory))
		sp_history_set(&run->directory, sp_settings_where()->cwd);
	if (is_empty(run->machine.cpu))
		sp_record_machine(&run->machine);
	if (is_empty(run->commit) && !is_empty(run->directory)) {
		sp_git_info(&git, run->directory);
		sp_history_set(&run->commit, git.commit);
		sp_history_set(&run->branch, git.branch);
	}
	if (run->dirty < 0 && !is_empty(run->commit))
		run->dirty = dirty_once();
}

static int take_start(const struct sp_history_run *run, void *context)
{
	*(uint64_t *)context = run->started_ns;
	return 0;
}

/* The first run of a day finds the history swept of what is old, so that nobody needs to think of it. A clock that is wrong today
 * makes nothing old: that is told by the runs that are there. */
static void sweep_daily(const struct sp_history_run *run)
{
	struct sp_history_limits limits = {.thin_days = SP_HISTORY_THIN_DAYS, .bytes = SP_HISTORY_BYTES};
	const struct sp_history_filter newest = {.limit = 1};
	struct sp_history_cleaned cleaned;
	uint64_t last_ns = 0;
	static bool looked;

	if (looked)
		return;
	looked = true;
	sp_history_each(store, &newest, 0, take_start, &last_ns);
	limits.newest_ns = last_ns;
	if (last_ns && last_ns / NS_PER_DAY != run->started_ns / NS_PER_DAY)
		sp_history_clean(store, &limits, false, &cleaned);
}

bool sp_record_add(const char *command, struct sp_history_run *run)
{
	if (!sp_record_is_on() || !open_once(command))
		return false;
	fill_in(run);
	sweep_daily(run);
	if (sp_history_add(store, run) == 0)
		return true;
	sp_complain("%s: this run is not kept: %s", command, sp_history_error(store));
	sp_history_close(store);
	store = NULL;
	return false;
}

void sp_record_build_id(struct sp_history_run *run, const char *path)
{
	static char last[PATH_MAX], hex[2 * 64 + 1];
	struct sp_object object = {0};

	if (strcmp(path, last) != 0 && strlen(path) < sizeof(last)) {
		strcpy(last, path);
		*hex = '\0';
		if (sp_object_open(&object, path) == 0 && object.build_id_bytes < sizeof(hex) / 2)
			for (size_t i = 0; i < object.build_id_bytes; i++)
				snprintf(hex + 2 * i, 3, "%02x", object.build_id[i]);
		sp_object_close(&object);
	}
	if (*hex && strcmp(path, last) == 0)
		sp_history_set(&run->build_id, hex);
}
