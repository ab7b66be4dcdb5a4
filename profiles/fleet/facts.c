/* Facts: those of a profile are texts, rounded; merging them (profiles/model/merge_facts.c) makes sums of them, which are what is kept. */
#include "profiles/fleet/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/merge.h"

static void take_sums(struct sp_fleet_facts *f, const struct sp_profile *p)
{
	struct sp_merge_sums s = {0};
	struct sp_profile out = {0};
	uint64_t *n = f->numbers;

	sp_merge_take_facts(&s, &out, p);
	n[SP_FLEET_DROPPED] = s.dropped;
	n[SP_FLEET_TRUNCATED] = s.truncated;
	n[SP_FLEET_RSS] = out.max_rss_bytes;
	n[SP_FLEET_REQUESTED_NS] = s.requested_ns;
	n[SP_FLEET_HEAP_INTERVAL] = s.heap_interval;
	n[SP_FLEET_HEAP_INTERVAL_MAX] = s.heap_interval_max;
	n[SP_FLEET_HEAP_SAMPLES] = s.heap_samples;
	n[SP_FLEET_INUSE] = s.inuse_bytes;
	n[SP_FLEET_PEAK] = s.peak_bytes;
	f->reals[SP_FLEET_ACHIEVED] = s.achieved_samples_us;
	f->reals[SP_FLEET_UNNAMED_SECONDS] = s.unnamed_seconds;
	f->reals[SP_FLEET_COST_CPU] = s.cost_cpu;
	f->reals[SP_FLEET_COST_HEAP] = s.cost_heap;
	f->reals[SP_FLEET_COST_HOOKS] = s.cost_hooks;
	f->reals[SP_FLEET_BUDGET] = s.budget;
	f->reals[SP_FLEET_INUSE_ERROR2] = s.inuse_error2;
	f->reals[SP_FLEET_PEAK_ERROR2] = s.peak_error2;
	sp_pool_free(&out.pool);
}

static void take_waiting(struct sp_fleet_facts *f, const struct sp_profile *p)
{
	const struct sp_waiting *w = &p->waiting;
	uint64_t *n = f->numbers;

	n[SP_FLEET_THREAD_NS] = w->wall_ns;
	n[SP_FLEET_QUEUE_NS] = w->queue_ns;
	n[SP_FLEET_BLOCKED_NS] = w->blocked_ns;
	n[SP_FLEET_THROTTLED_NS] = w->throttled_ns;
	n[SP_FLEET_THROTTLED_PERIODS] = w->throttled_periods;
	n[SP_FLEET_QUEUE_KNOWN] = w->queue_known || !w->wall_ns;
	n[SP_FLEET_KINDS_KNOWN] = w->kinds_known || !w->wall_ns;
	n[SP_FLEET_THROTTLE_KNOWN] = w->throttle_known;
	n[SP_FLEET_WAITING_KNOWN] = w->wall_ns || p->cpu_user_ns + p->cpu_sys_ns == 0;
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		n[SP_FLEET_KIND_NS + i] = w->kind_ns[i];
}

static double signed_fact(const struct sp_profile *p, const char *key)
{
	const char *text = sp_profile_fact(p, key);
	double value = text ? strtod(text, NULL) : 0;

	return fabs(value) < 1e18 ? value : 0;
}

void sp_fleet_facts_take(struct sp_fleet_facts *f, const struct sp_profile *p)
{
	uint64_t *n = f->numbers;

	*f = (struct sp_fleet_facts){0};
	take_sums(f, p);
	take_waiting(f, p);
	sp_merge_cpu_time(p, &n[SP_FLEET_CPU_USER_NS], &n[SP_FLEET_CPU_SYSTEM_NS]);
	n[SP_FLEET_WALL_NS] = p->wall_ns;
	n[SP_FLEET_CPU_SAMPLES] = p->samples;
	n[SP_FLEET_THREADS] = sp_profile_fact_number(p, "threads");
	n[SP_FLEET_ALLOCATED] = p->heap_allocated_bytes;
	n[SP_FLEET_ALLOCATIONS] = p->heap_allocations;
	n[SP_FLEET_FREES] = p->heap_frees;
	n[SP_FLEET_CPU_ON] = p->cpu_on;
	n[SP_FLEET_HEAP_ON] = p->heap_on;
	n[SP_FLEET_WAITS_ON] = p->waits_on;
	f->reals[SP_FLEET_GROWTH] = signed_fact(p, "heap_growth_bytes");
	for (int i = 0; i < SP_FLEET_TEXTS; i++) {
		const char *text = sp_profile_fact(p, sp_fleet_texts[i]);

		f->texts[i] = text ? sp_pool_copy(&f->pool, text, strlen(text)) : "";
	}
}

void sp_fleet_facts_free(struct sp_fleet_facts *facts)
{
	sp_pool_free(&facts->pool);
}

