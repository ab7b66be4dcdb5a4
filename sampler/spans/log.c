/* The ring. */
#include "sampler/spans/log.h"

#include <errno.h>
#include <string.h>

#include "sampler/spool/write.h"

static struct sp_span_event *record_at(uint64_t index)
{
	return (struct sp_span_event *)sp_section(SP_SEC_SPAN_EVENTS) + index;
}

static struct sp_span_log *head(void)
{
	return (struct sp_span_log *)sp_section(SP_SEC_SPAN_EVENTS);
}

/* Of the section all records are handed out, so that one that was cut has as many as it is left with. */
static uint32_t ring_size(const struct sp_section_entry *e)
{
	return e->capacity > 2 ? 1u << (31 - __builtin_clz(e->capacity - 1)) : 0;
}

/* Record 0 is not backed before. */
static int make_ring(void)
{
	struct sp_section_entry *e = &sp_agent.spool->sections[SP_SEC_SPAN_EVENTS];
	uint32_t size = ring_size(e);

	if (!size)
		return -ENOSPC;
	sp_spool_take(0, (uint64_t)(size + 1) * e->stride);
	if (sp_spool_allot(SP_SEC_SPAN_EVENTS, size) != 1)
		return -ENOSPC;
	head()->size = size;
	return 0;
}

int sp_span_log_start(void)
{
	static uint32_t busy;
	int err;

	if (!sp_try_lock(&busy))
		return 0; /* another thread does it */
	err = sp_spool_count(SP_SEC_SPAN_EVENTS) > 1 ? 0 : make_ring();
	if (!err) {
		sp_tsc_ask(); /* a trace goes by one rate from its beginning */
		sp_store(&head()->on, 1);
		__atomic_store_n(&sp_agent.span_log_mask, head()->size - 1, __ATOMIC_RELEASE);
	}
	sp_unlock(&busy);
	return err;
}

void sp_span_log_stop(void)
{
	if (sp_span_log_is_on())
		sp_store(&head()->on, 0);
	sp_store(&sp_agent.span_log_mask, 0);
}

void sp_span_log_has_writer(void)
{
	uint32_t nobody = SP_LOG_NOBODY;

	__atomic_compare_exchange_n(&head()->writer, &nobody, SP_LOG_STARTED, false, __ATOMIC_RELAXED,
		__ATOMIC_RELAXED);
}

SP_AT_FORK void sp_span_log_forked(void)
{
	sp_agent.span_log_mask = 0;
}

static uint32_t text_length(const char *text)
{
	uint32_t n = 0;

	while (text && n < SP_SPAN_TEXT_MAX && text[n])
		n++;
	return n;
}

/* A thread that is a whole round behind may still be writing there: what comes then is lost, and so is what comes a whole
 * round late. `number`: the event's own. */
static bool take(struct sp_span_event *e, uint64_t number)
{
	uint64_t before = sp_load(&e->seq);

	return before <= number && /* neither busy nor a later one's */
		__atomic_compare_exchange_n(&e->seq, &before, SP_EVENT_BUSY, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static struct {
	uint64_t next;
	struct sp_span_event event;
} measured SP_BIG;

void sp_span_log_put(const struct sp_thread *t, const struct sp_span_event *event, const char *text)
{
	uint64_t mask = __atomic_load_n(&sp_agent.span_log_mask, __ATOMIC_ACQUIRE), seq;
	struct sp_span_event *e;

	if (!mask)
		return;
	if (sp_likely(!t->span_measuring)) {
		seq = sp_add(&head()->next, 1);
		e = record_at(1 + (seq & mask));
	} else { /* the agent's own take as long, and are nobody's lines */
		seq = sp_add(&measured.next, 1);
		e = &measured.event;
	}
	if (!take(e, seq)) {
		sp_add(&head()->dropped, 1);
		return;
	}
	e->began_tsc = event->began_tsc;
	e->ended_tsc = event->ended_tsc;
	e->ns = event->ns;
	e->node = event->node;
	e->tid = t->tid;
	e->thread = sp_thread_record_index(t);
	e->kind = event->kind;
	e->flags = event->flags;
	e->length = (uint16_t)text_length(text);
	e->id = event->id;
	e->heap_bytes = event->heap_bytes;
	if (e->length)
		memcpy(e->text, text, e->length);
	__atomic_store_n(&e->seq, seq + 1, __ATOMIC_RELEASE);
}
