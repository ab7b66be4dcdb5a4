/* What is open, by name and id. */
#include "sampler/spans/async.h"

#include "sampler/spans/log.h"
#include "sampler/spans/names.h"
#include "sampler/spans/spans.h"
#include "sampler/sys.h"

#define PROBES 64u

/* A key that is 0 is free. One thread writes `began_tsc` after it has taken the key, and another that ends the same span so
 * early that it is not there yet finds 0. */
static struct async {
	uint64_t key, began_tsc; /* atomic */
} open_spans[SP_ASYNC_MAX] SP_BIG;
static uint32_t used; /* atomic: something is or has been open: a child of one where nothing has need not forget it */

static uint64_t key_of(uint32_t name, uint64_t id)
{
	uint64_t h = (id ^ (uint64_t)name << 40) * 0x9e3779b97f4a7c15ULL;

	return (h ^ h >> 29) | 1;
}

/* The entry of `key`, or NULL. Entries come and go: a free one does not end the search. */
static struct async *find(uint64_t key)
{
	uint32_t i;

	for (i = 0; i < PROBES; i++) {
		struct async *a = &open_spans[((key >> 1) + i) & (SP_ASYNC_MAX - 1)];

		if (__atomic_load_n(&a->key, __ATOMIC_ACQUIRE) == key)
			return a;
	}
	return NULL;
}

static struct async *take(uint64_t key)
{
	uint32_t i;

	sp_store(&used, 1);
	for (i = 0; i < PROBES; i++) {
		struct async *a = &open_spans[((key >> 1) + i) & (SP_ASYNC_MAX - 1)];
		uint64_t none = 0;

		if (__atomic_compare_exchange_n(&a->key, &none, key, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return a;
	}
	return NULL;
}

void sp_async_begin(uint32_t name, uint64_t id)
{
	uint64_t key = key_of(name, id);
	struct async *a;

	if (find(key))
		return;
	a = take(key);
	if (a)
		__atomic_store_n(&a->began_tsc, sp_tsc(), __ATOMIC_RELEASE);
	else
		sp_add(&sp_agent.spool->spans.uncounted, 1);
}

void sp_async_end(struct sp_thread *t, uint32_t name, uint64_t id)
{
	uint64_t key = key_of(name, id), began, now = sp_tsc();
	struct async *a = find(key);
	uint32_t node;

	began = a ? __atomic_exchange_n(&a->began_tsc, 0, __ATOMIC_ACQ_REL) : 0;
	if (!began) {
		sp_add(&sp_agent.spool->spans.stray, 1);
		return;
	}
	__atomic_store_n(&a->key, 0, __ATOMIC_RELEASE);
	node = sp_span_node(0, name);
	sp_span_add(t, node, sp_tsc_ns(now - began));
	if (sp_unlikely(sp_span_log_is_on())) {
		struct sp_span_event event = {.kind = SP_EVENT_ASYNC,
			.node = node,
			.began_tsc = began,
			.ended_tsc = now,
			.ns = sp_tsc_ns(now - began),
			.id = id};

		sp_span_log_put(t, &event, NULL);
	}
}

SP_AT_FORK void sp_async_forked(void)
{
	if (!used)
		return;
	sp_clear_pages(open_spans, sizeof open_spans);
	used = 0;
}
