/* The difference of two snapshots. */
#include "profiles/spool/window.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/spool/spans.h"
#include "profiles/spool/waits.h"
#include "symbolize/base/memory.h"

static void take(uint64_t *later, uint64_t earlier)
{
	*later = sp_window_since(*later, earlier);
}

/* Of sums that may go either way. */
static void take_signed(int64_t *later, int64_t earlier)
{
	*later = (int64_t)((uint64_t)*later - (uint64_t)earlier);
}

static void take_each(uint64_t *later, const uint64_t *earlier, size_t count)
{
	for (size_t i = 0; i < count; i++)
		take(&later[i], earlier[i]);
}

/* --- CPU ---------------------------------------------------------------------------------------- */

static void take_cpu(struct sp_cpu_totals *b, const struct sp_cpu_totals *a)
{
	take(&b->user_samples, a->user_samples);
	take(&b->sys_samples, a->sys_samples);
	take(&b->lost_signals, a->lost_signals);
	take(&b->truncated, a->truncated);
	take(&b->handler_ns, a->handler_ns);
	take_signed(&b->unsampled_user_ns, a->unsampled_user_ns);
	take_signed(&b->unsampled_sys_ns, a->unsampled_sys_ns);
	take(&b->before_user_ns, a->before_user_ns);
	take(&b->before_sys_ns, a->before_sys_ns);
	take(&b->signals, a->signals);
	take_each(b->handler_class, a->handler_class, SP_TIME_CLASSES);
	take(&b->ticks, a->ticks);
	take(&b->switch_ns, a->switch_ns);
	take(&b->switches, a->switches);
	take(&b->kernel_hits, a->kernel_hits);
	b->thinned -= a->thinned < b->thinned ? a->thinned : b->thinned;
}

/* At a mark that was set when the log was full already it is not known what a stack had used: nothing of it is said to
 * be the window's. */
static bool is_log_short(const struct sp_snapshot *a)
{
	return a->at && a->at->logged == UINT64_MAX;
}

static void take_all(struct sp_stack *stack)
{
	stack->user_ns = stack->sys_ns = stack->weight_sq_us2 = 0;
	stack->user_samples = stack->sys_samples = 0;
}

void sp_window_stack(struct sp_stack *is, const struct sp_stack *was)
{
	take(&is->user_ns, was->user_ns);
	take(&is->sys_ns, was->sys_ns);
	take(&is->weight_sq_us2, was->weight_sq_us2);
	is->user_samples = (uint32_t)sp_window_since(is->user_samples, was->user_samples);
	is->sys_samples = (uint32_t)sp_window_since(is->sys_samples, was->sys_samples);
}

static void take_stacks(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	for (size_t i = 0; is_log_short(a) && i < b->stack_count; i++)
		take_all(&b->stacks[i]);
	for (size_t i = 0; i < a->stack_count && i < b->stack_count; i++)
		sp_window_stack(&b->stacks[i], &a->stacks[i]);
}

/* --- threads ------------------------------------------------------------------------------------ */

static void take_thread(struct sp_thread_record *b, const struct sp_thread_record *a)
{
	take(&b->user_ns, a->user_ns);
	take(&b->sys_ns, a->sys_ns);
	take(&b->cpu_user_ns, a->cpu_user_ns);
	take(&b->cpu_sys_ns, a->cpu_sys_ns);
	take(&b->user_samples, a->user_samples);
	take(&b->sys_samples, a->sys_samples);
	take_signed(&b->heap.countdown, a->heap.countdown);
	take_signed(&b->heap.bytes_base, a->heap.bytes_base);
	take(&b->lived_ns, a->lived_ns);
	take(&b->queue_ns, a->queue_ns);
	take(&b->heap.allocs, a->heap.allocs);
	take(&b->heap.frees, a->heap.frees);
	take(&b->heap.reallocs, a->heap.reallocs);
	for (int i = 0; i < SP_WAIT_KINDS; i++) {
		take(&b->waits[i].ns, a->waits[i].ns);
		take(&b->waits[i].count, a->waits[i].count);
	}
}

static bool is_same_thread(const struct sp_thread_record *b, const struct sp_thread_record *a)
{
	return b->state && b->tid == a->tid && b->start_ns == a->start_ns;
}

/* A thread that has given its record back since is in record 0 with all that it ever did, part of it before the
 * window. */
