/* A capture: the profile of the moment in which a threshold was crossed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/base/keep.h"
#include "profiles/base/xdg.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/window.h"
#include "tools/guard/guard.h"
#include "tools/live.h"
#include "tools/snapshots.h"
#include "tools/tools.h"

#define SUFFIX ".capture.md"
#define CPU_WINDOW_NS 10000000000u
#define NAP_MS 50

static int fail(struct sp_guard_result *result, int err, const char *what)
{
	result->err = err;
	snprintf(result->why, sizeof(result->why), "%s%s%s", what, err ? ": " : "",
		err == -ENOSPC || err == -EDQUOT ? "there is no room for it; nothing else was lost"
			: err                    ? strerror(-err)
						 : "");
	return err ? err : -EINVAL;
}

/* CPU time is a matter of what happens from now on: until then the process is left alone, unless it ends. */
static void await(const struct sp_guard_target *t, uint64_t ns)
{
	uint64_t until_ns = sp_guard_now_ns() + ns;
	struct sp_guard_facts facts;

	while (sp_guard_now_ns() < until_ns && sp_guard_facts_read(&facts, t->pid, t->start_ticks) == 0)
		sp_nap_ms(NAP_MS);
}

static int take_window(const struct sp_guard_target *t, int fd, struct sp_snapshot *snapshot, const char **why)
{
	struct sp_snapshot earlier = {0};
	uint64_t window_ns = t->rules.window_ns * 2 < CPU_WINDOW_NS ? t->rules.window_ns * 2 : CPU_WINDOW_NS;
	int err = sp_snapshot_read(&earlier, fd, why);

	if (!err) {
		await(t, window_ns);
		err = sp_snapshot_read(snapshot, fd, why);
	}
	if (!err)
		err = sp_window_take(snapshot, &earlier, why);
	sp_snapshot_free(&earlier);
	return err;
}

static int take(const struct sp_guard_target *t, const struct sp_guard_event *e, struct sp_snapshot *snapshot,
	struct sp_guard_result *result)
{
	char path[PATH_MAX];
	const char *why = "";
	int fd, err;

	if (!sp_guard_spool(t, path))
		return fail(result, 0,
			t->facts.uid != geteuid()
				? "it belongs to another user; guard it as that user for captures"
				: "it has no spool; captures need the agent (smartprof guard -- PROGRAM, or "
				  "LD_PRELOAD=" SP_LIBRARY ")");
	fd = sp_spool_open(path);
	if (fd < 0)
		return fail(result, fd, "its spool");
	err = e->rule == SP_GUARD_CPU ? take_window(t, fd, snapshot, &why) : sp_snapshot_read(snapshot, fd, &why);
	close(fd);
	if (err && *why) {
		snprintf(result->why, sizeof(result->why), "its spool %s", why);
		result->err = err;
		return err;
	}
	return err ? fail(result, err, "its spool") : 0;
}

void sp_guard_snapshot_path(const struct sp_guard_target *t, size_t event, char path[static PATH_MAX])
{
	char directory[PATH_MAX];

	*path = '\0';
	if (sp_state_path(directory, sizeof(directory), "guard") == 0)
		snprintf(path, PATH_MAX, "%.3900s/%d.%llu.%zu%s", directory, t->pid, (unsigned long long)t->start_ticks,
			event, SP_SNAPSHOT_SUFFIX);
}

/* For the growth until a later one, and in case that rendering comes to nothing; the guardian removes it. */
static void keep_snapshot(const struct sp_guard_target *t, size_t event, const struct sp_snapshot *snapshot,
	struct sp_guard_result *result)
{
	sp_guard_snapshot_path(t, event, result->snapshot);
	unlink(result->snapshot);
	if (sp_snapshot_save(snapshot, result->snapshot) < 0)
		*result->snapshot = '\0';
}

