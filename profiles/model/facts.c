/* Collecting the front matter; docs/PROFILE.md explains every key. */
#include "profiles/model/facts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/model/build.h"
#include "profiles/model/cost.h"
#include "profiles/model/git_info.h"
#include "profiles/model/heap.h"
#include "profiles/redact/redact.h"
#include "profiles/spool/marks.h"

#define COMMAND_BYTES_MAX 2000

void sp_facts_started(const struct sp_spool_header *header, char *out, size_t size, const char *format)
{
	time_t seconds = (time_t)(header->start_realtime_ns / 1000000000u);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(out, size, format, &tm))
		out[0] = '\0';
}

static void add_text(struct sp_profile *p, const char *key, const char *text)
{
	struct sp_buffer shown = {0};

	sp_redact_text(&shown, text, strlen(text));
	if (shown.length)
		sp_profile_add_fact(p, key, "%s", shown.data);
	sp_buffer_free(&shown);
}

static void add_exit(struct sp_profile *p)
{
	const struct sp_spool_header *h = &p->snapshot->header;

	if (h->state == SP_STATE_ENDED && h->exit_kind == SP_EXIT_CODE)
		sp_profile_add_fact(p, "exit", "%d", h->exit_value);
	else if (h->state == SP_STATE_ENDED && h->exit_kind == SP_EXIT_SIGNAL)
		sp_profile_add_fact(p, "exit", "signal %d", h->exit_value);
	else if (h->state == SP_STATE_EXEC)
		sp_profile_add_fact(p, "exit", "exec");
	else if (p->running)
		sp_profile_add_fact(p, "exit", "running");
	else
		sp_profile_add_fact(p, "exit", "unknown");
}

static void add_command(struct sp_profile *p)
{
	uint32_t offset = p->snapshot->header.text.command, bytes = p->snapshot->header.text.command_bytes;
	struct sp_buffer command = {0};

	if (!offset || offset >= p->snapshot->text_bytes)
		return;
	if (bytes >= p->snapshot->text_bytes - offset)
		bytes = p->snapshot->text_bytes - offset - 1;
	sp_redact_command(&command, p->snapshot->text + offset, bytes + 1);
	if (command.length > COMMAND_BYTES_MAX)
		sp_profile_add_fact(p, "command", "%.*s … %zu more bytes", COMMAND_BYTES_MAX, command.data,
			command.length - COMMAND_BYTES_MAX);
	else if (command.length)
		sp_profile_add_fact(p, "command", "%s", command.data);
	sp_buffer_free(&command);
}

static void add_build_id(struct sp_profile *p)
{
	const char *exe = sp_snapshot_text(p->snapshot, p->snapshot->header.text.exe);

	for (size_t i = 0; i < p->module_count; i++) {
		const struct sp_module_info *m = &p->modules[i];

		if (!*m->build_id || strcmp(m->path, exe) != 0)
			continue;
		sp_profile_add_fact(p, "build_id", "%s", m->build_id);
		return;
	}
}

static void add_process(struct sp_profile *p)
{
	const struct sp_spool_header *h = &p->snapshot->header;
	char started[64];
	size_t n;

	add_text(p, "program", sp_snapshot_text(p->snapshot, h->text.program));
	add_command(p);
	sp_profile_add_fact(p, "pid", "%d", h->pid);
	sp_profile_add_fact(p, "ppid", "%d", h->ppid);
	add_text(p, "tree", sp_snapshot_text(p->snapshot, h->text.tree));
	sp_profile_add_fact(p, "tree_role", "%s", sp_snapshot_is_root(p->snapshot) ? "root" : "member");
	add_exit(p);
	sp_facts_started(h, started, sizeof(started), "%Y-%m-%dT%H:%M:%S%z");
	n = strlen(started);
	if (n > 5) /* RFC 3339 wants the colon strftime leaves out */
		sp_profile_add_fact(p, "started", "%.*s.%03u%.3s:%s", (int)n - 5, started,
			(unsigned)(h->start_realtime_ns / 1000000 % 1000), started + n - 5, started + n - 2);
	add_text(p, "environment", sp_snapshot_text(p->snapshot, h->text.environment));
	add_text(p, "environment_reason", sp_snapshot_text(p->snapshot, h->text.environment_reason));
}

static void add_machine(struct sp_profile *p)
{
	const struct sp_spool_header *h = &p->snapshot->header;
	struct sp_git_info git;

	if (h->host_cores)
		sp_profile_add_fact(p, "host_cores", "%u", h->host_cores);
	if (h->usable_millicores)
		sp_profile_add_fact(p, "usable_cores", "%g", (double)h->usable_millicores / 1e3);
	if (h->memory_limit_bytes)
		sp_profile_add_fact(p, "memory_limit_bytes", "%llu", (unsigned long long)h->memory_limit_bytes);
	add_text(p, "kernel", sp_snapshot_text(p->snapshot, h->text.kernel));
	sp_git_info(&git, sp_snapshot_text(p->snapshot, h->text.cwd));
	/* What was checked out since is not what ran. */
	if (git.commit[0] && git.changed_ns <= (long long)h->start_realtime_ns)
		sp_profile_add_fact(p, "git_commit", "%s", git.commit);
	if (git.branch[0] && git.changed_ns <= (long long)h->start_realtime_ns)
		add_text(p, "git_branch", git.branch);
	add_build_id(p);
}