void sp_window_threads(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	if (!a->thread_count || !b->thread_count)
		return;
	take(&b->threads[0].merged, a->threads[0].merged);
	take_thread(&b->threads[0], &a->threads[0]);
	for (size_t i = 1; i < a->thread_count; i++) {
		const struct sp_thread_record *was = &a->threads[i];
		struct sp_thread_record *is = i < b->thread_count ? &b->threads[i] : NULL;

		if (!was->state)
			continue;
		if (!is || !is_same_thread(is, was)) {
			take_thread(&b->threads[0], was);
			take(&b->threads[0].lived_ns, sp_window_since(a->taken_ns, was->start_ns));
		} else if (was->state == 2) {
			is->state = 0;
		} else {
			take_thread(is, was);
		}
	}
	for (size_t i = 1; i < b->thread_count; i++) {
		take(&b->threads[i].start_ns, a->taken_ns);
		take(&b->threads[i].end_ns, a->taken_ns);
	}
}

/* --- heap --------------------------------------------------------------------------------------- */

static void take_heap(struct sp_heap_totals *b, const struct sp_heap_totals *a)
{
	take(&b->samples, a->samples);
	take(&b->sampled_frees, a->sampled_frees);
	take(&b->before_bytes, a->before_bytes);
	take(&b->before_count, a->before_count);
	take(&b->slow_ns, a->slow_ns);
	take(&b->stopped_bytes, a->stopped_bytes);
	take(&b->stopped_count, a->stopped_count);
	take_each(b->class_bytes, a->class_bytes, SP_SIZE_CLASSES);
	take_each(b->class_count, a->class_count, SP_SIZE_CLASSES);
	take(&b->always_samples, a->always_samples);
	take(&b->exact_allocated_bytes, a->exact_allocated_bytes);
	take(&b->exact_allocs, a->exact_allocs);
	take(&b->flushed_bytes, a->flushed_bytes);
	take(&b->flushed_allocs, a->flushed_allocs);
	take(&b->flushed_frees, a->flushed_frees);
}

static int64_t in_use(uint64_t allocated, uint64_t freed)
{
	return (int64_t)(allocated - freed); /* right modulo 2^64, see struct sp_site */
}

static const struct sp_site nothing;

void sp_window_site(struct sp_site *b, const struct sp_site *was, struct sp_growth *growth)
{
	const struct sp_site *a = was ? was : &nothing;

	*growth =
		(struct sp_growth){in_use(b->alloc_bytes, b->free_bytes), in_use(b->alloc_count, b->free_count), 0, 0};
	take_signed(&growth->bytes, in_use(a->alloc_bytes, a->free_bytes));
	take_signed(&growth->count, in_use(a->alloc_count, a->free_count));
	take(&b->alloc_bytes, a->alloc_bytes);
	take(&b->alloc_count, a->alloc_count);
	take(&b->short_bytes, a->short_bytes);
	take(&b->short_count, a->short_count);
	take(&b->temp_bytes, a->temp_bytes);
	take(&b->temp_count, a->temp_count);
	take(&b->samples, a->samples);
	take(&b->variance_alloc, a->variance_alloc);
}

static int by_birth(const void *left, const void *right)
{
	const struct sp_live *a = left, *b = right;

	if (a->born_tsc != b->born_tsc)
		return a->born_tsc < b->born_tsc ? -1 : 1;
	if (a->site != b->site)
		return a->site < b->site ? -1 : 1;
	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	return a->size < b->size ? -1 : a->size > b->size;
}

/* This is as well as it is known what a sample stands for that is there at one end only. */
static void differ(const struct sp_snapshot *b, uint32_t site, double variance)
{
	if (site >= b->site_count || !variance)
		return;
	b->growth[site].variance += variance;
	b->growth[site].samples++;
}

/* Only those that were born in the window stay. A sample that is there at both ends does not make the growth
 * uncertain, except where the live set was thinned out in between and it stands for more now. */
static void take_live(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	struct sp_live *before = sp_alloc(a->live_count + 1, sizeof(*before));
	size_t kept = 0, k = 0;

	if (a->live_count)
		memcpy(before, a->live, a->live_count * sizeof(*before));
	qsort(before, a->live_count, sizeof(*before), by_birth);
	qsort(b->live, b->live_count, sizeof(*b->live), by_birth);
	for (size_t i = 0; i < b->live_count; i++) {
		const struct sp_live *live = &b->live[i];

		for (; k < a->live_count && by_birth(&before[k], live) < 0; k++)
			differ(b, before[k].site, (double)before[k].variance);
		if (k < a->live_count && by_birth(&before[k], live) == 0) {
			differ(b, live->site, fabs((double)live->variance - (double)before[k].variance));
			k++;
		} else {
			differ(b, live->site, (double)live->variance);
			b->live[kept++] = *live;
		}
	}
	for (; k < a->live_count; k++)
		differ(b, before[k].site, (double)before[k].variance);
	b->live_count = kept;
	free(before);
}

static double beyond(uint64_t more, uint64_t less)
{
	int64_t d = (int64_t)(more - less);

	return d > 0 ? (double)d : 0;
}

/* Samples that were alive at a mark and are gone are in no live set: what a site had in variance and the samples that are
 * still there do not have was theirs. Of those that were there at both ends of the window it is not known that they were, so
 * it may be less: not more than what came and went in the window (variance_alloc is the window's already). */