static void give_number(struct sp_profile *p, const char *key, uint64_t value)
{
	sp_profile_add_fact(p, key, "%llu", (unsigned long long)value);
}

static void give_real(struct sp_profile *p, const char *key, double value)
{
	sp_profile_add_fact(p, key, "%.17g", value);
}

static double over(double sum, double count)
{
	return count > 0 ? sum / count : 0;
}

/* What merging multiplies by samples, or by time, is divided by them here. */
static void give_facts(const struct sp_fleet_facts *f, struct sp_profile *p)
{
	const uint64_t *n = f->numbers;
	double seconds = (double)(p->cpu_user_ns + p->cpu_sys_ns) / 1e9;

	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		if (*f->texts[i])
			sp_profile_add_fact(p, sp_fleet_texts[i], "%s", f->texts[i]);
	if (*f->environment)
		sp_profile_add_fact(p, "environment", "%s", f->environment);
	give_number(p, "cpu_samples_dropped", n[SP_FLEET_DROPPED]);
	give_number(p, "stacks_truncated", n[SP_FLEET_TRUNCATED]);
	give_number(p, "threads", n[SP_FLEET_THREADS]);
	give_number(p, "max_rss_bytes", n[SP_FLEET_RSS]);
	give_real(p, "cpu_interval_requested_us", (double)n[SP_FLEET_REQUESTED_NS] / 1e3);
	give_real(p, "cpu_interval_achieved_us", over(f->reals[SP_FLEET_ACHIEVED], (double)p->samples));
	give_number(p, "heap_interval_bytes", n[SP_FLEET_HEAP_INTERVAL]);
	give_number(p, "heap_interval_max_bytes", n[SP_FLEET_HEAP_INTERVAL_MAX]);
	give_number(p, "heap_samples", n[SP_FLEET_HEAP_SAMPLES]);
	give_number(p, "heap_inuse_bytes", n[SP_FLEET_INUSE]);
	give_number(p, "heap_peak_bytes", n[SP_FLEET_PEAK]);
	give_real(p, "heap_inuse_error_bytes", sqrt(f->reals[SP_FLEET_INUSE_ERROR2]));
	give_real(p, "heap_peak_error_bytes", sqrt(f->reals[SP_FLEET_PEAK_ERROR2]));
	give_real(p, "frames_unsymbolized_percent",
		100 * over(f->reals[SP_FLEET_UNNAMED_SECONDS], (double)(p->sampled_user_ns + p->sampled_sys_ns) / 1e9));
	give_real(p, "overhead_cpu_percent", over(f->reals[SP_FLEET_COST_CPU], seconds));
	give_real(p, "overhead_heap_percent", over(f->reals[SP_FLEET_COST_HEAP], seconds));
	give_real(p, "overhead_hooks_percent", over(f->reals[SP_FLEET_COST_HOOKS], seconds));
	give_real(p, "overhead_budget_percent", f->reals[SP_FLEET_BUDGET]);
}

void sp_fleet_facts_give(const struct sp_fleet_facts *f, struct sp_profile *p)
{
	const uint64_t *n = f->numbers;
	const uint64_t off_ns = n[SP_FLEET_QUEUE_NS] + n[SP_FLEET_BLOCKED_NS];

	p->cpu_user_ns = n[SP_FLEET_CPU_USER_NS];
	p->cpu_sys_ns = n[SP_FLEET_CPU_SYSTEM_NS];
	p->wall_ns = n[SP_FLEET_WALL_NS];
	p->heap_allocated_bytes = n[SP_FLEET_ALLOCATED];
	p->heap_allocations = n[SP_FLEET_ALLOCATIONS];
	p->heap_frees = n[SP_FLEET_FREES];
	p->cpu_on = n[SP_FLEET_CPU_ON];
	p->heap_on = n[SP_FLEET_HEAP_ON];
	p->waits_on = n[SP_FLEET_WAITS_ON];
	p->waiting = (struct sp_waiting){.wall_ns = n[SP_FLEET_WAITING_KNOWN] ? n[SP_FLEET_THREAD_NS] : 0,
		.cpu_ns = n[SP_FLEET_THREAD_NS] > off_ns ? n[SP_FLEET_THREAD_NS] - off_ns : 0,
		.queue_ns = n[SP_FLEET_QUEUE_NS],
		.queue_known = n[SP_FLEET_QUEUE_KNOWN],
		.blocked_ns = n[SP_FLEET_BLOCKED_NS],
		.kinds_known = n[SP_FLEET_KINDS_KNOWN],
		.throttled_ns = n[SP_FLEET_THROTTLED_NS],
		.throttled_periods = n[SP_FLEET_THROTTLED_PERIODS],
		.throttle_known = n[SP_FLEET_THROTTLE_KNOWN]};
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		p->waiting.kind_ns[i] = n[SP_FLEET_KIND_NS + i];
	give_facts(f, p);
}
