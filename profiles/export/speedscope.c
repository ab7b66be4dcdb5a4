/* speedscope's file format: frames shared by sampled profiles, one a view. */
#include "profiles/export/export.h"
#include "profiles/base/json.h"

#ifndef SP_VERSION
#define SP_VERSION "unknown"
#endif

static json_t *frames_json(const struct sp_profile *p)
{
	json_t *frames = json_array();

	for (size_t i = 0; i < p->frame_count; i++) {
		const struct sp_frame *frame = &p->frames[i];
		const struct sp_function *f = &p->functions[frame->function];
		json_t *item = json_object();

		json_object_set_new(item, "name", sp_json_text(f->name));
		if (frame->file)
			json_object_set_new(item, "file", sp_json_text(frame->file));
		else if (f->module)
			json_object_set_new(item, "file", sp_json_text(p->modules[f->module].path));
		if (frame->file && frame->line)
			json_object_set_new(item, "line", json_integer(frame->line));
		json_array_append_new(frames, item);
	}
	return frames;
}

static json_t *view_json(const struct sp_profile *p, enum sp_view view)
{
	json_t *samples = json_array(), *weights = json_array();
	uint64_t total = 0;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		uint64_t weight = sp_view_weight(path, view);
		json_t *stack;

		if (!weight)
			continue;
		stack = json_array();
		for (uint32_t k = path->depth; k-- > 0;)
			json_array_append_new(stack, json_integer(p->frame_ids[path->first + k]));
		json_array_append_new(samples, stack);
		json_array_append_new(weights, sp_json_count(weight));
		total += weight;
	}
	return json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "type", "sampled", "name", sp_view_info[view].title,
		"unit", sp_view_info[view].unit, "startValue", 0, "endValue", sp_json_count(total), "samples", samples,
		"weights", weights);
}

void sp_export_speedscope(struct sp_buffer *out, const struct sp_profile *profile, enum sp_view view)
{
	const char *program = sp_profile_fact(profile, "program");
	json_t *profiles = json_array(), *root;
	size_t active = 0;

	for (enum sp_view v = 0; v < SP_VIEWS; v++) {
		if (!sp_view_on(profile, v))
			continue;
		if (v == view)
			active = json_array_size(profiles);
		json_array_append_new(profiles, view_json(profile, v));
	}
	root = json_pack("{s:s, s:o, s:i, s:s, s:{s:o}, s:o}", "$schema",
		"https://www.speedscope.app/file-format-schema.json", "name",
		sp_json_text(program ? program : "profile"), "activeProfileIndex", (int)active, "exporter",
		"smartprof " SP_VERSION, "shared", "frames", frames_json(profile), "profiles", profiles);
	sp_json_put(out, root, false);
	sp_buffer_puts(out, "\n");
}
