/* The functions of smartprof.h. */
#include "preload/smartprof.h"

#include <string.h>

#include "preload/export.h"
#include "preload/process.h"
#include "preload/start/api.h"
#include "sampler/agent.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/control.h"
#include "sampler/upkeep/marks.h"
#include "sampler/upkeep/memory.h"
#include "sampler/upkeep/timeline.h"
#include "sampler/upkeep/totals.h"

SP_EXPORT const char *smartprof_version(void)
{
	return SP_VERSION;
}

static bool is_profiled(void)
{
	return sp_agent_state() == SP_AGENT_ACTIVE && !sp_is_stale_child() && !sp_is_vfork_child();
}

SP_EXPORT int smartprof_active(void)
{
	return sp_agent_state() == SP_AGENT_ACTIVE && !sp_load(&sp_agent.stopped);
}

bool sp_api_on_own_stack(void (*fn)(void *), void *arg)
{
	uint64_t mask = sp_block_others(false);
	struct sp_thread *mine = sp_tls.guard ? NULL : sp_enter(), *t = mine ? mine : sp_block_take();

	if (mine)
		sp_thread_flush(mine, false);
	if (t)
		sp_on_stack(fn, arg, sp_thread_stack(t));
	if (mine)
		sp_leave(mine);
	else if (t)
		sp_block_give_back(t);
	sp_restore_signals(mask);
	return t != NULL;
}

/* --- marks -------------------------------------------------------------------------------------- */

struct marking {
	struct sp_mark_reason reason;
	uint32_t seq;
};

static void mark_main(void *arg)
{
	struct marking *m = arg;

	m->seq = sp_mark_set(&m->reason);
}

static int mark(enum sp_mark_kind kind, const char *name)
{
	struct marking m = {.reason = {.kind = kind, .name = name}};

	if (!is_profiled() || !name || !sp_mark_name_ok(name))
		return 0;
	return sp_api_on_own_stack(mark_main, &m) && m.seq;
}

SP_EXPORT int smartprof_mark(const char *name)
{
	return mark(SP_MARK_NAMED, name);
}

SP_EXPORT int smartprof_snapshot(const char *name)
{
	return mark(SP_MARK_SNAPSHOT, name);
}

/* --- measurements ------------------------------------------------------------------------------- */

static struct {
	uint64_t t_ns, cpu_ns, allocated_bytes, samples;
} begun;

SP_AT_FORK void sp_api_forked(void)
{
	if (begun.t_ns)
		memset(&begun, 0, sizeof begun);
}

static uint64_t samples(void)
{
	const struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	return sp_load(&cpu->user_samples) + sp_load(&cpu->sys_samples);
}

static uint64_t inuse_bytes(void)
{
	uint64_t bytes = sp_load(&sp_agent.spool->heap.inuse_bytes);

	return (int64_t)bytes > 0 ? bytes : 0;
}

static void start_main(void *unused)
{
	struct sp_usage usage = sp_totals_update();

	(void)unused;
	begun.t_ns = sp_now_ns();
	begun.cpu_ns = usage.user_ns + usage.sys_ns;
	begun.allocated_bytes = sp_load(&sp_agent.spool->heap.flushed_bytes);
	begun.samples = samples();
	sp_control_start();
	sp_timeline_step(begun.t_ns, true);
}

SP_EXPORT int smartprof_start(void)
{
	if (sp_is_stale_child())
		sp_agent.forked();
	if (sp_agent_state() == SP_AGENT_DORMANT && !sp_is_vfork_child() && !sp_agent.sealed)
		sp_agent.activate();
	return is_profiled() && sp_api_on_own_stack(start_main, NULL);
}

static void add_point(struct smartprof_result *r, const struct sp_timepoint *p)
{
	r->timeline[r->points].t_ns = p->t_ns - begun.t_ns;
	r->timeline[r->points].cpu_ns = p->user_ns + p->sys_ns - begun.cpu_ns;
	r->timeline[r->points].rss_bytes = p->rss_bytes;
	r->timeline[r->points].heap_bytes = p->heap_inuse_bytes;
	r->points++;
}

/* Of the points since the beginning, as many as there is room for, and the last one. */
static void put_timeline(struct smartprof_result *r)
{
	const struct sp_timepoint *points = sp_section(SP_SEC_TIMELINE);
	uint32_t n = sp_load(&sp_agent.spool->sections[SP_SEC_TIMELINE].used), first = n, i, k;

	while (first && points[first - 1].t_ns >= begun.t_ns)
		first--;
	for (i = first; i < n; i++)
		if (points[i].rss_bytes > r->peak_rss_bytes)
			r->peak_rss_bytes = points[i].rss_bytes;
	n -= first;
	k = n < SMARTPROF_POINTS ? n : SMARTPROF_POINTS;
	for (i = 1; i <= k; i++)
		add_point(r, &points[first + (uint64_t)i * n / k - 1]);
}

static void stop_main(void *arg)
{
	struct smartprof_result *r = arg;
	const struct sp_spool_header *h = sp_agent.spool;

	sp_timeline_step(sp_now_ns(), true);
	if (r) {
		r->points = 0;
		r->duration_ns = sp_now_ns() - begun.t_ns;
		r->cpu_ns = sp_load(&h->cpu.self_user_ns) + sp_load(&h->cpu.self_sys_ns) - begun.cpu_ns;
		r->peak_rss_bytes = sp_memory_resident().rss_bytes;
		r->heap_bytes = h->heap.on ? inuse_bytes() : 0;
		r->allocated_bytes = sp_load(&h->heap.flushed_bytes) - begun.allocated_bytes;
		r->samples = samples() - begun.samples;
		put_timeline(r);
	}
	sp_control_stop();
}

SP_EXPORT int smartprof_stop(struct smartprof_result *result)
{
	return is_profiled() && !sp_load(&sp_agent.stopped) && sp_api_on_own_stack(stop_main, result);
}
