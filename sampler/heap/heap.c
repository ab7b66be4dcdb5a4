/* Heap sampling: Poisson by bytes, a live set, estimates by site. docs: sampler/heap/estimate.h. */
#include "sampler/heap/heap.h"

#include <errno.h>

#include "sampler/clock/governor.h"
#include "sampler/heap/estimate.h"
#include "sampler/heap/filter.h"
#include "sampler/heap/live.h"
#include "sampler/heap/peak.h"
#include "sampler/heap/pre_activation.h"
#include "sampler/spool/stacks.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/upkeep.h"
#include "sampler/walk/unwind.h"

#define NEVER (INT64_MAX / 4)
#define RETRY_BYTES 4096
#define LIVE_FULL_PERMILLE 700u

/* Blocks of this size are looked at one by one, however wide the interval, and sampled for their size alone, as long as
 * ALWAYS_FIRST and a quarter of all samples are not used up: which is known before, so each has a probability of 1. */
#define ALWAYS_BYTES (256 * 1024)
#define ALWAYS_FIRST 64u
#define ALWAYS_PART 4u

struct allocation {
	struct sp_thread *t;
	const void *p;
	size_t size;
	bool always; /* sampled for its size alone */
	bool picked; /* and would have been without */
};

/* Sets the countdown without changing the number of bytes counted so far. */
static void set_countdown(struct sp_tls *tls, int64_t bytes)
{
	tls->heap.bytes_base += bytes - tls->heap.countdown;
	tls->heap.countdown = bytes;
}

/* Counts down to a sample `bytes` from now, in steps that no large block is missed in. */
static void count_down(struct sp_thread *t, int64_t bytes)
{
	t->heap_left = bytes > ALWAYS_BYTES ? bytes - ALWAYS_BYTES : 0;
	set_countdown(t->tls, bytes - t->heap_left);
}

static void count(struct sp_tls *tls, size_t size)
{
	tls->heap.allocs++;
	tls->heap.bytes_base += (int64_t)size;
}

/* A fifth on top is for what a sample leaves cold: 146,000 samples in a python3 with
 * PYTHONMALLOC=malloc added 154 ms to its CPU time, 128 ms by the cycle counter. */
static void count_cost(uint64_t cycles)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_add(&h->slow_ns, sp_plausible_cost_ns(sp_tsc_ns(cycles) * 6 / 5, h->sample_cost_ns));
}

/* More of that, in cycles, where samples are rare: the program had warmed caches and predictors since the one before.
 * What a sample added to the CPU time of the same run without any, beyond what the cycle counter told: 1.6 us with one
 * every 130 us in malloc_loop, 4 us with one every 200 us in heap_truth, 0.1 us with one every microsecond. */
#define AFTER_MOST_US 4u
#define AFTER_PART 64u

static uint64_t after_cycles(uint64_t since)
{
	uint64_t most = AFTER_MOST_US * sp_agent.tsc_per_us_x1024 / 1024;

	return since / AFTER_PART < most ? since / AFTER_PART : most;
}

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
	settle_peak(s);
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

