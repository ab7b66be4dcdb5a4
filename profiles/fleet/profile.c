/* Samples as a profile. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/fleet/answer.h"
#include "profiles/model/build.h"
#include "profiles/model/error.h"
#include "profiles/model/heap.h"

struct maker {
	struct sp_profile *p;
	const struct sp_fleet_stacks *stacks;
	struct sp_map functions, modules, files, lines;
	struct sp_names texts; /* ids of module paths, build-ids and files */
	size_t module_capacity, path_capacity;
	struct sp_sum all, *of_modules, *of_files, *of_lines; /* what stacks come to: ns, and their variances */
	size_t modules_room, files_room, lines_room;
	double scale;
};

static uint64_t scaled(const struct maker *m, uint64_t value)
{
	return m->scale == 1 ? value : sp_whole((double)value * m->scale);
}

static double scaled_variance(const struct maker *m, double variance)
{
	return variance * m->scale * m->scale;
}

static uint32_t module_of(struct maker *m, const struct sp_fleet_frame *frame)
{
	struct sp_profile *p = m->p;
	uint32_t *cell;
	const char *slash = strrchr(frame->module, '/');
	int found;

	if (!*frame->module)
		return 0;
	cell = sp_map_at(&m->modules, sp_names_id(&m->texts, frame->module), sp_names_id(&m->texts, frame->build_id),
		&found);
	if (found)
		return *cell;
	*cell = (uint32_t)p->module_count;
	sp_grow(&p->modules, &m->module_capacity, p->module_count + 1, sizeof(*p->modules));
	p->modules[p->module_count++] = (struct sp_module_info){.path = frame->module,
		.name = slash && slash[1] ? slash + 1 : frame->module,
		.build_id = frame->build_id,
		.canonical = *cell,
		.system = sp_is_system_path(frame->module),
		.handle = -1};
	return *cell;
}

static uint32_t function_of(struct maker *m, const struct sp_fleet_frame *frame)
{
	return sp_profile_function(m->p, module_of(m, frame), frame->function, &m->functions);
}

static const char *file_of(const struct sp_fleet_frame *frame)
{
	return *frame->file ? frame->file : NULL;
}

static void add_function(struct maker *m, const struct sp_fleet_frame *frame, const struct sp_fleet_sample *s)
{
	const uint32_t function = function_of(m, frame); /* which may move them */
	struct sp_function *f = &m->p->functions[function];
	const uint64_t *v = s->values;
	const bool first = !sp_function_self(f) && !sp_function_total(f);

	f->self_user_ns += scaled(m, v[SP_FLEET_VALUE] - v[SP_FLEET_SYSTEM]);
	f->self_sys_ns += scaled(m, v[SP_FLEET_SYSTEM]);
	f->self_samples += v[SP_FLEET_SAMPLES];
	f->total_user_ns += scaled(m, v[SP_FLEET_TOTAL] - v[SP_FLEET_TOTAL_SYSTEM]);
	f->total_sys_ns += scaled(m, v[SP_FLEET_TOTAL_SYSTEM]);
	f->total_samples += v[SP_FLEET_TOTAL_SAMPLES];
	f->self_error = hypot(f->self_error, SP_FLEET_Z95 * sqrt(scaled_variance(m, s->variances[SP_FLEET_VALUE_VAR])));
	f->total_error =
		hypot(f->total_error, SP_FLEET_Z95 * sqrt(scaled_variance(m, s->variances[SP_FLEET_TOTAL_VAR])));
	if (!f->file && *frame->file) {
		f->file = frame->file;
		f->line = frame->line;
	}
	f->code = first || f->code == frame->code ? frame->code : 0;
}

static void add_site(struct maker *m, const struct sp_fleet_frame *frame, const struct sp_fleet_sample *s)
{
	struct sp_profile *p = m->p;
	const uint64_t *v = s->values;
	uint32_t function = function_of(m, frame);

	sp_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof(*p->sites));
	p->sites[p->site_count++] = (struct sp_heap_site){.function = function,
		.file = file_of(frame),
		.line = frame->line,
		.alloc_bytes = scaled(m, v[SP_FLEET_VALUE]),
		.alloc_count = scaled(m, v[SP_FLEET_COUNT]),
		.samples = v[SP_FLEET_SAMPLES],
		.inuse_bytes = scaled(m, v[SP_FLEET_INUSE_BYTES]),
		.inuse_count = scaled(m, v[SP_FLEET_INUSE_COUNT]),
		.inuse_samples = v[SP_FLEET_INUSE_SAMPLES],
		.peak_bytes = scaled(m, v[SP_FLEET_PEAK_BYTES]),
		.peak_count = scaled(m, v[SP_FLEET_PEAK_COUNT]),
		.short_bytes = scaled(m, v[SP_FLEET_SHORT_BYTES]),
		.short_count = scaled(m, v[SP_FLEET_SHORT_COUNT]),
		.temp_bytes = scaled(m, v[SP_FLEET_TEMP_BYTES]),
		.temp_count = scaled(m, v[SP_FLEET_TEMP_COUNT]),
		.leaked_bytes = scaled(m, v[SP_FLEET_LEAKED_BYTES]),
		.alloc_variance = scaled_variance(m, s->variances[SP_FLEET_VALUE_VAR]),
		.inuse_variance = scaled_variance(m, s->variances[SP_FLEET_INUSE_VAR])};
}

