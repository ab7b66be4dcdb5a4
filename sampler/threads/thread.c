/* Threads and their records. */
#include "sampler/threads/thread.h"

#include <string.h>
#include <sys/prctl.h>

#include "sampler/spans/spans.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/block.h"
#include "sampler/threads/registry.h"
#include "sampler/walk/unwind.h"

enum { RECORD_FREE = 0, RECORD_RUNNING = 1, RECORD_ENDED = 2 };

/* A thread that used less than this gives its record back when it ends. */
#define KEEP_RECORD_NS 10000000u

/* How long a thread has waited for a CPU is asked no more often than this while it runs ... */
#define QUEUE_LOOK_NS 100000000u
/* ... and not at all of one that was on a CPU for all of its life but this. */
#define QUEUE_WORTH_NS 200000u

static struct {
	uint64_t ended_ns;    /* atomic: CPU time of threads that have ended */
	uint32_t record_hint; /* atomic: where to look for a free record */
} threads SP_WRITTEN_AT_FORK;

static bool take_record(struct sp_thread_record *r)
{
	uint32_t expected = RECORD_FREE;

	return __atomic_compare_exchange_n(&r->state, &expected, RECORD_RUNNING, false, __ATOMIC_ACQ_REL,
		__ATOMIC_RELAXED);
}

static struct sp_thread_record *claim_record(void)
{
	struct sp_thread_record *records = sp_section(SP_SEC_THREADS);
	uint32_t count = sp_spool_count(SP_SEC_THREADS), hint = sp_load(&threads.record_hint);
	uint32_t i;

	/* A record given back is taken again before the table grows: look at a few past the hint. */
	for (i = 0; i < 8 && count > 1; i++) {
		uint32_t at = 1 + (hint + i) % (count - 1);
		if (take_record(&records[at])) {
			sp_store(&threads.record_hint, at);
			return &records[at];
		}
	}
	/* A new record looks like one given back: another thread's search may take it first. */
	do
		i = sp_spool_allot(SP_SEC_THREADS, 1);
	while (i && !take_record(&records[i]));
	if (!i) {
		sp_drop(SP_DROP_THREADS);
		return NULL;
	}
	return &records[i];
}

/* Of the calling thread: what it has used, with what else only it can tell. */
static void note_usage(struct sp_thread *t, uint64_t user_ns, uint64_t sys_ns)
{
	t->record->cpu_user_ns = user_ns;
	t->record->cpu_sys_ns = sys_ns;
	sp_thread_look_at_queue(t, sp_now_ns());
	sp_sys(SYS_prctl, PR_GET_NAME, t->record->name);
}

void sp_thread_open_record(struct sp_thread *t, uint64_t entry, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_thread_record *r = claim_record();

	t->record = r;
	t->user_base_ns = t->user_seen_ns = t->user_tick_ns = user_ns;
	t->sys_seen_ns = t->sys_tick_ns = sys_ns;
	t->faults_tick = t->interrupts_ns = t->uncalled_ppm = 0;
	t->calm_cpu_ns = user_ns + sys_ns;
	t->calm_sys_ns = sys_ns;
	t->calm = t->looked = false;
	t->since_tick_ns = 0;
	t->stops = sp_load(&sp_agent.stops);
	t->heap_stopped = false;
	if (!r)
		return;
	memset((char *)r + sizeof r->state, 0, sizeof *r - sizeof r->state);
	r->tid = t->tid;
	r->entry = entry;
	r->start_ns = t->made_ns ? t->made_ns : sp_now_ns();
	sp_thread_flush(t, false);
	if (t->tls == &sp_tls)
		note_usage(t, user_ns, sys_ns);
}

void sp_thread_skip(struct sp_thread *t, const struct sp_usage *usage, uint32_t flag)
{
	uint64_t user_ns = usage->user_ns - t->user_base_ns - t->user_assigned_ns;

	sp_add(&sp_agent.spool->cpu.unsampled_user_ns, (int64_t)user_ns);
	sp_add(&sp_agent.spool->cpu.unsampled_sys_ns, (int64_t)(usage->sys_ns - t->sys_seen_ns));
	t->user_base_ns += user_ns;
	t->user_seen_ns = t->user_tick_ns = usage->user_ns;
	t->sys_seen_ns = t->sys_tick_ns = usage->sys_ns;
	t->user_drift_ns = 0;
	if (t->record)
		t->record->flags |= flag;
}

void sp_thread_adopt(struct sp_thread *t, uint64_t entry, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_tls *tls = &sp_tls;

	sp_unwind_begin();
	t->tls = tls;
	t->tid = (int)sp_sys(SYS_gettid);
	t->root_pc = tls->place.root_pc;
	t->stack_high = tls->place.stack_high;
	t->stack_bytes = tls->place.stack_bytes;
	t->listed = sp_registry_add(t);
	t->owned = true;
	if (sp_agent.has_spool)
		sp_thread_open_record(t, entry, user_ns, sys_ns);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tls->thread = t;
}

