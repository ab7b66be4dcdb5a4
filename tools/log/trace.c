/* The timing log as a trace (Chrome's trace event format, a JSON object), for ui.perfetto.dev and the like. */
#include <stdio.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/spool/spans.h"
#include "symbolize/base/memory.h"
#include "tools/log/log.h"

static double us(const struct sp_log_trace *t, uint64_t tsc)
{
	return (double)sp_spans_time_ns(&t->clock, tsc) / 1e3;
}

static json_t *make(const struct sp_snapshot *s, const char *phase, const char *name, double at_us, int tid)
{
	json_t *event = json_object();

	sp_json_set(event, "name", sp_json_text(name));
	sp_json_set(event, "ph", sp_json_text(phase));
	sp_json_set(event, "ts", sp_json_number(at_us));
	sp_json_set(event, "pid", json_integer(s->header.pid));
	sp_json_set(event, "tid", json_integer(tid));
	return event;
}

/* Takes the event. */
static void put(struct sp_buffer *out, struct sp_log_trace *t, json_t *event)
{
	sp_buffer_puts(out, t->begun ? "," : "");
	t->begun = true;
	sp_json_put(out, event, false);
}

static void put_name(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s, const char *what,
	const char *name, int tid)
{
	json_t *event = make(s, "M", what, 0, tid), *args = json_object();

	sp_json_set(args, "name", sp_json_text(name));
	sp_json_set(event, "args", args);
	put(out, t, event);
}

static void begin(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s)
{
	if (t->begun)
		return;
	t->clock = s->header;
	sp_buffer_puts(out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
	put_name(out, t, s, "process_name", sp_snapshot_text(s, s->header.text.program), s->header.pid);
}

/* Each name that a thread has had, once. */
static void name_thread(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s, uint32_t record,
	int tid)
{
	const char *name = sp_timing_thread(s, record, tid);
	int found;

	if (!*name)
		return;
	sp_map_at(&t->threads, (uint64_t)tid, sp_hash_bytes(name, strlen(name)), &found);
	if (!found)
		put_name(out, t, s, "thread_name", name, tid);
}

/* Takes args. */
static void set_context(json_t *event, json_t *args, const struct sp_snapshot *s, uint32_t node,
	const struct sp_span_event *e)
{
	struct sp_buffer context = {0};

	sp_timing_put_context(&context, s, node, e);
	if (context.length)
		sp_json_set(args, "context", sp_json_text(context.data));
	sp_json_set(event, "args", args);
	sp_buffer_free(&context);
}

/* Between its ends as they were: what measuring took is taken off in args.ns alone, so that spans lie in each other. */
static void put_span(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s,
	const struct sp_span_event *e, const char *name)
{
	json_t *event = make(s, "X", name, us(t, e->began_tsc), e->tid), *args = json_object();

	sp_json_set(event, "cat", sp_json_text("span"));
	sp_json_set(event, "dur", sp_json_number(us(t, e->ended_tsc) - us(t, e->began_tsc)));
	sp_json_set(args, "ns", sp_json_count(e->ns));
	if (e->flags & SP_EVENT_UNENDED)
		sp_json_set(args, "unended", json_true());
	set_context(event, args, s, e->node, e);
	put(out, t, event);
}

static void put_async(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s,
	const struct sp_span_event *e, const char *name)
{
	char id[24];

	snprintf(id, sizeof(id), "0x%llx", (unsigned long long)e->id);
	for (int end = 0; end < 2; end++) {
		json_t *event = make(s, end ? "e" : "b", name, us(t, end ? e->ended_tsc : e->began_tsc), e->tid);

		sp_json_set(event, "cat", sp_json_text("async"));
		sp_json_set(event, "id", sp_json_text(id));
		put(out, t, event);
	}
}

static void put_memory(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s, double at_us,
	uint64_t rss_bytes, uint64_t heap_bytes)
{
	json_t *event = make(s, "C", "memory", at_us, s->header.pid), *args = json_object();

	sp_json_set(args, "resident", sp_json_count(rss_bytes));
	if (s->header.heap.on)
		sp_json_set(args, "heap", sp_json_count(heap_bytes));
	sp_json_set(event, "args", args);
	put(out, t, event);
}

static void put_checkpoint(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s,
	const struct sp_span_event *e, const char *name)
{
	json_t *event = make(s, "i", name, us(t, e->ended_tsc), e->tid);

	sp_json_set(event, "cat", sp_json_text("checkpoint"));
	sp_json_set(event, "s", sp_json_text("t"));
	set_context(event, json_object(), s, e->node, e);
	put(out, t, event);
	put_memory(out, t, s, us(t, e->ended_tsc), e->id, e->heap_bytes);
}

void sp_log_trace_put(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s)
{
	begin(out, t, s);
	for (size_t i = 0; i < s->event_count; i++) {
		const struct sp_span_event *e = &s->events[i];
		unsigned depth;
		const char *name = sp_timing_name(&t->timing, s, e->node, &depth);

		name_thread(out, t, s, e->thread, e->tid);
		if (e->kind == SP_EVENT_SPAN)
			put_span(out, t, s, e, name);
		else if (e->kind == SP_EVENT_ASYNC)
			put_async(out, t, s, e, name);
		else
			put_checkpoint(out, t, s, e, name);
	}
}

static void put_open(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s,
	const struct sp_span_thread *thread)
{
	name_thread(out, t, s, thread->thread, (int)thread->owner);
	for (uint32_t i = 0; i < thread->depth; i++) {
		const struct sp_span_open *o = &thread->open[i];
		unsigned depth;
		const char *name = sp_timing_name(&t->timing, s, o->node, &depth);
		json_t *event = make(s, "B", name, us(t, o->began_tsc), (int)thread->owner);

		sp_json_set(event, "cat", sp_json_text("span"));
		set_context(event, json_object(), s, o->node, NULL);
		put(out, t, event);
	}
}

void sp_log_trace_end(struct sp_buffer *out, struct sp_log_trace *t, const struct sp_snapshot *s)
{
	begin(out, t, s);
	for (size_t i = 1; i < s->span_thread_count; i++)
		put_open(out, t, s, &s->span_threads[i]);
	for (size_t i = 0; i < s->timeline_count; i++)
		put_memory(out, t, s, (double)s->timeline[i].t_ns / 1e3, s->timeline[i].rss_bytes,
			s->timeline[i].heap_inuse_bytes);
	sp_buffer_puts(out, "]}\n");
}

void sp_log_trace_free(struct sp_log_trace *t)
{
	sp_timing_free(&t->timing);
	sp_map_free(&t->threads);
}
