/* OTLP: a request to export profiles, and the answer that may take only a part of it. */
#include <stdio.h>
#include <string.h>

#include "profiles/export/export.h"
#include "tools/push/engine.h"

/* Of two labels that become one key the first counts, which is what was said and not what is known: keys are to be unique. */
static size_t list_attributes(struct sp_export_attribute *list, const struct sp_push_labels *labels)
{
	static const struct {
		const char *label, *key;
	} known[] = {{"service", "service.name"}, {"version", "service.version"}, {"host", "host.name"},
		{"environment", "deployment.environment.name"}, {"program", "process.executable.name"}};
	size_t count = 0;

	for (size_t i = 0; i < labels->count; i++) {
		struct sp_export_attribute one = {labels->list[i].name, labels->list[i].value};
		bool is_new = true;

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (strcmp(one.key, known[k].label) == 0)
				one.key = known[k].key;
		for (size_t k = 0; k < count; k++)
			is_new &= strcmp(list[k].key, one.key) != 0;
		if (is_new)
			list[count++] = one;
	}
	return count;
}

bool sp_push_otlp(struct sp_push_parcel *parcel, const struct sp_push_item *item, const struct sp_push_target *target,
	const char **why)
{
	struct sp_export_attribute list[SP_PUSH_LABELS_MOST];
	struct sp_export_resource resource = {list, list_attributes(list, item->labels), item->id};
	struct sp_push_request *request;

	*why = "there are no stacks in it";
	if (!item->profile->cpu_on && !sp_view_on(item->profile, SP_VIEW_INUSE))
		return false;
	request = sp_push_parcel_add(parcel, "POST", "%s/v1development/profiles", target->base);
	sp_push_header(request, "Content-Type: application/x-protobuf");
	request->gzip = true;
	sp_export_otlp_of(&request->body, item->profile, item->profile->cpu_on ? SP_VIEW_CPU : SP_VIEW_INUSE,
		&resource);
	return true;
}

/* --- ExportProfilesServiceResponse: partial_success is 1, its rejected_profiles 1 and error_message 2. */

struct wire {
	const unsigned char *at, *end;
};

static bool take_number(struct wire *w, uint64_t *number)
{
	*number = 0;
	for (unsigned shift = 0; w->at < w->end && shift < 64; shift += 7) {
		*number |= (uint64_t)(*w->at & 0x7f) << shift;
		if (!(*w->at++ & 0x80))
			return true;
	}
	return false;
}

/* The next field: *bytes of a string or message, else its *number. false: the end, or no protobuf. */
static bool take_field(struct wire *w, unsigned *field, uint64_t *number, struct wire *bytes)
{
	uint64_t tag;

	*bytes = (struct wire){0};
	if (!take_number(w, &tag))
		return false;
	*field = (unsigned)(tag >> 3);
	if ((tag & 7) == 0)
		return take_number(w, number);
	if ((tag & 7) != 2 || !take_number(w, number) || *number > (uint64_t)(w->end - w->at))
		return false;
	*bytes = (struct wire){w->at, w->at + *number};
	w->at += *number;
	return true;
}

bool sp_push_otlp_check(const struct sp_http_answer *answer, char *why, size_t size)
{
	const unsigned char *data = (const unsigned char *)answer->body.data;
	struct wire all = {data, data}, partial, text = {0}, bytes;
	uint64_t number, rejected = 0;
	unsigned field;

	if (!data)
		return true;
	all.end = data + answer->body.length;
	while (take_field(&all, &field, &number, &partial)) {
		if (field != 1 || !partial.at)
			continue;
		while (take_field(&partial, &field, &number, &bytes)) {
			if (field == 1 && !bytes.at)
				rejected = number;
			if (field == 2 && bytes.at)
				text = bytes;
		}
	}
	if (rejected)
		snprintf(why, size, "it rejected %llu of the profiles: %.*s", (unsigned long long)rejected,
			text.at ? (int)(text.end - text.at) : 0, text.at ? (const char *)text.at : "");
	return !rejected;
}
