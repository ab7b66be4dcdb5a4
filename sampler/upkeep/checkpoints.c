/* What memory was at a place. */
#include "sampler/upkeep/checkpoints.h"

#include "sampler/spans/log.h"
#include "sampler/spans/names.h"
#include "sampler/spool/write.h"
#include "sampler/upkeep/memory.h"

static struct sp_checkpoint *record_at(uint32_t index)
{
	return index ? (struct sp_checkpoint *)sp_section(SP_SEC_CHECKPOINTS) + index : NULL;
}

/* The node's record, which all threads share; NULL: the table is full. */
static struct sp_checkpoint *record_of(uint32_t node)
{
	struct sp_span_node *n = (struct sp_span_node *)sp_section(SP_SEC_SPAN_NODES) + node;
	uint32_t found = __atomic_load_n(&n->counts, __ATOMIC_ACQUIRE), index;

	if (!node || found)
		return record_at(found);
	index = sp_spool_allot(SP_SEC_CHECKPOINTS, 1);
	if (!index ||
		!__atomic_compare_exchange_n(&n->counts, &found, index, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return record_at(found);
	__atomic_store_n(&record_at(index)->node, node, __ATOMIC_RELEASE);
	return record_at(index);
}

static void set(uint64_t *last, uint64_t *most, uint64_t value)
{
	sp_store(last, value);
	sp_raise(most, value);
}

static void put_into_log(const struct sp_thread *t, uint32_t node, uint64_t rss_bytes, uint64_t heap_bytes,
	const char *text)
{
	struct sp_span_event event = {.kind = SP_EVENT_CHECKPOINT,
		.node = node,
		.ended_tsc = sp_tsc(),
		.id = rss_bytes,
		.heap_bytes = heap_bytes};

	event.began_tsc = event.ended_tsc;
	sp_span_log_put(t, &event, text);
}

void sp_checkpoint(struct sp_thread *t, uint32_t name, const char *text)
{
	uint32_t node = sp_span_node(t->span_node, name);
	struct sp_checkpoint *c = record_of(node);
	uint64_t now_ns = sp_now_ns(), rss = sp_memory_recent(now_ns),
		 heap = sp_load(&sp_agent.spool->heap.inuse_bytes);

	heap = (int64_t)heap > 0 ? heap : 0;
	if (c) {
		set(&c->rss_bytes, &c->rss_max_bytes, rss);
		set(&c->heap_bytes, &c->heap_max_bytes, heap);
		sp_store(&c->t_ns, now_ns);
		sp_add(&c->count, 1);
	} else {
		sp_add(&sp_agent.spool->spans.uncounted, 1);
	}
	if (node && sp_span_log_is_on())
		put_into_log(t, node, rss, heap, text);
}
