/* OTLP profiles. Field numbers are those of opentelemetry-proto, profiles/v1development/profiles.proto and
 * common/v1/common.proto. What samples refer to stands in tables that all profiles share, each of which begins with a
 * record of nothing; numbers of functions and modules are the profile's own, so that those no sample meets are such, too. */
#include "profiles/base/escape.h"
#include "profiles/export/export.h"
#include "profiles/export/locations.h"
#include "profiles/export/protobuf.h"
#include "profiles/base/figures.h"
#include "profiles/model/facts.h"
#include "profiles/model/traces.h"

#include <stdlib.h>
#include <string.h>

#ifndef SP_VERSION
#define SP_VERSION "unknown"
#endif

enum { DATA_RESOURCES = 1, DATA_DICTIONARY = 2 };
enum { RESOURCE_RESOURCE = 1, RESOURCE_SCOPES = 2 };
enum { SCOPE_SCOPE = 1, SCOPE_PROFILES = 2 };
enum {
	DICTIONARY_MAPPINGS = 1,
	DICTIONARY_LOCATIONS = 2,
	DICTIONARY_FUNCTIONS = 3,
	DICTIONARY_LINKS = 4,
	DICTIONARY_STRINGS = 5,
	DICTIONARY_ATTRIBUTES = 6,
	DICTIONARY_STACKS = 7,
};
enum {
	PROFILE_TYPE = 1,
	PROFILE_SAMPLES = 2,
	PROFILE_TIME = 3,
	PROFILE_DURATION = 4,
	PROFILE_PERIOD_TYPE = 5,
	PROFILE_PERIOD = 6,
	PROFILE_ID = 7,
};
#define ID_BYTES 16u
enum { SAMPLE_STACK = 1, SAMPLE_ATTRIBUTES = 2, SAMPLE_LINK = 3, SAMPLE_VALUES = 4 };
enum { MAPPING_START = 1, MAPPING_LIMIT = 2, MAPPING_FILE = 4, MAPPING_ATTRIBUTES = 5 };
enum { LOCATION_MAPPING = 1, LOCATION_ADDRESS = 2, LOCATION_LINES = 3 };
enum { FUNCTION_NAME = 1, FUNCTION_SYSTEM_NAME = 2, FUNCTION_FILE = 3, FUNCTION_LINE = 4 };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 }; /* of an attribute, and of one in the table */
enum { ANY_VALUE_STRING = 1, ANY_VALUE_NUMBER = 3 };

#define BUILD_ID_KEY "process.executable.build_id.gnu"

static const struct {
	const char *type, *unit;
	enum sp_path_weight_kind weight;
	enum sp_export_view view;
} types[] = {
	{"cpu", "nanoseconds", SP_WEIGHT_USER_NS, SP_VIEW_CPU},
	{"samples", "count", SP_WEIGHT_CPU_SAMPLES, SP_VIEWS},
	{"inuse_space", "bytes", SP_WEIGHT_INUSE_BYTES, SP_VIEW_INUSE},
	{"inuse_objects", "count", SP_WEIGHT_INUSE_COUNT, SP_VIEWS},
	{"peak_space", "bytes", SP_WEIGHT_PEAK_BYTES, SP_VIEW_PEAK},
	{"peak_objects", "count", SP_WEIGHT_PEAK_COUNT, SP_VIEWS},
	{"alloc_space", "bytes", SP_WEIGHT_ALLOC_BYTES, SP_VIEW_ALLOCATED},
	{"alloc_objects", "count", SP_WEIGHT_ALLOC_COUNT, SP_VIEWS},
	{"off_cpu", "nanoseconds", SP_WEIGHT_WAIT_NS, SP_VIEW_WAIT},
	{"waits", "count", SP_WEIGHT_WAIT_COUNT, SP_VIEWS},
	{"wall", "nanoseconds", SP_WEIGHT_WALL_NS, SP_VIEW_WALL},
};

/* Rows of stacks and the numbers that they have in the tables. */
struct sheet {
	struct sp_folded folded;
	uint32_t *stacks;      /* by row: its number in the table of stacks */
	uint64_t **attributes; /* by row; NULL none */
	size_t *attribute_counts;
};

#define SHEETS (SP_STACKS_WALL + 1)

/* What of a row's CPU time was used for a span of a trace. */
struct linked {
	uint32_t row, link;
	double ns, samples;
};

