/* Thread blocks and thread records. */
#include "sampler/threads/thread.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/registry.h"

#define BLOCKS_PER_CHUNK 16u
#define MAX_CHUNKS 2048u /* 32,768 threads at once */

enum { RECORD_FREE = 0, RECORD_RUNNING = 1, RECORD_ENDED = 2 };

/* A thread that used less than this gives its record back when it ends. */
#define KEEP_RECORD_NS 10000000u

static struct {
	char *chunks[MAX_CHUNKS]; /* atomic; BLOCKS_PER_CHUNK blocks each */
	uint64_t free_head;       /* atomic: tag << 32 | index + 1; the tag defeats ABA */
	uint32_t taken;           /* atomic: blocks ever carved */
	uint64_t ended_ns;        /* atomic: CPU time of threads that have ended */
	uint32_t record_hint;     /* atomic: where to look for a free record */
} pool SP_BIG;

struct sp_thread *sp_thread_at(uint32_t index)
{
	char *chunk = index / BLOCKS_PER_CHUNK >= MAX_CHUNKS
		? NULL
		: __atomic_load_n(&pool.chunks[index / BLOCKS_PER_CHUNK], __ATOMIC_ACQUIRE);
	return chunk ? (struct sp_thread *)(chunk + (size_t)(index % BLOCKS_PER_CHUNK) * SP_BLOCK_BYTES) : NULL;
}

bool sp_thread_holds(const void *p)
{
	const size_t bytes = (size_t)BLOCKS_PER_CHUNK * SP_BLOCK_BYTES;
	uint32_t c;

	for (c = 0; c < MAX_CHUNKS && sp_load(&pool.chunks[c]); c++)
		if ((const char *)p >= pool.chunks[c] && (const char *)p < pool.chunks[c] + bytes)
			return true;
	return false;
}

static struct sp_thread *pop_free(void)
{
	uint64_t head = __atomic_load_n(&pool.free_head, __ATOMIC_ACQUIRE);

	while (head & 0xffffffffu) {
		struct sp_thread *t = sp_thread_at((uint32_t)head - 1);
		/* Another thread may have taken the block meanwhile, and give it back now: then the head has changed. */
		uint64_t next = ((head >> 32) + 1) << 32 | sp_load(&t->next_free);
		if (__atomic_compare_exchange_n(&pool.free_head, &head, next, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_ACQUIRE))
			return t;
	}
	return NULL;
}

