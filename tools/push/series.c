/* Pyroscope and Parca: JSON with a pprof for CPU time, the heap and waits, each a series of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/base64.h"
#include "profiles/base/json.h"
#include "profiles/export/export.h"
#include "tools/push/engine.h"

/* The names of profiles are those that both know from other programs. */
static const struct {
	enum sp_export_view view;
	const char *name;
} series[] = {{SP_VIEW_CPU, "process_cpu"}, {SP_VIEW_INUSE, "memory"}, {SP_VIEW_WAIT, "off_cpu"}};
#define SERIES (sizeof(series) / sizeof(series[0]))

#define GZIP_LENGTH_BYTES 4u
#define STACKS_LEAST 64u

/* RFC 1952: the last four bytes are the length of what was compressed. */
static size_t plain_length(const struct sp_buffer *zipped)
{
	const unsigned char *end;

	if (zipped->length < GZIP_LENGTH_BYTES)
		return 0;
	end = (const unsigned char *)zipped->data + zipped->length - GZIP_LENGTH_BYTES;
	return (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
}

/* All pprofs of the profile, each within the limits. Returns how many stacks had to be added up. */
static size_t make_pprofs(struct sp_buffer pprofs[static SERIES], struct sp_profile *profile,
	const struct sp_push_limits *limits)
{
	size_t stacks = limits->stacks_most ? limits->stacks_most : profile->path_count, cut = 0;
	bool fits;

	do {
		if (limits->stacks_most)
			cut = sp_push_bound_stacks(profile, stacks); /* with those of the rounds before */
		fits = true;
		for (size_t i = 0; i < SERIES; i++) {
			sp_buffer_clear(&pprofs[i]);
			if (sp_view_on(profile, series[i].view))
				sp_export_pprof(&pprofs[i], profile, series[i].view);
			fits &= !limits->bytes_most || plain_length(&pprofs[i]) <= limits->bytes_most;
		}
		stacks /= 2;
	} while (!fits && stacks >= STACKS_LEAST);
	return cut;
}

static json_t *label(const char *name, const char *value)
{
	return json_pack("{s:o, s:o}", "name", sp_json_text(name), "value", sp_json_text(value));
}

static json_t *labels_of(const char *name, const struct sp_push_labels *labels)
{
	json_t *list = json_array();

	json_array_append_new(list, label("__name__", name));
	for (size_t i = 0; i < labels->count; i++)
		json_array_append_new(list, label(labels->list[i].name, labels->list[i].value));
	return list;
}

static void make_uuid(char text[static 37], const unsigned char id[static SP_PUSH_ID_BYTES], size_t number)
{
	size_t at = 0;

	for (size_t i = 0; i < SP_PUSH_ID_BYTES; i++)
		at += (size_t)sprintf(text + at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			i == SP_PUSH_ID_BYTES - 1 ? (unsigned)(id[i] + number) & 0xff : id[i]);
}

/* Both want the service by a name of their own. */
static void name_service(struct sp_push_labels *labels, const struct sp_push_labels *given)
{
	for (size_t i = 0; i < given->count; i++)
		sp_push_label_add(labels,
			strcmp(given->list[i].name, "service") == 0 ? "service_name" : given->list[i].name,
			given->list[i].value);
}

static json_t *one_series(const char *name, const struct sp_push_labels *labels, const struct sp_buffer *pprof)
{
	struct sp_buffer text = {0};
	json_t *sample;

	sp_base64(&text, pprof->data, pprof->length, false);
	sample = json_pack("{s:s}", "rawProfile", text.data);
	sp_buffer_free(&text);
	return json_pack("{s:o, s:[o]}", "labels", labels_of(name, labels), "samples", sample);
}

/* The series of a profile, with labels as the engine takes them. */
static json_t *all_series(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_limits *limits)
{
	const struct sp_push_name_rules rules = {
		limits->labels_most ? limits->labels_most - 1 : 0, limits->name_most, limits->value_most, NULL};
	struct sp_push_labels named = {0}, valid = {0};
	struct sp_buffer pprofs[SERIES] = {{0}};
	size_t left_out, cut = make_pprofs(pprofs, item->profile, limits);
	json_t *list = json_array();

	name_service(&named, item->labels);
	sp_push_labels_valid(&valid, &named, &rules, &left_out);
	for (size_t i = 0; i < SERIES; i++) {
		if (pprofs[i].length)
			json_array_append_new(list, one_series(series[i].name, &valid, &pprofs[i]));
		sp_buffer_free(&pprofs[i]);
	}
	if (cut || left_out)
		snprintf(parcel->note, sizeof(parcel->note),
			"it takes no more: %zu stacks are added up as [rest], %zu labels are left out", cut, left_out);
	sp_push_labels_free(&named);
	sp_push_labels_free(&valid);
	return list;
}

static bool put_series(struct sp_push_parcel *parcel, json_t *list, const char *url)
{
	struct sp_push_request *request = sp_push_parcel_add(parcel, "POST", "%s", url);
	bool any = json_array_size(list) > 0;

	sp_push_header(request, "Content-Type: application/json");
	request->gzip = true;
	sp_json_put(&request->body, json_pack("{s:o}", "series", list), false);
	return any;
}

bool sp_push_pyroscope(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_target *target, const char **why)
{
	json_t *list = all_series(parcel, item, &target->engine->limits), *one;
	char url[SP_PUSH_ADDRESS_BYTES + 64], uuid[37];
	size_t i;

	json_array_foreach(list, i, one)
	{
		make_uuid(uuid, item->id, i);
		json_object_set_new(json_array_get(json_object_get(one, "samples"), 0), "ID", json_string(uuid));
	}
	*why = "there are no stacks in it";
	snprintf(url, sizeof(url), "%s/push.v1.PusherService/Push", target->base);
	return put_series(parcel, list, url);
}

bool sp_push_parca(struct sp_push_parcel *parcel, const struct sp_push_item *item, const struct sp_push_target *target,
	const char **why)
{
	json_t *list = all_series(parcel, item, &target->engine->limits), *one;
	char url[SP_PUSH_ADDRESS_BYTES + 64];
	size_t i;

	json_array_foreach(list, i, one)
	{
		json_t *labels = json_incref(json_object_get(one, "labels"));

		json_object_set_new(one, "labels", json_pack("{s:o}", "labels", labels));
	}
	*why = "there are no stacks in it";
	snprintf(url, sizeof(url), "%s/profiles/writeraw", target->base);
	return put_series(parcel, list, url);
}