struct otlp {
	const struct sp_profile *profile;
	const struct sp_export_resource *of;
	struct sp_names strings;     /* number 0 is "" */
	struct sp_map attribute_ids; /* (key, value) -> number */
	struct sp_map chains;        /* (chain without its last location, or 0; that location) -> number of the chain */
	struct sp_map stack_ids;     /* (chain, 0) -> number in the table of stacks */
	struct sp_sample_label *attributes;
	size_t attribute_count, attribute_capacity;
	struct sp_locations locations;
	struct sheet sheets[SHEETS]; /* by enum sp_stack_kind; the last is empty where the view is not that one */
	struct linked *linked;       /* by row */
	size_t linked_count, linked_capacity;
	const char **files; /* of functions: where the lines of their locations are */
	struct sp_buffer dictionary, message, part, value;
};

static uint64_t string_id(struct otlp *w, const char *text)
{
	return sp_names_id(&w->strings, text ? text : "");
}

static uint32_t attribute_id(struct otlp *w, uint32_t key, uint32_t value)
{
	int found;
	uint32_t *cell = sp_map_at(&w->attribute_ids, key, value, &found);

	if (!found) {
		*cell = (uint32_t)w->attribute_count;
		sp_grow(&w->attributes, &w->attribute_capacity, w->attribute_count + 1, sizeof(*w->attributes));
		w->attributes[w->attribute_count++] = (struct sp_sample_label){key, value};
	}
	return *cell;
}

static void put_text(struct sp_buffer *out, unsigned field, const char *text, struct sp_buffer *room)
{
	sp_escape(room, SP_ESCAPE_PLAIN, text, strlen(text));
	sp_pb_message(out, field, room);
}

/* --- the tables ---------------------------------------------------------------------------------- */

static int by_row(const void *left, const void *right)
{
	const struct linked *a = left, *b = right;

	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return a->link < b->link ? -1 : a->link > b->link;
}

/* A sample stands for its stack's time divided by its samples. rows: of the paths. */
static void find_linked(struct otlp *w, const uint32_t *rows)
{
	const struct sp_profile *p = w->profile;

	for (size_t i = 0; p->traces && i < p->traces->count; i++) {
		const struct sp_trace_info *trace = &p->traces->list[i];

		for (size_t k = trace->first; k < trace->first + trace->count; k++) {
			const struct sp_sample_run *run = &p->traces->runs[k];
			const struct sp_path *path = &p->paths[run->path];
			double samples = run->count < path->samples ? (double)run->count : (double)path->samples;

			if (rows[run->path] == SP_NO_ROW || samples < 1)
				continue;
			sp_grow(&w->linked, &w->linked_capacity, w->linked_count + 1, sizeof(*w->linked));
			w->linked[w->linked_count++] = (struct linked){rows[run->path], (uint32_t)i + 1,
				(double)(path->user_ns + path->sys_ns) * samples / (double)path->samples, samples};
		}
	}
	if (w->linked_count)
		qsort(w->linked, w->linked_count, sizeof(*w->linked), by_row);
}

static void put_links(struct otlp *w)
{
	const struct sp_traces *traces = w->profile->traces;

	sp_pb_message(&w->dictionary, DICTIONARY_LINKS, &w->message);
	for (size_t i = 0; traces && i < traces->count; i++) {
		sp_pb_bytes(&w->message, 1, traces->list[i].trace_id, SP_TRACE_ID_BYTES);
		sp_pb_bytes(&w->message, 2, traces->list[i].span_id, SP_TRACE_SPAN_ID_BYTES);
		sp_pb_message(&w->dictionary, DICTIONARY_LINKS, &w->message);
	}
}

static void fold(struct otlp *w, enum sp_stack_kind kind)
{
	struct sheet *s = &w->sheets[kind];
	uint32_t *rows = sp_alloc(w->profile->path_count, sizeof(*rows));
	struct sp_sample_labels labels;

	sp_locations_fold(&w->locations, &s->folded, w->profile, kind, rows);
	if (kind == SP_STACKS_CPU)
		find_linked(w, rows);
	free(rows);
	s->stacks = sp_alloc(s->folded.count, sizeof(*s->stacks));
	s->attributes = sp_alloc(s->folded.count, sizeof(*s->attributes));
	s->attribute_counts = sp_alloc(s->folded.count, sizeof(*s->attribute_counts));
	for (size_t i = 0; i < s->folded.count; i++) {
		sp_labels_find(&labels, &w->strings, &w->locations, w->profile, &s->folded, &s->folded.rows[i]);
		if (!labels.count)
			continue;
		s->attribute_counts[i] = labels.count;
		s->attributes[i] = sp_alloc(labels.count, sizeof(**s->attributes));
		for (size_t k = 0; k < labels.count; k++)
			s->attributes[i][k] = attribute_id(w, labels.list[k].key, labels.list[k].value);
	}
}

