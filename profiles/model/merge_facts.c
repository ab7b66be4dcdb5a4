/* The front matter of profiles that were added up. */
#include "profiles/model/merge.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/facts.h"

static double number(const struct sp_profile *p, const char *key)
{
	const char *text = sp_profile_fact(p, key);
	double value = text ? strtod(text, NULL) : 0;

	return value > 0 && value < 1e18 ? value : 0;
}

static uint64_t whole(const struct sp_profile *p, const char *key)
{
	return (uint64_t)number(p, key);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A value on which profiles agree; NULL from the first one on that differs. */
static void agree(struct sp_profile *out, const char **value, const struct sp_profile *in, const char *key, bool first)
{
	const char *text = sp_profile_fact(in, key);

	if (first)
		*value = text ? sp_pool_copy(&out->pool, text, strlen(text)) : NULL;
	else if (*value && (!text || strcmp(text, *value) != 0))
		*value = NULL;
}

static void take_common(struct sp_merge_sums *s, struct sp_profile *out, const struct sp_profile *in)
{
	bool first = !s->first_is_set;

	agree(out, &s->environment, in, "environment", first);
	agree(out, &s->environment_reason, in, "environment_reason", first);
	agree(out, &s->kernel, in, "kernel", first);
	agree(out, &s->git_commit, in, "git_commit", first);
	agree(out, &s->git_branch, in, "git_branch", first);
	agree(out, &s->allocator, in, "allocator", first);
	agree(out, &s->host_cores, in, "host_cores", first);
	agree(out, &s->usable_cores, in, "usable_cores", first);
	agree(out, &s->memory_limit, in, "memory_limit_bytes", first);
	s->first_is_set = true;
}

/* The clock that is named is that of the profile with the most CPU time. */
static void take_clock(struct sp_merge_sums *s, struct sp_profile *out, const struct sp_profile *in)
{
	const char *clock = sp_profile_fact(in, "cpu_clock");
	uint64_t used = in->cpu_user_ns + in->cpu_sys_ns + 1;

	if (!clock || (!in->cpu_on && s->clock))
		return;
	if (s->clock && used <= s->clock_ns && strcmp(s->clock, "off") != 0)
		return;
	s->clock = sp_pool_copy(&out->pool, clock, strlen(clock));
	s->clock_ns = used;
}

void sp_merge_take_facts(struct sp_merge_sums *s, struct sp_profile *out, const struct sp_profile *in)
{
	double seconds = (double)(in->cpu_user_ns + in->cpu_sys_ns) / 1e9;
	double sampled = (double)(in->sampled_user_ns + in->sampled_sys_ns) / 1e9;
	double inuse = number(in, "heap_inuse_error_bytes"), peak = number(in, "heap_peak_error_bytes");

	take_common(s, out, in);
	take_clock(s, out, in);
	s->requested_ns = larger(s->requested_ns, (uint64_t)(number(in, "cpu_interval_requested_us") * 1e3));
	s->achieved_samples_us += number(in, "cpu_interval_achieved_us") * (double)in->samples;
	s->dropped += whole(in, "cpu_samples_dropped");
	s->truncated += whole(in, "stacks_truncated");
	s->unnamed_seconds += number(in, "frames_unsymbolized_percent") / 100 * sampled;
	s->cost_cpu += number(in, "overhead_cpu_percent") * seconds;
	s->cost_heap += number(in, "overhead_heap_percent") * seconds;
	s->cost_hooks += number(in, "overhead_hooks_percent") * seconds;
	if (number(in, "overhead_budget_percent") > s->budget)
		s->budget = number(in, "overhead_budget_percent");
	s->heap_interval = larger(s->heap_interval, whole(in, "heap_interval_bytes"));
	s->heap_interval_max = larger(s->heap_interval_max, whole(in, "heap_interval_max_bytes"));
	s->heap_samples += whole(in, "heap_samples");
	s->inuse_bytes += whole(in, "heap_inuse_bytes");
	s->peak_bytes += whole(in, "heap_peak_bytes");
	s->inuse_error2 += inuse * inuse;
	s->peak_error2 += peak * peak;
	out->max_rss_bytes = larger(out->max_rss_bytes, whole(in, "max_rss_bytes"));
}

static void put_text(struct sp_profile *p, const char *key, const char *text)
{
	if (text && *text)
		sp_profile_add_fact(p, key, "%s", text);
}

static const char *common_exit(const struct sp_profile *p, size_t root)
{
	if (root != SIZE_MAX)
		return p->processes[root].exit;
	for (size_t i = 1; i < p->process_count; i++)
		if (strcmp(p->processes[i].exit, p->processes[0].exit) != 0)
			return "unknown";
	return p->process_count ? p->processes[0].exit : "unknown";
}

static void put_process(const struct sp_merge_sums *s, struct sp_profile *p)
{
	size_t root = sp_processes_root(p);
	const struct sp_member *first = root != SIZE_MAX ? &p->processes[root] : NULL;
	const char *program = sp_processes_program(p);
	char started[64];
	size_t n;

	sp_profile_add_fact(p, "program", "%s", program ? program : "several programs");
	put_text(p, "command", first ? first->command : NULL);
	sp_profile_add_fact(p, "pid", "%d", first ? first->pid : 0);
	sp_profile_add_fact(p, "ppid", "%d", first ? first->ppid : 0);
	put_text(p, "tree", first ? first->tree : NULL);
	sp_profile_add_fact(p, "tree_role", "root");
	sp_profile_add_fact(p, "merged_profiles", "%zu", p->process_count);
	sp_profile_add_fact(p, "exit", "%s", common_exit(p, root));
	sp_facts_started(&p->snapshot->header, started, sizeof(started), "%Y-%m-%dT%H:%M:%S%z");
	n = strlen(started);
	if (n > 5)
		sp_profile_add_fact(p, "started", "%.*s.%03u%.3s:%s", (int)n - 5, started,
			(unsigned)(p->snapshot->header.start_realtime_ns / 1000000 % 1000), started + n - 5,
			started + n - 2);
	sp_profile_add_fact(p, "wall_seconds", "%.3f", (double)p->wall_ns / 1e9);
	sp_profile_add_fact(p, "environment", "%s", s->environment ? s->environment : SP_SEVERAL);
	sp_profile_add_fact(p, "environment_reason", "%s",
		s->environment_reason ? s->environment_reason : "those of the profiles that were merged");
	put_text(p, "host_cores", s->host_cores);
	put_text(p, "usable_cores", s->usable_cores);
	put_text(p, "memory_limit_bytes", s->memory_limit);
	put_text(p, "kernel", s->kernel);
	put_text(p, "git_commit", s->git_commit);
	put_text(p, "git_branch", s->git_branch);
}

static void put_cpu(const struct sp_merge_sums *s, struct sp_profile *p)
{
	double sampled = (double)(p->sampled_user_ns + p->sampled_sys_ns) / 1e9;

	sp_profile_add_fact(p, "cpu_user_seconds", "%.3f", (double)p->cpu_user_ns / 1e9);
	sp_profile_add_fact(p, "cpu_system_seconds", "%.3f", (double)p->cpu_sys_ns / 1e9);
	if (p->max_rss_bytes)
		sp_profile_add_fact(p, "max_rss_bytes", "%llu", (unsigned long long)p->max_rss_bytes);
	if (p->threads_seen)
		sp_profile_add_fact(p, "threads", "%llu", (unsigned long long)p->threads_seen);
	sp_profile_add_fact(p, "cpu_clock", "%s", !p->cpu_on ? "off" : s->clock ? s->clock : "unknown");
	if (!p->cpu_on)
		return;
	sp_profile_add_fact(p, "cpu_interval_requested_us", "%.10g", (double)s->requested_ns / 1e3);
	if (p->samples)
		sp_profile_add_fact(p, "cpu_interval_achieved_us", "%.1f", s->achieved_samples_us / (double)p->samples);
	sp_profile_add_fact(p, "cpu_samples", "%llu", (unsigned long long)p->samples);
	sp_profile_add_fact(p, "cpu_sampled_seconds", "%.3f", sampled);
	sp_profile_add_fact(p, "cpu_unsampled_seconds", "%.3f", (double)p->unsampled_ns / 1e9);
	sp_profile_add_fact(p, "cpu_samples_dropped", "%llu", (unsigned long long)s->dropped);
	sp_profile_add_fact(p, "stacks_truncated", "%llu", (unsigned long long)s->truncated);
	if (sampled > 0)
		sp_profile_add_fact(p, "frames_unsymbolized_percent", "%.1f", 100 * s->unnamed_seconds / sampled);
}

void sp_merge_put_facts(const struct sp_merge_sums *s, struct sp_profile *p)
{
	double seconds = (double)(p->cpu_user_ns + p->cpu_sys_ns) / 1e9;

	sp_profile_add_fact(p, "schema", "%s", SP_PROFILE_SCHEMA);
	put_process(s, p);
	sp_facts_add_waiting(p);
	put_cpu(s, p);
	sp_facts_add_heap(p);
	if (p->heap_on)
		put_text(p, "allocator", s->allocator);
	if (s->budget > 0)
		sp_profile_add_fact(p, "overhead_budget_percent", "%g", s->budget);
	if (seconds <= 0)
		return;
	sp_profile_add_fact(p, "overhead_measured_percent", "%.1f", (s->cost_cpu + s->cost_heap) / seconds);
	sp_profile_add_fact(p, "overhead_cpu_percent", "%.1f", s->cost_cpu / seconds);
	sp_profile_add_fact(p, "overhead_heap_percent", "%.1f", s->cost_heap / seconds);
	sp_profile_add_fact(p, "overhead_hooks_percent", "%.2f", s->cost_hooks / seconds);
}