static void push_free(struct sp_thread *t)
{
	uint64_t head = __atomic_load_n(&pool.free_head, __ATOMIC_ACQUIRE);
	uint64_t next;

	do {
		sp_store(&t->next_free, (uint32_t)head);
		next = ((head >> 32) + 1) << 32 | (t->index + 1);
	} while (!__atomic_compare_exchange_n(&pool.free_head, &head, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/* Maps the chunk that holds `index` unless another thread has. */
static bool ensure_chunk(uint32_t index)
{
	uint32_t c = index / BLOCKS_PER_CHUNK;
	size_t bytes = (size_t)BLOCKS_PER_CHUNK * SP_BLOCK_BYTES;
	char *expected = NULL;
	long p;

	if (c >= MAX_CHUNKS)
		return false;
	if (__atomic_load_n(&pool.chunks[c], __ATOMIC_ACQUIRE))
		return true;
	p = sp_sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sp_is_error(p))
		return false;
	if (!__atomic_compare_exchange_n(&pool.chunks[c], &expected, (char *)p, false, __ATOMIC_ACQ_REL,
		    __ATOMIC_ACQUIRE))
		sp_sys(SYS_munmap, p, bytes);
	return true;
}

/* Carves a block that was never in use. Its memory is there before its number is taken, so that a
 * refusal takes nothing. */
static struct sp_thread *carve(void)
{
	uint32_t index = __atomic_load_n(&pool.taken, __ATOMIC_ACQUIRE);
	struct sp_thread *t;

	do {
		if (!ensure_chunk(index))
			return NULL;
	} while (!__atomic_compare_exchange_n(&pool.taken, &index, index + 1, false, __ATOMIC_ACQ_REL,
		__ATOMIC_ACQUIRE));
	t = sp_thread_at(index);
	t->index = index;
	if (sp_agent.spool)
		sp_spool_take(SP_BLOCK_TOUCHED, SP_BLOCK_TOUCHED);
	return t;
}

struct sp_thread *sp_thread_take(void)
{
	struct sp_thread *t = pop_free();

	if (!t && !(t = carve()))
		return NULL;
	t->tls = NULL;
	t->tid = 0;
	t->record = NULL;
	t->armed = t->listed = t->discovered = t->owned = t->met = t->foreign = t->inside = false;
	t->event_open = false;
	t->clocks = 0;
	t->event_fd = -1;
	t->event_page = NULL;
	t->heap_interval = 0;
	t->heap_left = 0;
	t->burst_began = t->burst_cycles = t->burst_samples = 0;
	t->sampled_tsc = 0;
	t->waits = false;
	t->user_base_ns = t->user_seen_ns = t->sys_seen_ns = 0;
	t->user_tick_ns = t->sys_tick_ns = 0;
	t->user_assigned_ns = t->sys_assigned_ns = 0;
	t->root_pc = t->stack_high = t->stack_bytes = 0;
	t->start = NULL;
	t->user_drift_ns = 0;
	t->drawn_ns = t->window_switches = t->window_cpu_ns = t->counted_switches = t->counted_sys_ns =
		t->calibration_cycles = 0;
	t->calibrating = 0;
	t->random = (sp_tsc_first() ^ (uint64_t)t->index << 32 ^ (uint64_t)(uintptr_t)t) * 0x9e3779b97f4a7c15ULL | 1;
	return t;
}

void sp_thread_untake(struct sp_thread *t)
{
	if (t->listed)
		sp_registry_remove(t);
	t->listed = false;
	t->tid = 0;
	t->tls = NULL;
	push_free(t);
}

static struct sp_thread_record *claim_record(void)
{
	struct sp_thread_record *records = sp_section(SP_SEC_THREADS);
	uint32_t count = sp_spool_count(SP_SEC_THREADS), hint = sp_load(&pool.record_hint);
	uint32_t i;

	/* A record given back is taken again before the table grows: look at a few past the hint. */
	for (i = 0; i < 8 && count > 1; i++) {
		uint32_t at = 1 + (hint + i) % (count - 1), expected = RECORD_FREE;
		if (__atomic_compare_exchange_n(&records[at].state, &expected, RECORD_RUNNING, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_RELAXED)) {
			sp_store(&pool.record_hint, at);
			return &records[at];
		}
	}
	i = sp_spool_allot(SP_SEC_THREADS, 1);
	if (!i) {
		sp_drop(SP_DROP_THREADS);
		return NULL;
	}
	records[i].state = RECORD_RUNNING;
	return &records[i];
}

void sp_thread_open_record(struct sp_thread *t, uint64_t entry, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_thread_record *r = claim_record();

	t->record = r;
	t->user_base_ns = t->user_seen_ns = t->user_tick_ns = user_ns;
	t->sys_seen_ns = t->sys_tick_ns = sys_ns;
	t->faults_tick = t->interrupts_ns = t->uncalled_ppm = 0;
	if (!r)
		return;
	memset((char *)r + sizeof r->state, 0, sizeof *r - sizeof r->state);
	r->tid = t->tid;
	r->entry = entry;
	r->start_ns = sp_now_ns();
	sp_thread_flush(t, true);
}

void sp_thread_skip(struct sp_thread *t, const struct sp_usage *usage)
{
	uint64_t user_ns = usage->user_ns - t->user_base_ns - t->user_assigned_ns;

	sp_add(&sp_agent.spool->cpu.unsampled_user_ns, (int64_t)user_ns);
	sp_add(&sp_agent.spool->cpu.unsampled_sys_ns, (int64_t)(usage->sys_ns - t->sys_seen_ns));
	t->user_base_ns += user_ns;
	t->user_seen_ns = t->user_tick_ns = usage->user_ns;
	t->sys_seen_ns = t->sys_tick_ns = usage->sys_ns;
	t->user_drift_ns = 0;
	if (t->record)
		t->record->flags |= SP_THREAD_BLOCKED;
}

void sp_thread_adopt(struct sp_thread *t, uint64_t entry, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_tls *tls = &sp_tls;

	t->tls = tls;
	t->tid = (int)sp_sys(SYS_gettid);
	t->listed = sp_registry_add(t);
	t->owned = true;
	if (sp_agent.spool)
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
	return sp_load(&pool.ended_ns);
}

bool sp_thread_blocks_signal(void)
{
	uint64_t mask = 0;

	sp_sys(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
	return mask >> (sp_agent.config.signal - 1) & 1;
}

/* The process's counters follow the threads' by what each has counted since. */
static void add_progress(const struct sp_heap_counters *before, const struct sp_heap_counters *now)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_add(&h->flushed_bytes,
		(uint64_t)(now->bytes_base - now->countdown - (before->bytes_base - before->countdown)));
	sp_add(&h->flushed_allocs, now->allocs - before->allocs);
	sp_add(&h->flushed_frees, now->frees - before->frees);
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
	if (full && tls == &sp_tls) {
		sp_thread_usage_now(t->tid, &usage);
		r->cpu_user_ns = usage.user_ns;
		r->cpu_sys_ns = usage.sys_ns;
		sp_sys(SYS_prctl, PR_GET_NAME, r->name);
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
	merge_heap(&r->heap);
}

/* A record whose numbers are final: kept, or given back when there is little in it. */
static void close_record(struct sp_thread *t)
{
	struct sp_thread_record *r = t->record;

	r->end_ns = sp_now_ns();
	sp_add(&pool.ended_ns, r->cpu_user_ns + r->cpu_sys_ns);
	sp_add(&sp_agent.spool->cpu.unsampled_user_ns, (int64_t)(r->cpu_user_ns - t->user_base_ns - r->user_ns));
	sp_add(&sp_agent.spool->cpu.unsampled_sys_ns, (int64_t)(r->cpu_sys_ns - t->sys_seen_ns));
	if (r->cpu_user_ns + r->cpu_sys_ns < KEEP_RECORD_NS) {
		merge_record(r);
		__atomic_store_n(&r->state, RECORD_FREE, __ATOMIC_RELEASE);
		sp_store(&pool.record_hint, (uint32_t)(r - (struct sp_thread_record *)sp_section(SP_SEC_THREADS)) - 1);
	} else {
		__atomic_store_n(&r->state, RECORD_ENDED, __ATOMIC_RELEASE);
	}
	t->record = NULL;
}

uint32_t sp_thread_record_index(const struct sp_thread *t)
{
	return t && t->record ? (uint32_t)(t->record - (struct sp_thread_record *)sp_section(SP_SEC_THREADS)) : 0;
}

void sp_thread_end_unseen(struct sp_thread *t)
{
	if (sp_agent.spool && t->record)
		close_record(t);
	t->record = NULL;
	t->discovered = false;
	sp_thread_untake(t);
}

void sp_thread_discard(struct sp_thread *t)
{
	if (t->record)
		__atomic_store_n(&t->record->state, RECORD_FREE, __ATOMIC_RELEASE);
	t->record = NULL;
	t->discovered = false;
	sp_thread_untake(t);
}

void sp_thread_release(struct sp_thread *t)
{
	struct sp_tls *tls = t->tls;
	struct sp_thread_record *r = t->record;

	if (sp_agent.spool && r) {
		sp_thread_flush(t, true);
		if (sp_thread_blocks_signal())
			r->flags |= SP_THREAD_BLOCKED;
		close_record(t);
	} else if (sp_agent.spool) {
		merge_heap(&tls->heap);
	}
	/* What the thread still allocates while it ends is counted from zero, call by call. */
	memset(&tls->heap, 0, sizeof tls->heap);
	tls->dead = 1;
	tls->thread = NULL;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->record = NULL;
	t->discovered = false;
	sp_thread_untake(t);
}

void sp_thread_flush_dead(void)
{
	struct sp_tls *tls = &sp_tls;

	if (sp_agent.spool)
		merge_heap(&tls->heap);
	memset(&tls->heap, 0, sizeof tls->heap);
}

void sp_thread_each(void (*fn)(struct sp_thread *, void *), void *arg)
{
	uint32_t i, n = __atomic_load_n(&pool.taken, __ATOMIC_RELAXED);

	for (i = 0; i < n; i++) {
		struct sp_thread *t = sp_thread_at(i);
		if (t && sp_load(&t->tid))
			fn(t, arg);
	}
}

void sp_thread_forked(struct sp_thread *mine)
{
	uint32_t i, n = pool.taken;

	pool.free_head = 0;
	pool.record_hint = 0;
	pool.ended_ns = 0;
	for (i = 0; i < n && i / BLOCKS_PER_CHUNK < MAX_CHUNKS; i++) {
		struct sp_thread *t = sp_thread_at(i);
		if (t && t != mine)
			sp_thread_untake(t);
	}
	if (mine) {
		mine->record = NULL;
		sp_registry_remove(mine);
		mine->tid = (int)sp_sys(SYS_gettid);
		mine->listed = sp_registry_add(mine);
		mine->armed = mine->discovered = false;
		mine->clocks = 0;
		mine->event_page = NULL;
		mine->event_fd = -1;
		mine->event_open = false;
		mine->heap_interval = 0;
		mine->heap_left = 0;
		mine->user_assigned_ns = mine->sys_assigned_ns = 0;
		mine->user_drift_ns = 0;
		mine->window_switches = mine->window_cpu_ns = mine->counted_switches = 0;
	}
}
