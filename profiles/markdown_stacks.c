/* The complete part's stacks: All mappings, All frames, All CPU stacks, All heap stacks. */
#include "profiles/folded.h"
#include "profiles/markdown.h"

#include <stdlib.h>
#include <string.h>

#define NOT_USED UINT32_MAX

struct stacks {
	const struct sp_profile *profile;
	struct sp_folded cpu, heap;
	uint32_t *order; /* rows of All frames: indices into profile->frames */
	uint32_t *row;   /* of a frame, or NOT_USED */
	size_t frame_count;
};

/* A function's frames stand together: only the first one names it. */
static int by_place(const void *a, const void *b, void *context)
{
	const struct sp_profile *p = context;
	const struct sp_frame *x = &p->frames[*(const uint32_t *)a], *y = &p->frames[*(const uint32_t *)b];
	int files;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	files = strcmp(x->file ? x->file : "", y->file ? y->file : "");
	if (files)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void order_frames(struct stacks *s)
{
	const struct sp_folded *const sets[] = {&s->cpu, &s->heap};
	const struct sp_profile *p = s->profile;

	s->order = sp_alloc(p->frame_count, sizeof(*s->order));
	s->row = sp_alloc(p->frame_count, sizeof(*s->row));
	memset(s->row, 0xff, p->frame_count * sizeof(*s->row));
	for (size_t set = 0; set < 2; set++)
		for (size_t i = 0; i < sets[set]->id_count; i++) {
			uint32_t id = sets[set]->ids[i];

			if (s->row[id] != NOT_USED)
				continue;
			s->row[id] = 0;
			s->order[s->frame_count++] = id;
		}
	if (s->frame_count)
		qsort_r(s->order, s->frame_count, sizeof(*s->order), by_place, (void *)p);
	for (size_t i = 0; i < s->frame_count; i++)
		s->row[s->order[i]] = (uint32_t)i;
	for (size_t i = 0; i < s->cpu.id_count; i++)
		s->cpu.ids[i] = s->row[s->cpu.ids[i]];
	for (size_t i = 0; i < s->heap.id_count; i++)
		s->heap.ids[i] = s->row[s->heap.ids[i]];
	sp_folded_merge(&s->cpu);
	sp_folded_merge(&s->heap);
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

static void write_frames(struct sp_buffer *out, const struct stacks *s)
{
	const struct sp_profile *p = s->profile;
	const struct sp_frame *last = NULL;

	sp_buffer_printf(out, "## All frames (%zu)\n\n```tsv\naddress\tline\tinlined\tfunction\tmodule\tfile\n",
		s->frame_count);
	for (size_t i = 0; i < s->frame_count; i++) {
		const struct sp_frame *frame = &p->frames[s->order[i]];
		const struct sp_function *f = &p->functions[frame->function];
		const char *file = frame->file ? frame->file : "";
		bool ditto =
			last && last->function == frame->function && strcmp(last->file ? last->file : "", file) == 0;

		sp_buffer_printf(out, "%llx\t%u\t%u", (unsigned long long)frame->address, frame->line, frame->inlined);
		put_field(out, ditto ? "" : f->name);
		put_field(out, ditto ? "" : p->modules[f->module].path);
		put_field(out, ditto ? "" : file);
		sp_buffer_puts(out, "\n");
		last = frame;
	}
	sp_buffer_puts(out, "```\n\n");
}

static void write_rows(struct sp_buffer *out, const struct sp_folded *f, enum sp_weight from, enum sp_weight to)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct sp_folded_row *row = &f->rows[i];
		uint32_t shared = sp_folded_shared(f, i);

		for (enum sp_weight w = from; w < to; w++)
			sp_buffer_printf(out, "%llu\t", (unsigned long long)sp_whole(row->values[w]));
		sp_buffer_printf(out, "%u\t", shared);
		for (uint32_t k = shared; k < row->depth; k++)
			sp_buffer_printf(out, "%s%u", k > shared ? " " : "", f->ids[row->first + k]);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
}

void sp_write_stacks(struct sp_buffer *out, const struct sp_profile *profile)
{
	struct stacks s = {.profile = profile};

	if (profile->cpu_on)
		sp_fold_frames(&s.cpu, profile, false);
	if (profile->heap_on)
		sp_fold_frames(&s.heap, profile, true);
	order_frames(&s);
	write_modules(out, &s);
	write_frames(out, &s);
	if (profile->cpu_on) {
		sp_buffer_printf(out, "## All CPU stacks (%zu)\n\n```tsv\nuser_ns\tsys_ns\tsamples\tshared\tframes\n",
			s.cpu.count);
		write_rows(out, &s.cpu, SP_WEIGHT_USER_NS, SP_CPU_WEIGHTS);
	}
	if (profile->heap_on) {
		sp_buffer_printf(out,
			"## All heap stacks (%zu)\n\n```tsv\nalloc_bytes\talloc_count\tinuse_bytes\tinuse_count\t"
			"peak_bytes\tpeak_count\tsamples\tshared\tframes\n",
			s.heap.count);
		write_rows(out, &s.heap, SP_WEIGHT_ALLOC_BYTES, SP_WEIGHTS);
	}
	sp_folded_free(&s.cpu);
	sp_folded_free(&s.heap);
	free(s.order);
	free(s.row);
}
