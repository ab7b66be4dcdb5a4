/* A whole profile as JSON; docs/FORMATS.md has the schema. Fields may be added, none change their meaning without
 * a new number. */
#include <stdlib.h>

#include "profiles/export/export.h"

#include <string.h>

#include "profiles/base/json.h"
#include "profiles/markdown/schema.h"
#include "profiles/model/folded.h"
#include "profiles/model/heap.h"
#include "profiles/model/traces.h"

static bool is_number_key(const char *key)
{
	size_t i = sp_schema_key(key);

	return i < SP_SCHEMA_KEYS &&
		(sp_schema_keys[i].type == SP_KEY_COUNT || sp_schema_keys[i].type == SP_KEY_DECIMAL ||
			sp_schema_keys[i].type == SP_KEY_SIGNED);
}

/* Keys that the schema does not know are text. */
static json_t *facts_json(const struct sp_profile *p)
{
	json_t *facts = json_object();

	for (size_t i = 0; i < p->fact_count; i++) {
		const struct sp_fact *fact = &p->facts[i];
		json_t *number = is_number_key(fact->key) ? json_loads(fact->value, JSON_DECODE_ANY, NULL) : NULL;

		if (!json_is_number(number)) {
			json_decref(number);
			number = NULL;
		}
		sp_json_set(facts, fact->key, number ? number : sp_json_text(fact->value));
	}
	return facts;
}

static json_t *place_json(const struct sp_profile *p, uint32_t function, const char *file, unsigned line)
{
	const struct sp_function *f = &p->functions[function];

	return json_pack("{s:o, s:o, s:o, s:o}", "function", sp_json_text(f->name), "module",
		sp_json_text(f->module ? p->modules[f->module].path : NULL), "file", sp_json_text(file), "line",
		file && line ? json_integer(line) : json_null());
}

struct number {
	const char *key;
	uint64_t value;
};

static void set_numbers(json_t *item, const struct number *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_object_set_new(item, numbers[i].key, sp_json_count(numbers[i].value));
}

