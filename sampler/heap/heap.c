/* Heap sampling: which allocations are sampled, by a Poisson process over bytes (estimate.h). */
#include "sampler/heap/heap.h"

#include <errno.h>

#include "sampler/heap/account.h"
#include "sampler/heap/estimate.h"
#include "sampler/heap/filter.h"
#include "sampler/heap/live.h"
#include "sampler/heap/pre_activation.h"
#include "sampler/heap/spending.h"
#include "sampler/spans/slow.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/control.h"
#include "sampler/upkeep/totals.h"
#include "sampler/walk/stack_read.h"
#include "sampler/walk/unwind.h"

#define NEVER (INT64_MAX / 4)
#define RETRY_BYTES 4096
#define LOOK_BYTES (1024 * 1024) /* while sampling is stopped: between looks whether it still is */

/* Blocks of SP_HEAP_LARGE_BYTES are sampled for their size alone while their number allows it: those below 1 MiB until they
 * are two eighths of all samples, and one eighth more, up to six, with every four times the size, so that the smaller ones
 * leave room for the larger ones. That is known before a block comes, so each has a probability of 1. */
#define ALWAYS_FIRST 32u /* in each eighth before there are samples */
#define ALWAYS_LEAST_EIGHTHS 2u
#define ALWAYS_MOST_EIGHTHS 6u

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
	tls->heap_left = 0;
}

static void count(struct sp_tls *tls, size_t size)
{
	tls->heap.allocs++;
	tls->heap.bytes_base += (int64_t)size;
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
		.thread_allocs = (uint32_t)sp_tls.heap.allocs};
	struct sp_walk walk;

	sp_unwind(t, NULL, &walk);
	sp_account_enter(t, &walk, &entry, hit->p, hit->always ? 1 : t->heap_interval);
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

	sp_account_enter(t, &walk, &entry, s->p, sp_pre_activation_interval());
}

void sp_heap_replay(struct sp_thread *t)
{
	sp_pre_activation_replay(replay_one, t);
}

static bool is_always_sampled(size_t size)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	uint64_t eighths = ALWAYS_LEAST_EIGHTHS, taken;

	if (size < SP_HEAP_LARGE_BYTES)
		return false;
	for (; size >= 4 * SP_HEAP_LARGE_BYTES && eighths < ALWAYS_MOST_EIGHTHS; size /= 4)
		eighths++;
	taken = sp_load(&h->always_samples);
	return taken < eighths * (ALWAYS_FIRST + sp_load(&h->samples) / 8) &&
		__atomic_compare_exchange_n(&h->always_samples, &taken, taken + 1, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED);
}

/* Once in so many times the kernel is asked whether the cycle counter may be read. The hooks of prctl and syscall
 * see a change, but nothing sees a bare system call of the program's. */
#define ASKED_EVERY 16u
static uint64_t tsc_at(uint64_t times)
{
	return times % ASKED_EVERY ? sp_tsc() : sp_tsc_first();
}

/* left: bytes to the next one that is picked, if this was taken for its size alone. Until signals are blocked, and from when they are
 * not, a handler may fork: t may be wiped then, and what is left to be done counts for nothing. */
static void sample(struct sp_tls *tls, struct sp_thread *t, const void *p, size_t size, bool always, int64_t left)
{
	struct allocation hit = {.p = p, .size = size, .always = always, .picked = left <= 0};
	uint64_t began = tsc_at(t->burst_samples), mask = sp_block_others(sp_stack_is_own(t));
	uint64_t now, after;

	hit.t = sp_enter();
	if (hit.t != t) {
		if (hit.t)
			sp_leave(hit.t);
		set_countdown(tls, RETRY_BYTES);
		sp_restore_signals(mask);
		return;
	}
	sp_thread_flush(hit.t, false);
	sp_on_stack(record_hit, &hit, sp_thread_stack(hit.t));
	sp_heap_count_down(tls, hit.picked ? sp_next_pick(sp_random(hit.t), hit.t->heap_interval) : left);
	now = sp_tsc();
	after = sp_spending_after(began - hit.t->sampled_tsc);
	hit.t->sampled_tsc = now;
	sp_spending_restrain(hit.t, now - began, now);
	sp_leave(hit.t);
	sp_restore_signals(mask);
	now = sp_tsc();
	sp_spending_add(now - began + after);
	sp_span_disturbed(hit.t, sp_tsc_ns(now - began));
	if (!hit.t->burst_samples && sp_agent.look)
		sp_agent.look();
}

static void stop(struct sp_thread *t)
{
	sp_thread_stop_heap(t);
	set_countdown(&sp_tls, LOOK_BYTES);
}

void sp_heap_start_thread(struct sp_thread *t)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct sp_tls *tls = &sp_tls;

	/* The main thread has been running for a while. */
	if (t->tid == sp_agent.pid && !sp_pre_activation_before(&h->before_bytes, &h->before_count)) {
		h->before_bytes = (uint64_t)(tls->heap.bytes_base - tls->heap.countdown);
		h->before_count = tls->heap.allocs;
	}
	t->heap_interval = sp_load(&h->interval_bytes);
	if (sp_agent.config.heap && sp_load(&sp_agent.stopped))
		stop(t);
	else if (sp_agent.config.heap)
		sp_heap_count_down(tls, sp_next_pick(sp_random(t), t->heap_interval));
	else
		set_countdown(tls, NEVER);
}

/* A dormant process is left alone until it has allocated enough to be worth a spool. Returns false
 * when it still is, and the allocation counted. */
