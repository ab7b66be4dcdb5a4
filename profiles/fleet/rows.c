/* Writing the rows. */
#include "profiles/fleet/rows.h"

#include <math.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/fleet/facts.h"
#include "profiles/model/cut.h"
#include "profiles/model/facts.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"
#include "profiles/model/spans.h"

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

static void format_id(char id[static SP_FLEET_ID], const uint8_t bytes[static 16])
{
	char *to = id;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		to += snprintf(to, 3, "%02x", bytes[i]);
	}
}

/* Each with its length: no two contents are the same bytes. */
static void hash_text(SHA2_CTX *hash, const char *text)
{
	uint32_t length = (uint32_t)strlen(text);

	SHA256Update(hash, (const uint8_t *)&length, sizeof(length));
	SHA256Update(hash, (const uint8_t *)text, length);
}

static void hash_number(SHA2_CTX *hash, uint64_t number)
{
	SHA256Update(hash, (const uint8_t *)&number, sizeof(number));
}

static json_t *text_of(const char *text)
{
	struct sp_buffer plain = {0};
	json_t *value;

	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	value = sp_json_text(plain.length ? plain.data : "");
	sp_buffer_free(&plain);
	return value;
}

/* As text: some readers of JSON know no whole numbers of 64 bits. */
static json_t *number_of(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return json_string(text);
}

static void put_member(struct sp_buffer *out, const char *name, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	sp_buffer_printf(out, ",\"%s\":", name);
	sp_buffer_puts(out, text);
	free(text);
	json_decref(value);
}

/* --- stacks */

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
		hash_text(&hash, frames[i].function);
		hash_text(&hash, frames[i].module);
		hash_text(&hash, frames[i].build_id);
		hash_text(&hash, frames[i].file);
		hash_number(&hash, (uint64_t)frames[i].line << 1 | frames[i].inlined);
		hash_number(&hash, frames[i].code);
	}
	SHA256Final(digest, &hash);
	format_id(id, digest);
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
		json_array_append_new(functions, text_of(frames[i].function));
		json_array_append_new(modules, text_of(frames[i].module));
		json_array_append_new(builds, text_of(frames[i].build_id));
		json_array_append_new(files, text_of(frames[i].file));
		json_array_append_new(lines, json_integer(frames[i].line));
		json_array_append_new(inlined, json_integer(frames[i].inlined));
		json_array_append_new(addresses, number_of(frames[i].address));
		json_array_append_new(codes, number_of(frames[i].code));
	}
	strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&at, &tm));
	sp_buffer_printf(out, "{\"id\":\"%s\",\"seen\":\"%s\"", id, day);
	put_member(out, "functions", functions);
	put_member(out, "modules", modules);
	put_member(out, "build_ids", builds);
	put_member(out, "files", files);
	put_member(out, "lines", lines);
	put_member(out, "inlined", inlined);
	put_member(out, "addresses", addresses);
	put_member(out, "codes", codes);
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

/* --- spans */

static void put_span(struct sp_buffer *out, const struct sp_span_info *span)
{
	const double half = span->cpu_error / SP_FLEET_Z95;
	const uint64_t numbers[SP_FLEET_SPANS] = {[SP_FLEET_SPAN_COUNT] = span->count,
		[SP_FLEET_SPAN_SUM] = span->sum_ns,
		[SP_FLEET_SPAN_SELF] = span->self_ns,
		[SP_FLEET_SPAN_CPU] = span->cpu_ns,
		[SP_FLEET_SPAN_BYTES] = span->bytes,
		[SP_FLEET_SPAN_MAX] = span->max_ns,
		[SP_FLEET_SPAN_MEDIAN] = span->median_ns,
		[SP_FLEET_SPAN_P99] = span->p99_ns};
	const double reals[SP_FLEET_SPAN_REALS] = {
		[SP_FLEET_SPAN_CPU_VAR] = half * half, [SP_FLEET_SPAN_US_SQ] = span->spread.us_sq};

	put_member(out, "span", text_of(span->name));
	for (int i = 0; i < SP_FLEET_SPANS; i++)
		if (numbers[i])
			sp_buffer_printf(out, ",\"%s\":%llu", sp_fleet_spans[i].name, (unsigned long long)numbers[i]);
	for (int i = 0; i < SP_FLEET_SPAN_REALS; i++)
		if (reals[i] > 0 && isfinite(reals[i]))
			sp_buffer_printf(out, ",\"%s\":%.17g", sp_fleet_span_reals[i].name, reals[i]);
}

static void put_spans(struct writer *w, const struct sp_buffer *prefix)
{
	struct sp_buffer *out = &w->rows->spans;

	for (size_t i = 0; i < w->p->span_count && i < SP_FLEET_ROWS_MOST; i++) {
		sp_buffer_add(out, prefix->data, prefix->length);
		put_span(out, &w->p->spans[i]);
		sp_buffer_puts(out, "}\n");
	}
}

/* --- the profile */