static void name_file(char *name, size_t size, const struct sp_guard_target *t, const struct sp_guard_event *e)
{
	char program[SAFE_NAME_MAX + 1], at[32] = "", value[32];
	struct tm tm;

	sp_output_safe_name(program, sizeof(program), t->facts.name);
	if (localtime_r(&e->at.tv_sec, &tm))
		strftime(at, sizeof(at), "%Y%m%d-%H%M%S", &tm);
	if (e->rule == SP_GUARD_CPU)
		snprintf(value, sizeof(value), "%llupct", (unsigned long long)e->cpu / 10);
	else
		snprintf(value, sizeof(value), "%lluMB", (unsigned long long)e->memory / 1000000);
	snprintf(name, size, "%s.%s.%03ld.%d.%s.%s" SUFFIX, program, at, e->at.tv_nsec / 1000000, t->pid,
		sp_guard_rule_names[e->rule], value);
}

static int put(const struct sp_guard_target *t, const struct sp_guard_wish *wish, const struct sp_guard_event *e,
	const struct sp_buffer *text, struct sp_guard_result *result)
{
	struct sp_guard_event named = *e;
	struct sp_output output;
	char name[NAME_MAX + 1];
	int err = sp_output_open_folder(&output, wish->directory, SP_GUARD_CAPTURES_FOLDER);

	if (result->at.tv_sec) {
		named.at = result->at;
		named.memory = result->memory;
	}
	name_file(name, sizeof(name), t, &named);
	if (!err)
		err = sp_output_put(output.fd, name, text, false);
	if (!err) {
		snprintf(result->path, sizeof(result->path), "%.3800s/%s", output.directory, name);
		sp_keep_newest(output.directory, output.fd, "", SUFFIX, UINT64_MAX, SP_GUARD_CAPTURES_BYTES);
	}
	sp_output_close(&output);
	return err ? fail(result, err, "it cannot be written") : 0;
}

static void render(const struct sp_guard_target *t, const struct sp_guard_wish *wish, size_t event,
	struct sp_snapshot *snapshot, struct sp_guard_result *result)
{
	struct sp_symbolizer_options symbols = {0};
	struct sp_render_options options = {.symbols = &symbols};
	struct sp_buffer text = {0};
	const char *why = "";
	int err;

	sp_symbols_options(&symbols, false);
	err = sp_render_snapshot(snapshot, &options, &text, &why);
	if (err)
		fail(result, err, "it cannot be rendered");
	else
		put(t, wish, &t->events[event], &text, result);
	sp_buffer_free(&text);
}

/* The agent knows the moment of the crossing itself. */
static void go_to_mark(const struct sp_guard_target *t, const struct sp_guard_event *e, struct sp_snapshot *snapshot,
	struct sp_guard_result *result)
{
	struct timespec at;
	const struct sp_mark *mark = sp_guard_mark_of(t, e, snapshot, &at);

	if (!mark)
		return;
	result->at = at;
	result->memory = mark->memory_bytes;
	result->rss = mark->rss_bytes;
	sp_mark_rewind(snapshot, mark);
}

void sp_guard_capture_write(const struct sp_guard_target *t, const struct sp_guard_wish *wish, size_t event,
	struct sp_guard_result *result)
{
	struct sp_snapshot snapshot = {0};

	if (take(t, &t->events[event], &snapshot, result) == 0) {
		go_to_mark(t, &t->events[event], &snapshot, result);
		if (t->events[event].rule < SP_GUARD_MEMORY_RULES)
			keep_snapshot(t, event, &snapshot, result);
		render(t, wish, event, &snapshot, result);
	}
	sp_snapshot_free(&snapshot);
}

void sp_guard_capture_late(const struct sp_guard_target *t, const struct sp_guard_wish *wish, size_t event,
	struct sp_guard_result *result)
{
	struct sp_snapshot snapshot = {0};

	if (sp_snapshot_load("guard", t->events[event].snapshot, &snapshot) == 0)
		render(t, wish, event, &snapshot, result);
	sp_snapshot_free(&snapshot);
}