static void site_free(const struct sp_live *e)
{
	struct sp_site *s = site_at(e->site);

	settle_peak(s);
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

static void site_free_by_application(const struct sp_live *e, uint64_t now)
{
	struct sp_site *s = site_at(e->site);
	uint32_t calls = calls_since(e);

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
	site_free(e);
	sp_peak_freed(e->born_clock, is_exact(e));
}

/* A uniform number in [0, 1). */
static double uniform(struct sp_thread *t)
{
	return (double)(sp_random(t) >> 11) / 9007199254740992.0;
}

static void weigh(struct sp_thread *t, struct sp_live *e, uint64_t interval)
{
	double p = sp_pick_probability(e->size, interval);
	double weight = (double)e->size / p;

	e->scale = (float)(1 / p);
	e->weight = (uint64_t)(weight + 0.5);
	e->count = (uint32_t)(1 / p + uniform(t));
	e->variance = (uint64_t)(weight * weight * (1 - p) / SP_VARIANCE_UNIT + uniform(t));
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
	if (uniform(th->t) * wider.scale >= e->scale) {
		site_free(e);
		return false;
	}
	note_missable(&wider);
	settle_peak(s);
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

/* A sample enters the site of its stack and, when `p` is alive, the live set. */
static void enter(struct sp_thread *t, const struct sp_walk *walk, struct sp_live *entry, const void *p,
	uint64_t interval)
{
	struct sp_live missed;

	entry->born_clock = sp_peak_clock();
	entry->site = sp_stacks_site(sp_stacks_intern(t, walk));
	weigh(t, entry, interval);
	site_add(entry);
	if (!p) {
		site_free_by_application(entry, sp_tsc());
		return;
	}
	if (!sp_filter_surely_not(p) && sp_live_remove(p, &missed))
		site_free(&missed); /* its free was never seen */
	if (sp_live_insert(p, entry) != 0) {
		sp_drop(SP_DROP_LIVE);
		site_free(entry);
		thin_live_set(t);
	} else if (sp_live_permille() > LIVE_FULL_PERMILLE) {
		thin_live_set(t);
	}
}

/* Runs on the private stack. */
static void record_hit(void *arg)
{
	struct allocation *hit = arg;
	struct sp_thread *t = hit->t;
	uint64_t interval = sp_load(&sp_agent.spool->heap.interval_bytes);
	struct sp_live entry = {.size = hit->size,
		.born_tsc = sp_tsc(),
		.thread = sp_thread_record_index(t),
		.thread_allocs = (uint32_t)t->tls->heap.allocs};
	struct sp_walk walk;

	sp_unwind(t, NULL, &walk);
	enter(t, &walk, &entry, hit->p, hit->always ? 1 : t->heap_interval);
	if (hit->picked)
		t->heap_interval = interval;
}

static void replay_one(const struct sp_pre_activation_sample *s, void *arg)
{
	struct sp_thread *t = arg;
	struct sp_live entry = {.size = s->size,
		.born_tsc = s->born_tsc,
		.thread = sp_thread_record_index(t),
		.thread_allocs = s->thread_allocs};
	struct sp_walk walk = {.frames = s->frames, .depth = s->depth, .flags = s->flags};

	enter(t, &walk, &entry, s->p, SP_PRE_ACTIVATION_INTERVAL);
}

void sp_heap_replay(struct sp_thread *t)
{
	sp_pre_activation_replay(replay_one, t);
}

#define BURST 16u

/* What BURST samples cost as a rule, of the time between them and that: the first samples of a
 * process cost more than those that follow. */
static uint64_t burst_share_ppm(const struct sp_thread *t, uint64_t now)
{
	uint64_t cost = BURST * sp_agent.spool->heap.sample_cost_ns;
	uint64_t between = sp_tsc_ns(now - t->burst_began - t->burst_cycles);

	return cost * 1000000 / (between + cost + 1);
}

/* The governor looks every few ticks; a program that allocates a million times a second has spent
 * its budget by then. So each thread looks every few samples whether the process has, and widens
 * the interval as its own share of late tells. */
static void restrain(struct sp_thread *t, uint64_t cycles, uint64_t now)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	struct sp_heap_costs c;

	t->burst_cycles += cycles;
	if (++t->burst_samples < BURST)
		return;
	/* The clock is asked only when the time known of does not allow what was spent. */
	if (t->burst_began &&
		sp_load(&h->slow_ns) >
			sp_governor_heap_allowance_ns(sp_load(&cpu->self_user_ns) + sp_load(&cpu->self_sys_ns)) &&
		sp_load(&h->slow_ns) > sp_governor_heap_allowance_ns(sp_process_clock_ns())) {
		c = (struct sp_heap_costs){.interval_bytes = sp_load(&h->interval_bytes),
			.floor_bytes = sp_load(&h->interval_floor),
			.ceiling_bytes = h->requested_bytes * SP_HEAP_STRETCH_MAX,
			.share_ppm = burst_share_ppm(t, now),
			.budget_ppm = sp_governor_heap_ppm(),
			.overdrawn = true};
		sp_governor_set_heap_interval(sp_governor_heap_interval(&c));
	}
	t->burst_began = now;
	t->burst_cycles = t->burst_samples = 0;
	if (cpu->clock == SP_CLOCK_OFF) /* no tick will do it */
		sp_upkeep_step(t, sp_now_ns());
}

static bool is_always_sampled(size_t size)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t taken;

	if (size < ALWAYS_BYTES)
		return false;
	taken = sp_load(&h->always_samples);
	return taken < ALWAYS_FIRST + sp_load(&h->samples) / ALWAYS_PART &&
		__atomic_compare_exchange_n(&h->always_samples, &taken, taken + 1, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED);
}

/* left: bytes to the next one that is picked, if this was taken for its size alone. */
static void sample(struct sp_tls *tls, const void *p, size_t size, bool always, int64_t left)
{
	struct allocation hit = {.p = p, .size = size, .always = always, .picked = left <= 0};
	uint64_t began = sp_tsc_first(), mask = sp_block_others(), now, after;

	hit.t = sp_enter();
	if (!hit.t) {
		tls->thread->heap_left = 0;
		set_countdown(tls, RETRY_BYTES);
		sp_restore_signals(mask);
		return;
	}
	sp_thread_flush(hit.t, false);
	sp_on_stack(record_hit, &hit, sp_thread_stack(hit.t));
	count_down(hit.t, hit.picked ? sp_next_pick(sp_random(hit.t), hit.t->heap_interval) : left);
	now = sp_tsc();
	after = after_cycles(began - hit.t->sampled_tsc);
	hit.t->sampled_tsc = now;
	restrain(hit.t, now - began, now);
	sp_leave(hit.t);
	sp_restore_signals(mask);
	count_cost(sp_tsc() - began + after);
	if (!hit.t->burst_samples && sp_agent.look)
		sp_agent.look();
}

