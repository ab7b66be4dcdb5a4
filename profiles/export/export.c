/* What the exporting writers share: views, and making a profile ready. */
#include "profiles/export/export.h"

#include <stdlib.h>

#include "profiles/base/figures.h"

const struct sp_view_info sp_view_info[SP_VIEWS] = {
	[SP_VIEW_CPU] = {"cpu", "CPU time", "nanoseconds", SP_STACKS_CPU, SP_WEIGHT_USER_NS},
	[SP_VIEW_INUSE] = {"in_use", "Heap in use", "bytes", SP_STACKS_HEAP, SP_WEIGHT_INUSE_BYTES},
	[SP_VIEW_PEAK] = {"peak", "Heap at peak", "bytes", SP_STACKS_HEAP, SP_WEIGHT_PEAK_BYTES},
	[SP_VIEW_ALLOCATED] = {"allocated", "Allocated", "bytes", SP_STACKS_HEAP, SP_WEIGHT_ALLOC_BYTES},
	[SP_VIEW_WAIT] = {"wait", "Waiting", "nanoseconds", SP_STACKS_WAITS, SP_WEIGHT_WAIT_NS},
	[SP_VIEW_WALL] = {"wall", "CPU and waiting", "nanoseconds", SP_STACKS_WALL, SP_WEIGHT_WALL_NS},
};

bool sp_view_on(const struct sp_profile *profile, enum sp_export_view view)
{
	return sp_stacks_on(profile, sp_view_info[view].stacks);
}

uint64_t sp_view_weight(const struct sp_path *path, enum sp_export_view view)
{
	double values[SP_WEIGHTS];

	for (enum sp_path_weight_kind w = 0; w < SP_WEIGHTS; w++)
		values[w] = (double)sp_path_weight(path, w);
	return sp_view_value(values, view);
}

uint64_t sp_view_value(const double *values, enum sp_export_view view)
{
	return sp_row_value(values, sp_view_info[view].weight);
}

uint64_t sp_row_value(const double *values, enum sp_path_weight_kind weight)
{
	double cpu_ns = values[SP_WEIGHT_USER_NS] + values[SP_WEIGHT_SYS_NS];
	uint64_t value = sp_whole(weight == SP_WEIGHT_WALL_NS ? cpu_ns + values[SP_WEIGHT_WAIT_NS]
			: weight == SP_WEIGHT_USER_NS         ? cpu_ns
							      : values[weight]);

	return value < INT64_MAX ? value : INT64_MAX; /* which the formats can hold */
}

enum sp_stack_kind sp_weight_stacks(enum sp_path_weight_kind weight)
{
	enum sp_stack_kind kind = 0;

	while (kind < SP_STACK_KINDS && weight >= sp_stack_weights[kind].to)
		kind++;
	return kind;
}

/* Of waits each sample stands for a time of its own. */
struct sp_export_period sp_export_period(const struct sp_profile *p, enum sp_stack_kind kind)
{
	bool heap = kind == SP_STACKS_HEAP;
	const char *text = sp_profile_fact(p, heap ? "heap_interval_bytes" : "cpu_interval_achieved_us");
	double value = text && kind <= SP_STACKS_HEAP ? strtod(text, NULL) * (heap ? 1 : 1000) : 0;

	return (struct sp_export_period){heap     ? "space"
			: kind == SP_STACKS_CPU   ? "cpu"
			: kind == SP_STACKS_WAITS ? "off_cpu"
						  : "wall",
		heap ? "bytes" : "nanoseconds", value > 0 && value < 9e18 ? (uint64_t)value : 0};
}

/* CPU time without samples stands in the table of functions alone. */
static void add_rest(struct sp_profile *p, enum sp_pseudo which)
{
	const struct sp_function *f = &p->functions[which];
	size_t capacity = p->path_count;

	if (!sp_function_self(f))
		return;
	sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
	sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + 1, sizeof(*p->frame_ids));
	sp_grow(&p->paths, &capacity, p->path_count + 1, sizeof(*p->paths));
	p->paths[p->path_count++] = (struct sp_path){
		.first = p->frame_id_count, .depth = 1, .user_ns = f->self_user_ns, .sys_ns = f->self_sys_ns};
	p->frame_ids[p->frame_id_count++] = (uint32_t)p->frame_count;
	p->frames[p->frame_count++] = (struct sp_profile_frame){.function = which};
}

const char *sp_export_prepare(struct sp_profile *profile, const struct sp_filter *filter)
{
	if (!profile->has_stacks)
		return "it was written before profiles had stacks; profile the program again";
	if (sp_filter_is_on(filter))
		sp_frames_filter(profile, filter, NULL);
	add_rest(profile, SP_PSEUDO_UNSAMPLED);
	add_rest(profile, SP_PSEUDO_BEFORE);
	return NULL;
}
