/* Reading the complete part's modules, frames, stacks and samples back. Untrusted input. */
#include <stdio.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/markdown/front.h"
#include "profiles/markdown/read.h"
#include "profiles/model/build.h"
#include "profiles/model/folded.h"
#include "profiles/model/traces.h"

#define DETAIL_NUMBERS 8u
#define PATH_FRAMES_MAX (64u << 20) /* of all stacks together: 256 MB */

bool sp_read_mapping(struct sp_markdown_reader *r, char *text)
{
	char *fields[SP_READER_FIELDS];
	uint64_t n[3], id;
	struct sp_module_info *m;

	if (sp_reader_split(text, fields) != 5)
		return sp_reader_fail(r, "a row of All mappings is damaged");
	for (size_t i = 0; i < 3; i++)
		if (!sp_hex_parse(fields[i], strlen(fields[i]), &n[i]))
			return sp_reader_fail(r, "a row of All mappings is damaged");
	sp_unescape(fields[4]);
	id = sp_reader_module(r, fields[4]);
	m = &r->profile->modules[id];
	m->start = n[0], m->end = n[1], m->bias = n[2];
	if (fields[3][strspn(fields[3], "0123456789abcdef")])
		return sp_reader_fail(r, "a row of All mappings is damaged");
	m->build_id = fields[3];
	return true;
}

/* A row that names its function, or is of the same as the row above. */
static bool take_named(struct sp_markdown_reader *r, char **fields, struct sp_profile_frame *frame)
{
	struct sp_profile *p = r->profile;

	if (!fields[0][0] && !p->frame_count)
		return false;
	if (fields[0][0]) {
		frame->function = sp_profile_function(p, sp_reader_module(r, fields[1]), fields[0], &r->functions);
		frame->file = fields[2][0] ? fields[2] : NULL;
	} else {
		frame->function = p->frames[p->frame_count - 1].function;
		frame->file = p->frames[p->frame_count - 1].file;
	}
	return true;
}

/* A row whose function stands in All functions. */
static bool take_row(struct sp_markdown_reader *r, char *row, char **fields, struct sp_profile_frame *frame)
{
	uint64_t number;

	if (!sp_reader_numbers(&row, 1, &number) || number >= r->row_function_count || fields[0][0] || fields[1][0])
		return false;
	frame->function = r->row_functions[number];
	frame->file = fields[2][0] ? fields[2] : r->profile->functions[frame->function].file;
	return true;
}

/* Profiles of before have no column `row`. */
bool sp_read_frame(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	struct sp_profile_frame frame = {0};
	char *fields[SP_READER_FIELDS], **names;
	size_t count = sp_reader_split(text, fields);
	uint64_t n[2];

	if ((count != 6 && count != 7) || !sp_hex_parse(fields[0], strlen(fields[0]), &frame.address) ||
		!sp_reader_numbers(fields + 1, 2, n) || n[0] > UINT32_MAX || n[1] > 1)
		return sp_reader_fail(r, "a row of All frames is damaged");
	names = fields + count - 3;
	for (size_t i = 0; i < 3; i++)
		sp_unescape(names[i]);
	if (count == 7 && fields[3][0] ? !take_row(r, fields[3], names, &frame) : !take_named(r, names, &frame))
		return sp_reader_fail(r, "a row of All frames is damaged");
	frame.line = (unsigned)n[0];
	frame.inlined = n[1];
	sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
	p->frames[p->frame_count++] = frame;
	return true;
}

/* A row of the kind's numbers, for n, and the two fields of a stack; the path is leaf first. */
static struct sp_path *read_stack(struct sp_markdown_reader *r, char *text, uint64_t *n, enum sp_stack_kind kind)
{
	static const char *const damaged[SP_STACK_KINDS] = {"a row of All CPU stacks is damaged",
		"a row of All heap stacks is damaged", "a row of All wait stacks is damaged"};
	const size_t count = sp_stack_weights[kind].to - sp_stack_weights[kind].from;
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS], **stack = fields + count;
	const char *why;

	if (sp_reader_split(text, fields) != count + 2 || !sp_reader_numbers(fields, count, n)) {
		sp_reader_fail(r, damaged[kind]);
		return NULL;
	}
	why = sp_front_next(&r->front, stack[0], strlen(stack[0]), stack[1], strlen(stack[1]), p->frame_count);
	if (!why && p->frame_id_count + r->front.depth > PATH_FRAMES_MAX)
		why = "its stacks have more frames than any profile";
	if (why) {
		sp_reader_fail(r, why);
		return NULL;
	}
	sp_grow(&p->paths, &r->path_capacity, p->path_count + 1, sizeof(*p->paths));
	p->paths[p->path_count] =
		(struct sp_path){.first = p->frame_id_count, .depth = (uint32_t)r->front.depth, .kind = kind};
	sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + r->front.depth, sizeof(*p->frame_ids));
	for (size_t i = r->front.depth; i-- > 0;)
		p->frame_ids[p->frame_id_count++] = r->front.ids[i];
	return &p->paths[p->path_count++];
}

bool sp_read_cpu_stack(struct sp_markdown_reader *r, char *text)
{
	uint64_t n[SP_WEIGHTS];
	struct sp_path *path = read_stack(r, text, n, SP_STACKS_CPU);

	if (!path)
		return false;
	path->user_ns = n[0], path->sys_ns = n[1];
	path->samples = n[2];
	return true;
}

bool sp_read_heap_stack(struct sp_markdown_reader *r, char *text)
{
	uint64_t n[SP_WEIGHTS];
	struct sp_path *path = read_stack(r, text, n, SP_STACKS_HEAP);

	if (!path)
		return false;
	path->alloc_bytes = n[0], path->alloc_count = n[1];
	path->inuse_bytes = n[2], path->inuse_count = n[3];
	path->peak_bytes = n[4], path->peak_count = n[5];
	path->heap_samples = n[6];
	return true;
}

