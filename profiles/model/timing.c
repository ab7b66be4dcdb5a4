/* Lines of the timing log. */
#include "profiles/model/timing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/escape.h"
#include "profiles/base/time.h"
#include "profiles/model/spans.h"
#include "profiles/redact/redact.h"
#include "profiles/spool/spans.h"
#include "symbolize/base/memory.h"

struct sp_timing_name {
	char *text;
	unsigned depth;
};

void sp_timing_free(struct sp_timing *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->names[i].text);
	free(t->names);
	*t = (struct sp_timing){0};
}

void sp_timing_set_clock(struct sp_timing *t, const struct sp_snapshot *s)
{
	uint64_t real = sp_time_ns(CLOCK_REALTIME), monotonic = sp_time_ns(CLOCK_MONOTONIC);

	t->clock_ns = s->header.start_realtime_ns;
	if (s->running && !s->header.snapshot_ns && monotonic >= s->header.start_monotonic_ns)
		t->clock_ns = real - (monotonic - s->header.start_monotonic_ns);
}

static bool is_label(const struct sp_snapshot *s, uint32_t node)
{
	return s->span_names[s->span_nodes[node].name].kind == SP_SPAN_LABEL;
}

/* The node that labels are of. */
static uint32_t own_node(const struct sp_snapshot *s, uint32_t node)
{
	while (is_label(s, node) && s->span_nodes[node].parent)
		node = s->span_nodes[node].parent;
	return node;
}

static void put_inert(struct sp_buffer *out, const char *text, size_t length)
{
	struct sp_buffer shown = {0};

	sp_redact_text(&shown, text, length);
	sp_escape(out, SP_ESCAPE_PLAIN, shown.data ? shown.data : "", shown.length);
	sp_buffer_free(&shown);
}

static char *make_name(const struct sp_snapshot *s, uint32_t node)
{
	const char *text = sp_snapshot_text(s, s->span_names[s->span_nodes[node].name].text);
	struct sp_buffer name = {0};

	put_inert(&name, text, strlen(text));
	sp_buffer_puts(&name, "");
	return name.data;
}

const char *sp_timing_name(struct sp_timing *t, const struct sp_snapshot *s, uint32_t node, unsigned *depth)
{
	struct sp_timing_name *name;

	node = own_node(s, node);
	if (node >= t->count) {
		struct sp_timing_name *more = sp_alloc(s->span_node_count, sizeof(*more));

		if (t->count)
			memcpy(more, t->names, t->count * sizeof(*more));
		free(t->names);
		t->names = more;
		t->count = s->span_node_count;
	}
	name = &t->names[node];
	if (!name->text) {
		name->text = make_name(s, node);
		for (uint32_t outer = s->span_nodes[node].parent; outer; outer = s->span_nodes[outer].parent)
			name->depth += !is_label(s, outer);
	}
	*depth = name->depth;
	return name->text;
}

void sp_timing_put_context(struct sp_buffer *out, const struct sp_snapshot *s, uint32_t node,
	const struct sp_span_event *e)
{
	size_t from = out->length;

	for (; is_label(s, node); node = s->span_nodes[node].parent) {
		const char *text = sp_snapshot_text(s, s->span_names[s->span_nodes[node].name].text);

		sp_buffer_puts(out, out->length > from ? ", " : "");
		put_inert(out, text, strlen(text));
	}
	if (e && e->length) {
		sp_buffer_puts(out, out->length > from ? ", " : "");
		put_inert(out, e->text, strnlen(e->text, e->length));
	}
}

const char *sp_timing_thread(const struct sp_snapshot *s, uint32_t record, int tid)
{
	return record && record < s->thread_count && s->threads[record].tid == tid ? s->threads[record].name : "";
}