/* What CPU time and the heap have in common stands there once. True: it is a new one. */
static bool find_stack(struct otlp *w, const struct sheet *s, size_t i)
{
	const struct sp_folded_row *row = &s->folded.rows[i];
	uint64_t chain = 0;
	uint32_t *cell;
	int found;

	for (uint32_t k = 0; k < row->depth; k++) {
		cell = sp_map_at(&w->chains, chain, s->folded.ids[row->first + k], &found);
		if (!found)
			*cell = (uint32_t)w->chains.used;
		chain = *cell;
	}
	if (!row->depth)
		return false; /* number 0 is the stack of nothing */
	cell = sp_map_at(&w->stack_ids, chain, 0, &found);
	if (!found)
		*cell = (uint32_t)w->stack_ids.used;
	s->stacks[i] = *cell;
	return !found;
}

static void put_stacks(struct otlp *w, struct sheet *s)
{
	uint64_t *locations = NULL;
	size_t capacity = 0;

	for (size_t i = 0; i < s->folded.count; i++) {
		const struct sp_folded_row *row = &s->folded.rows[i];

		if (!find_stack(w, s, i))
			continue;
		sp_grow(&locations, &capacity, row->depth, sizeof(*locations));
		for (uint32_t k = 0; k < row->depth; k++)
			locations[row->depth - 1 - k] = s->folded.ids[row->first + k];
		sp_pb_packed(&w->message, 1, locations, row->depth);
		sp_pb_message(&w->dictionary, DICTIONARY_STACKS, &w->message);
	}
	free(locations);
}

static void put_stack_table(struct otlp *w)
{
	sp_pb_message(&w->dictionary, DICTIONARY_STACKS, &w->message);
	for (int k = 0; k < SHEETS; k++)
		put_stacks(w, &w->sheets[k]);
}

static void put_locations(struct otlp *w)
{
	const struct sp_profile *p = w->profile;

	sp_pb_message(&w->dictionary, DICTIONARY_LOCATIONS, &w->message);
	for (uint32_t i = 1; i < w->locations.count; i++) {
		const struct sp_location *at = &w->locations.list[i];
		const struct sp_profile_frame *outer = &p->frames[sp_location_frame(&w->locations, p, i)];
		uint32_t module = p->functions[outer->function].module;

		sp_pb_number(&w->message, LOCATION_MAPPING, module);
		sp_pb_number(&w->message, LOCATION_ADDRESS,
			outer->address ? outer->address + p->modules[module].bias : 0);
		for (size_t k = at->first; k < at->first + at->count; k++) {
			const struct sp_profile_frame *frame = &p->frames[p->frame_ids[k]];

			if (frame->file)
				w->files[frame->function] = frame->file;
			sp_pb_number(&w->part, 1, frame->function + 1);
			sp_pb_number(&w->part, 2, frame->line);
			sp_pb_message(&w->message, LOCATION_LINES, &w->part);
		}
		sp_pb_message(&w->dictionary, DICTIONARY_LOCATIONS, &w->message);
	}
}

static void put_functions(struct otlp *w)
{
	const struct sp_profile *p = w->profile;

	sp_pb_message(&w->dictionary, DICTIONARY_FUNCTIONS, &w->message);
	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];
		uint64_t name = string_id(w, f->name);

		sp_pb_number(&w->message, FUNCTION_NAME, name);
		sp_pb_number(&w->message, FUNCTION_SYSTEM_NAME, name);
		sp_pb_number(&w->message, FUNCTION_FILE, string_id(w, w->files[i] ? w->files[i] : f->file));
		sp_pb_number(&w->message, FUNCTION_LINE, f->line);
		sp_pb_message(&w->dictionary, DICTIONARY_FUNCTIONS, &w->message);
	}
}

/* Module 0 is that of what is no code: the record of nothing. */
static void put_mappings(struct otlp *w)
{
	const struct sp_profile *p = w->profile;
	uint32_t key = (uint32_t)string_id(w, BUILD_ID_KEY);

	sp_pb_message(&w->dictionary, DICTIONARY_MAPPINGS, &w->message);
	for (size_t i = 1; i < p->module_count; i++) {
		const struct sp_module_info *m = &p->modules[i];

		sp_pb_number(&w->message, MAPPING_START, m->start);
		sp_pb_number(&w->message, MAPPING_LIMIT, m->end);
		sp_pb_number(&w->message, MAPPING_FILE, string_id(w, m->path));
		if (*m->build_id) {
			uint64_t id = attribute_id(w, key, (uint32_t)string_id(w, m->build_id));

			sp_pb_packed(&w->message, MAPPING_ATTRIBUTES, &id, 1);
		}
		sp_pb_message(&w->dictionary, DICTIONARY_MAPPINGS, &w->message);
	}
}

