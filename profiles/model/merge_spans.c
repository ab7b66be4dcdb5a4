/* Spans of merged profiles: those of one name, with what they stand in, are one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/merge.h"
#include "profiles/model/spans.h"

static void add_up(struct sp_span_info *to, const struct sp_span_info *span)
{
	/* Quantiles of a sum do not follow from those of its parts. */
	to->median_ns = to->count ? 0 : span->median_ns;
	to->p99_ns = to->count ? 0 : span->p99_ns;
	to->count += span->count;
	to->sum_ns += span->sum_ns;
	to->self_ns += span->self_ns;
	to->cpu_ns += span->cpu_ns;
	to->cpu_error = hypot(to->cpu_error, span->cpu_error);
	to->bytes += span->bytes;
	to->spread.us_sq += span->spread.us_sq;
	if (span->max_ns > to->max_ns)
		to->max_ns = span->max_ns;
}

void sp_merge_spans(struct sp_merge_spans *m, struct sp_profile *out, const struct sp_profile *in)
{
	for (size_t i = 0; i < in->span_count; i++) {
		const struct sp_span_info *span = &in->spans[i];
		uint32_t id = sp_names_id(&m->names, span->name);

		if (id == out->span_count) {
			sp_grow(&out->spans, &m->capacity, out->span_count + 1, sizeof(*out->spans));
			out->spans[out->span_count++] =
				(struct sp_span_info){.name = sp_names_text(&m->names, id), .parent = UINT32_MAX};
		}
		add_up(&out->spans[id], span);
	}
}

/* --- the order of a tree, those that took most first */

/* A name with those it stands in: "request", and "request › parse". */
struct part {
	uint32_t id;
	size_t length;
};
struct place {
	const struct sp_span_info *span;
	struct part parts[SP_SPAN_DEPTH];
	unsigned depth;
};

static void find_place(struct place *place, const struct sp_span_info *span, struct sp_map *ids)
{
	const char *name = span->name, *at = name;
	int found;

	place->span = span;
	for (place->depth = 0; at && place->depth < SP_SPAN_DEPTH; place->depth++) {
		const char *end = place->depth + 1 < SP_SPAN_DEPTH ? strstr(at, SP_SPAN_INSIDE) : NULL;
		size_t length = end ? (size_t)(end - name) : strlen(name);
		uint32_t *cell = sp_map_at(ids, sp_hash_bytes(name, length), length, &found);

		if (!found)
			*cell = (uint32_t)ids->used;
		place->parts[place->depth] = (struct part){*cell, length};
		at = end ? end + strlen(SP_SPAN_INSIDE) : NULL;
	}
}

static int by_length(const char *x, size_t x_length, const char *y, size_t y_length)
{
	int order = memcmp(x, y, x_length < y_length ? x_length : y_length);

	return order ? order : x_length < y_length ? -1 : x_length > y_length;
}

static int by_place(const void *left, const void *right, void *weights)
{
	const struct place *a = left, *b = right;
	const uint64_t *ns = weights;

	for (unsigned k = 0; k < a->depth && k < b->depth; k++) {
		const struct part *x = &a->parts[k], *y = &b->parts[k];

		if (x->id == y->id)
			continue;
		if (ns[x->id] != ns[y->id])
			return ns[x->id] > ns[y->id] ? -1 : 1;
		return by_length(a->span->name, x->length, b->span->name, y->length);
	}
	return a->depth < b->depth ? -1 : a->depth > b->depth;
}

void sp_merge_sort_spans(struct sp_profile *out)
{
	struct place *places = sp_alloc(out->span_count + 1, sizeof(*places));
	struct sp_span_info *sorted = sp_alloc(out->span_count + 1, sizeof(*sorted));
	struct sp_map ids = {0};
	uint64_t *weights;

	for (size_t i = 0; i < out->span_count; i++)
		find_place(&places[i], &out->spans[i], &ids);
	weights = sp_alloc(ids.used + 1, sizeof(*weights));
	for (size_t i = 0; i < out->span_count; i++)
		weights[places[i].parts[places[i].depth - 1].id] = out->spans[i].sum_ns;
	qsort_r(places, out->span_count, sizeof(*places), by_place, weights);
	for (size_t i = 0; i < out->span_count; i++)
		sorted[i] = *places[i].span;
	free(out->spans);
	out->spans = sorted;
	free(weights);
	free(places);
	sp_map_free(&ids);
}