static void put_clock(struct sp_buffer *out, const struct sp_timing *t, uint64_t t_ns)
{
	uint64_t ns = t->clock_ns + t_ns;
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	sp_buffer_printf(out, "[%02d:%02d:%02d.%03u] ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(unsigned)(ns / 1000000 % 1000));
}

static void put_start(struct sp_buffer *out, const struct sp_timing *t, const struct sp_snapshot *s, uint64_t t_ns,
	uint32_t record, int tid)
{
	const char *thread = sp_timing_thread(s, record, tid);

	put_clock(out, t, t_ns);
	sp_buffer_printf(out, "[%d", tid);
	if (*thread) {
		sp_buffer_puts(out, "/");
		put_inert(out, thread, strlen(thread));
	}
	sp_buffer_puts(out, "] ");
}

static void put_time(struct sp_buffer *out, uint64_t ns)
{
	if (ns < 1000)
		sp_buffer_printf(out, "%lluns", (unsigned long long)ns);
	else if (ns < 1000000)
		sp_buffer_printf(out, "%.2fus", (double)ns / 1e3);
	else if (ns < 10000000000u)
		sp_buffer_printf(out, "%.2fms", (double)ns / 1e6);
	else
		sp_buffer_printf(out, "%.2fs", (double)ns / 1e9);
}

static void put_indented(struct sp_buffer *out, struct sp_timing *t, const struct sp_snapshot *s, uint32_t node,
	const char *before)
{
	unsigned depth;
	const char *name = sp_timing_name(t, s, node, &depth);

	sp_buffer_printf(out, "%*s%s", (int)(2 * depth), "", before);
	sp_buffer_puts(out, name);
}

static void put_checkpoint(struct sp_buffer *out, const struct sp_snapshot *s, const struct sp_span_event *e)
{
	if (e->length) {
		sp_buffer_puts(out, ": ");
		put_inert(out, e->text, strnlen(e->text, e->length));
	}
	sp_buffer_printf(out, " [mem: %.1fMB]", (double)e->id / 1e6);
	if (s->header.heap.on)
		sp_buffer_printf(out, " [heap: %.1fMB]", (double)e->heap_bytes / 1e6);
}

/* " (context; not ended)" */
static void put_remark(struct sp_buffer *out, const struct sp_snapshot *s, uint32_t node, const struct sp_span_event *e,
	const char *state)
{
	struct sp_buffer context = {0};

	sp_timing_put_context(&context, s, node, e);
	if (context.length || *state)
		sp_buffer_printf(out, " (%s%s%s)", context.length ? context.data : "",
			context.length && *state ? "; " : "", state);
	sp_buffer_free(&context);
}

void sp_timing_put(struct sp_buffer *out, struct sp_timing *t, const struct sp_snapshot *s,
	const struct sp_span_event *e)
{
	put_start(out, t, s, sp_spans_time_ns(&s->header, e->ended_tsc), e->thread, e->tid);
	put_indented(out, t, s, e->node, e->kind == SP_EVENT_CHECKPOINT ? "CHECKPOINT " : "");
	if (e->kind == SP_EVENT_CHECKPOINT) {
		put_checkpoint(out, s, e);
	} else {
		if (e->kind == SP_EVENT_ASYNC)
			sp_buffer_printf(out, " #%llu", (unsigned long long)e->id);
		sp_buffer_puts(out, ": ");
		put_time(out, e->ns);
		put_remark(out, s, e->node, e, e->flags & SP_EVENT_UNENDED ? "not ended" : "");
	}
	sp_buffer_puts(out, "\n");
}

void sp_timing_put_open(struct sp_buffer *out, struct sp_timing *t, const struct sp_snapshot *s)
{
	const char *state = s->running              ? "so far"
		: s->header.state == SP_STATE_ENDED ? "open at the end"
						    : "died in it";

	for (size_t i = 1; i < s->span_thread_count; i++)
		for (uint32_t k = 0; k < s->span_threads[i].depth; k++) {
			const struct sp_span_open *o = &s->span_threads[i].open[k];
			uint64_t began = sp_spans_time_ns(&s->header, o->began_tsc);

			put_start(out, t, s, s->taken_ns, s->span_threads[i].thread, (int)s->span_threads[i].owner);
			put_indented(out, t, s, o->node, "");
			sp_buffer_puts(out, ": ");
			put_time(out, s->taken_ns > began ? s->taken_ns - began : 0);
			put_remark(out, s, o->node, NULL, state);
			sp_buffer_puts(out, "\n");
		}
}

void sp_timing_put_head(struct sp_buffer *out, const struct sp_timing *t, const struct sp_snapshot *s, uint64_t t_ns)
{
	time_t seconds = (time_t)((t->clock_ns + t_ns) / 1000000000u);
	const char *program = sp_snapshot_text(s, s->header.text.program);
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	sp_buffer_printf(out, "=== %04d-%02d-%02d process %d (", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		s->header.pid);
	put_inert(out, program, strlen(program));
	sp_buffer_puts(out, ")\n");
}

long sp_timing_day(const struct sp_timing *t, uint64_t t_ns)
{
	time_t seconds = (time_t)((t->clock_ns + t_ns) / 1000000000u);
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	return tm.tm_year * 366L + tm.tm_yday;
}