static void put_attributes(struct otlp *w)
{
	for (size_t i = 0; i < w->attribute_count; i++) {
		sp_pb_number(&w->message, KEY_VALUE_KEY, w->attributes[i].key);
		if (i) {
			put_text(&w->part, ANY_VALUE_STRING, sp_names_text(&w->strings, w->attributes[i].value),
				&w->value);
			sp_pb_message(&w->message, KEY_VALUE_VALUE, &w->part);
		}
		sp_pb_message(&w->dictionary, DICTIONARY_ATTRIBUTES, &w->message);
	}
}

static void put_dictionary(struct otlp *w)
{
	put_locations(w);
	put_functions(w);
	put_mappings(w);
	put_attributes(w);
	put_links(w);
	for (uint32_t i = 0; i < w->strings.count; i++)
		put_text(&w->dictionary, DICTIONARY_STRINGS, sp_names_text(&w->strings, i), &w->message);
}

/* --- the profiles -------------------------------------------------------------------------------- */

static void put_value_type(struct otlp *w, struct sp_buffer *out, unsigned field, const char *type, const char *unit)
{
	sp_pb_number(&w->part, 1, string_id(w, type));
	sp_pb_number(&w->part, 2, string_id(w, unit));
	sp_pb_message(out, field, &w->part);
}

static void put_sample(struct otlp *w, struct sp_buffer *out, const struct sheet *s, size_t row, uint32_t link,
	uint64_t value)
{
	if (!value)
		return;
	sp_pb_number(&w->message, SAMPLE_STACK, s->stacks[row]);
	if (s->attribute_counts[row])
		sp_pb_packed(&w->message, SAMPLE_ATTRIBUTES, s->attributes[row], s->attribute_counts[row]);
	sp_pb_number(&w->message, SAMPLE_LINK, link);
	sp_pb_packed(&w->message, SAMPLE_VALUES, &value, 1);
	sp_pb_message(out, PROFILE_SAMPLES, &w->message);
}

/* What is not known to be of a trace is a sample without a link; all of a row's add up to what it weighs. */
static void put_samples(struct otlp *w, struct sp_buffer *out, const struct sheet *s, enum sp_path_weight_kind weight)
{
	size_t at = 0;

	for (size_t i = 0; i < s->folded.count; i++) {
		uint64_t left = sp_row_value(s->folded.rows[i].values, weight), part;

		for (; weight < SP_CPU_WEIGHTS && at < w->linked_count && w->linked[at].row == i; at++) {
			part = sp_whole(weight == SP_WEIGHT_CPU_SAMPLES ? w->linked[at].samples : w->linked[at].ns);
			part = part < left ? part : left;
			put_sample(w, out, s, i, w->linked[at].link, part);
			left -= part;
		}
		put_sample(w, out, s, i, 0, left);
	}
}

static void put_id(struct otlp *w, struct sp_buffer *profile, size_t type)
{
	unsigned char id[ID_BYTES];

	if (!w->of->id)
		return;
	memcpy(id, w->of->id, sizeof(id));
	id[ID_BYTES - 1] ^= (unsigned char)type;
	sp_pb_bytes(profile, PROFILE_ID, id, sizeof(id));
}

static void put_profile(struct otlp *w, struct sp_buffer *scope, size_t type)
{
	const struct sp_profile *p = w->profile;
	enum sp_stack_kind kind = sp_weight_stacks(types[type].weight);
	struct sp_export_period period = sp_export_period(p, kind);
	struct sp_buffer profile = {0};

	put_value_type(w, &profile, PROFILE_TYPE, types[type].type, types[type].unit);
	put_samples(w, &profile, &w->sheets[kind], types[type].weight);
	sp_pb_fixed64(&profile, PROFILE_TIME, sp_facts_start_ns(p));
	sp_pb_number(&profile, PROFILE_DURATION, p->wall_ns);
	put_value_type(w, &profile, PROFILE_PERIOD_TYPE, period.type, period.unit);
	sp_pb_number(&profile, PROFILE_PERIOD, period.value);
	put_id(w, &profile, type);
	sp_pb_message(scope, SCOPE_PROFILES, &profile);
	sp_buffer_free(&profile);
}

