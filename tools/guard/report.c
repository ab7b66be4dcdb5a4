/* The report of a guarded session, a document of its own: docs/GUARD.md. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/keep.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "tools/guard/guard.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define CELLS 60u
#define SUFFIX ".guard.md"
#define REPORTS_MOST 500u

static void put_time(struct sp_buffer *out, const struct timespec *at, const char *format)
{
	char text[40] = "";
	struct tm tm;

	if (localtime_r(&at->tv_sec, &tm))
		strftime(text, sizeof(text), format, &tm);
	sp_buffer_puts(out, text);
}

static void put_end(struct sp_buffer *out, const struct sp_guard_target *t)
{
	if (!t->ended)
		sp_buffer_puts(out, "running");
	else if (!t->status_known)
		sp_buffer_puts(out, "unknown");
	else if (WIFSIGNALED(t->status))
		sp_buffer_printf(out, "signal %d", WTERMSIG(t->status));
	else
		sp_buffer_printf(out, "status %d", WEXITSTATUS(t->status));
}

static void put_front(struct sp_buffer *out, const struct sp_guard_target *t, const char *profile)
{
	unsigned captures = 0;

	for (size_t i = 0; i < t->event_count; i++)
		captures += t->events[i].capture != NULL;
	sp_buffer_puts(out, "---\nschema: smartprof-guard/1\nprogram: ");
	sp_escape_yaml(out, t->facts.name, true);
	sp_buffer_printf(out, "\npid: %d\nwatched_since: ", t->pid);
	put_time(out, &t->since, "%Y-%m-%dT%H:%M:%S%z");
	if (t->ended) {
		sp_buffer_puts(out, "\nended: ");
		put_time(out, &t->ended_at, "%Y-%m-%dT%H:%M:%S%z");
	}
	sp_buffer_puts(out, "\nexit: ");
	put_end(out, t);
	sp_buffer_printf(out, "\noom_killed: %s\nagent: %s\nmemory_most_bytes: %llu\n",
		t->killed_for_memory ? "true" : "false", t->with_agent ? "true" : "false",
		(unsigned long long)t->memory_most);
	if (t->bounds.limit.name) {
		sp_buffer_printf(out, "limit_bytes: %llu\nlimit_by: ", (unsigned long long)t->bounds.bytes);
		sp_escape_yaml(out, t->bounds.limit.name, true);
		sp_buffer_puts(out, "\n");
	}
	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++)
		sp_buffer_printf(out, "%s_bytes: %llu\n", sp_guard_rule_names[i],
			(unsigned long long)t->rules.rule[i].threshold);
	sp_buffer_printf(out, "window_ms: %llu\ncrossings: %zu\ncaptures: %u\ncaptures_suppressed: %u\n",
		(unsigned long long)(t->rules.window_ns / 1000000), t->event_count + t->events_untold, captures,
		t->rules.memory.suppressed + t->rules.cpu.suppressed);
	if (*profile) {
		sp_buffer_puts(out, "profile: ");
		sp_escape_yaml(out, profile, true);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "---\n\n");
}

static void put_summary(struct sp_buffer *out, const struct sp_guard_target *t)
{
	const struct timespec *end = &t->ended_at;
	struct timespec now;

	if (!t->ended) {
		clock_gettime(CLOCK_REALTIME, &now);
		end = &now;
	}
	sp_buffer_puts(out, "# Guarded: ");
	sp_escape(out, SP_ESCAPE_CELL, t->facts.name, strlen(t->facts.name));
	sp_buffer_printf(out, " (%d)\n\nWatched for %lld s. Memory (anonymous pages, swap and huge pages) was ", t->pid,
		(long long)(end->tv_sec - t->since.tv_sec));
	sp_guard_put_megabytes(out, t->memory_most);
	sp_buffer_puts(out, " at the most");
	if (t->bounds.limit.name) {
		sp_buffer_puts(out, ", of ");
		sp_guard_put_megabytes(out, t->bounds.bytes);
		sp_buffer_printf(out, " that %s", t->bounds.limit.name);
		if (*t->bounds.limit.group) {
			sp_buffer_puts(out, " of ");
			sp_escape(out, SP_ESCAPE_CELL, t->bounds.limit.group, strlen(t->bounds.limit.group));
		}
		sp_buffer_puts(out, " allows");
	}
	sp_buffer_puts(out, ". ");
	if (t->killed_for_memory)
		sp_buffer_puts(out, "The kernel killed it for want of memory. ");
	if (!t->with_agent)
		sp_buffer_puts(out, "It ran without the agent, so of its heap nothing is known. ");
	sp_buffer_puts(out, "\n\n");
}

static double memory_of(const struct sp_guard_point *p)
{
	return (double)p->memory;
}

static double rss_of(const struct sp_guard_point *p)
{
	return (double)p->rss;
}

static double cpu_of(const struct sp_guard_point *p)
{
	return (double)p->cpu;
}

/* Each cell has the highest of its points. */
static double put_bar(struct sp_buffer *out, const char *label, const struct sp_guard_timeline *t,
	double (*value)(const struct sp_guard_point *))
{
	size_t n = t->count < CELLS ? t->count : CELLS;
	double values[CELLS] = {0}, most = 0;

	for (size_t i = 0; i < t->count; i++) {
		double v = value(&t->points[i]), *cell = &values[i * n / t->count];

		*cell = v > *cell ? v : *cell;
		most = v > most ? v : most;
	}
	sp_buffer_puts(out, label);
	sp_put_bars(out, values, n, most);
	sp_buffer_puts(out, "  at most ");
	return most;
}

