/* Stacks, and what was counted at each: the rows of two tables. */
#include "profiles/fleet/stack_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/fleet/facts.h"
#include "profiles/fleet/put.h"
#include "profiles/fleet/sql.h"
#include "profiles/model/cut.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"

#define SHARE_LEAST (1.0 / 65536)
#define SHARE_MOST (1.0 / 8)

struct row {
	enum sp_fleet_kind kind;
	char id[SP_FLEET_ID];
	uint64_t values[SP_FLEET_VALUES];
	double variances[SP_FLEET_VARIANCES];
};

struct writer {
	struct sp_fleet_rows *rows;
	const struct sp_profile *p;
	struct sp_map written, index; /* stacks, by their ids; rows, by these and the kind */
	struct row *list;             /* equal stacks of a profile that was cut are one */
	size_t count, capacity;
	bool full;
};

/* --- stacks */

static void hash_number(SHA2_CTX *hash, uint64_t number)
{
	SHA256Update(hash, (const uint8_t *)&number, sizeof(number));
}

/* As text: some readers of JSON know no whole numbers of 64 bits. */
static json_t *number_of(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return json_string(text);
}

static struct sp_fleet_frame frame_of(const struct sp_profile *p, uint32_t function, const char *file, unsigned line)
{
	const struct sp_function *f = &p->functions[function];
	const struct sp_module_info *m = f->module < p->module_count ? &p->modules[f->module] : NULL;

	return (struct sp_fleet_frame){.function = f->name,
		.module = m ? m->path : "",
		.build_id = m ? m->build_id : "",
		.file = file ? file : "",
		.line = line};
}

static void hash_frames(const struct sp_fleet_frame *frames, size_t count, char id[static SP_FLEET_ID],
	uint64_t key[static 2])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX hash;

	SHA256Init(&hash);
	for (size_t i = 0; i < count; i++) {
		sp_fleet_hash_text(&hash, frames[i].function);
		sp_fleet_hash_text(&hash, frames[i].module);
		sp_fleet_hash_text(&hash, frames[i].build_id);
		sp_fleet_hash_text(&hash, frames[i].file);
		hash_number(&hash, (uint64_t)frames[i].line << 1 | frames[i].inlined);
		hash_number(&hash, frames[i].code);
	}
	SHA256Final(digest, &hash);
	sp_fleet_put_id(id, digest);
	memcpy(key, digest, 2 * sizeof(*key));
}

static void write_stack(struct writer *w, const struct sp_fleet_frame *frames, size_t count, const char *id)
{
	json_t *functions = json_array(), *modules = json_array(), *builds = json_array(), *files = json_array(),
	       *lines = json_array(), *inlined = json_array(), *addresses = json_array(), *codes = json_array();
	struct sp_buffer *out = &w->rows->stacks;
	const time_t at = (time_t)w->rows->time_s;
	struct tm tm;
	char day[16];

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(functions, sp_fleet_text(frames[i].function));
		json_array_append_new(modules, sp_fleet_text(frames[i].module));
		json_array_append_new(builds, sp_fleet_text(frames[i].build_id));
		json_array_append_new(files, sp_fleet_text(frames[i].file));
		json_array_append_new(lines, json_integer(frames[i].line));
		json_array_append_new(inlined, json_integer(frames[i].inlined));
		json_array_append_new(addresses, number_of(frames[i].address));
		json_array_append_new(codes, number_of(frames[i].code));
	}
	strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&at, &tm));
	sp_buffer_printf(out, "{\"id\":\"%s\",\"seen\":\"%s\"", id, day);
	sp_fleet_put_member(out, "functions", functions);
	sp_fleet_put_member(out, "modules", modules);
	sp_fleet_put_member(out, "build_ids", builds);
	sp_fleet_put_member(out, "files", files);
	sp_fleet_put_member(out, "lines", lines);
	sp_fleet_put_member(out, "inlined", inlined);
	sp_fleet_put_member(out, "addresses", addresses);
	sp_fleet_put_member(out, "codes", codes);
	sp_buffer_puts(out, "}\n");
	w->rows->stack_count++;
}

/* --- samples */