static void differ_by_gone(struct sp_snapshot *b, const struct sp_snapshot *a, const uint64_t *known_before,
	const uint64_t *known_after)
{
	for (size_t i = 0; i < b->site_count; i++) {
		const struct sp_site *is = &b->sites[i], none = {0}, *was = i < a->site_count ? &a->sites[i] : &none;
		double gone = beyond(was->variance_inuse, known_before[i]) + beyond(is->variance_inuse, known_after[i]);
		double came = beyond(is->variance_alloc, 0);
		double went = came + (double)(int64_t)(was->variance_inuse - is->variance_inuse);
		double most = came + (went > 0 ? went : 0);
		struct sp_growth *growth = &b->growth[i];

		if (gone <= 0)
			continue;
		growth->variance += gone;
		if (growth->variance > most)
			growth->variance = most;
		growth->samples += is->inuse_samples + was->inuse_samples;
	}
}

static uint64_t *variance_by_site(const struct sp_snapshot *s, size_t sites)
{
	uint64_t *sums = sp_alloc(sites + 1, sizeof(*sums));

	for (size_t i = 0; i < s->live_count; i++)
		if (s->live[i].site < sites)
			sums[s->live[i].site] += s->live[i].variance;
	return sums;
}

/* Of blocks that were born in the window, were alive at its end and are gone since, the reader learns only by how
 * much the site grew. */
static void add_gone(struct sp_snapshot *b)
{
	struct sp_heap_totals *h = &b->header.heap;

	for (size_t i = 0; i < b->site_count; i++) {
		struct sp_site *site = &b->sites[i];
		int64_t least = b->growth[i].bytes, count = b->growth[i].count;

		if (least > (int64_t)site->alloc_bytes)
			least = (int64_t)site->alloc_bytes;
		if (count > (int64_t)site->alloc_count)
			count = (int64_t)site->alloc_count;
		if (in_use(site->alloc_bytes, site->free_bytes) < least)
			site->free_bytes = site->alloc_bytes - (uint64_t)least;
		if (in_use(site->alloc_count, site->free_count) < count)
			site->free_count = site->alloc_count - (uint64_t)count;
		if (b->growth[i].samples > site->inuse_samples) {
			h->inuse_variance += sp_whole(beyond(sp_whole(b->growth[i].variance), site->variance_inuse));
			site->variance_inuse = sp_whole(b->growth[i].variance);
			site->inuse_samples = b->growth[i].samples;
		}
	}
}

/* In use is what is left of the window's own blocks, and so it was at the peak for all that is known. */
static void settle_in_use(struct sp_snapshot *b)
{
	struct sp_heap_totals *h = &b->header.heap;

	h->inuse_bytes = h->inuse_count = h->inuse_variance = h->exact_bytes = h->exact_count = 0;
	h->peak = (struct sp_heap_peak){.clock = 0};
	h->peak_seq = 1;
	for (size_t i = 0; i < b->site_count; i++) {
		struct sp_site *site = &b->sites[i];

		site->free_bytes = site->alloc_bytes;
		site->free_count = site->alloc_count;
		site->inuse_samples = site->variance_inuse = site->peak_seq = 0;
	}
	for (size_t i = 0; i < b->live_count; i++) {
		const struct sp_live *live = &b->live[i];
		struct sp_site *site = &b->sites[live->site];

		site->free_bytes -= live->weight < site->free_bytes ? live->weight : site->free_bytes;
		site->free_count -= live->count < site->free_count ? live->count : site->free_count;
		site->variance_inuse += live->variance;
		site->inuse_samples++;
		h->inuse_variance += live->variance;
	}
	if (b->at)
		add_gone(b);
	for (size_t i = 0; i < b->site_count; i++) {
		h->inuse_bytes += b->sites[i].alloc_bytes - b->sites[i].free_bytes;
		h->inuse_count += b->sites[i].alloc_count - b->sites[i].free_count;
	}
	h->live_entries = b->live_count;
	h->peak_bytes = h->inuse_bytes;
}

static void take_sites(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	uint64_t *before = variance_by_site(a, b->site_count), *after = variance_by_site(b, b->site_count);

	b->growth = sp_alloc(b->site_count + 1, sizeof(*b->growth));
	for (size_t i = 0; i < b->site_count; i++)
		sp_window_site(&b->sites[i], i < a->site_count ? &a->sites[i] : NULL, &b->growth[i]);
	take_live(b, a);
	if (a->at || b->at)
		differ_by_gone(b, a, before, after);
	settle_in_use(b);
	free(before);
	free(after);
}

/* --- time --------------------------------------------------------------------------------------- */