static void put_timeline(struct sp_buffer *out, const struct sp_guard_target *t)
{
	if (t->timeline.count < 2)
		return;
	sp_buffer_puts(out, "# Timeline\n\n```text\n");
	sp_guard_put_megabytes(out, sp_whole(put_bar(out, "Memory ", &t->timeline, memory_of)));
	sp_buffer_puts(out, "\n");
	sp_guard_put_megabytes(out, sp_whole(put_bar(out, "RSS    ", &t->timeline, rss_of)));
	sp_buffer_puts(out, "\n");
	sp_buffer_printf(out, "%.0f %%\n", put_bar(out, "CPU    ", &t->timeline, cpu_of) / 10);
	sp_buffer_puts(out, "```\n\n");
}

static void put_thresholds(struct sp_buffer *out, const struct sp_guard_target *t)
{
	sp_buffer_puts(out,
		"# Thresholds\n\n| Rule | Threshold | Last seen | Fired | Not confirmed |\n"
		"|:---|---:|---:|---:|---:|\n");
	for (unsigned i = 0; i < SP_GUARD_RULES; i++) {
		const struct sp_guard_rule *r = &t->rules.rule[i];

		if (!r->threshold)
			continue;
		sp_buffer_printf(out, "| %s | ", sp_guard_rule_names[i]);
		if (i == SP_GUARD_CPU) {
			sp_buffer_printf(out, "%llu %% | %.0f %%", (unsigned long long)r->threshold / 10,
				(double)r->last / 10);
		} else {
			sp_guard_put_megabytes(out, r->threshold);
			sp_buffer_puts(out, " | ");
			sp_guard_put_megabytes(out, r->last);
		}
		sp_buffer_printf(out, " | %u | %u |\n", r->fired, r->unconfirmed);
	}
	sp_buffer_puts(out, "\n");
}