static void put_labels(struct sp_buffer *out, const struct sp_profile *p, const struct sp_fleet_origin *o)
{
	const char *environment = o->environment ? o->environment : sp_profile_fact(p, "environment");
	json_t *names = json_array(), *values = json_array();
	uint8_t digest[SHA256_DIGEST_LENGTH];
	uint64_t series;
	SHA2_CTX hash;

	SHA256Init(&hash);
	for (size_t i = 0; i < o->label_count; i++) {
		json_array_append_new(names, text_of(o->labels[i].name));
		json_array_append_new(values, text_of(o->labels[i].value));
		hash_text(&hash, o->labels[i].name);
		hash_text(&hash, o->labels[i].value);
	}
	SHA256Final(digest, &hash);
	memcpy(&series, digest, sizeof(series));
	put_member(out, "service", text_of(o->service));
	put_member(out, "version", text_of(o->version));
	put_member(out, "environment", text_of(environment ? environment : ""));
	put_member(out, "host", text_of(o->host));
	put_member(out, "label_names", names);
	put_member(out, "label_values", values);
	sp_buffer_printf(out, ",\"series\":%llu", o->label_count ? (unsigned long long)(series >> 1) : 0);
}

static void name_profile(struct sp_fleet_rows *rows, const struct sp_fleet_origin *o)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX hash;

	SHA256Init(&hash);
	hash_text(&hash, o->service);
	hash_text(&hash, o->version);
	hash_text(&hash, o->host);
	hash_text(&hash, o->environment ? o->environment : "");
	for (size_t i = 0; i < o->label_count; i++) {
		hash_text(&hash, o->labels[i].name);
		hash_text(&hash, o->labels[i].value);
	}
	SHA256Update(&hash, (const uint8_t *)o->content, o->length);
	SHA256Final(digest, &hash);
	format_id(rows->id, digest);
}

/* Which process it was; the rest is numbers and facts. */
static void put_process(struct sp_buffer *out, const struct sp_profile *p)
{
	const char *role = sp_profile_fact(p, "tree_role"), *command = sp_profile_fact(p, "command"),
		   *tree = sp_profile_fact(p, "tree");

	put_member(out, "command", text_of(command ? command : ""));
	put_member(out, "tree", text_of(tree ? tree : ""));
	sp_buffer_printf(out, ",\"pid\":%llu,\"ppid\":%llu,\"root\":%d,\"start_ns\":%llu",
		(unsigned long long)(sp_profile_fact_number(p, "pid") & INT32_MAX),
		(unsigned long long)(sp_profile_fact_number(p, "ppid") & INT32_MAX), role && strcmp(role, "root") == 0,
		(unsigned long long)sp_facts_start_ns(p));
}

static void put_profile(struct writer *w, const struct sp_fleet_origin *o)
{
	struct sp_buffer *out = &w->rows->profile;
	struct sp_fleet_facts facts;

	sp_fleet_facts_take(&facts, w->p);
	sp_buffer_printf(out, "{\"id\":\"%s\",\"time\":%llu", w->rows->id, (unsigned long long)w->rows->time_s);
	put_labels(out, w->p, o);
	put_process(out, w->p);
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		put_member(out, sp_fleet_texts[i], text_of(facts.texts[i]));
	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		if (facts.numbers[i])
			sp_buffer_printf(out, ",\"%s\":%llu", sp_fleet_numbers[i].name,
				(unsigned long long)facts.numbers[i]);
	for (int i = 0; i < SP_FLEET_REALS; i++)
		if (facts.reals[i] != 0 && isfinite(facts.reals[i]))
			sp_buffer_printf(out, ",\"%s\":%.17g", sp_fleet_reals[i].name, facts.reals[i]);
	sp_buffer_puts(out, "}\n");
	sp_fleet_facts_free(&facts);
}

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

void sp_fleet_rows_write(struct sp_fleet_rows *rows, struct sp_profile *profile, const struct sp_fleet_origin *origin)
{
	struct writer w = {.rows = rows, .p = profile};
	struct sp_buffer prefix = {0};
	uint64_t start_ns = sp_facts_start_ns(profile), end_s = (start_ns + profile->wall_ns) / 1000000000u;

	*rows = (struct sp_fleet_rows){.time_s = start_ns && end_s <= UINT32_MAX ? end_s : origin->now_s};
	name_profile(rows, origin);
	gather_enough(&w, profile);
	sp_buffer_printf(&prefix, "{\"profile\":\"%s\",\"time\":%llu", rows->id, (unsigned long long)rows->time_s);
	put_labels(&prefix, profile, origin);
	put_samples(&w, &prefix);
	put_spans(&w, &prefix);
	put_profile(&w, origin);
	sp_map_free(&w.written);
	sp_map_free(&w.index);
	sp_buffer_free(&prefix);
	free(w.list);
}

void sp_fleet_rows_free(struct sp_fleet_rows *rows)
{
	sp_buffer_free(&rows->stacks);
	sp_buffer_free(&rows->samples);
	sp_buffer_free(&rows->spans);
	sp_buffer_free(&rows->profile);
}
