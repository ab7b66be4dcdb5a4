/* The complete part's stacks: All mappings, All frames, All CPU stacks, All heap stacks, All wait stacks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/markdown/markdown.h"
#include "profiles/markdown/writer.h"
#include "profiles/model/folded.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"
#include "profiles/model/samples.h"

/* Bytes, at most, on average: of a row's numbers and of each of its frames. */
#define LIKELY_NUMBERS 64u
#define LIKELY_CELL 7u

#define TRACES_MOST 1024u
#define TRACES_CUT 128u /* where room is short */
#define NO_ROW UINT32_MAX

/* The row of a frame in All frames, as it stands in a stack's row. */
struct cell {
	char text[15];
	uint8_t length; /* 0: the frame is in no stack */
};

struct stacks {
	const struct sp_profile *profile;
	uint32_t *order;    /* rows of All frames: indices into profile->frames */
	struct cell *cells; /* by frame */
	size_t frame_count, cpu_count, heap_count, wait_count;
	size_t node_count;             /* frames in all their rows */
	uint32_t *rows;                /* by path: its row in All CPU stacks, or NO_ROW */
	const uint32_t *function_rows; /* by function: its row in All functions, or NO_ROW */
	size_t sample_room;            /* sp_samples_take */
};

typedef bool wanted_fn(const struct sp_profile *profile, size_t path);

static bool has_cpu(const struct sp_profile *profile, size_t path)
{
	return sp_path_weighs(&profile->paths[path], SP_STACKS_CPU);
}

static bool has_heap(const struct sp_profile *profile, size_t path)
{
	return sp_path_weighs(&profile->paths[path], SP_STACKS_HEAP);
}

static bool has_waits(const struct sp_profile *profile, size_t path)
{
	return sp_path_weighs(&profile->paths[path], SP_STACKS_WAITS);
}

/* Marks the frames of all stacks that are wanted; returns how many different stacks there are. */
static size_t mark_frames(struct stacks *s, wanted_fn *wanted)
{
	const struct sp_profile *p = s->profile;
	struct sp_path_walk walk = {0};
	size_t count = 0;

	while (sp_path_walk_next(&walk, p, wanted)) {
		count += !count || walk.depth > walk.shared;
		s->node_count += walk.depth - walk.shared;
		for (uint32_t i = walk.shared; i < walk.depth; i++)
			s->cells[walk.frames[i]].length = 1;
	}
	return count;
}

static void order_frames(struct stacks *s)
{
	const struct sp_profile *p = s->profile;

	s->order = sp_alloc(p->frame_count, sizeof(*s->order));
	s->cells = sp_alloc(p->frame_count, sizeof(*s->cells));
	s->cpu_count = p->cpu_on ? mark_frames(s, has_cpu) : 0;
	s->heap_count = p->heap_on ? mark_frames(s, has_heap) : 0;
	s->wait_count = p->waits_on ? mark_frames(s, has_waits) : 0;
	for (size_t i = 0; i < p->frame_count; i++) {
		struct cell *cell = &s->cells[p->by_place[i]];

		if (!cell->length)
			continue;
		cell->length = (uint8_t)snprintf(cell->text, sizeof(cell->text), "%u ", (unsigned)s->frame_count);
		s->order[s->frame_count++] = p->by_place[i];
	}
}

static void put_field(struct sp_buffer *out, const char *text)
{
	sp_buffer_puts(out, "\t");
	sp_escape(out, SP_ESCAPE_PLAIN, text, strlen(text));
}