static void add_usage(struct sp_profile *p)
{
	char label[SP_MARK_LABEL_BYTES];

	if (p->snapshot->at) {
		sp_mark_label(p->snapshot, p->snapshot->at, label);
		sp_profile_add_fact(p, "mark", "%s", label);
	}
	if (p->snapshot->header.attached_ns)
		sp_profile_add_fact(p, "attached_after_seconds", "%.3f", (double)p->snapshot->header.attached_ns / 1e9);
	if (p->is_window)
		sp_profile_add_fact(p, "window_start_seconds", "%.3f", (double)p->snapshot->window_ns / 1e9);
	sp_profile_add_fact(p, "wall_seconds", "%.3f", (double)p->wall_ns / 1e9);
	sp_profile_add_fact(p, "cpu_user_seconds", "%.3f", (double)p->cpu_user_ns / 1e9);
	sp_profile_add_fact(p, "cpu_system_seconds", "%.3f", (double)p->cpu_sys_ns / 1e9);
	if (p->max_rss_bytes)
		sp_profile_add_fact(p, "max_rss_bytes", "%llu", (unsigned long long)p->max_rss_bytes);
	if (p->threads_seen)
		sp_profile_add_fact(p, "threads", "%llu", (unsigned long long)p->threads_seen);
}

/* Times of threads, added up. */
void sp_facts_add_waiting(struct sp_profile *p)
{
	const struct sp_waiting *w = &p->waiting;

	if (!w->wall_ns)
		return;
	sp_profile_add_fact(p, "thread_seconds", "%.3f", (double)w->wall_ns / 1e9);
	if (w->queue_known)
		sp_profile_add_fact(p, "run_queue_seconds", "%.3f", (double)w->queue_ns / 1e9);
	if (w->throttle_known) {
		sp_profile_add_fact(p, "throttled_seconds", "%.3f", (double)w->throttled_ns / 1e9);
		sp_profile_add_fact(p, "throttled_periods", "%llu", (unsigned long long)w->throttled_periods);
	}
	sp_profile_add_fact(p, "blocked_seconds", "%.3f", (double)w->blocked_ns / 1e9);
	for (int i = 0; w->kinds_known && i < SP_WAIT_KINDS; i++)
		sp_profile_add_fact(p, sp_wait_kind_fact(i), "%.3f", (double)w->kind_ns[i] / 1e9);
}

/* With the event clock the fine user-mode samples are the clock; system time comes at the tick. */
static double achieved_interval_us(const struct sp_profile *p)
{
	const struct sp_cpu_totals *cpu = &p->snapshot->header.cpu;

	if (cpu->clock == SP_CLOCK_EVENT && cpu->user_samples)
		return (double)p->sampled_user_ns / 1e3 / (double)cpu->user_samples;
	return p->samples ? (double)(p->sampled_user_ns + p->sampled_sys_ns) / 1e3 / (double)p->samples : 0;
}

static void add_cpu(struct sp_profile *p)
{
	static const char *const clocks[] = {[SP_CLOCK_OFF] = "off",
		[SP_CLOCK_EVENT] = "event",
		[SP_CLOCK_TIMER] = "timer",
		[SP_CLOCK_PROCESS] = "process"};
	const struct sp_spool_header *h = &p->snapshot->header;
	uint64_t dropped = h->drops[SP_DROP_REENTRY] + h->drops[SP_DROP_NO_THREAD];
	double achieved = achieved_interval_us(p);

	sp_profile_add_fact(p, "cpu_clock", "%s", h->cpu.clock <= SP_CLOCK_PROCESS ? clocks[h->cpu.clock] : "unknown");
	if (!p->cpu_on)
		return;
	sp_profile_add_fact(p, "cpu_interval_requested_us", "%.10g", (double)h->cpu.requested_ns / 1e3);
	if (achieved > 0)
		sp_profile_add_fact(p, "cpu_interval_achieved_us", "%.1f", achieved);
	sp_profile_add_fact(p, "cpu_samples", "%llu", (unsigned long long)p->samples);
	sp_profile_add_fact(p, "cpu_sampled_seconds", "%.3f", (double)(p->sampled_user_ns + p->sampled_sys_ns) / 1e9);
	sp_profile_add_fact(p, "cpu_unsampled_seconds", "%.3f", (double)p->unsampled_ns / 1e9);
	sp_profile_add_fact(p, "cpu_samples_dropped", "%llu", (unsigned long long)dropped);
	sp_profile_add_fact(p, "stacks_truncated", "%llu", (unsigned long long)h->cpu.truncated);
	if (p->all_frames > 0)
		sp_profile_add_fact(p, "frames_unsymbolized_percent", "%.1f", 100 * p->unnamed_frames / p->all_frames);
}

