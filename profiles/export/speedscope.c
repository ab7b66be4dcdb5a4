/* speedscope's file format: frames shared by sampled profiles, one a view. */
#include <stdlib.h>

#include "profiles/base/json.h"
#include "profiles/export/export.h"
#include "profiles/model/samples.h"

#ifndef SP_VERSION
#define SP_VERSION "unknown"
#endif

/* The frames of the file: the profile's, or its functions. */
static json_t *frame_json(const struct sp_profile *p, const struct sp_function *f, const char *file, unsigned line)
{
	json_t *item = json_object();

	json_object_set_new(item, "name", sp_json_text(f->name));
	if (file)
		json_object_set_new(item, "file", sp_json_text(file));
	else if (f->module)
		json_object_set_new(item, "file", sp_json_text(p->modules[f->module].path));
	if (file && line)
		json_object_set_new(item, "line", json_integer(line));
	return item;
}

static json_t *frames_json(const struct sp_profile *p, bool lines)
{
	json_t *frames = json_array();

	for (size_t i = 0; lines && i < p->frame_count; i++)
		json_array_append_new(frames,
			frame_json(p, &p->functions[p->frames[i].function], p->frames[i].file, p->frames[i].line));
	for (size_t i = 0; !lines && i < p->function_count; i++)
		json_array_append_new(frames,
			frame_json(p, &p->functions[i], p->functions[i].file, p->functions[i].line));
	return frames;
}

/* A view while it is written. */
struct sheet {
	const struct sp_profile *profile;
	bool lines;
	json_t *samples, *weights;
	uint64_t total;
};

static void put_stack(struct sheet *s, const struct sp_path *path, uint64_t weight)
{
	const struct sp_profile *p = s->profile;
	json_t *stack;

	if (!weight)
		return;
	stack = json_array();
	for (uint32_t k = path->depth, leaf = sp_path_leaf(p, path); k-- > leaf;) {
		uint32_t frame = p->frame_ids[path->first + k];

		json_array_append_new(stack, json_integer(s->lines ? frame : p->frames[frame].function));
	}
	json_array_append_new(s->samples, stack);
	json_array_append_new(s->weights, sp_json_count(weight));
	s->total += weight;
}

/* How much of a stack's weight its first `samples` of `all` stand for. */
static uint64_t part_of(uint64_t weight, uint64_t samples, uint64_t all)
{
	return (uint64_t)((double)weight * ((double)samples / (double)all));
}

/* In the order of time; stacks of which no sample is known stand at the end. Each stack's samples add up to what it weighs. */
static void put_in_time(struct sheet *s)
{
	const struct sp_profile *p = s->profile;
	const struct sp_samples *in_time = p->in_time;
	uint64_t *all = sp_alloc(p->path_count, sizeof(*all)), *met = sp_alloc(p->path_count, sizeof(*met));
	size_t runs = in_time ? in_time->run_count : 0;

	for (size_t i = 0; i < runs; i++)
		all[in_time->runs[i].path] += in_time->runs[i].count;
	for (size_t i = 0; i < runs; i++) {
		uint32_t path = in_time->runs[i].path;
		uint64_t weight = sp_view_weight(&p->paths[path], SP_VIEW_CPU), before = met[path];

		met[path] += in_time->runs[i].count;
		put_stack(s, &p->paths[path],
			(met[path] == all[path] ? weight : part_of(weight, met[path], all[path])) -
				part_of(weight, before, all[path]));
	}
	for (size_t i = 0; i < p->path_count; i++)
		if (!all[i])
			put_stack(s, &p->paths[i], sp_view_weight(&p->paths[i], SP_VIEW_CPU));
	free(all);
	free(met);
}

static json_t *view_json(const struct sp_profile *p, enum sp_export_view view, bool lines)
{
	struct sheet s = {p, lines, json_array(), json_array(), 0};

	if (view == SP_VIEW_CPU)
		put_in_time(&s);
	for (size_t i = 0; view != SP_VIEW_CPU && i < p->path_count; i++)
		put_stack(&s, &p->paths[i], sp_view_weight(&p->paths[i], view));
	return json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "type", "sampled", "name", sp_view_info[view].title,
		"unit", sp_view_info[view].unit, "startValue", 0, "endValue", sp_json_count(s.total), "samples",
		s.samples, "weights", s.weights);
}

void sp_export_speedscope(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view, bool lines)
{
	const char *program = sp_profile_fact(profile, "program");
	json_t *profiles = json_array(), *root;
	size_t active = 0;

	for (enum sp_export_view v = 0; v < SP_VIEWS; v++) {
		if (!sp_view_on(profile, v))
			continue;
		if (v == view)
			active = json_array_size(profiles);
		json_array_append_new(profiles, view_json(profile, v, lines));
	}
	root = json_pack("{s:s, s:o, s:i, s:s, s:{s:o}, s:o}", "$schema",
		"https://www.speedscope.app/file-format-schema.json", "name",
		sp_json_text(program ? program : "profile"), "activeProfileIndex", (int)active, "exporter",
		"smartprof " SP_VERSION, "shared", "frames", frames_json(profile, lines), "profiles", profiles);
	sp_json_put(out, root, false);
	sp_buffer_puts(out, "\n");
}