bool sp_read_wait_stack(struct sp_markdown_reader *r, char *text)
{
	uint64_t n[SP_WEIGHTS];
	struct sp_path *path = read_stack(r, text, n, SP_STACKS_WAITS);

	if (!path)
		return false;
	path->wait_ns = n[0], path->wait_count = n[1];
	path->wait_samples = n[2];
	return true;
}

/* "part:bytes/blocks*samples" of the parts of the run in which something was allocated that is still in use. */
static bool read_births(const char *text, struct sp_births *births)
{
	while (*text) {
		unsigned part, samples;
		unsigned long long bytes, count;
		int length = 0;

		if (sscanf(text, "%u:%llu/%llu*%u%n", &part, &bytes, &count, &samples, &length) != 4 ||
			part >= SP_RUN_PARTS || samples > SP_LIVE_MAX)
			return false;
		births->bytes[part] = bytes;
		births->counts[part] = count;
		births->samples[part] = samples;
		text += length;
		text += *text == ' ';
	}
	return true;
}

bool sp_read_heap_detail(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	struct sp_heap_site d = {0};
	uint64_t n[DETAIL_NUMBERS];

	if (sp_reader_split(text, fields) != DETAIL_NUMBERS + 1 || !sp_reader_numbers(fields, DETAIL_NUMBERS, n) ||
		!read_births(fields[DETAIL_NUMBERS], &d.births))
		return sp_reader_fail(r, "a row of All heap details is damaged");
	d.short_bytes = n[0], d.short_count = n[1];
	d.temp_bytes = n[2], d.temp_count = n[3];
	d.inuse_samples = n[4];
	d.alloc_variance = (double)n[5];
	d.inuse_variance = (double)n[6];
	d.births.first_ns = n[7];
	sp_grow(&p->stack_details, &p->stack_detail_capacity, p->stack_detail_count + 1, sizeof(*p->stack_details));
	p->stack_details[p->stack_detail_count++] = d;
	return true;
}

bool sp_read_slice(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	struct sp_slice *slice;
	uint64_t n[4];

	if (sp_reader_split(text, fields) != 4 || !sp_reader_numbers(fields, 4, n))
		return sp_reader_fail(r, "a row of All slices is damaged");
	if (!p->in_time)
		p->in_time = sp_alloc(1, sizeof(*p->in_time));
	if (p->in_time->slice_count >= SP_SAMPLE_SLICES)
		return sp_reader_fail(r, "it has more slices than any profile");
	slice = &p->in_time->slices[p->in_time->slice_count++];
	slice->end_ns = n[0], slice->cpu_ns = n[1];
	slice->rss_bytes = n[2], slice->heap_bytes = n[3];
	return true;
}

/* Runs of samples, to be appended; *count of them. Returns what is wrong, or NULL. */
static const char *read_runs(const struct sp_profile *p, const char *text, struct sp_sample_run **runs,
	size_t *run_count, size_t *capacity, size_t *count)
{
	const char *why = NULL, *end = text + strlen(text);

	for (; !why && text < end; (*count)++) {
		struct sp_sample_run run;

		why = sp_sample_run_parse(&text, end, &run);
		if (!why && (run.path >= p->path_count || p->paths[run.path].kind != SP_STACKS_CPU))
			why = "a sample's stack is not in All CPU stacks";
		sp_grow(runs, capacity, *run_count + 1, sizeof(**runs));
		(*runs)[(*run_count)++] = run;
	}
	return why;
}

bool sp_read_trace(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	struct sp_trace_info trace = {0};
	struct sp_traces *t;
	const char *why;
	uint64_t n[2];

	if (sp_reader_split(text, fields) != 5 || !sp_reader_numbers(fields + 2, 2, n) ||
		!sp_trace_id_parse(fields[0], strlen(fields[0]), trace.trace_id, SP_TRACE_ID_BYTES) ||
		!sp_trace_id_parse(fields[1], strlen(fields[1]), trace.span_id, SP_TRACE_SPAN_ID_BYTES))
		return sp_reader_fail(r, "a row of All traces is damaged");
	if (!p->traces)
		p->traces = sp_alloc(1, sizeof(*p->traces));
	t = p->traces;
	trace.cpu_ns = n[0], trace.samples = n[1], trace.first = t->run_count;
	why = read_runs(p, fields[4], &t->runs, &t->run_count, &t->run_capacity, &trace.count);
	sp_grow(&t->list, &t->capacity, t->count + 1, sizeof(*t->list));
	t->list[t->count++] = trace;
	return why ? sp_reader_fail(r, why) : true;
}

bool sp_read_samples(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	struct sp_samples *s = p->in_time;
	char *fields[SP_READER_FIELDS];
	const char *why;
	uint64_t n[2];

	if (!s || sp_reader_split(text, fields) != 3 || !sp_reader_numbers(fields, 2, n) || n[0] >= s->slice_count ||
		n[1] > INT32_MAX)
		return sp_reader_fail(r, "a row of All CPU samples is damaged");
	sp_grow(&s->rows, &s->row_capacity, s->row_count + 1, sizeof(*s->rows));
	s->rows[s->row_count] =
		(struct sp_sample_row){.slice = (uint32_t)n[0], .tid = (int)n[1], .first = s->run_count};
	why = read_runs(p, fields[2], &s->runs, &s->run_count, &s->run_capacity, &s->rows[s->row_count].count);
	s->row_count++;
	return why ? sp_reader_fail(r, why) : true;
}
