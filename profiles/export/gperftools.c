/* gperftools' symbolized profiles, for its `google-pprof`, which knows no protocol buffers: "--- symbol", a name an
 * address, and then a CPU profile of machine words or a heap profile of text lines, as pprof(1) reads them. Addresses are
 * numbers of functions. */
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/export/export.h"
#include "profiles/model/folded.h"

static void put_word(struct sp_buffer *out, uint64_t word)
{
	sp_buffer_add(out, (const char *)&word, sizeof(word));
}

/* pprof takes "--" for the border of an inlined function. */
static void put_name(struct sp_buffer *out, const char *name)
{
	size_t from = out->length;

	sp_escape(out, SP_ESCAPE_PLAIN, name, strlen(name));
	for (char *at = out->data + from; (at = strstr(at, "--"));)
		at[1] = ' ';
}

static void put_symbols(struct sp_buffer *out, const struct sp_profile *p, const struct sp_folded *f)
{
	const char *program = sp_profile_fact(p, "program");
	bool *used = sp_alloc(p->function_count, sizeof(*used));

	for (size_t i = 0; i < f->id_count; i++)
		used[f->ids[i]] = true;
	sp_buffer_puts(out, "--- symbol\nbinary=");
	sp_escape(out, SP_ESCAPE_PLAIN, program ? program : "", program ? strlen(program) : 0);
	sp_buffer_puts(out, "\n");
	for (size_t i = 0; i < p->function_count; i++) {
		if (!used[i])
			continue;
		sp_buffer_printf(out, "0x%016zx ", i + 1);
		put_name(out, p->functions[i].name);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "---\n");
	free(used);
}

/* One "sample" is a microsecond: samples differ in weight, so counting them would say little. */
static void put_times(struct sp_buffer *out, const struct sp_folded *f, enum sp_export_view view)
{
	static const uint64_t header[] = {0, 3, 0, 1, 0}, trailer[] = {0, 1, 0};

	sp_buffer_puts(out, "--- profile\n");
	sp_buffer_add(out, (const char *)header, sizeof(header));
	for (size_t i = 0; i < f->count; i++) {
		const struct sp_folded_row *row = &f->rows[i];
		uint64_t us = sp_whole((double)sp_view_value(row->values, view) / 1e3);

		if (!us)
			continue;
		put_word(out, us);
		put_word(out, row->depth);
		for (uint32_t k = row->depth; k-- > 0;)
			put_word(out, f->ids[row->first + k] + 1u);
	}
	sp_buffer_add(out, (const char *)trailer, sizeof(trailer));
}

static void put_heap_values(struct sp_buffer *out, const double *values, enum sp_path_weight_kind bytes,
	enum sp_path_weight_kind count)
{
	sp_buffer_printf(out, "%llu: %llu [%llu: %llu] @", (unsigned long long)sp_whole(values[count]),
		(unsigned long long)sp_whole(values[bytes]),
		(unsigned long long)sp_whole(values[SP_WEIGHT_ALLOC_COUNT]),
		(unsigned long long)sp_whole(values[SP_WEIGHT_ALLOC_BYTES]));
}

static void put_heap(struct sp_buffer *out, const struct sp_folded *f, enum sp_export_view view)
{
	enum sp_path_weight_kind bytes = view == SP_VIEW_PEAK ? SP_WEIGHT_PEAK_BYTES : SP_WEIGHT_INUSE_BYTES;
	enum sp_path_weight_kind count = view == SP_VIEW_PEAK ? SP_WEIGHT_PEAK_COUNT : SP_WEIGHT_INUSE_COUNT;
	double sums[SP_WEIGHTS] = {0};

	for (size_t i = 0; i < f->count; i++)
		for (size_t w = 0; w < SP_WEIGHTS; w++)
			sums[w] += f->rows[i].values[w];
	sp_buffer_puts(out, "heap profile: ");
	put_heap_values(out, sums, bytes, count);
	sp_buffer_puts(out, " heapprofile\n");
	for (size_t i = 0; i < f->count; i++) {
		const struct sp_folded_row *row = &f->rows[i];

		put_heap_values(out, row->values, bytes, count);
		for (uint32_t k = row->depth; k-- > 0;)
			sp_buffer_printf(out, " 0x%016x", f->ids[row->first + k] + 1u);
		sp_buffer_puts(out, "\n");
	}
}

void sp_export_gperftools(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view)
{
	struct sp_folded f = {0};

	sp_fold_functions(&f, profile, sp_view_info[view].stacks);
	put_symbols(out, profile, &f);
	if (sp_view_info[view].stacks == SP_STACKS_HEAP)
		put_heap(out, &f, view);
	else
		put_times(out, &f, view);
	sp_folded_free(&f);
}
