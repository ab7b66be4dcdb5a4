/* pprof's profile.proto. Field numbers are those of github.com/google/pprof, proto/profile.proto.
 *
 * A location is a frame and those inlined into it; its address is that of the first instruction met, as the process
 * had it. Stacks that the same locations make up are one sample. */
#include "profiles/base/escape.h"
#include "profiles/base/gzip.h"
#include "profiles/export/export.h"
#include "profiles/model/facts.h"
#include "profiles/export/locations.h"
#include "profiles/export/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};

#define TYPES_MAX 6u

struct sample_type {
	const char *type, *unit;
	enum sp_path_weight_kind weight;
};

static const struct sample_type cpu_types[] = {
	{"samples", "count", SP_WEIGHT_CPU_SAMPLES}, {"cpu", "nanoseconds", SP_WEIGHT_USER_NS}};
static const struct sample_type heap_types[] = {{"alloc_objects", "count", SP_WEIGHT_ALLOC_COUNT},
	{"alloc_space", "bytes", SP_WEIGHT_ALLOC_BYTES}, {"inuse_objects", "count", SP_WEIGHT_INUSE_COUNT},
	{"inuse_space", "bytes", SP_WEIGHT_INUSE_BYTES}, {"peak_objects", "count", SP_WEIGHT_PEAK_COUNT},
	{"peak_space", "bytes", SP_WEIGHT_PEAK_BYTES}};
static const struct sample_type wait_types[] = {
	{"waits", "count", SP_WEIGHT_WAIT_COUNT}, {"off_cpu", "nanoseconds", SP_WEIGHT_WAIT_NS}};
static const struct sample_type wall_types[] = {{"cpu", "nanoseconds", SP_WEIGHT_USER_NS},
	{"off_cpu", "nanoseconds", SP_WEIGHT_WAIT_NS}, {"wall", "nanoseconds", SP_WEIGHT_WALL_NS}};

#define TYPES(list) \
	{ \
		list, sizeof(list) / sizeof((list)[0]) \
	}
static const struct {
	const struct sample_type *list;
	size_t count;
} types[] = {[SP_STACKS_CPU] = TYPES(cpu_types),
	[SP_STACKS_HEAP] = TYPES(heap_types),
	[SP_STACKS_WAITS] = TYPES(wait_types),
	[SP_STACKS_WALL] = TYPES(wall_types)};

static const char *const default_types[SP_VIEWS] = {
	[SP_VIEW_CPU] = "cpu",
	[SP_VIEW_INUSE] = "inuse_space",
	[SP_VIEW_PEAK] = "peak_space",
	[SP_VIEW_ALLOCATED] = "alloc_space",
	[SP_VIEW_WAIT] = "off_cpu",
	[SP_VIEW_WALL] = "wall",
};

struct pprof {
	const struct sp_profile *profile;
	enum sp_stack_kind kind;
	const struct sample_type *types;
	size_t type_count;
	struct sp_names strings; /* number 0 is "" */
	struct sp_locations locations;
	bool *functions, *modules; /* that a location names */
	const char **files;        /* of functions: where the lines of their locations are */
	struct sp_buffer out, message, part;
};

static uint64_t string_id(struct pprof *w, const char *text)
{
	return sp_names_id(&w->strings, text);
}

static void put_value_type(struct pprof *w, unsigned field, const char *type, const char *unit)
{
	sp_pb_number(&w->part, 1, string_id(w, type));
	sp_pb_number(&w->part, 2, string_id(w, unit));
	sp_pb_message(&w->out, field, &w->part);
}

static void put_location(struct pprof *w, uint32_t location)
{
	const struct sp_profile *p = w->profile;
	const struct sp_location *at = &w->locations.list[location];
	const struct sp_profile_frame *outer = &p->frames[sp_location_frame(&w->locations, p, location)];
	const struct sp_module_info *m = &p->modules[p->functions[outer->function].module];

	w->modules[p->functions[outer->function].module] = true;
	sp_pb_number(&w->message, 1, location);
	sp_pb_number(&w->message, 2, p->functions[outer->function].module);
	sp_pb_number(&w->message, 3, outer->address ? outer->address + m->bias : 0);
	for (size_t i = at->first; i < at->first + at->count; i++) {
		const struct sp_profile_frame *frame = &p->frames[p->frame_ids[i]];

		w->functions[frame->function] = true;
		if (frame->file)
			w->files[frame->function] = frame->file;
		sp_pb_number(&w->part, 1, frame->function + 1);
		sp_pb_number(&w->part, 2, frame->line);
		sp_pb_message(&w->message, 4, &w->part);
	}
	sp_pb_message(&w->out, PROFILE_LOCATION, &w->message);
}

static void put_labels(struct pprof *w, const struct sp_folded *f, const struct sp_folded_row *row)
{
	struct sp_sample_labels labels;

	sp_labels_find(&labels, &w->strings, &w->locations, w->profile, f, row);
	for (size_t i = 0; i < labels.count; i++) {
		sp_pb_number(&w->part, 1, labels.list[i].key);
		sp_pb_number(&w->part, 2, labels.list[i].value);
		sp_pb_message(&w->message, 3, &w->part);
	}
}