static void put_crossing(struct sp_buffer *out, const struct sp_guard_event *e)
{
	sp_buffer_puts(out, "| ");
	put_time(out, &e->at, "%H:%M:%S");
	sp_buffer_printf(out, " | %s%s%s | ", sp_guard_rule_names[e->rule], e->again ? ", grown by a quarter" : "",
		e->seen_by_agent ? ", seen by the agent alone" : "");
	sp_guard_put_megabytes(out, e->memory);
	sp_buffer_puts(out, " | ");
	sp_guard_put_megabytes(out, e->rss);
	if (e->cpu == SP_GUARD_UNKNOWN)
		sp_buffer_puts(out, " | | ");
	else
		sp_buffer_printf(out, " | %.0f %% | ", (double)e->cpu / 10);
	if (e->capture)
		sp_escape(out, SP_ESCAPE_CELL, e->capture, strlen(e->capture));
	else
		sp_buffer_puts(out, e->why);
	sp_buffer_puts(out, " |\n");
}

static void put_crossings(struct sp_buffer *out, const struct sp_guard_target *t)
{
	sp_buffer_puts(out, "# Crossings\n\n");
	if (!t->event_count) {
		sp_buffer_puts(out, "No threshold was crossed.\n\n");
		return;
	}
	sp_buffer_puts(out, "| Time | Rule | Memory | RSS | CPU | Capture |\n|:---|:---|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < t->event_count; i++)
		put_crossing(out, &t->events[i]);
	sp_buffer_puts(out, "\n");
	if (t->events_untold)
		sp_buffer_printf(out, "… and %zu more.\n\n", t->events_untold);
}

static void put_forecast(struct sp_buffer *out, const struct sp_guard_target *t)
{
	struct sp_guard_trend trend;
	uint64_t memory = sp_guard_memory(&t->facts);
	enum sp_guard_rule_id next = sp_guard_next_rule(&t->rules, memory);

	if (t->ended || !sp_guard_trend(&trend, t->timeline.points, t->timeline.count))
		return;
	sp_buffer_printf(out,
		"# Forecast\n\nMemory changes by %.2f MB a second (between %.2f and %.2f in 95 of 100, if looks were "
		"independent).",
		trend.slope / 1e6, trend.low / 1e6, trend.high / 1e6);
	if (next < SP_GUARD_RULES)
		sp_guard_put_forecast(out, " At this pace:", t, next, &trend, memory);
	sp_buffer_puts(out, "\n\n");
}

/* --- of a process that has ended ---------------------------------------------------------------- */

/* What is told of the heap. */
struct sections {
	struct sp_buffer growth, death;
};

/* What the spool of one that could not tell its end says of the moment of its death. Returns whether it was such a one. */
static bool put_death(struct sp_buffer *out, const char *spool)
{
	struct sp_snapshot snapshot = {0};
	const char *why = "";
	int fd = sp_spool_open(spool);
	bool killed = fd >= 0 && sp_snapshot_read(&snapshot, fd, &why) == 0 &&
		snapshot.header.state == SP_STATE_RUNNING && !snapshot.running;

	if (killed)
		sp_guard_put_held(out, &snapshot);
	sp_snapshot_free(&snapshot);
	if (fd >= 0)
		close(fd);
	return killed;
}

/* Its profile, through the machinery of recover; `profile`: where it is, empty: nowhere. */
static void render(const struct sp_guard_target *t, const char *spool, char profile[static PATH_MAX])
{
	const struct timespec since = {.tv_sec = t->since.tv_sec};
	struct sp_symbolizer_options symbols;
	struct sp_render_options options = {.only_orphan = true,
		.no_memory_captures = true,
		.symbols = &symbols,
		.only_root = t->status_known ? t->facts.inner_pid : 0,
		.ending = {.wait_status = t->status}};
	static struct sp_render_result result;

	*profile = '\0';
	sp_symbols_options(&symbols, false);
	if (*spool && sp_render_spool(spool, &options, &result) == 0) {
		snprintf(profile, PATH_MAX, "%.4000s", result.path);
		sp_push_note(profile);
		sp_push_start();
	}
	if (t->ours) {
		sp_recover_tree(t->pid, &options.ending, 0);
		if (!*profile && !sp_profile_of_pid(t->pid, &since, profile))
			*profile = '\0';
	}
}

/* Captures for which there was no memory while it ran. */
static void render_late(struct sp_guard_target *t, const struct sp_guard_wish *wish)
{
	static struct sp_guard_result result;

	for (size_t i = 0; i < t->event_count; i++) {
		struct sp_guard_event *e = &t->events[i];

		if (!e->snapshot || e->capture)
			continue;
		memset(&result, 0, sizeof(result));
		sp_guard_capture_late(t, wish, i, &result);
		if (!*result.path)
			continue;
		e->capture = strdup(result.path);
		sp_guard_tell(t, "%s: profile: %s", sp_guard_rule_names[e->rule], result.path);
	}
}

/* Of events that this process alone knows of, which is no more needed then. */
static void remove_snapshots(const struct sp_guard_target *t)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].seen_by_agent && t->events[i].snapshot)
			unlink(t->events[i].snapshot);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void compose(struct sp_buffer *out, const struct sp_guard_target *t, const struct sections *heap,
	const char *profile)
{
	put_front(out, t, profile);
	put_summary(out, t);
	put_timeline(out, t);
	put_thresholds(out, t);
	put_crossings(out, t);
	if (heap->growth.length)
		sp_buffer_add(out, heap->growth.data, heap->growth.length);
	put_forecast(out, t);
	if (heap->death.length)
		sp_buffer_add(out, heap->death.data, heap->death.length);
}