static void take_log(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	size_t before = a->log_count < b->log_count ? a->log_count : b->log_count;

	b->log_count -= before;
	if (before)
		memmove(b->log, b->log + before, b->log_count * sizeof(*b->log));
	for (size_t i = 0; i < b->timeline_count; i++)
		take(&b->timeline[i].logged, before);
}

static void take_timeline(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	uint64_t user_ns, sys_ns, rss_bytes = b->header.rss_bytes;
	size_t kept = 0;

	sp_snapshot_cpu(a, &user_ns, &sys_ns);
	for (size_t i = 0; i < b->timeline_count; i++) {
		struct sp_timepoint *t = &b->timeline[i];

		if (t->t_ns <= a->taken_ns)
			continue;
		take(&t->t_ns, a->taken_ns);
		take(&t->user_ns, user_ns);
		take(&t->sys_ns, sys_ns);
		rss_bytes = t->rss_bytes > rss_bytes ? t->rss_bytes : rss_bytes;
		b->timeline[kept++] = *t;
	}
	b->timeline_count = kept;
	b->header.max_rss_bytes = rss_bytes;
}

/* Both ends' pauses are complete up to there. */
static void take_control(struct sp_control *b, const struct sp_control *a)
{
	take(&b->stopped_ns, a->stopped_ns);
	take(&b->stopped_cpu_ns, a->stopped_cpu_ns);
}

/* The window's beginning is the beginning of all. */
static void move_start(struct sp_snapshot *b, const struct sp_snapshot *a)
{
	struct sp_spool_header *h = &b->header;

	b->window_ns = a->taken_ns ? a->taken_ns : 1;
	b->mark_count = 0; /* what they refer to is not there any more */
	take(&b->taken_ns, a->taken_ns);
	take(&h->now_ns, a->taken_ns);
	if (h->end_ns)
		h->end_ns = b->taken_ns ? b->taken_ns : 1;
	take(&h->heap.peak_time_ns, a->taken_ns);
	h->start_realtime_ns += a->taken_ns;
	h->start_monotonic_ns += a->taken_ns;
	h->start_tsc += sp_whole((double)a->taken_ns / 1e3 * (double)h->tsc_per_us_x1024 / 1024);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int fail(const char **why, int error, const char *phrase)
{
	*why = phrase;
	return error;
}

static int check(const struct sp_snapshot *b, const struct sp_snapshot *a, const char **why)
{
	const struct sp_spool_header *was = &a->header, *is = &b->header;

	if (was->pid != is->pid || was->start_ticks != is->start_ticks || was->pid_namespace != is->pid_namespace)
		return fail(why, -ESRCH, "is of another process than");
	if (was->start_monotonic_ns != is->start_monotonic_ns)
		return fail(why, -ESRCH, "runs another program than");
	/* One that died without telling is known until its last event only, which may be before the snapshot. */
	if (is->now_ns < was->now_ns || (is->snapshot_ns && b->taken_ns < a->taken_ns))
		return fail(why, -EINVAL, "is older than");
	for (size_t i = 0; i < a->stack_count; i++)
		if (i >= b->stack_count || a->stacks[i].hash != b->stacks[i].hash)
			return fail(why, -EINVAL, "has other stacks, so that one of the two is damaged, than");
	for (size_t i = 1; i < a->site_count; i++)
		if (i >= b->site_count || (a->sites[i].ready && a->sites[i].stack != b->sites[i].stack))
			return fail(why, -EINVAL, "has other sites, so that one of the two is damaged, than");
	return 0;
}

int sp_window_take(struct sp_snapshot *b, const struct sp_snapshot *a, const char **why)
{
	uint64_t user_ns, sys_ns, before_user_ns, before_sys_ns;
	int err = check(b, a, why);

	if (err)
		return err;
	sp_snapshot_cpu(a, &before_user_ns, &before_sys_ns);
	sp_snapshot_cpu(b, &user_ns, &sys_ns);
	take_timeline(b, a);
	take_log(b, a);
	take_stacks(b, a);
	sp_window_threads(b, a);
	take_cpu(&b->header.cpu, &a->header.cpu);
	take(&b->header.throttle.ns, a->header.throttle.ns);
	take(&b->header.throttle.periods, a->header.throttle.periods);
	if (a->at) /* what it was then is not known */
		b->header.throttle.known = 0;
	b->header.cpu.self_user_ns = sp_window_since(user_ns, before_user_ns);
	b->header.cpu.self_sys_ns = sp_window_since(sys_ns, before_sys_ns);
	take_heap(&b->header.heap, &a->header.heap);
	take_control(&b->header.control, &a->header.control);
	take_sites(b, a);
	take_each(b->header.drops, a->header.drops, SP_DROPS);
	take(&b->header.broken, a->header.broken);
	sp_spans_take(b, a);
	sp_waits_take(b, a);
	move_start(b, a);
	return 0;
}