static void add_bytes(struct sp_profile *p, const char *key, uint64_t bytes)
{
	if (bytes)
		sp_profile_add_fact(p, key, "%llu", (unsigned long long)bytes);
}

static void add_allocator(struct sp_profile *p)
{
	const struct sp_allocator_totals *a = &p->snapshot->header.allocator;

	add_text(p, "allocator", sp_snapshot_text(p->snapshot, p->snapshot->header.text.allocator));
	if (!a->asked)
		return;
	add_bytes(p, "allocator_allocated_bytes", a->allocated_bytes);
	add_bytes(p, "allocator_active_bytes", a->active_bytes);
	add_bytes(p, "allocator_resident_bytes", a->resident_bytes);
	add_bytes(p, "allocator_retained_bytes", a->retained_bytes);
}

void sp_facts_add_heap(struct sp_profile *p)
{
	const struct sp_heap_totals *heap = &p->snapshot->header.heap;

	if (!p->heap_on)
		return;
	sp_profile_add_fact(p, "heap_interval_bytes", "%llu", (unsigned long long)heap->requested_bytes);
	sp_profile_add_fact(p, "heap_interval_max_bytes", "%llu", (unsigned long long)heap->interval_max_bytes);
	sp_profile_add_fact(p, "heap_samples", "%llu", (unsigned long long)heap->samples);
	sp_profile_add_fact(p, "heap_allocated_bytes", "%llu", (unsigned long long)p->heap_allocated_bytes);
	sp_profile_add_fact(p, "heap_allocations", "%llu", (unsigned long long)p->heap_allocations);
	sp_profile_add_fact(p, "heap_frees", "%llu", (unsigned long long)p->heap_frees);
	sp_profile_add_fact(p, "heap_inuse_bytes", "%llu", (unsigned long long)heap->inuse_bytes);
	sp_profile_add_fact(p, "heap_inuse_error_bytes", "%.0f", sp_heap_inuse_error(p));
	if (p->is_window) {
		sp_profile_add_fact(p, "heap_growth_bytes", "%lld", (long long)p->growth_bytes);
		sp_profile_add_fact(p, "heap_growth_error_bytes", "%.0f", sp_heap_growth_error(p));
	}
	sp_profile_add_fact(p, "heap_peak_bytes", "%llu", (unsigned long long)heap->peak_bytes);
	sp_profile_add_fact(p, "heap_peak_error_bytes", "%.0f", sp_heap_peak_error(p));
	add_bytes(p, "heap_before_sampling_bytes", heap->before_bytes);
	add_bytes(p, "heap_before_sampling_allocations", heap->before_count);
}

static void add_overhead(struct sp_profile *p)
{
	const struct sp_spool_header *h = &p->snapshot->header;
	struct sp_cost cost = sp_cost_of(p);

	if (h->cpu.budget_permille)
		sp_profile_add_fact(p, "overhead_budget_percent", "%g", (double)h->cpu.budget_permille / 10);
	if (p->cpu_user_ns + p->cpu_sys_ns == 0)
		return;
	sp_profile_add_fact(p, "overhead_measured_percent", "%.1f",
		sp_cost_percent(p, cost.cpu_ns + cost.heap_ns + cost.waits_ns));
	if (p->cpu_on)
		sp_profile_add_fact(p, "overhead_cpu_percent", "%.1f", sp_cost_percent(p, cost.cpu_ns));
	if (p->heap_on)
		sp_profile_add_fact(p, "overhead_heap_percent", "%.1f", sp_cost_percent(p, cost.heap_ns));
	sp_profile_add_fact(p, "overhead_hooks_percent", "%.2f", sp_cost_percent(p, cost.hooks_ns));
}

uint64_t sp_facts_start_ns(const struct sp_profile *profile)
{
	const char *text = sp_profile_fact(profile, "started"), *rest;
	double part = 0;
	struct tm tm = {0};
	char *end;
	time_t seconds;

	rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (rest && *rest == '.') {
		part = strtod(rest, &end);
		rest = end;
	}
	rest = rest ? strptime(rest, "%z", &tm) : NULL;
	if (!rest)
		return 0;
	seconds = -tm.tm_gmtoff; /* which timegm clears */
	seconds += timegm(&tm);
	if (seconds <= 0 || seconds >= INT64_MAX / 1000000000 || !(part >= 0 && part < 1))
		return 0;
	return (uint64_t)seconds * 1000000000u + (uint64_t)(part * 1e3 + 0.5) * 1000000u;
}

void sp_facts_collect(struct sp_profile *profile)
{
	profile->fact_count =
		0; /* of a profile that goes to another place than the first one they are collected again */
	sp_profile_add_fact(profile, "schema", "%s", SP_PROFILE_SCHEMA);
	add_process(profile);
	add_machine(profile);
	add_usage(profile);
	sp_facts_add_waiting(profile);
	add_cpu(profile);
	sp_facts_add_heap(profile);
	add_allocator(profile);
	add_overhead(profile);
	sp_profile_add_fact(profile, "frame_addresses", "exact");
}
