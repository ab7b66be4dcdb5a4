/* The spans of a thread. */
#include "sampler/spans/spans.h"

#include <string.h>

#include "sampler/spans/context.h"
#include "sampler/spans/log.h"
#include "sampler/spans/names.h"
#include "sampler/spans/slow.h"
#include "sampler/spool/write.h"

static struct sp_span_count *count_at(uint32_t index)
{
	return (struct sp_span_count *)sp_section(SP_SEC_SPAN_COUNTS) + index;
}

/* The record is the thread's, or is now because it was nobody's. */
static bool take_count(struct sp_thread *t, uint32_t index)
{
	uint32_t owner = sp_load(&count_at(index)->owner);

	if (owner)
		return owner == (uint32_t)t->tid;
	if (!__atomic_compare_exchange_n(&count_at(index)->owner, &owner, (uint32_t)t->tid, false, __ATOMIC_ACQ_REL,
		    __ATOMIC_RELAXED))
		return false;
	count_at(index)->mine = t->span_counts;
	t->span_counts = index;
	return true;
}

/* A record of the node that this thread alone writes: its own, one that a thread left behind, or a new one; 0 when the
 * table is full. */
static uint32_t claim_count(struct sp_thread *t, uint32_t node)
{
	struct sp_span_node *n = (struct sp_span_node *)sp_section(SP_SEC_SPAN_NODES) + node;
	uint32_t first = __atomic_load_n(&n->counts, __ATOMIC_ACQUIRE), index;

	for (index = first; index; index = count_at(index)->next)
		if (take_count(t, index))
			return index;
	index = sp_spool_allot(SP_SEC_SPAN_COUNTS, 1);
	if (!index || !take_count(t, index))
		return 0;
	count_at(index)->min_ns = UINT64_MAX;
	__atomic_store_n(&count_at(index)->node, node, __ATOMIC_RELEASE);
	do
		count_at(index)->next = first;
	while (!__atomic_compare_exchange_n(&n->counts, &first, index, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return index;
}

static struct sp_span_slot *fill_slot(struct sp_thread *t, struct sp_span_slot *slot, uint64_t key)
{
	uint32_t outer = (uint32_t)(key >> 32), node = sp_span_node(outer, (uint32_t)key);

	slot->key = key;
	slot->count = node ? claim_count(t, node) : 0;
	slot->node = node ? node : outer; /* what has no node is part of what it is in */
	return slot;
}

/* What `name` is in the node that is open. */
static struct sp_span_slot *slot_of(struct sp_thread *t, uint32_t name)
{
	uint64_t key = (uint64_t)t->span_node << 32 | name;
	struct sp_span_slot *slot = &t->span_slots[(t->span_node * 31 + name) % SP_SPAN_SLOTS];

	return sp_likely(slot->key == key) ? slot : fill_slot(t, slot, key);
}

/* The thread's record of what is open: one that a thread left behind, or a new one; NULL when the table is full. */
static struct sp_span_thread *claim_thread(struct sp_thread *t)
{
	struct sp_span_thread *records = sp_section(SP_SEC_SPAN_THREADS);
	uint32_t i = 0, nobody;

	for (;;) {
		uint32_t n = sp_spool_count(SP_SEC_SPAN_THREADS);

		for (i = i ? i : 1; i < n; i++) {
			nobody = 0;
			if (__atomic_compare_exchange_n(&records[i].owner, &nobody, (uint32_t)t->tid, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
				records[i].thread = sp_thread_record_index(t);
				return &records[i];
			}
		}
		if (!sp_spool_allot(SP_SEC_SPAN_THREADS, 1))
			return NULL;
	}
}

/* By the calling thread. */
static uint64_t allocated_bytes(void)
{
	return (uint64_t)(sp_tls.heap.bytes_base - sp_tls.heap.countdown);
}

/* A multiplication takes a third of the division that it stands for. How fast the counter runs is found out here where nobody
 * has yet: a program that hardly uses CPU time has no governor's step for long. */
static uint64_t cycles_ns(struct sp_thread *t, uint64_t cycles)
{
	uint64_t scale = sp_load(&sp_agent.tsc_per_us_x1024);

	if (sp_unlikely(scale != t->span_scale)) {
		bool asks = !sp_load(&sp_agent.tsc_measured) && !sp_load(&sp_agent.tsc_forbidden);

		if (asks)
			sp_calibrate_tsc();
		scale = sp_load(&sp_agent.tsc_per_us_x1024);
		t->span_ns_per_cycle = 1024000 / (double)scale;
		t->span_scale = asks && !sp_load(&sp_agent.tsc_measured) ? 0 : scale;
	}
	return (uint64_t)((double)cycles * t->span_ns_per_cycle);
}

static void add_to_record(struct sp_span_count *c, uint64_t inner_ns, uint64_t ns, uint64_t limit_ns)
{
	c->count++;
	c->sum_ns += ns;
	c->self_ns += ns > inner_ns ? ns - inner_ns : 0;
	if (ns < c->min_ns)
		c->min_ns = ns;
	if (ns > c->max_ns)
		c->max_ns = ns;
	c->classes[sp_span_class(ns)]++;
	c->slow += limit_ns && ns > limit_ns;
}

/* What a span had that only its own thread can tell, before it is counted. Returns the time that asking the kernel took. */
static uint64_t had_in_it(struct sp_thread *t, const struct sp_span_thread *s, struct sp_span_count *c,
	const struct sp_span_open *o, uint64_t ns, uint64_t cost_ns)
{
	struct sp_span_had had = {.ns = ns};
	uint64_t began = 0;

	if (sp_unlikely(t->tls != &sp_tls))
		return 0;
	had.bytes = allocated_bytes() - o->bytes;
	c->bytes += had.bytes;
	c->allocs += sp_tls.heap.allocs - o->allocs;
	if (sp_unlikely(o->measured)) {
		began = sp_tsc();
		sp_span_used(&o->usage, cost_ns, &had.usage);
		began = 2 * cycles_ns(t, sp_tsc() - began); /* as much as when it began */
	}
	sp_span_compare(t, s, c, o, &had);
	return began;
}

/* How a span ends. */
struct ending {
	uint64_t tsc, limit_ns;
	const char *text; /* what the program says of it */
	bool unended;     /* by something else */
};

static void put_into_log(const struct sp_thread *t, const struct sp_span_open *o, uint64_t ns, const struct ending *end)
{
	struct sp_span_event event = {.kind = SP_EVENT_SPAN,
		.flags = end->unended ? SP_EVENT_UNENDED : 0,
		.node = o->node,
		.began_tsc = o->began_tsc,
		.ended_tsc = end->tsc,
		.ns = ns};

	sp_span_log_put(t, &event, end->text);
}

/* The innermost span of the thread, at `depth` from 0, has ended. */
static void close_innermost(struct sp_thread *t, struct sp_span_thread *s, uint32_t depth, const struct ending *end)
{
	const struct sp_span_totals *totals = &sp_agent.spool->spans;
	struct sp_span_open *o = &s->open[depth], *outer = depth ? o - 1 : NULL;
	struct sp_span_count *c = o->count ? count_at(o->count) : NULL;
	uint64_t ns = cycles_ns(t, end->tsc - o->began_tsc), cost = totals->empty_ns + o->inner_cost_ns, asked = 0;

	ns = ns > cost ? ns - cost : 0;
	if (c) {
		asked = had_in_it(t, s, c, o, ns, cost);
		add_to_record(c, o->inner_ns, ns, end->limit_ns);
		c->unended += end->unended;
	} else {
		sp_add(&sp_agent.spool->spans.uncounted, 1);
	}
	if (sp_unlikely(ns > sp_agent.config.response_ns && sp_agent.config.response_ns && !o->told)) {
		sp_add(&sp_agent.spool->spans.slow_responses, 1);
		t->span_slow = true;
		o->told = 1;
	}
	if (sp_unlikely(sp_span_log_is_on()))
		put_into_log(t, o, ns, end);
	if (outer) {
		outer->told |= o->told;
		outer->inner_ns += ns;
		outer->inner_cost_ns += o->inner_cost_ns + totals->pair_ns + asked;
	}
	sp_store(&s->depth, depth);
	sp_store(&t->span_node, outer ? outer->node : 0);
	if (sp_unlikely(t->context.shown))
		sp_context_ended(t, s, depth);
}

/* Spans from `depth` on have ended without an end of their own. */
static void close_from(struct sp_thread *t, struct sp_span_thread *s, uint32_t depth, uint64_t tsc)
{
	const struct ending unended = {.tsc = tsc, .unended = true};

	for (uint32_t i = s->depth; sp_unlikely(i > depth); i--)
		close_innermost(t, s, i - 1, &unended);
}

#define STACK_BYTES ((uintptr_t)1 << 20) /* further away is another stack */

/* False when a signal handler has interrupted the thread in one of these. A handler is deeper on the stack: who is not has
 * come here by the handler's jump. */
static inline bool enter(struct sp_thread *t)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (sp_unlikely(t->span_busy_at) && here - t->span_busy_at > STACK_BYTES)
		return false;
	t->span_busy_at = here;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

static void leave(struct sp_thread *t)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->span_busy_at = 0;
}

static void begin(struct sp_thread *t, uint32_t name)
{
	struct sp_span_totals *totals = &sp_agent.spool->spans;
	struct sp_span_thread *s = t->spans;
	const struct sp_span_slot *slot;
	struct sp_span_open *o;
	uint32_t depth;

	if (sp_unlikely(!s && !(s = t->spans = claim_thread(t)))) {
		sp_add(&totals->uncounted, 1);
		return;
	}
	depth = s->depth;
	if (sp_unlikely(depth == SP_SPAN_DEPTH)) {
		sp_add(&totals->too_deep, 1);
		if (t->span_beyond < SP_SPAN_DEPTH)
			t->span_beyond_names[t->span_beyond] = name;
		t->span_beyond++;
		return;
	}
	slot = slot_of(t, name);
	o = &s->open[depth];
	t->span_frames[depth] = 0;
	o->node = slot->node;
	o->name = name;
	o->count = slot->count;
	o->told = 0;
	o->inner_ns = o->inner_cost_ns = 0;
	o->sampled = depth ? s->sampled : 0;
	o->measured = 0;
	if (sp_likely(slot->count))
		sp_span_ask(count_at(slot->count), o);
	o->bytes = allocated_bytes();
	o->allocs = sp_tls.heap.allocs;
	s->sampled = o->sampled;
	o->began_tsc = sp_tsc();
	__atomic_store_n(&s->depth, depth + 1, __ATOMIC_RELEASE);
	sp_store(&t->span_node, slot->node);
	if (sp_context_is_on())
		sp_context_begun(t, s, depth + 1);
}

/* Whether it is one of those that were too deep. */
static bool end_beyond(struct sp_thread *t, uint32_t name)
{
	uint32_t i = t->span_beyond;

	if (i <= SP_SPAN_DEPTH)
		for (; i && t->span_beyond_names[i - 1] != name; i--)
			;
	if (i)
		t->span_beyond = i - 1;
	return i > 0;
}

static void end(struct sp_thread *t, uint32_t name, uint64_t limit_ns, const char *text)
{
	struct sp_span_thread *s = t->spans;
	const struct ending end = {.tsc = sp_tsc(), .limit_ns = limit_ns, .text = text};
	uint32_t i;

	if (sp_unlikely(t->span_beyond) && end_beyond(t, name))
		return;
	for (i = s ? s->depth : 0; i && s->open[i - 1].name != name; i--)
		;
	if (!i) {
		sp_add(&sp_agent.spool->spans.stray, 1);
		return;
	}
	t->span_beyond = 0; /* those too deep have ended with what they were in */
	close_from(t, s, i, end.tsc);
	close_innermost(t, s, i - 1, &end);
}

void sp_span_begin(struct sp_thread *t, uint32_t name)
{
	if (!enter(t)) {
		sp_add(&sp_agent.spool->spans.uncounted, 1);
		return;
	}
	begin(t, name);
	leave(t);
}

bool sp_span_end(struct sp_thread *t, uint32_t name, uint64_t limit_ns, const char *text)
{
	bool slow;

	if (!enter(t))
		return false;
	end(t, name, limit_ns, text);
	slow = t->span_slow;
	t->span_slow = false;
	leave(t);
	return slow;
}

/* A node of its own, in which samples fall; the span goes on in it, and is counted as before. */
void sp_span_label(struct sp_thread *t, uint32_t name)
{
	struct sp_span_thread *s;
	uint32_t depth;

	if (!enter(t))
		return;
	s = t->spans;
	depth = s ? s->depth : 0;
	if (depth) {
		uint32_t node = sp_span_labelled(t->span_node, name);

		if (node) {
			s->open[depth - 1].node = node;
			sp_store(&t->span_node, node);
		} else {
			sp_add(&sp_agent.spool->spans.uncounted, 1);
		}
	}
	leave(t);
}

void sp_span_set_frame(struct sp_thread *t, uint64_t frame)
{
	const struct sp_span_thread *s = t ? t->spans : NULL;
	uint32_t depth = s ? sp_load(&s->depth) : 0;

	if (!depth || t->span_beyond || t->span_busy_at)
		return;
	t->span_framed = true;
	sp_store(&t->span_frames[depth - 1], frame);
}

void sp_span_unwound(struct sp_thread *t, uint64_t sp)
{
	struct sp_span_thread *s = t->spans;
	uint32_t depth, from;

	if (sp_likely(!t->span_framed) || !s || !enter(t))
		return;
	for (depth = from = s->depth; depth; depth--)
		if (t->span_frames[depth - 1] && t->span_frames[depth - 1] <= sp)
			from = depth - 1;
	if (sp_unlikely(from < s->depth)) {
		t->span_beyond = 0;
		close_from(t, s, from, sp_tsc());
	}
	leave(t);
}

void sp_span_thrown(struct sp_thread *t)
{
	struct sp_span_thread *s = t->spans;
	uint32_t depth;

	if (!s || !enter(t))
		return;
	for (depth = s->depth; depth && !t->span_frames[depth - 1]; depth--)
		;
	if (t->span_beyond)
		t->span_beyond--;
	else if (depth)
		close_from(t, s, depth - 1, sp_tsc());
	leave(t);
}

void sp_span_add(struct sp_thread *t, uint32_t node, uint64_t ns)
{
	uint32_t index;

	if (!enter(t)) {
		sp_add(&sp_agent.spool->spans.uncounted, 1);
		return;
	}
	index = node ? claim_count(t, node) : 0;
	if (index)
		add_to_record(count_at(index), 0, ns, 0);
	else
		sp_add(&sp_agent.spool->spans.uncounted, 1);
	leave(t);
}

void sp_span_add_cycles(struct sp_thread *t, uint32_t node, uint32_t *count, uint64_t cycles)
{
	if (!node || !enter(t))
		return;
	if (sp_unlikely(!*count))
		*count = claim_count(t, node);
	if (*count)
		add_to_record(count_at(*count), 0, cycles_ns(t, cycles), 0);
	leave(t);
}

void sp_span_thread_ends(struct sp_thread *t)
{
	struct sp_span_thread *s = t->spans;
	uint32_t index, next;

	if (s)
		close_from(t, s, 0, sp_tsc());
	for (index = t->span_counts; index; index = next) {
		next = count_at(index)->mine;
		__atomic_store_n(&count_at(index)->owner, 0, __ATOMIC_RELEASE);
	}
	if (s)
		__atomic_store_n(&s->owner, 0, __ATOMIC_RELEASE);
	sp_span_forget(t);
}

void sp_span_forget(struct sp_thread *t)
{
	sp_context_take_back(t);
	if (t->spans)
		memset(t->span_slots, 0, sizeof t->span_slots);
	t->spans = NULL;
	t->span_node = t->span_counts = t->span_beyond = 0;
	t->span_busy_at = 0;
	t->span_framed = false;
	t->loop = (struct sp_thread_loop){0};
}

#define MEASURED 64u

/* Of several the fastest: what else runs only adds. */
void sp_span_measure(struct sp_thread *t)
{
	struct sp_span_totals *totals = &sp_agent.spool->spans;
	uint64_t pair = UINT64_MAX, empty = UINT64_MAX;
	uint32_t name = sp_span_name(SP_SPAN_MEASURED, ""), depth, i;
	const struct sp_span_thread *s;
	struct sp_span_count *c;

	t->span_measuring = true;
	sp_span_begin(t, name);
	s = t->spans;
	depth = s ? sp_load(&s->depth) : 0;
	c = depth ? count_at(s->open[depth - 1].count) : NULL;
	sp_span_end(t, name, 0, NULL);
	for (i = 0; c && i < MEASURED; i++) {
		uint64_t sum = c->sum_ns, began = sp_tsc(), took;

		sp_span_begin(t, name);
		sp_span_end(t, name, 0, NULL);
		took = cycles_ns(t, sp_tsc() - began);
		pair = took < pair ? took : pair;
		empty = c->sum_ns - sum < empty ? c->sum_ns - sum : empty;
	}
	t->span_measuring = false;
	if (c && i == MEASURED) {
		totals->empty_ns = empty;
		totals->pair_ns = pair;
	}
}