bool sp_thread_assign(struct sp_thread *t, int tid, uint64_t user_ns, uint64_t sys_ns)
{
	t->tid = tid;
	t->discovered = true;
	sp_thread_open_record(t, 0, user_ns, sys_ns);
	if (!t->record || !(t->listed = sp_registry_add(t)))
		goto refuse;
	t->record->flags = SP_THREAD_FOUND;
	t->record->cpu_user_ns = user_ns;
	t->record->cpu_sys_ns = sys_ns;
	return true;
refuse:
	sp_thread_discard(t);
	return false;
}

void sp_thread_own(struct sp_thread *t)
{
	t->tls = &sp_tls;
	t->owned = true;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	sp_tls.thread = t;
}

uint64_t sp_thread_ended_ns(void)
{
	return sp_load(&threads.ended_ns);
}

SP_AT_FORK bool sp_thread_blocks_signal(void)
{
	uint64_t mask = 0;

	sp_sys(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
	return mask >> (sp_agent.config.signal - 1) & 1;
}

static uint64_t bytes_of(const struct sp_heap_counters *heap)
{
	return (uint64_t)(heap->bytes_base - heap->countdown);
}

/* The process's counters follow the threads' by what each has counted since. */
static void add_progress(const struct sp_heap_counters *before, const struct sp_heap_counters *now)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_add(&h->flushed_bytes, bytes_of(now) - bytes_of(before));
	sp_add(&h->flushed_allocs, now->allocs - before->allocs);
	sp_add(&h->flushed_frees, now->frees - before->frees);
}

/* Of a thread whose allocations are not sampled: what it has made since. */
static void count_stopped(struct sp_thread *t, const struct sp_heap_counters *now)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_add(&h->stopped_bytes, bytes_of(now) - t->stopped_bytes);
	sp_add(&h->stopped_count, now->allocs - t->stopped_count);
	t->stopped_bytes = bytes_of(now);
	t->stopped_count = now->allocs;
}

void sp_thread_stop_heap(struct sp_thread *t)
{
	t->stopped_bytes = bytes_of(&sp_tls.heap);
	t->stopped_count = sp_tls.heap.allocs;
	t->heap_stopped = true;
}

void sp_thread_resume_heap(struct sp_thread *t)
{
	count_stopped(t, &sp_tls.heap);
	t->heap_stopped = false;
}

void sp_thread_divide(struct sp_thread_record *r, uint64_t total_ns, const struct sp_task *task)
{
	uint64_t ticks_ns = task->user_ns + task->sys_ns, most_ns = total_ns - r->cpu_sys_ns, user_ns = most_ns;

	if (ticks_ns)
		user_ns = (uint64_t)((double)total_ns * (double)task->user_ns / (double)ticks_ns);
	if (user_ns < r->cpu_user_ns)
		user_ns = r->cpu_user_ns;
	if (user_ns > most_ns)
		user_ns = most_ns;
	r->cpu_user_ns = user_ns;
	r->cpu_sys_ns = total_ns - user_ns;
}

void sp_thread_look_at_queue(struct sp_thread *t, uint64_t now)
{
	struct sp_thread_record *r = t->record;

	if (r && now - r->start_ns > r->cpu_user_ns + r->cpu_sys_ns + QUEUE_WORTH_NS &&
		sp_thread_queue_ns(t->tid, &r->queue_ns))
		r->queue_at_ns = now;
}

void sp_thread_ask_queue(struct sp_thread *t, uint64_t now)
{
	struct sp_thread_record *r = t->record;

	if (r && !r->queue_at_ns && sp_thread_queue_ns(t->tid, &r->queue_ns))
		r->queue_at_ns = now;
}

void sp_thread_follow_queue(struct sp_thread *t, uint64_t now)
{
	if (t->record && now - t->record->queue_at_ns >= QUEUE_LOOK_NS)
		sp_thread_look_at_queue(t, now);
}

void sp_thread_flush(struct sp_thread *t, bool full)
{
	struct sp_thread_record *r = t->record;
	struct sp_tls *tls = t->tls;
	struct sp_usage usage;

	if (!r || !tls)
		return;
	if (tls == &sp_tls) {
		add_progress(&r->heap, &tls->heap);
		r->heap = tls->heap;
	} else
		sp_read_memory(&r->heap, &tls->heap, sizeof r->heap);
	if (sp_unlikely(t->heap_stopped))
		count_stopped(t, &r->heap);
	if (full && tls == &sp_tls) {
		sp_thread_usage_now(t->tid, &usage);
		note_usage(t, usage.user_ns, usage.sys_ns);
	}
}

static void merge_waits(const struct sp_thread_record *r)
{
	struct sp_thread_record *sum = sp_section(SP_SEC_THREADS);

	for (int i = 0; i < SP_WAIT_KINDS; i++) {
		sp_add(&sum->waits[i].ns, r->waits[i].ns);
		sp_add(&sum->waits[i].count, r->waits[i].count);
		sp_raise(&sum->waits[i].longest_ns, r->waits[i].longest_ns);
	}
}