static void write_modules(struct sp_buffer *out, const struct stacks *s)
{
	const struct sp_profile *p = s->profile;
	bool *used = sp_alloc(p->module_count, sizeof(*used));
	size_t count = 0;

	for (size_t i = 0; i < s->frame_count; i++) {
		uint32_t module = p->functions[p->frames[s->order[i]].function].module;

		count += module && !used[module];
		used[module] = module != 0;
	}
	sp_buffer_printf(out, "## All mappings (%zu)\n\n```tsv\nstart\tend\tbias\tbuild_id\tmodule\n", count);
	for (size_t i = 0; i < p->module_count; i++) {
		const struct sp_module_info *m = &p->modules[i];

		if (!used[i])
			continue;
		sp_buffer_printf(out, "%llx\t%llx\t%llx\t%s", (unsigned long long)m->start, (unsigned long long)m->end,
			(unsigned long long)m->bias, m->build_id);
		put_field(out, m->path);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
	free(used);
}

/* What stands in All functions is not written again, but for the file where it is another there. */
static void put_function(struct sp_buffer *out, const struct stacks *s, const struct sp_function *f, const char *file)
{
	const struct sp_profile *p = s->profile;
	uint32_t row = s->function_rows[f - p->functions];
	bool same_file = strcmp(file, f->file ? f->file : "") == 0;

	if (row != NO_ROW && (same_file || *file)) {
		sp_buffer_printf(out, "\t%u\t\t", row);
		put_field(out, same_file ? "" : file);
	} else {
		sp_buffer_puts(out, "\t");
		put_field(out, f->name);
		put_field(out, p->modules[f->module].path);
		put_field(out, file);
	}
	sp_buffer_puts(out, "\n");
}

static void write_frames(struct sp_buffer *out, const struct stacks *s)
{
	const struct sp_profile *p = s->profile;
	const struct sp_profile_frame *last = NULL;

	sp_buffer_printf(out, "## All frames (%zu)\n\n```tsv\naddress\tline\tinlined\trow\tfunction\tmodule\tfile\n",
		s->frame_count);
	for (size_t i = 0; i < s->frame_count; i++) {
		const struct sp_profile_frame *frame = &p->frames[s->order[i]];
		const struct sp_function *f = &p->functions[frame->function];
		const char *file = frame->file ? frame->file : "";
		bool ditto =
			last && last->function == frame->function && strcmp(last->file ? last->file : "", file) == 0;

		sp_buffer_printf(out, "%llx\t%u\t%u", (unsigned long long)frame->address, frame->line, frame->inlined);
		if (ditto)
			sp_buffer_puts(out, "\t\t\t\t\n");
		else
			put_function(out, s, f, file);
		last = frame;
	}
	sp_buffer_puts(out, "```\n\n");
}

/* The frames that the stack does not share with the one before it. */
static void put_frames(struct sp_buffer *out, const struct stacks *s, const struct sp_path_walk *walk)
{
	char *at = sp_buffer_room(out, (walk->depth - walk->shared) * sizeof(struct cell)), *from = at;

	for (uint32_t i = walk->shared; i < walk->depth; i++) {
		const struct cell *cell = &s->cells[walk->frames[i]];

		memcpy(at, cell->text, sizeof(cell->text)); /* a fixed length is cheaper than the right one */
		at += cell->length;
	}
	out->length += (size_t)(at - from);
	if (at > from)
		out->length--;
}

/* A stack's numbers come before its frames, and are known when the last of equal stacks has been met. */
static void put_row(struct sp_buffer *out, const double *values, enum sp_path_weight_kind from,
	enum sp_path_weight_kind to, struct sp_buffer *frames)
{
	for (enum sp_path_weight_kind w = from; w < to; w++)
		sp_buffer_number(out, sp_whole(values[w]), '\t');
	sp_buffer_add(out, frames->data, frames->length);
	sp_buffer_puts(out, "\n");
	sp_buffer_clear(frames);
}

static void write_rows(struct sp_buffer *out, struct stacks *s, wanted_fn *wanted, enum sp_stack_kind kind)
{
	const enum sp_path_weight_kind from = sp_stack_weights[kind].from, to = sp_stack_weights[kind].to;
	double values[SP_WEIGHTS] = {0};
	struct sp_buffer frames = {0};
	struct sp_path_walk walk = {0};
	uint32_t row = UINT32_MAX;

	while (sp_path_walk_next(&walk, s->profile, wanted)) {
		if (!frames.length || walk.depth > walk.shared) {
			if (frames.length)
				put_row(out, values, from, to, &frames);
			memset(values, 0, sizeof(values));
			sp_buffer_number(&frames, walk.shared, '\t');
			put_frames(&frames, s, &walk);
			row++;
		}
		s->rows[walk.index] = row;
		for (enum sp_path_weight_kind w = from; w < to; w++)
			values[w] += (double)sp_path_weight(walk.path, w);
	}
	if (frames.length)
		put_row(out, values, from, to, &frames);
	sp_buffer_puts(out, "```\n\n");
	sp_buffer_free(&frames);
}

static void write_slices(struct sp_buffer *out, const struct sp_samples *samples)
{
	sp_buffer_printf(out, "## All slices (%zu)\n\n```tsv\nend_ns\tcpu_ns\trss_bytes\theap_bytes\n",
		samples->slice_count);
	for (size_t i = 0; i < samples->slice_count; i++) {
		const struct sp_slice *slice = &samples->slices[i];

		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu\n", (unsigned long long)slice->end_ns,
			(unsigned long long)slice->cpu_ns, (unsigned long long)slice->rss_bytes,
			(unsigned long long)slice->heap_bytes);
	}
	sp_buffer_puts(out, "```\n\n");
}