/* --- stacks */

static void add_frames(struct maker *m, const struct sp_fleet_stack *stack)
{
	struct sp_profile *p = m->p;

	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct sp_fleet_frame *frame = &m->stacks->frames[stack->first + i];

		sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
		p->frames[p->frame_count] = (struct sp_profile_frame){.function = function_of(m, frame),
			.file = file_of(frame),
			.line = frame->line,
			.address = frame->address,
			.inlined = frame->inlined};
		sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + 1, sizeof(*p->frame_ids));
		p->frame_ids[p->frame_id_count++] = (uint32_t)p->frame_count++;
	}
}

static void add_sum(struct sp_sum **sums, size_t *room, size_t index, const struct sp_sum *sum)
{
	size_t before = *room;

	sp_grow(sums, room, index + 1, sizeof(**sums));
	if (*room > before)
		memset(*sums + before, 0, (*room - before) * sizeof(**sums));
	sp_sum_add(*sums + index, sum);
}

static void add_file(struct maker *m, const char *name, const struct sp_sum *sum)
{
	struct sp_profile *p = m->p;
	int found;
	uint32_t *cell = sp_map_at(&m->files, sp_names_id(&m->texts, name), 0, &found);

	if (!found) {
		*cell = (uint32_t)p->file_error_count;
		sp_grow(&p->file_errors, &p->file_error_capacity, p->file_error_count + 1, sizeof(*p->file_errors));
		p->file_errors[p->file_error_count++] = (struct sp_file_sum){.file = name};
	}
	add_sum(&m->of_files, &m->files_room, *cell, sum);
}

/* Of the innermost frame. */
static void add_line(struct maker *m, const struct sp_path *path, const struct sp_sum *sum)
{
	const struct sp_profile_frame *leaf = &m->p->frames[m->p->frame_ids[path->first]];
	struct sp_line_info *line;
	uint32_t *cell;
	int found;

	add_sum(&m->of_modules, &m->modules_room, m->p->functions[leaf->function].module, sum);
	if (!leaf->file)
		return;
	cell = sp_map_at(&m->lines, (uint64_t)leaf->function << 32 | leaf->line, sp_names_id(&m->texts, leaf->file),
		&found);
	if (!found) {
		*cell = (uint32_t)m->p->line_count;
		*sp_profile_line(m->p) =
			(struct sp_line_info){.function = leaf->function, .file = leaf->file, .line = leaf->line};
	}
	line = &m->p->lines[*cell];
	line->self_user_ns += path->user_ns;
	line->self_sys_ns += path->sys_ns;
	line->self_samples += path->samples;
	add_sum(&m->of_lines, &m->lines_room, *cell, sum);
	add_file(m, leaf->file, sum);
}

/* In ns, as those of functions. */
static double error_of(const struct maker *m, const struct sp_sum *sums, size_t room, size_t index)
{
	if (index >= room || sums[index].samples <= 0 || m->all.weight <= 0)
		return 0;
	return sp_independent_error(&sums[index], &m->all) * m->all.weight;
}

static void set_errors(struct maker *m)
{
	for (size_t i = 0; i < m->p->module_count; i++)
		m->p->modules[i].self_error = error_of(m, m->of_modules, m->modules_room, i);
	for (size_t i = 0; i < m->p->file_error_count; i++)
		m->p->file_errors[i].error = error_of(m, m->of_files, m->files_room, i);
	for (size_t i = 0; i < m->p->line_count; i++)
		m->p->lines[i].self_error = error_of(m, m->of_lines, m->lines_room, i);
	free(m->of_modules);
	free(m->of_files);
	free(m->of_lines);
}

