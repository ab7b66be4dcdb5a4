/* The last samples that were taken in traces, by the spans of these. */
#include "profiles/model/traces.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"

static int compare_ids(const uint8_t *trace, const uint8_t *span, const uint8_t *other_trace, const uint8_t *other_span)
{
	int order = memcmp(trace, other_trace, SP_TRACE_ID_BYTES);

	return order ? order : memcmp(span, other_span, SP_TRACE_SPAN_ID_BYTES);
}

static int by_ids(const void *left, const void *right)
{
	const struct sp_traced *a = left, *b = right;
	int order = compare_ids(a->trace_id, a->span_id, b->trace_id, b->span_id);

	return order ? order : (a->stack > b->stack) - (a->stack < b->stack);
}

static int by_time(const void *left, const void *right)
{
	const struct sp_trace_info *a = left, *b = right;

	if (a->cpu_ns != b->cpu_ns)
		return a->cpu_ns > b->cpu_ns ? -1 : 1;
	return compare_ids(a->trace_id, a->span_id, b->trace_id, b->span_id);
}

static bool is_of(const struct sp_trace_info *trace, const struct sp_traced *sample)
{
	return compare_ids(trace->trace_id, trace->span_id, sample->trace_id, sample->span_id) == 0;
}

static void add_sample(struct sp_traces *traces, const struct sp_traced *sample)
{
	struct sp_trace_info *trace;

	if (!traces->count || !is_of(&traces->list[traces->count - 1], sample)) {
		sp_grow(&traces->list, &traces->capacity, traces->count + 1, sizeof(*traces->list));
		trace = &traces->list[traces->count++];
		*trace = (struct sp_trace_info){.first = traces->run_count};
		memcpy(trace->trace_id, sample->trace_id, SP_TRACE_ID_BYTES);
		memcpy(trace->span_id, sample->span_id, SP_TRACE_SPAN_ID_BYTES);
	}
	trace = &traces->list[traces->count - 1];
	if (!trace->count || traces->runs[traces->run_count - 1].path != sample->stack) {
		sp_grow(&traces->runs, &traces->run_capacity, traces->run_count + 1, sizeof(*traces->runs));
		traces->runs[traces->run_count++] = (struct sp_sample_run){sample->stack, 0};
		trace->count++;
	}
	traces->runs[traces->run_count - 1].count++;
	trace->samples++;
	trace->cpu_ns += sample->weight_ns;
}

void sp_traces_add_up(struct sp_profile *p)
{
	struct sp_snapshot *s = p->snapshot;
	struct sp_traces *traces;

	if (!s->traced_count)
		return;
	p->traces = traces = sp_alloc(1, sizeof(*traces));
	traces->samples = s->header.traces.samples;
	traces->cpu_ns = s->header.traces.ns;
	qsort(s->traced, s->traced_count, sizeof(*s->traced), by_ids);
	for (size_t i = 0; i < s->traced_count; i++)
		add_sample(traces, &s->traced[i]);
	qsort(traces->list, traces->count, sizeof(*traces->list), by_time);
}

void sp_trace_put_id(struct sp_buffer *out, const uint8_t *id, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		sp_buffer_printf(out, "%02x", id[i]);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sp_trace_id_parse(const char *text, size_t length, uint8_t *id, size_t bytes)
{
	if (length != 2 * bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		id[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

uint32_t sp_trace_hottest(const struct sp_profile *p, const struct sp_trace_info *trace)
{
	uint32_t hottest = UINT32_MAX, most = 0;
	struct sp_map counts = {0};
	int found;

	for (size_t i = trace->first; i < trace->first + trace->count; i++) {
		uint32_t f = p->frames[p->frame_ids[p->paths[p->traces->runs[i].path].first]].function;
		uint32_t *count = sp_map_at(&counts, f, 0, &found);

		*count += p->traces->runs[i].count;
		if (*count > most) {
			most = *count;
			hottest = f;
		}
	}
	sp_map_free(&counts);
	return hottest;
}

void sp_traces_free(struct sp_traces *traces)
{
	if (!traces)
		return;
	free(traces->list);
	free(traces->runs);
	free(traces);
}
