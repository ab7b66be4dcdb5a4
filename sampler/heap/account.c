/* What heap samples add up to. */
#include "sampler/heap/account.h"

#include "sampler/clock/governor.h"
#include "sampler/heap/estimate.h"
#include "sampler/heap/filter.h"
#include "sampler/heap/live.h"
#include "sampler/heap/peak.h"
#include "sampler/spans/slow.h"
#include "sampler/spool/stacks.h"
#include "sampler/spool/write.h"
#include "sampler/threads/thread.h"

#define LIVE_FULL_PERMILLE 700u

static struct sp_site *site_at(uint32_t index)
{
	return (struct sp_site *)sp_section(SP_SEC_SITES) + index;
}

/* Before a site changes: what it holds is what it held at the last peak it has not seen yet. */
static void settle_peak(struct sp_site *s)
{
	uint64_t seq = sp_load(&sp_agent.spool->heap.peak_seq), seen = sp_load(&s->peak_seq);

	if (seen >= seq ||
		!__atomic_compare_exchange_n(&s->peak_seq, &seen, seq, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	sp_store(&s->peak_bytes, sp_load(&s->alloc_bytes) - sp_load(&s->free_bytes));
	sp_store(&s->peak_count, sp_load(&s->alloc_count) - sp_load(&s->free_count));
}

/* The same for marks, at each of which it may have been something else. */
static void settle_marks(struct sp_site *s)
{
	uint32_t seq = sp_load(&sp_agent.spool->mark_seq), seen = sp_load(&s->mark_seq), at;
	struct sp_marked *m;

	if (sp_likely(seen >= seq) ||
		!__atomic_compare_exchange_n(&s->mark_seq, &seen, seq, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	at = sp_spool_allot(SP_SEC_MARKED, 1);
	if (!at) {
		sp_drop(SP_DROP_MARKED);
		return;
	}
	m = (struct sp_marked *)sp_section(SP_SEC_MARKED) + at;
	m->site = (uint32_t)(s - site_at(0));
	m->from = seen;
	m->to = seq;
	m->was = *s;
	__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
}

static void settle(struct sp_site *s)
{
	settle_peak(s);
	settle_marks(s);
}

static void note_peak(uint64_t inuse)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t peak = sp_load(&h->peak_bytes);

	while (inuse > peak && (int64_t)inuse > 0 &&
		!__atomic_compare_exchange_n(&h->peak_bytes, &peak, inuse, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	if (sp_peak_allocated()) {
		sp_store(&h->peak_time_ns, sp_now_ns());
		__atomic_fetch_add(&h->peak_seq, 1, __ATOMIC_RELEASE);
	}
}

static bool is_exact(const struct sp_live *e)
{
	return e->scale == 1;
}

/* An entry comes into use, or (sign -1) goes out of it. */
static void add_in_use(const struct sp_live *e, uint64_t sign)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_add(&h->inuse_variance, sign * e->variance);
	sp_add(&h->live_entries, sign);
	sp_add(&h->inuse_count, sign * e->count);
	sp_add(&h->inuse_bytes, sign * e->weight);
	if (is_exact(e)) {
		sp_add(&h->exact_bytes, sign * e->size);
		sp_add(&h->exact_count, sign);
	}
}

static void note_missable(const struct sp_live *e)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t most = sp_load(&h->missable_bytes);

	while (!is_exact(e) && e->size > most &&
		!__atomic_compare_exchange_n(&h->missable_bytes, &most, e->size, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
		;
}

static void add_exact_allocation(const struct sp_live *e, uint64_t sign)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	if (is_exact(e)) {
		sp_add(&h->exact_allocated_bytes, sign * e->size);
		sp_add(&h->exact_allocs, sign);
	}
}

static void site_add(const struct sp_live *e)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct sp_site *s = site_at(e->site);
	unsigned class = e->size > 1 ? 64 - (unsigned)__builtin_clzll(e->size - 1) : 0;

	if (class >= SP_SIZE_CLASSES)
		class = SP_SIZE_CLASSES - 1;
	settle(s);
	sp_add(&s->alloc_bytes, e->weight);
	sp_add(&s->alloc_count, e->count);
	sp_add(&s->samples, 1);
	sp_add(&s->inuse_samples, 1);
	sp_add(&s->variance_alloc, e->variance);
	sp_add(&s->variance_inuse, e->variance);
	sp_add(&h->samples, 1);
	sp_add(&h->class_bytes[class], e->weight);
	sp_add(&h->class_count[class], e->count);
	add_exact_allocation(e, 1);
	note_missable(e);
	add_in_use(e, 1);
	note_peak(sp_load(&h->inuse_bytes));
}

void sp_account_take_off(const struct sp_live *e)
{
	struct sp_site *s = site_at(e->site);

	settle(s);
	sp_add(&s->free_bytes, e->weight);
	sp_add(&s->free_count, e->count);
	sp_add(&s->inuse_samples, -1ull);
	sp_add(&s->variance_inuse, -e->variance);
	add_in_use(e, -1ull);
}

/* Allocations that the allocating thread has made since; many when another thread asks. */
static uint32_t calls_since(const struct sp_live *e)
{
	uint32_t mine = sp_thread_record_index(sp_tls.thread);

	return mine && mine == e->thread ? (uint32_t)sp_tls.heap.allocs - e->thread_allocs : UINT32_MAX;
}

/* Brings the process's counters up to date with the calling thread's. */
static void flush_mine(void)
{
	struct sp_thread *t = sp_tls.guard ? NULL : sp_enter();

	if (t) {
		sp_thread_flush(t, false);
		sp_leave(t);
	}
}

void sp_account_freed(const struct sp_live *e, uint64_t now)
{
	struct sp_site *s = site_at(e->site);
	uint32_t calls = calls_since(e);

	settle(s);
	if (calls < SP_SHORT_LIVED_CALLS || sp_tsc_ns(now - e->born_tsc) < SP_SHORT_LIVED_NS) {
		sp_add(&s->short_bytes, e->weight);
		sp_add(&s->short_count, e->count);
	}
	if (!calls) {
		sp_add(&s->temp_bytes, e->weight);
		sp_add(&s->temp_count, e->count);
	}
	sp_add(&sp_agent.spool->heap.sampled_frees, 1);
	flush_mine();
	sp_account_take_off(e);
	sp_peak_freed(e->born_clock, is_exact(e));
}

static void weigh(struct sp_thread *t, struct sp_live *e, uint64_t interval)
{
	double p = sp_pick_probability(e->size, interval);
	double weight = (double)e->size / p;

	e->scale = (float)(1 / p);
	e->weight = (uint64_t)(weight + 0.5);
	e->count = (uint32_t)(1 / p + sp_uniform(t));
	e->variance = (uint64_t)(weight * weight * (1 - p) / SP_VARIANCE_UNIT + sp_uniform(t));
}

struct thinning {
	struct sp_thread *t;
	uint64_t interval;
};

/* Keeps an entry as if it had been sampled at the wider interval: with the ratio of the two
 * probabilities, and then with the wider interval's weight. Unbiased. */
static bool thin_entry(struct sp_live *e, void *arg)
{
	struct thinning *th = arg;
	struct sp_live wider = *e;
	struct sp_site *s = site_at(e->site);

	weigh(th->t, &wider, th->interval);
	if (wider.scale <= e->scale)
		return true;
	add_exact_allocation(e, -1ull); /* from now on one of those that may be missed */
	if (sp_uniform(th->t) * wider.scale >= e->scale) {
		sp_account_take_off(e);
		return false;
	}
	note_missable(&wider);
	settle(s);
	sp_add(&s->free_bytes, e->weight - wider.weight);
	sp_add(&s->free_count, (uint64_t)e->count - wider.count);
	sp_add(&s->variance_inuse, wider.variance - e->variance);
	add_in_use(e, -1ull);
	add_in_use(&wider, 1);
	*e = wider;
	return true;
}

/* The live set is nearly full: from now on a wider interval, for what is in it too. */
static void thin_live_set(struct sp_thread *t)
{
	static uint32_t busy;
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct thinning th = {t, 0};
	uint64_t now;

	if (!sp_try_lock(&busy))
		return;
	now = sp_load(&h->interval_bytes);
	th.interval = 2 * (now > h->interval_floor ? now : h->interval_floor);
	sp_store(&h->interval_floor, th.interval);
	sp_governor_set_heap_interval(th.interval);
	sp_live_sweep(thin_entry, &th);
	sp_unlock(&busy);
}

void sp_account_enter(struct sp_thread *t, const struct sp_walk *walk, struct sp_live *entry, const void *p,
	uint64_t interval)
{
	uint32_t stack = sp_stacks_intern(t, walk);
	struct sp_live missed;

	entry->born_clock = sp_peak_clock();
	entry->site = sp_stacks_site(stack);
	weigh(t, entry, interval);
	sp_span_sampled(t, stack, entry->weight, entry->variance);
	site_add(entry);
	if (!p) {
		sp_account_freed(entry, sp_tsc());
		return;
	}
	if (!sp_filter_surely_not(p) && sp_live_remove(p, &missed))
		sp_account_take_off(&missed); /* its free was never seen */
	if (sp_live_insert(p, entry) != 0) {
		sp_drop(SP_DROP_LIVE);
		sp_account_take_off(entry);
		thin_live_set(t);
	} else if (sp_live_permille() > LIVE_FULL_PERMILLE) {
		thin_live_set(t);
	}
}