void sp_heap_start_thread(struct sp_thread *t)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	/* The main thread has been running for a while. */
	if (t->tid == sp_agent.pid && !sp_pre_activation_before(&h->before_bytes, &h->before_count)) {
		h->before_bytes = (uint64_t)(t->tls->heap.bytes_base - t->tls->heap.countdown);
		h->before_count = t->tls->heap.allocs;
	}
	t->heap_interval = sp_load(&h->interval_bytes);
	if (sp_agent.config.heap)
		count_down(t, sp_next_pick(sp_random(t), t->heap_interval));
	else
		set_countdown(t->tls, NEVER);
}

/* A dormant process is left alone until it has allocated enough to be worth a spool. Returns false
 * when it still is, and the allocation counted. */
static bool wake(struct sp_tls *tls, const void *p, size_t size)
{
	uint64_t before = (uint64_t)(tls->heap.bytes_base - tls->heap.countdown);
	bool nested = tls->guard;

	if (before + size >= SP_DORMANT_BYTES || size >= SP_DORMANT_BYTES) {
		sp_agent.activate();
		return true;
	}
	tls->guard = 1; /* activation by the CPU timer has to wait for the counters to agree */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	count(tls, size);
	set_countdown(tls, nested ? RETRY_BYTES : sp_pre_activation_allocated(p, size, before));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tls->guard = nested;
	return false;
}

/* The countdown of a thread that is sampled was too short for this allocation, which is counted already. */
static void sample_if_due(struct sp_tls *tls, const void *p, size_t size)
{
	struct sp_thread *t = tls->thread;
	int64_t left = tls->heap.countdown + t->heap_left;
	bool always = is_always_sampled(size);

	left = (uint64_t)left <= size ? 0 : left - (int64_t)size;
	if (always || !left)
		sample(tls, p, size, always, left);
	else
		count_down(t, left);
}

/* A thread's first allocation that sampling can see is picked like any other; one that the
 * countdown before activation had picked is. */
static void begin(struct sp_tls *tls, const void *p, size_t size)
{
	bool picked = sp_pre_activation_due() && size;

	sp_heap_start_thread(tls->thread);
	count(tls, size);
	if (picked)
		tls->thread->heap_interval = SP_PRE_ACTIVATION_INTERVAL;
	if (picked)
		sample(tls, p, size, false, 0);
	else
		sample_if_due(tls, p, size);
}

static void hit(struct sp_tls *tls, const void *p, size_t size)
{
	int state;

	if (sp_unlikely(sp_agent.sealed)) {
		count(tls, size);
		set_countdown(tls, NEVER);
		return;
	}
	if (sp_unlikely(sp_is_stale_child()))
		sp_agent.forked();
	if (sp_load(&sp_agent.state) == SP_AGENT_DORMANT && !wake(tls, p, size))
		return;
	state = sp_load(&sp_agent.state);
	if (state == SP_AGENT_ACTIVE && !tls->thread && !tls->dead)
		sp_agent.adopt(); /* a thread made behind our back */
	if (state == SP_AGENT_ACTIVE && sp_agent.config.heap && tls->thread && !tls->thread->heap_interval) {
		begin(tls, p, size);
		return;
	}
	count(tls, size);
	if (sp_unlikely(tls->dead))
		sp_thread_flush_dead();
	else if (state != SP_AGENT_ACTIVE || !sp_agent.config.heap || !tls->thread)
		set_countdown(tls, state == SP_AGENT_DORMANT || state == SP_AGENT_ACTIVATING ? RETRY_BYTES : NEVER);
	else if (size) /* nothing to weigh in an empty one: the next is looked at again */
		sample_if_due(tls, p, size);
}

void sp_heap_hit(const void *p, size_t size)
{
	int saved_errno = errno;

	hit(&sp_tls, p, size);
	errno = saved_errno;
}

void sp_heap_forget(const void *p)
{
	struct sp_live entry;
	uint64_t began;

	if (sp_unlikely(!sp_agent.spool)) {
		sp_pre_activation_forget(p);
		return;
	}
	if (!sp_live_may_have(p)) /* a neighbour of one that is sampled: often freed, perhaps */
		return;
	began = sp_tsc_first();
	if (sp_live_remove(p, &entry) && !sp_is_stale_child()) {
		site_free_by_application(&entry, began);
		count_cost(sp_tsc() - began);
	}
}

void sp_heap_hold(const void *p, struct sp_heap_held *held)
{
	held->pre_activation = sp_agent.spool ? 0 : sp_pre_activation_forget(p);
	held->held = sp_agent.spool && sp_live_remove(p, &held->entry);
}

void sp_heap_restore(const void *p, struct sp_heap_held *held)
{
	sp_pre_activation_restore(held->pre_activation, p);
	if (held->held && sp_live_insert(p, &held->entry) != 0) {
		sp_drop(SP_DROP_LIVE);
		site_free(&held->entry);
	}
}

void sp_heap_drop_held(const struct sp_heap_held *held)
{
	if (held->held && sp_agent.spool && !sp_is_stale_child())
		site_free_by_application(&held->entry, sp_tsc_first());
}