static void put_profiles(struct otlp *w, struct sp_buffer *scope, enum sp_export_view view)
{
	const size_t count = sizeof(types) / sizeof(types[0]);
	size_t first = 0;

	while (types[first].view != view)
		first++;
	put_profile(w, scope, first);
	for (size_t i = 0; i < count; i++) {
		enum sp_stack_kind kind = sp_weight_stacks(types[i].weight);

		if (i != first && kind < SP_STACK_KINDS && sp_stacks_on(w->profile, kind))
			put_profile(w, scope, i);
	}
}

static void put_resource_text(struct otlp *w, const char *key, const char *text)
{
	if (!text)
		return;
	put_text(&w->part, KEY_VALUE_KEY, key, &w->value);
	put_text(&w->value, ANY_VALUE_STRING, text, &w->dictionary);
	sp_pb_message(&w->part, KEY_VALUE_VALUE, &w->value);
	sp_pb_message(&w->message, 1, &w->part);
}

/* Keys are to be unique. */
static bool is_given(const struct otlp *w, const char *key)
{
	for (size_t i = 0; i < w->of->count; i++)
		if (strcmp(w->of->list[i].key, key) == 0)
			return true;
	return false;
}

static void put_fact(struct otlp *w, const char *key, const char *fact)
{
	if (!is_given(w, key))
		put_resource_text(w, key, sp_profile_fact(w->profile, fact));
}

static void put_resource(struct otlp *w, struct sp_buffer *resource)
{
	uint64_t pid = sp_profile_fact_number(w->profile, "pid");

	for (size_t i = 0; i < w->of->count; i++)
		put_resource_text(w, w->of->list[i].key, w->of->list[i].value);
	put_fact(w, "service.name", "program");
	put_fact(w, "process.executable.name", "program");
	put_fact(w, "process.command_line", "command");
	if (pid && !is_given(w, "process.pid")) {
		put_text(&w->part, KEY_VALUE_KEY, "process.pid", &w->value);
		sp_pb_number(&w->value, ANY_VALUE_NUMBER, pid);
		sp_pb_message(&w->part, KEY_VALUE_VALUE, &w->value);
		sp_pb_message(&w->message, 1, &w->part);
	}
	sp_pb_message(resource, RESOURCE_RESOURCE, &w->message);
}

static void free_all(struct otlp *w)
{
	for (int k = 0; k < SHEETS; k++) {
		for (size_t i = 0; i < w->sheets[k].folded.count; i++)
			free(w->sheets[k].attributes[i]);
		free(w->sheets[k].stacks);
		free(w->sheets[k].attributes);
		free(w->sheets[k].attribute_counts);
		sp_folded_free(&w->sheets[k].folded);
	}
	sp_names_free(&w->strings);
	sp_map_free(&w->attribute_ids);
	sp_map_free(&w->chains);
	sp_map_free(&w->stack_ids);
	sp_locations_free(&w->locations);
	free(w->attributes);
	free(w->linked);
	free(w->files);
	sp_buffer_free(&w->dictionary);
	sp_buffer_free(&w->message);
	sp_buffer_free(&w->part);
	sp_buffer_free(&w->value);
}

void sp_export_otlp(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view)
{
	sp_export_otlp_of(out, profile, view, &(struct sp_export_resource){0});
}

void sp_export_otlp_of(struct sp_buffer *out, const struct sp_profile *profile, enum sp_export_view view,
	const struct sp_export_resource *resource_of)
{
	struct otlp w = {.profile = profile, .of = resource_of};
	struct sp_buffer scope = {0}, resource = {0};

	w.files = sp_alloc(profile->function_count, sizeof(*w.files));
	string_id(&w, "");
	attribute_id(&w, 0, 0);
	put_resource(&w, &resource);
	for (enum sp_stack_kind k = 0; k < SHEETS; k++)
		if (k < SP_STACK_KINDS || k == sp_view_info[view].stacks)
			fold(&w, k);
	put_text(&w.message, 1, "smartprof", &w.value);
	put_text(&w.message, 2, SP_VERSION, &w.value);
	sp_pb_message(&scope, SCOPE_SCOPE, &w.message);
	put_stack_table(&w);
	put_profiles(&w, &scope, view);
	sp_pb_message(&resource, RESOURCE_SCOPES, &scope);
	sp_pb_message(out, DATA_RESOURCES, &resource);
	put_dictionary(&w);
	sp_pb_message(out, DATA_DICTIONARY, &w.dictionary);
	sp_buffer_free(&scope);
	sp_buffer_free(&resource);
	free_all(&w);
}