static void merge_heap(const struct sp_heap_counters *heap)
{
	struct sp_thread_record *sum = sp_section(SP_SEC_THREADS);

	sp_add(&sum->heap.bytes_base, heap->bytes_base - heap->countdown);
	sp_add(&sum->heap.allocs, heap->allocs);
	sp_add(&sum->heap.frees, heap->frees);
	sp_add(&sum->heap.reallocs, heap->reallocs);
}

/* Adds an ended thread's numbers to record 0. */
static void merge_record(const struct sp_thread_record *r)
{
	struct sp_thread_record *sum = sp_section(SP_SEC_THREADS);

	sp_add(&sum->merged, 1);
	sp_add(&sum->user_ns, r->user_ns);
	sp_add(&sum->sys_ns, r->sys_ns);
	sp_add(&sum->cpu_user_ns, r->cpu_user_ns);
	sp_add(&sum->cpu_sys_ns, r->cpu_sys_ns);
	sp_add(&sum->user_samples, r->user_samples);
	sp_add(&sum->sys_samples, r->sys_samples);
	sp_add(&sum->lived_ns, r->end_ns - r->start_ns);
	sp_add(&sum->queue_ns, r->queue_ns);
	merge_heap(&r->heap);
	merge_waits(r);
}

/* A record whose numbers are final: kept, or given back when there is little in it. */
static void close_record(struct sp_thread *t)
{
	struct sp_thread_record *r = t->record;

	r->end_ns = sp_now_ns();
	if (sp_load(&sp_agent.stopped) || t->stops != sp_load(&sp_agent.stops))
		r->flags |= SP_THREAD_STOPPED;
	sp_add(&threads.ended_ns, r->cpu_user_ns + r->cpu_sys_ns);
	sp_add(&sp_agent.spool->cpu.unsampled_user_ns, (int64_t)(r->cpu_user_ns - t->user_base_ns - r->user_ns));
	sp_add(&sp_agent.spool->cpu.unsampled_sys_ns, (int64_t)(r->cpu_sys_ns - t->sys_seen_ns));
	if (r->cpu_user_ns + r->cpu_sys_ns < KEEP_RECORD_NS) {
		merge_record(r);
		__atomic_store_n(&r->state, RECORD_FREE, __ATOMIC_RELEASE);
		sp_store(&threads.record_hint,
			(uint32_t)(r - (struct sp_thread_record *)sp_section(SP_SEC_THREADS)) - 1);
	} else {
		__atomic_store_n(&r->state, RECORD_ENDED, __ATOMIC_RELEASE);
	}
	t->record = NULL;
}

void sp_thread_end_unseen(struct sp_thread *t)
{
	if (sp_agent.has_spool)
		sp_span_thread_ends(t);
	if (sp_agent.has_spool && t->record)
		close_record(t);
	t->record = NULL;
	t->discovered = false;
	sp_block_give_back(t);
}

void sp_thread_discard(struct sp_thread *t)
{
	if (t->record)
		__atomic_store_n(&t->record->state, RECORD_FREE, __ATOMIC_RELEASE);
	t->record = NULL;
	t->discovered = false;
	sp_block_give_back(t);
}

void sp_thread_release(struct sp_thread *t)
{
	struct sp_tls *tls = t->tls;
	struct sp_thread_record *r = t->record;

	if (sp_agent.has_spool)
		sp_span_thread_ends(t);
	if (sp_agent.has_spool && r) {
		sp_thread_flush(t, true);
		if (sp_thread_blocks_signal())
			r->flags |= SP_THREAD_BLOCKED;
		close_record(t);
	} else if (sp_agent.has_spool) {
		merge_heap(&tls->heap);
	}
	/* What the thread still allocates while it ends is counted from zero, call by call. */
	memset(&tls->heap, 0, sizeof tls->heap);
	tls->heap_left = 0;
	tls->dead = 1;
	tls->thread = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->record = NULL;
	t->discovered = false;
	sp_block_give_back(t);
}

void sp_thread_flush_dead(void)
{
	struct sp_tls *tls = &sp_tls;

	if (sp_agent.has_spool)
		merge_heap(&tls->heap);
	memset(&tls->heap, 0, sizeof tls->heap);
}

SP_AT_FORK void sp_thread_forked(void)
{
	threads.record_hint = 0;
	threads.ended_ns = 0;
	sp_tls.thread = NULL;
	sp_tls.heap_left = 0;
	sp_block_forget();
}

static void find_inside(struct sp_thread *t, void *any)
{
	struct sp_tls tls;

	if (t->inside || t->span_busy_at || sp_load(&t->clock_state) & SP_CLOCK_BUSY ||
		(t->tls && t->tls != &sp_tls && sp_read_memory(&tls, t->tls, sizeof tls) && tls.guard))
		*(bool *)any = true;
}

bool sp_thread_any_inside(void)
{
	bool any = false;

	sp_block_each(find_inside, &any);
	return any;
}