static void add_path(struct maker *m, const struct sp_fleet_stack *stack, const struct sp_fleet_sample *s)
{
	struct sp_profile *p = m->p;
	const uint64_t *v = s->values;
	struct sp_path path = {.first = p->frame_id_count, .depth = stack->depth};

	if (s->kind == SP_FLEET_CPU) {
		path.kind = SP_STACKS_CPU;
		path.user_ns = scaled(m, v[SP_FLEET_VALUE] - v[SP_FLEET_SYSTEM]);
		path.sys_ns = scaled(m, v[SP_FLEET_SYSTEM]);
		path.samples = v[SP_FLEET_SAMPLES];
	} else if (s->kind == SP_FLEET_HEAP) {
		path.kind = SP_STACKS_HEAP;
		path.alloc_bytes = scaled(m, v[SP_FLEET_VALUE]), path.alloc_count = scaled(m, v[SP_FLEET_COUNT]);
		path.inuse_bytes = scaled(m, v[SP_FLEET_INUSE_BYTES]);
		path.inuse_count = scaled(m, v[SP_FLEET_INUSE_COUNT]);
		path.peak_bytes = scaled(m, v[SP_FLEET_PEAK_BYTES]);
		path.peak_count = scaled(m, v[SP_FLEET_PEAK_COUNT]);
		path.heap_samples = v[SP_FLEET_SAMPLES];
	} else {
		path.kind = SP_STACKS_WAITS;
		path.wait_ns = scaled(m, v[SP_FLEET_VALUE]), path.wait_count = scaled(m, v[SP_FLEET_COUNT]);
		path.wait_samples = v[SP_FLEET_SAMPLES];
	}
	add_frames(m, stack);
	sp_grow(&p->paths, &m->path_capacity, p->path_count + 1, sizeof(*p->paths));
	p->paths[p->path_count++] = path;
	if (s->kind == SP_FLEET_CPU) {
		const struct sp_sum sum = {(double)(path.user_ns + path.sys_ns),
			scaled_variance(m, s->variances[SP_FLEET_VALUE_VAR]), (double)path.samples};

		sp_sum_add(&m->all, &sum);
		add_line(m, &path, &sum);
	}
}

static void add_sample(struct maker *m, const struct sp_fleet_sample *s)
{
	const struct sp_fleet_stack *stack = &m->stacks->list[s->stack];
	const struct sp_fleet_frame *leaf = &m->stacks->frames[stack->first];

	if (s->values[SP_FLEET_SYSTEM] > s->values[SP_FLEET_VALUE] ||
		s->values[SP_FLEET_TOTAL_SYSTEM] > s->values[SP_FLEET_TOTAL])
		return;
	if (s->kind == SP_FLEET_FUNCTION)
		add_function(m, leaf, s);
	else if (s->kind == SP_FLEET_SITE)
		add_site(m, leaf, s);
	else
		add_path(m, stack, s);
}

/* Samples are as many as were taken, and as far apart, whatever length of time they are brought to. */
static bool is_scaled(const struct sp_fleet_column *column)
{
	return strcmp(column->merge, "sum") == 0 && !strstr(column->name, "samples");
}

static struct sp_fleet_facts scaled_facts(const struct maker *m, const struct sp_fleet_facts *facts)
{
	struct sp_fleet_facts out = *facts;

	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		if (is_scaled(&sp_fleet_numbers[i]))
			out.numbers[i] = scaled(m, out.numbers[i]);
	for (int i = 0; i < SP_FLEET_REALS; i++)
		if (is_scaled(&sp_fleet_reals[i]))
			out.reals[i] *= strstr(sp_fleet_reals[i].name, "error2") ? m->scale * m->scale : m->scale;
	return out;
}

struct sp_profile *sp_fleet_profile(const struct sp_fleet_sample *samples, size_t count,
	const struct sp_fleet_stacks *stacks, const struct sp_fleet_total *total, double scale)
{
	struct maker m = {.p = sp_alloc(1, sizeof(*m.p)), .stacks = stacks, .scale = scale};
	struct sp_fleet_facts facts = scaled_facts(&m, &total->facts);

	sp_profile_setup(m.p);
	sp_grow(&m.p->modules, &m.module_capacity, 1, sizeof(*m.p->modules));
	m.p->modules[m.p->module_count++] =
		(struct sp_module_info){.path = "", .name = "", .build_id = "", .handle = -1};
	for (uint32_t i = 0; i < SP_PSEUDOS; i++) {
		int found;

		*sp_map_at(&m.functions, 0, sp_names_id(&m.p->names, m.p->functions[i].name), &found) = i;
	}
	for (size_t i = 0; i < count; i++)
		add_sample(&m, &samples[i]);
	m.p->has_stacks = true;
	set_errors(&m);
	sp_profile_sum_up(m.p);
	sp_fleet_facts_give(&facts, m.p);
	sp_frames_mark(m.p);
	sp_map_free(&m.functions);
	sp_map_free(&m.modules);
	sp_map_free(&m.files);
	sp_map_free(&m.lines);
	sp_names_free(&m.texts);
	return m.p;
}