static bool wake(struct sp_tls *tls, const void *p, size_t size)
{
	uint64_t before = (uint64_t)(tls->heap.bytes_base - tls->heap.countdown);
	bool nested = tls->guard;

	if (before + size >= sp_agent.dormant_bytes || size >= sp_agent.dormant_bytes) {
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

/* The countdown of a thread that is sampled was too short for this allocation, which is counted already. Whether it was
 * sampled. */
static bool sample_if_due(struct sp_tls *tls, struct sp_thread *t, const void *p, size_t size)
{
	int64_t left = tls->heap.countdown + tls->heap_left;
	bool always = is_always_sampled(size);

	left = (uint64_t)left <= size ? 0 : left - (int64_t)size;
	if (always || !left)
		sample(tls, t, p, size, always, left);
	else
		sp_heap_count_down(tls, left);
	return !left;
}

/* Sampling is stopped: this thread's goes on to its next sample, which is as likely to be early as late for its being the last,
 * and then counts; or it was stopped, and what was counted up to here, with this one, is told as that. */
static void count_stopped(struct sp_tls *tls, struct sp_thread *t, const void *p, size_t size)
{
	if (!t->heap_interval) {
		sp_heap_start_thread(t);
		count(tls, size);
		return;
	}
	count(tls, size);
	if (!t->heap_stopped) {
		if (sample_if_due(tls, t, p, size))
			stop(t);
	} else if (sp_load(&sp_agent.stopped)) {
		sp_thread_flush(t, false);
		sp_totals_follow(sp_tsc_first());
		set_countdown(tls, LOOK_BYTES);
	} else {
		sp_thread_resume_heap(t);
		t->heap_interval = sp_load(&sp_agent.spool->heap.interval_bytes);
		sp_heap_count_down(tls, sp_next_pick(sp_random(t), t->heap_interval));
	}
}

static bool is_stopped(const struct sp_thread *t)
{
	sp_control_look();
	return sp_agent.config.heap && t && (sp_load(&sp_agent.stopped) || t->heap_stopped);
}

/* A thread's first allocation that sampling can see is picked like any other; one that the
 * countdown before activation had picked is. */
static void begin(struct sp_tls *tls, struct sp_thread *t, const void *p, size_t size)
{
	bool picked = sp_pre_activation_due() && size;

	sp_heap_start_thread(t);
	count(tls, size);
	if (picked)
		t->heap_interval = sp_pre_activation_interval();
	if (picked)
		sample(tls, t, p, size, false, 0);
	else
		sample_if_due(tls, t, p, size);
}

static void hit(struct sp_tls *tls, const void *p, size_t size)
{
	struct sp_thread *t;
	int state;

	if (sp_unlikely(sp_agent.sealed)) {
		count(tls, size);
		set_countdown(tls, NEVER);
		return;
	}
	if (sp_unlikely(sp_is_stale_child()))
		sp_agent.forked();
	if (sp_agent_state() == SP_AGENT_DORMANT && !wake(tls, p, size))
		return;
	state = sp_agent_state();
	if (state == SP_AGENT_ACTIVE && !tls->thread && !tls->dead)
		sp_agent.adopt(); /* a thread made behind our back */
	t = tls->thread;
	if (state == SP_AGENT_ACTIVE && sp_unlikely(is_stopped(t))) {
		count_stopped(tls, t, p, size);
		return;
	}
	if (state == SP_AGENT_ACTIVE && sp_agent.config.heap && t && !t->heap_interval) {
		begin(tls, t, p, size);
		return;
	}
	count(tls, size);
	if (sp_unlikely(tls->dead))
		sp_thread_flush_dead();
	else if (state != SP_AGENT_ACTIVE || !sp_agent.config.heap || !t)
		set_countdown(tls, state == SP_AGENT_DORMANT || state == SP_AGENT_ACTIVATING ? RETRY_BYTES : NEVER);
	else if (size) /* nothing to weigh in an empty one: the next is looked at again */
		sample_if_due(tls, t, p, size);
}

void sp_heap_hit(const void *p, size_t size)
{
	int saved_errno = errno;

	if (sp_heap_step(size))
		return;
	hit(&sp_tls, p, size);
	errno = saved_errno;
}

void sp_heap_forget(const void *p)
{
	struct sp_live entry;
	uint64_t began;

	if (sp_unlikely(!sp_agent.has_spool)) {
		sp_pre_activation_forget(p);
		return;
	}
	/* Many are but neighbours of one that is sampled, and freed often: for those no clock is read. */
	if (!sp_live_remove(p, &entry) || sp_is_stale_child())
		return;
	began = tsc_at(sp_tls.heap.frees);
	sp_account_freed(&entry, began);
	sp_spending_add(sp_tsc() - began);
}

void sp_heap_hold(const void *p, struct sp_heap_held *held)
{
	held->pre_activation = sp_agent.has_spool ? 0 : sp_pre_activation_forget(p);
	held->held = sp_agent.has_spool && sp_live_remove(p, &held->entry);
}

void sp_heap_restore(const void *p, struct sp_heap_held *held)
{
	sp_pre_activation_restore(held->pre_activation, p);
	if (held->held && sp_live_insert(p, &held->entry) != 0) {
		sp_drop(SP_DROP_LIVE);
		sp_account_take_off(&held->entry);
	}
}

void sp_heap_drop_held(const struct sp_heap_held *held)
{
	if (held->held && sp_agent.has_spool && !sp_is_stale_child())
		sp_account_freed(&held->entry, sp_tsc_first());
}
