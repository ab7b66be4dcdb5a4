/* A profile on its way: read back, without secrets, no larger than an engine takes it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sha2.h>

#include "profiles/export/export.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/facts.h"
#include "profiles/redact/redact.h"
#include "symbolize/base/memory.h"
#include "tools/push/engine.h"

/* Profiles that were written before something counted as a secret are sent, too. */
static void redact_facts(struct sp_profile *p)
{
	static const char *const texts[] = {"command", "program", "git_branch"};

	for (size_t i = 0; i < p->fact_count; i++) {
		struct sp_buffer open = {0};
		bool is_text = false;

		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			is_text |= strcmp(p->facts[i].key, texts[k]) == 0;
		if (!is_text)
			continue;
		sp_buffer_puts(&open, "");
		sp_redact_text(&open, p->facts[i].value, strlen(p->facts[i].value));
		if (strcmp(open.data, p->facts[i].value) != 0)
			p->facts[i].value = sp_pool_copy(&p->pool, open.data, open.length);
		sp_buffer_free(&open);
	}
}

static void make_id(struct sp_push_item *item)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)item->markdown->data, item->markdown->length);
	SHA256Final(digest, &context);
	memcpy(item->id, digest, sizeof(item->id));
}

bool sp_push_item_read(struct sp_push_item *item, const struct sp_buffer *markdown, struct sp_push_labels *labels,
	const char **why)
{
	size_t line;

	*item = (struct sp_push_item){.markdown = markdown, .labels = labels};
	item->profile = sp_markdown_read_at(markdown->data, markdown->length, why, &line);
	if (!item->profile)
		return false;
	*why = sp_export_prepare(item->profile, NULL);
	if (*why) {
		sp_push_item_free(item);
		return false;
	}
	redact_facts(item->profile);
	make_id(item);
	item->start_ns = sp_facts_start_ns(item->profile);
	item->end_ns = item->start_ns ? item->start_ns + item->profile->wall_ns : 0;
	sp_push_labels_add_facts(labels, item->profile);
	return true;
}

void sp_push_item_free(struct sp_push_item *item)
{
	sp_profile_free(item->profile);
	item->profile = NULL;
}

/* --- stacks within a limit */

struct ranked {
	uint64_t weight;
	size_t path;
};

static int heaviest_first(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return a->path > b->path ? 1 : -1;
}

static uint64_t weight_of(const struct sp_path *path)
{
	return path->kind == SP_STACKS_CPU      ? path->user_ns + path->sys_ns
		: path->kind == SP_STACKS_WAITS ? path->wait_ns
						: path->inuse_bytes + path->peak_bytes + path->alloc_bytes / 16;
}

static void make_rest(struct sp_profile *p, const struct ranked *list, size_t count)
{
	uint32_t frame;

	sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
	sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + 1, sizeof(*p->frame_ids));
	frame = (uint32_t)p->frame_count;
	p->frames[p->frame_count++] = (struct sp_profile_frame){.function = SP_PSEUDO_REST};
	p->frame_ids[p->frame_id_count++] = frame;
	for (size_t i = 0; i < count; i++) {
		p->paths[list[i].path].first = p->frame_id_count - 1;
		p->paths[list[i].path].depth = 1;
	}
}

size_t sp_push_bound_stacks(struct sp_profile *p, size_t most)
{
	struct ranked *list = sp_alloc(p->path_count, sizeof(*list));
	size_t cut = 0;

	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++) {
		size_t count = 0;

		for (size_t i = 0; i < p->path_count; i++)
			if (p->paths[i].kind == kind)
				list[count++] = (struct ranked){weight_of(&p->paths[i]), i};
		if (count <= most)
			continue;
		qsort(list, count, sizeof(*list), heaviest_first);
		make_rest(p, list + most - 1, count - most + 1);
		cut += count - most + 1;
	}
	free(list);
	return cut;
}

/* --- parcels */

struct sp_push_request *sp_push_parcel_add(struct sp_push_parcel *parcel, const char *method, const char *url_format,
	...)
{
	struct sp_push_request *request;
	va_list args;

	sp_grow(&parcel->list, &parcel->capacity, parcel->count + 1, sizeof(*parcel->list));
	request = &parcel->list[parcel->count++];
	*request = (struct sp_push_request){.method = method};
	va_start(args, url_format);
	request->url = sp_text_list(url_format, args);
	va_end(args);
	return request;
}

void sp_push_header(struct sp_push_request *request, const char *format, ...)
{
	const size_t most = sizeof(request->headers) / sizeof(request->headers[0]) - 1;
	va_list args;
	size_t n = 0;

	while (n < most && request->headers[n])
		n++;
	if (n == most)
		return;
	va_start(args, format);
	request->headers[n] = sp_text_list(format, args);
	va_end(args);
}

void sp_push_parcel_free(struct sp_push_parcel *parcel)
{
	for (size_t i = 0; i < parcel->count; i++) {
		struct sp_push_request *request = &parcel->list[i];

		free(request->url);
		free(request->unless);
		for (size_t k = 0; k < sizeof(request->headers) / sizeof(request->headers[0]); k++)
			free(request->headers[k]);
		sp_buffer_free(&request->body);
	}
	free(parcel->list);
	*parcel = (struct sp_push_parcel){0};
}