/* Paths of one stack are one row; those without time have none. */
void sp_put_sample_runs(struct sp_buffer *out, const uint32_t *rows, const struct sp_sample_run *runs, size_t count)
{
	const char *between = "";

	for (size_t k = 0, next; k < count; k = next) {
		uint32_t stack = rows[runs[k].path], samples = 0;

		for (next = k; next < count && rows[runs[next].path] == stack; next++)
			samples += runs[next].count;
		if (stack == NO_ROW)
			continue;
		sp_buffer_printf(out, samples > 1 ? "%s%u*%u" : "%s%u", between, stack, samples);
		between = " ";
	}
	sp_buffer_puts(out, "\n");
}

static void write_rows_in_time(struct sp_buffer *out, const struct stacks *s, const struct sp_samples *samples)
{
	sp_buffer_printf(out, "## All CPU samples (%zu)\n\n```tsv\nslice\ttid\tstacks\n", samples->row_count);
	for (size_t i = 0; i < samples->row_count; i++) {
		const struct sp_sample_row *row = &samples->rows[i];

		sp_buffer_printf(out, "%u\t%d\t", row->slice, row->tid);
		sp_put_sample_runs(out, s->rows, samples->runs + row->first, row->count);
	}
	sp_buffer_puts(out, "```\n\n");
}

/* By path: the first with its row. */
static uint32_t *same_paths(const struct stacks *s)
{
	const struct sp_profile *p = s->profile;
	uint32_t *first = sp_alloc(s->cpu_count, sizeof(*first)), *same = sp_alloc(p->path_count, sizeof(*same));

	for (size_t i = p->path_count; i-- > 0;)
		if (s->rows[i] != NO_ROW)
			first[s->rows[i]] = (uint32_t)i;
	for (size_t i = 0; i < p->path_count; i++)
		same[i] = s->rows[i] != NO_ROW ? first[s->rows[i]] : (uint32_t)i;
	free(first);
	return same;
}

/* Those of a written profile are as they were read. */
static void write_samples(struct sp_buffer *out, const struct stacks *s)
{
	const struct sp_profile *p = s->profile;
	struct sp_samples taken = {0};
	const struct sp_samples *samples = p->in_time ? p->in_time : &taken;

	if (!p->in_time && p->snapshot && p->snapshot->timeline_count) {
		uint32_t *same = same_paths(s);

		sp_samples_take(&taken, p, same, s->sample_room);
		free(same);
	}
	if (samples->slice_count) {
		write_slices(out, samples);
		if (p->cpu_on)
			write_rows_in_time(out, s, samples);
	}
	sp_samples_free(&taken);
}