static void put_samples(struct pprof *w)
{
	uint64_t values[TYPES_MAX], *locations = NULL;
	struct sp_folded f = {0};
	size_t capacity = 0;

	sp_locations_fold(&w->locations, &f, w->profile, w->kind, NULL);
	for (size_t i = 0; i < f.count; i++) {
		const struct sp_folded_row *row = &f.rows[i];

		sp_grow(&locations, &capacity, row->depth, sizeof(*locations));
		for (uint32_t k = 0; k < row->depth; k++)
			locations[row->depth - 1 - k] = f.ids[row->first + k];
		for (size_t k = 0; k < w->type_count; k++)
			values[k] = sp_row_value(row->values, w->types[k].weight);
		sp_pb_packed(&w->message, 1, locations, row->depth);
		sp_pb_packed(&w->message, 2, values, w->type_count);
		put_labels(w, &f, row);
		sp_pb_message(&w->out, PROFILE_SAMPLE, &w->message);
	}
	for (uint32_t i = 1; i < w->locations.count; i++)
		put_location(w, i);
	free(locations);
	sp_folded_free(&f);
}

/* Nothing is left to symbolize where pprof is told that there are functions. */
static void put_mapping(struct pprof *w, size_t i)
{
	const struct sp_module_info *m = &w->profile->modules[i];

	sp_pb_number(&w->message, 1, i);
	sp_pb_number(&w->message, 2, m->start);
	sp_pb_number(&w->message, 3, m->end);
	sp_pb_number(&w->message, 5, string_id(w, m->path));
	sp_pb_number(&w->message, 6, string_id(w, m->build_id));
	for (unsigned has = 7; has <= 10; has++)
		sp_pb_number(&w->message, has, 1);
	sp_pb_message(&w->out, PROFILE_MAPPING, &w->message);
}

/* The first one is the executable's. */
static void put_mappings(struct pprof *w)
{
	const struct sp_profile *p = w->profile;
	const char *build_id = sp_profile_fact(p, "build_id");
	size_t main = 0;

	for (size_t i = 1; i < p->module_count && !main; i++)
		if (w->modules[i] && build_id && strcmp(p->modules[i].build_id, build_id) == 0)
			main = i;
	if (main)
		put_mapping(w, main);
	for (size_t i = 1; i < p->module_count; i++)
		if (w->modules[i] && i != main)
			put_mapping(w, i);
}

static void put_functions(struct pprof *w)
{
	const struct sp_profile *p = w->profile;

	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];
		uint64_t name;

		if (!w->functions[i])
			continue;
		name = string_id(w, f->name);
		sp_pb_number(&w->message, 1, i + 1);
		sp_pb_number(&w->message, 2, name);
		sp_pb_number(&w->message, 3, name);
		sp_pb_number(&w->message, 4, string_id(w, w->files[i] ? w->files[i] : f->file ? f->file : ""));
		sp_pb_number(&w->message, 5, f->line);
		sp_pb_message(&w->out, PROFILE_FUNCTION, &w->message);
	}
}

static void put_rest(struct pprof *w, enum sp_export_view view)
{
	const struct sp_profile *p = w->profile;
	const char *command = sp_profile_fact(p, "command");
	struct sp_export_period period = sp_export_period(p, w->kind);

	sp_pb_number(&w->out, PROFILE_TIME_NANOS, sp_facts_start_ns(p));
	sp_pb_number(&w->out, PROFILE_DURATION_NANOS, p->wall_ns);
	put_value_type(w, PROFILE_PERIOD_TYPE, period.type, period.unit);
	sp_pb_number(&w->out, PROFILE_PERIOD, period.value);
	if (command)
		sp_pb_number(&w->out, PROFILE_COMMENT, string_id(w, command));
	sp_pb_number(&w->out, PROFILE_DEFAULT_SAMPLE_TYPE, string_id(w, default_types[view]));
	for (uint32_t i = 0; i < w->strings.count; i++) {
		const char *text = sp_names_text(&w->strings, i);

		sp_escape(&w->message, SP_ESCAPE_PLAIN, text, strlen(text));
		sp_pb_message(&w->out, PROFILE_STRING, &w->message);
	}
}

void sp_export_pprof(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view)
{
	enum sp_stack_kind kind = sp_view_info[view].stacks;
	struct pprof w = {.profile = profile, .kind = kind, .types = types[kind].list, .type_count = types[kind].count};

	w.functions = sp_alloc(profile->function_count, sizeof(*w.functions));
	w.files = sp_alloc(profile->function_count, sizeof(*w.files));
	w.modules = sp_alloc(profile->module_count, sizeof(*w.modules));
	string_id(&w, "");
	for (size_t i = 0; i < w.type_count; i++)
		put_value_type(&w, PROFILE_SAMPLE_TYPE, w.types[i].type, w.types[i].unit);
	put_samples(&w);
	put_mappings(&w);
	put_functions(&w);
	put_rest(&w, view);
	sp_gzip(out, w.out.data, w.out.length);
	sp_names_free(&w.strings);
	sp_locations_free(&w.locations);
	sp_buffer_free(&w.out);
	sp_buffer_free(&w.message);
	sp_buffer_free(&w.part);
	free(w.functions);
	free(w.files);
	free(w.modules);
}