static void put_row(struct writer *w, enum sp_fleet_kind kind, const struct sp_fleet_frame *frames, size_t count,
	const uint64_t values[static SP_FLEET_VALUES], const double variances[static SP_FLEET_VARIANCES])
{
	struct row *row;
	char id[SP_FLEET_ID];
	uint64_t key[2];
	uint32_t *cell;
	int found;

	w->full = w->full || w->count >= SP_FLEET_ROWS_MOST || w->rows->stacks.length >= SP_FLEET_BYTES_MOST;
	if (w->full)
		return;
	hash_frames(frames, count, id, key);
	sp_map_at(&w->written, key[0], key[1], &found);
	if (!found)
		write_stack(w, frames, count, id);
	cell = sp_map_at(&w->index, key[0], key[1] / SP_FLEET_KINDS * SP_FLEET_KINDS + kind, &found);
	if (!found) {
		*cell = (uint32_t)w->count;
		sp_grow(&w->list, &w->capacity, w->count + 1, sizeof(*w->list));
		w->list[w->count] = (struct row){.kind = kind};
		memcpy(w->list[w->count++].id, id, sizeof(id));
	}
	row = &w->list[*cell];
	for (int i = 0; i < SP_FLEET_VALUES; i++)
		row->values[i] += values[i];
	for (int i = 0; i < SP_FLEET_VARIANCES; i++)
		row->variances[i] += variances[i];
}

static void put_samples(struct writer *w, const struct sp_buffer *prefix)
{
	struct sp_buffer *out = &w->rows->samples;

	for (size_t k = 0; k < w->count; k++) {
		const struct row *row = &w->list[k];

		sp_buffer_add(out, prefix->data, prefix->length);
		sp_buffer_printf(out, ",\"kind\":\"%s\",\"stack\":\"%s\"", sp_fleet_kind_names[row->kind], row->id);
		for (int i = 0; i < SP_FLEET_VALUES; i++)
			if (row->values[i])
				sp_buffer_printf(out, ",\"%s\":%llu", sp_fleet_value_names[i],
					(unsigned long long)row->values[i]);
		for (int i = 0; i < SP_FLEET_VARIANCES; i++)
			if (row->variances[i] > 0 && isfinite(row->variances[i]))
				sp_buffer_printf(out, ",\"%s\":%.17g", sp_fleet_variance_names[i], row->variances[i]);
		sp_buffer_puts(out, "}\n");
	}
	w->rows->sample_count = w->count;
}

/* Of what is as many independent draws of one weight. */
static double variance_of(uint64_t value, uint64_t samples)
{
	return samples ? (double)value * (double)value / (double)samples : 0;
}

static void put_path(struct writer *w, const struct sp_path *path, const struct sp_heap_site *detail)
{
	static const enum sp_fleet_kind kinds[] = {
		[SP_STACKS_CPU] = SP_FLEET_CPU, [SP_STACKS_HEAP] = SP_FLEET_HEAP, [SP_STACKS_WAITS] = SP_FLEET_WAIT};
	const uint64_t cpu = path->user_ns + path->sys_ns, samples = path->samples + path->wait_samples;
	const uint64_t values[SP_FLEET_VALUES] = {
		[SP_FLEET_VALUE] = path->kind == SP_STACKS_HEAP ? path->alloc_bytes : cpu + path->wait_ns,
		[SP_FLEET_SYSTEM] = path->sys_ns,
		[SP_FLEET_SAMPLES] = samples + path->heap_samples,
		[SP_FLEET_COUNT] = path->alloc_count + path->wait_count,
		[SP_FLEET_INUSE_BYTES] = path->inuse_bytes,
		[SP_FLEET_INUSE_COUNT] = path->inuse_count,
		[SP_FLEET_PEAK_BYTES] = path->peak_bytes,
		[SP_FLEET_PEAK_COUNT] = path->peak_count};
	const double variances[SP_FLEET_VARIANCES] = {[SP_FLEET_VALUE_VAR] = path->kind != SP_STACKS_HEAP
			? variance_of(cpu + path->wait_ns, samples)
			: detail ? detail->alloc_variance
				 : 0,
		[SP_FLEET_INUSE_VAR] = detail ? detail->inuse_variance : 0};
	struct sp_fleet_frame *frames = sp_alloc(path->depth, sizeof(*frames));

	for (uint32_t i = 0; i < path->depth; i++) {
		const struct sp_profile_frame *f = &w->p->frames[w->p->frame_ids[path->first + i]];

		frames[i] = frame_of(w->p, f->function, f->file, f->line);
		frames[i].inlined = f->inlined;
		frames[i].address = f->address;
	}
	put_row(w, kinds[path->kind], frames, path->depth, values, variances);
	free(frames);
}

/* Time that no sample stands for is a function's alone: those who export have it as a stack. */
static bool is_no_stack(const struct sp_profile *p, const struct sp_path *path)
{
	uint32_t function = p->frames[p->frame_ids[path->first]].function;

	return path->kind == SP_STACKS_CPU && path->depth == 1 &&
		(function == SP_PSEUDO_UNSAMPLED || function == SP_PSEUDO_BEFORE);
}

