/* The timeline. */
#include "sampler/upkeep/timeline.h"

#include "sampler/spool/write.h"
#include "sampler/threads/task_file.h"
#include "sampler/upkeep/memory.h"
#include "sampler/upkeep/totals.h"

#define FIRST_PERIOD_NS 50000000u
#define RSS_FAULTS 16u            /* page faults after which the resident size may have grown */
#define RSS_GROWING_NS 100000000u /* between readings while it grows, */
#define RSS_NS 500000000u         /* and else */

static struct {
	uint32_t busy;      /* sp_try_lock */
	uint64_t period_ns; /* between points; doubles when the table is full */
	uint64_t due_ns;
	uint64_t rss_faults, rss_ns; /* when the resident size was last read */
} timeline = {.period_ns = FIRST_PERIOD_NS};

/* The resident size grows by page faults, and reading it takes 40 us where nothing of the kernel's part is in the
 * cache: without faults it is looked at now and then, for it may have shrunk. */
static void follow_rss(uint64_t now, uint64_t faults, bool is_peak_known, bool force)
{
	struct sp_task_memory memory;
	uint64_t rest_ns = faults - timeline.rss_faults < RSS_FAULTS ? RSS_NS : RSS_GROWING_NS;

	if (!force && timeline.rss_ns && now - timeline.rss_ns < rest_ns)
		return;
	timeline.rss_faults = faults;
	timeline.rss_ns = now;
	sp_store(&sp_agent.spool->rss_bytes, sp_memory_resident().rss_bytes);
	if (!is_peak_known && sp_task_memory(&memory) && memory.peak_rss_bytes)
		sp_store(&sp_agent.spool->max_rss_bytes, memory.peak_rss_bytes);
}

/* Keeps every second point. */
static uint32_t halve(struct sp_timepoint *points, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n / 2; i++)
		points[i] = points[2 * i + 1];
	timeline.period_ns *= 2;
	return n / 2;
}

static void add_point(uint64_t now, const struct sp_usage *usage)
{
	struct sp_spool_header *h = sp_agent.spool;
	struct sp_section_entry *e = &h->sections[SP_SEC_TIMELINE];
	struct sp_timepoint *points = sp_section(SP_SEC_TIMELINE);
	uint32_t n = sp_load(&e->used);

	if (n >= e->capacity || (!sp_spool_back(SP_SEC_TIMELINE, n + 1) && n))
		n = halve(points, n);
	points[n] = (struct sp_timepoint){
		.t_ns = now,
		.user_ns = usage->user_ns,
		.sys_ns = usage->sys_ns,
		.rss_bytes = sp_load(&h->rss_bytes),
		.heap_inuse_bytes = sp_load(&h->heap.inuse_bytes),
		.cpu_interval_ns = sp_load(&h->cpu.interval_ns),
		.heap_interval_bytes = sp_load(&h->heap.interval_bytes),
		.logged = sp_load(&h->sections[SP_SEC_LOG].used),
	};
	__atomic_store_n(&e->used, n + 1, __ATOMIC_RELEASE);
}

/* Many a member of a tree ends soon: one point, at its end, is all that its timeline has. */
static bool is_young_member(void)
{
	const struct sp_spool_header *h = sp_agent.spool;

	return !timeline.due_ns && !h->is_root &&
		sp_load(&h->cpu.self_user_ns) + sp_load(&h->cpu.self_sys_ns) < SP_SMALL_CPU_NS;
}

void sp_timeline_step(uint64_t now, bool force)
{
	struct sp_usage usage;

	if (!force && (now < sp_load(&timeline.due_ns) || is_young_member()))
		return;
	if (!sp_try_lock(&timeline.busy))
		return;
	usage = sp_totals_update();
	now = sp_now_ns(); /* this thread may have waited since the caller looked */
	follow_rss(now, usage.faults, usage.max_rss_bytes != 0, force);
	add_point(now, &usage);
	sp_store(&timeline.due_ns, now + timeline.period_ns);
	sp_unlock(&timeline.busy);
}

SP_AT_FORK void sp_timeline_forked(void)
{
	sp_store(&timeline.period_ns, FIRST_PERIOD_NS); /* in place: not as part of a vector that stands elsewhere */
	timeline.due_ns = timeline.rss_ns = 0;
}