static json_t *functions_json(const struct sp_profile *p)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];
		json_t *row;

		if (!f->self_samples && !f->total_samples && !f->self_user_ns && !f->self_sys_ns && !f->total_user_ns &&
			!f->total_sys_ns)
			continue;
		row = place_json(p, (uint32_t)i, f->file, f->line);
		set_numbers(row,
			(const struct number[]){{"self_user_ns", f->self_user_ns}, {"self_sys_ns", f->self_sys_ns},
				{"total_user_ns", f->total_user_ns}, {"total_sys_ns", f->total_sys_ns},
				{"self_samples", f->self_samples}, {"total_samples", f->total_samples}},
			6);
		json_object_set_new(row, "self_error_ns", sp_json_number(f->self_error * (double)p->total_ns));
		json_object_set_new(row, "total_error_ns", sp_json_number(f->total_error * (double)p->total_ns));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *lines_json(const struct sp_profile *p)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < p->line_count; i++) {
		const struct sp_line_info *line = &p->lines[i];
		json_t *row = place_json(p, line->function, line->file, line->line);

		set_numbers(row,
			(const struct number[]){{"self_user_ns", line->self_user_ns},
				{"self_sys_ns", line->self_sys_ns}, {"self_samples", line->self_samples}},
			3);
		json_object_set_new(row, "self_error_ns", sp_json_number(line->self_error * (double)p->total_ns));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *threads_json(const struct sp_profile *p)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < p->thread_count; i++) {
		const struct sp_thread_info *t = &p->threads[i];
		json_t *row = json_pack("{s:o, s:o}", "name", sp_json_text(t->name), "start", sp_json_text(t->start));

		set_numbers(row,
			(const struct number[]){{"tid", (uint64_t)t->tid}, {"merged", t->merged},
				{"cpu_user_ns", t->cpu_user_ns}, {"cpu_sys_ns", t->cpu_sys_ns},
				{"sampled_user_ns", t->user_ns}, {"sampled_sys_ns", t->sys_ns}, {"samples", t->samples},
				{"wall_ns", t->waiting.wall_ns}, {"run_queue_ns", t->waiting.queue_ns},
				{"blocked_ns", t->waiting.blocked_ns}},
			t->waiting.wall_ns ? 10 : 7);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *sites_json(const struct sp_profile *p)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < p->site_count; i++) {
		const struct sp_heap_site *s = &p->sites[i];
		json_t *row = place_json(p, s->function, s->file, s->line);

		set_numbers(row,
			(const struct number[]){{"alloc_bytes", s->alloc_bytes}, {"alloc_count", s->alloc_count},
				{"inuse_bytes", s->inuse_bytes}, {"inuse_count", s->inuse_count},
				{"peak_bytes", s->peak_bytes}, {"peak_count", s->peak_count},
				{"short_bytes", s->short_bytes}, {"short_count", s->short_count},
				{"temp_bytes", s->temp_bytes}, {"temp_count", s->temp_count}, {"samples", s->samples},
				{"inuse_samples", s->inuse_samples}},
			12);
		json_object_set_new(row, "alloc_error_bytes",
			sp_json_number(sp_heap_error(s->alloc_variance, s->samples)));
		json_object_set_new(row, "inuse_error_bytes",
			sp_json_number(sp_heap_error(s->inuse_variance, s->inuse_samples)));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *modules_json(const struct sp_profile *p)
{
	json_t *rows = json_array();

	for (size_t i = 1; i < p->module_count; i++) {
		const struct sp_module_info *m = &p->modules[i];

		json_array_append_new(rows,
			json_pack("{s:o, s:o, s:o, s:o, s:o}", "path", sp_json_text(m->path), "build_id",
				*m->build_id ? sp_json_text(m->build_id) : json_null(), "start",
				sp_json_count(m->start), "end", sp_json_count(m->end), "bias", sp_json_count(m->bias)));
	}
	return rows;
}

static json_t *frames_json(const struct sp_profile *p)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < p->frame_count; i++) {
		const struct sp_profile_frame *frame = &p->frames[i];
		json_t *row = place_json(p, frame->function, frame->file, frame->line);

		json_object_set_new(row, "address", sp_json_count(frame->address));
		json_object_set_new(row, "inlined", json_boolean(frame->inlined));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *stacks_json(const struct sp_profile *p, enum sp_stack_kind kind)
{
	static const char *const keys[SP_WEIGHTS] = {"user_ns", "sys_ns", "samples", "alloc_bytes", "alloc_count",
		"inuse_bytes", "inuse_count", "peak_bytes", "peak_count", "samples", "wait_ns", "wait_count",
		"samples"};
	json_t *rows = json_array();

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		json_t *row, *frames;

		if (!sp_path_weighs(path, kind))
			continue;
		row = json_object();
		frames = json_array();
		for (enum sp_path_weight_kind w = sp_stack_weights[kind].from; w < sp_stack_weights[kind].to; w++)
			json_object_set_new(row, keys[w], sp_json_count(sp_path_weight(path, w)));
		for (uint32_t k = path->depth; k-- > 0;)
			json_array_append_new(frames, json_integer(p->frame_ids[path->first + k]));
		json_object_set_new(row, "frames", frames);
		json_array_append_new(rows, row);
	}
	return rows;
}

/* By stack, its place among those that stacks_json writes. */
static uint32_t *number_stacks(const struct sp_profile *p)
{
	uint32_t *numbers = sp_alloc(p->path_count, sizeof(*numbers)), count = 0;

	for (size_t i = 0; i < p->path_count; i++)
		if (sp_path_weighs(&p->paths[i], SP_STACKS_CPU))
			numbers[i] = count++;
	return numbers;
}