static void put_paths(struct writer *w)
{
	const struct sp_profile *p = w->p;
	size_t heaps = 0;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		const struct sp_heap_site *detail = NULL;

		if (path->kind == SP_STACKS_HEAP && heaps++ < p->stack_detail_count)
			detail = &p->stack_details[heaps - 1];
		if (path->depth && !is_no_stack(p, path))
			put_path(w, path, detail);
	}
}

static double variance_of_error(const struct sp_profile *p, double error)
{
	double half = error * (double)p->total_ns / SP_FLEET_Z95;

	return half * half;
}

static void put_functions(struct writer *w)
{
	for (size_t i = 0; i < w->p->function_count; i++) {
		const struct sp_function *f = &w->p->functions[i];
		struct sp_fleet_frame frame = frame_of(w->p, (uint32_t)i, f->file, f->line);
		const uint64_t values[SP_FLEET_VALUES] = {[SP_FLEET_VALUE] = sp_function_self(f),
			[SP_FLEET_SYSTEM] = f->self_sys_ns,
			[SP_FLEET_SAMPLES] = f->self_samples,
			[SP_FLEET_TOTAL] = sp_function_total(f),
			[SP_FLEET_TOTAL_SYSTEM] = f->total_sys_ns,
			[SP_FLEET_TOTAL_SAMPLES] = f->total_samples};
		const double variances[SP_FLEET_VARIANCES] = {
			[SP_FLEET_VALUE_VAR] = variance_of_error(w->p, f->self_error),
			[SP_FLEET_TOTAL_VAR] = variance_of_error(w->p, f->total_error)};

		frame.code = f->code;
		if (values[SP_FLEET_VALUE] || values[SP_FLEET_TOTAL])
			put_row(w, SP_FLEET_FUNCTION, &frame, 1, values, variances);
	}
}

static void put_sites(struct writer *w)
{
	for (size_t i = 0; i < w->p->site_count; i++) {
		const struct sp_heap_site *s = &w->p->sites[i];
		const struct sp_fleet_frame frame = frame_of(w->p, s->function, s->file, s->line);
		const uint64_t values[SP_FLEET_VALUES] = {[SP_FLEET_VALUE] = s->alloc_bytes,
			[SP_FLEET_SAMPLES] = s->samples,
			[SP_FLEET_COUNT] = s->alloc_count,
			[SP_FLEET_INUSE_BYTES] = s->inuse_bytes,
			[SP_FLEET_INUSE_COUNT] = s->inuse_count,
			[SP_FLEET_INUSE_SAMPLES] = s->inuse_samples,
			[SP_FLEET_PEAK_BYTES] = s->peak_bytes,
			[SP_FLEET_PEAK_COUNT] = s->peak_count,
			[SP_FLEET_SHORT_BYTES] = s->short_bytes,
			[SP_FLEET_SHORT_COUNT] = s->short_count,
			[SP_FLEET_TEMP_BYTES] = s->temp_bytes,
			[SP_FLEET_TEMP_COUNT] = s->temp_count,
			[SP_FLEET_LEAKED_BYTES] = sp_heap_leaked(s)};
		const double variances[SP_FLEET_VARIANCES] = {
			[SP_FLEET_VALUE_VAR] = s->alloc_variance, [SP_FLEET_INUSE_VAR] = s->inuse_variance};

		put_row(w, SP_FLEET_SITE, &frame, 1, values, variances);
	}
}

/* --- all of it */

static void gather(struct writer *w)
{
	sp_map_free(&w->written);
	sp_map_free(&w->index);
	w->written = w->index = (struct sp_map){0};
	w->count = w->rows->stack_count = 0;
	w->full = false;
	sp_buffer_clear(&w->rows->stacks);
	put_paths(w);
	put_functions(w);
	put_sites(w);
}

/* What is lightest is cut until the rest fits. */
static void gather_enough(struct writer *w, struct sp_profile *profile)
{
	gather(w);
	if (!w->full)
		return;
	sp_paths_sort(profile);
	for (double share = SHARE_LEAST; share <= SHARE_MOST && w->full; share *= 2) {
		struct sp_profile *small = sp_profile_cut(profile, share);

		w->p = small;
		gather(w);
		w->p = profile;
		sp_profile_cut_free(small);
	}
}

void sp_fleet_stack_rows_write(struct sp_fleet_rows *rows, struct sp_profile *profile, const struct sp_buffer *prefix)
{
	struct writer w = {.rows = rows, .p = profile};

	gather_enough(&w, profile);
	put_samples(&w, prefix);
	sp_map_free(&w.written);
	sp_map_free(&w.index);
	free(w.list);
}