static void put_births(struct sp_buffer *out, const struct sp_births *b)
{
	const char *between = "";

	sp_buffer_printf(out, "%llu\t", (unsigned long long)(b->first_ns == UINT64_MAX ? 0 : b->first_ns));
	for (unsigned i = 0; i < SP_RUN_PARTS; i++) {
		if (!b->samples[i])
			continue;
		sp_buffer_printf(out, "%s%u:%llu/%llu*%u", between, i, (unsigned long long)b->bytes[i],
			(unsigned long long)b->counts[i], b->samples[i]);
		between = " ";
	}
	sp_buffer_puts(out, "\n");
}

/* What is written of a site besides its stack's numbers, for readers that look for other sites in the stacks later. */
static void write_heap_details(struct sp_buffer *out, const struct stacks *s)
{
	struct sp_heap_site *details = sp_alloc(s->heap_count, sizeof(*details));

	for (size_t i = 0; i < s->heap_count; i++)
		details[i].births.first_ns = UINT64_MAX;
	if (s->profile->snapshot)
		sp_heap_details(s->profile, s->rows, details);
	sp_buffer_printf(out,
		"## All heap details (%zu)\n\n```tsv\nshort_bytes\tshort_count\ttemp_bytes\ttemp_count\tinuse_samples\t"
		"alloc_variance\tinuse_variance\tfirst_ns\tbirths\n",
		s->heap_count);
	for (size_t i = 0; i < s->heap_count; i++) {
		const struct sp_heap_site *d = &details[i];
		const uint64_t numbers[] = {d->short_bytes, d->short_count, d->temp_bytes, d->temp_count,
			d->inuse_samples, sp_whole(d->alloc_variance), sp_whole(d->inuse_variance)};

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			sp_buffer_number(out, numbers[k], '\t');
		put_births(out, &d->births);
	}
	sp_buffer_puts(out, "```\n\n");
	free(details);
}

void sp_write_stacks(struct sp_buffer *out, const struct sp_profile *profile, const uint32_t *function_rows,
	size_t sample_room)
{
	struct stacks s = {.profile = profile, .function_rows = function_rows, .sample_room = sample_room};

	s.rows = sp_alloc(profile->path_count, sizeof(*s.rows));
	memset(s.rows, 0xff, profile->path_count * sizeof(*s.rows));
	order_frames(&s);
	sp_buffer_room(out, (s.cpu_count + s.heap_count + s.wait_count) * LIKELY_NUMBERS + s.node_count * LIKELY_CELL);
	write_modules(out, &s);
	write_frames(out, &s);
	if (profile->cpu_on) {
		sp_buffer_printf(out, "## All CPU stacks (%zu)\n\n```tsv\nuser_ns\tsys_ns\tsamples\tshared\tframes\n",
			s.cpu_count);
		write_rows(out, &s, has_cpu, SP_STACKS_CPU);
	}
	write_samples(out, &s);
	sp_write_all_traces(out, profile, s.rows, sample_room ? TRACES_CUT : TRACES_MOST);
	if (profile->heap_on) {
		sp_buffer_printf(out,
			"## All heap stacks (%zu)\n\n```tsv\nalloc_bytes\talloc_count\tinuse_bytes\tinuse_count\t"
			"peak_bytes\tpeak_count\tsamples\tshared\tframes\n",
			s.heap_count);
		memset(s.rows, 0xff, profile->path_count * sizeof(*s.rows));
		write_rows(out, &s, has_heap, SP_STACKS_HEAP);
		if (!profile->process_count) /* of stacks whose sites are looked for again: not of a sum's */
			write_heap_details(out, &s);
	}
	if (profile->waits_on) {
		sp_buffer_printf(out,
			"## All wait stacks (%zu)\n\n```tsv\nwait_ns\twait_count\tsamples\tshared\tframes\n",
			s.wait_count);
		write_rows(out, &s, has_waits, SP_STACKS_WAITS);
	}
	free(s.rows);
	free(s.order);
	free(s.cells);
}