/* numbers: of the stacks, by path */
static json_t *runs_json(const struct sp_sample_run *runs, size_t count, const uint32_t *numbers)
{
	json_t *stacks = json_array();

	for (size_t k = 0; k < count; k++)
		json_array_append_new(stacks,
			json_pack("[o, o]", sp_json_count(numbers[runs[k].path]), sp_json_count(runs[k].count)));
	return stacks;
}

static json_t *samples_json(const struct sp_profile *p)
{
	const struct sp_samples *s = p->in_time;
	uint32_t *numbers = number_stacks(p);
	json_t *rows = json_array();

	for (size_t i = 0; i < s->row_count; i++)
		json_array_append_new(rows,
			json_pack("{s:o, s:i, s:o}", "slice", sp_json_count(s->rows[i].slice), "tid", s->rows[i].tid,
				"stacks", runs_json(s->runs + s->rows[i].first, s->rows[i].count, numbers)));
	free(numbers);
	return rows;
}

static json_t *traces_json(const struct sp_profile *p)
{
	const struct sp_traces *t = p->traces;
	uint32_t *numbers = number_stacks(p);
	struct sp_buffer trace_id = {0}, span_id = {0};
	json_t *rows = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct sp_trace_info *trace = &t->list[i];
		json_t *row;

		sp_buffer_clear(&trace_id);
		sp_buffer_clear(&span_id);
		sp_trace_put_id(&trace_id, trace->trace_id, SP_TRACE_ID_BYTES);
		sp_trace_put_id(&span_id, trace->span_id, SP_TRACE_SPAN_ID_BYTES);
		row = json_pack("{s:s, s:s, s:o}", "trace_id", trace_id.data, "span_id", span_id.data, "stacks",
			runs_json(t->runs + trace->first, trace->count, numbers));
		set_numbers(row, (const struct number[]){{"cpu_ns", trace->cpu_ns}, {"samples", trace->samples}}, 2);
		json_array_append_new(rows, row);
	}
	sp_buffer_free(&trace_id);
	sp_buffer_free(&span_id);
	free(numbers);
	return rows;
}

static json_t *slices_json(const struct sp_samples *s)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < s->slice_count; i++) {
		json_t *row = json_object();

		set_numbers(row,
			(const struct number[]){{"end_ns", s->slices[i].end_ns}, {"cpu_ns", s->slices[i].cpu_ns},
				{"rss_bytes", s->slices[i].rss_bytes}, {"heap_bytes", s->slices[i].heap_bytes}},
			4);
		json_array_append_new(rows, row);
	}
	return rows;
}

void sp_export_json(struct sp_buffer *out, const struct sp_profile *profile)
{
	json_t *root = json_pack("{s:s, s:o, s:o, s:o, s:o}", "schema", "smartprof-profile/1", "facts",
		facts_json(profile), "threads", threads_json(profile), "modules", modules_json(profile), "frames",
		frames_json(profile));

	if (profile->cpu_on) {
		json_object_set_new(root, "functions", functions_json(profile));
		json_object_set_new(root, "lines", lines_json(profile));
		json_object_set_new(root, "cpu_stacks", stacks_json(profile, SP_STACKS_CPU));
	}
	if (profile->in_time)
		json_object_set_new(root, "slices", slices_json(profile->in_time));
	if (profile->in_time && profile->cpu_on)
		json_object_set_new(root, "cpu_samples", samples_json(profile));
	if (profile->traces && profile->cpu_on)
		json_object_set_new(root, "traces", traces_json(profile));
	if (profile->heap_on) {
		json_object_set_new(root, "heap_sites", sites_json(profile));
		json_object_set_new(root, "heap_stacks", stacks_json(profile, SP_STACKS_HEAP));
	}
	if (profile->waits_on)
		json_object_set_new(root, "wait_stacks", stacks_json(profile, SP_STACKS_WAITS));
	sp_json_put(out, root, false);
	sp_buffer_puts(out, "\n");
}