static int put(const struct sp_guard_target *t, const struct sp_guard_wish *wish, const struct sp_buffer *text,
	struct sp_guard_result *result)
{
	char program[SAFE_NAME_MAX + 1];
	struct sp_buffer name = {0};
	struct sp_output output;
	int err = sp_output_open_folder(&output, wish->directory, SP_GUARD_REPORTS_FOLDER);

	sp_output_safe_name(program, sizeof(program), t->facts.name);
	sp_buffer_printf(&name, "%s.", program);
	put_time(&name, &t->since, "%Y%m%d-%H%M%S");
	sp_buffer_printf(&name, ".%d" SUFFIX, t->pid);
	if (!err)
		err = sp_output_put(output.fd, name.data, text, true);
	if (!err) {
		snprintf(result->path, sizeof(result->path), "%.3800s/%s", output.directory, name.data);
		sp_keep_newest(output.directory, output.fd, "", SUFFIX, REPORTS_MOST, SP_GUARD_CAPTURES_BYTES);
	}
	sp_output_close(&output);
	sp_buffer_free(&name);
	return err;
}

void sp_guard_report_write(struct sp_guard_target *t, const struct sp_guard_wish *wish, struct sp_guard_result *result)
{
	struct sp_buffer text = {0};
	struct sections heap = {0};
	char spool[PATH_MAX] = "";
	bool waits, killed = t->ended && t->with_agent && sp_guard_spool(t, spool) && put_death(&heap.death, spool);

	sp_guard_marks_take(t, *spool && wish->profiling ? spool : NULL);
	sp_guard_put_growth(&heap.growth, t, killed ? spool : NULL);
	if (t->ended && t->with_agent) { /* from here on there is no spool */
		render(t, spool, result->snapshot);
		render_late(t, wish);
	}
	compose(&text, t, &heap, result->snapshot);
	result->err = put(t, wish, &text, result);
	remove_snapshots(t);
	waits = *spool && access(spool, F_OK) == 0;
	if (result->err || waits)
		snprintf(result->why, sizeof(result->why), "%s%s%s%s",
			result->err ? "its report cannot be written: " : "",
			!result->err                                               ? ""
				: result->err == -ENOSPC || result->err == -EDQUOT ? "there is no room for it"
										   : strerror(-result->err),
			result->err && waits ? "; " : "", waits ? "its profile waits for smartprof recover" : "");
	sp_buffer_free(&text);
	sp_buffer_free(&heap.growth);
	sp_buffer_free(&heap.death);
}
