/* Answers as bytes: see chunk.h. A chunk is read on the machine that wrote it: numbers are as they
 * are in memory. */
#include "symbolize/cache/chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

#define COUNT_LIMIT (1u << 24)

struct sp_chunk_header {
	uint64_t checksum; /* of all that follows */
	uint32_t answers, frames, strings, text_bytes;
};

struct sp_chunk_answer {
	uint32_t offset, first, count; /* frames[first .. first + count) */
	uint32_t unused;
};

/* Texts are 1 + index into the strings; 0: NULL. */
struct sp_chunk_frame {
	uint64_t function_address;
	uint32_t function, file, line, decl_file, decl_line, local_to;
	uint32_t inlined, unused;
};

/* --- writing ---------------------------------------------------------------------------------- */

/* Strings in memory are unique, so that a pointer stands for its text. */
struct writer {
	const char **seen; /* hash table */
	uint32_t *ids;     /* of what is in seen */
	size_t mask;
	const char **list;
	size_t count, text_bytes;
};

static uint32_t string_id(struct writer *w, const char *text)
{
	size_t at = (size_t)((uintptr_t)text * 0x9e3779b97f4a7c15u >> 32) & w->mask;

	if (!text)
		return 0;
	for (; w->seen[at]; at = (at + 1) & w->mask)
		if (w->seen[at] == text)
			return w->ids[at];
	w->seen[at] = text;
	w->list[w->count++] = text;
	w->text_bytes += strlen(text) + 1;
	return w->ids[at] = (uint32_t)w->count;
}

static struct sp_chunk_frame pack_frame(struct writer *w, const struct sp_symbol *symbol)
{
	return (struct sp_chunk_frame){
		.function_address = symbol->function_address,
		.function = string_id(w, symbol->function),
		.file = string_id(w, symbol->file),
		.line = symbol->line,
		.decl_file = string_id(w, symbol->decl_file),
		.decl_line = symbol->decl_line,
		.local_to = string_id(w, symbol->local_to),
		.inlined = symbol->inlined,
	};
}

static uint64_t checksum_of(const struct sp_chunk_header *header, size_t bytes)
{
	const uint8_t *at = (const uint8_t *)header + sizeof(header->checksum), *end = (const uint8_t *)header + bytes;
	uint64_t sum = 0x9e3779b97f4a7c15u, word;

	for (; end - at >= 8; at += 8) {
		memcpy(&word, at, 8);
		sum = (sum ^ word) * 0xff51afd7ed558ccdu;
		sum ^= sum >> 29;
	}
	for (; at < end; at++)
		sum = (sum ^ *at) * 0x100000001b3u;
	return sum ^ sum >> 32;
}

static void writer_init(struct writer *w, size_t frames)
{
	size_t capacity = 64;

	while (capacity < frames * 8)
		capacity *= 2;
	w->mask = capacity - 1;
	w->seen = sp_alloc(capacity, sizeof(*w->seen));
	w->ids = sp_alloc(capacity, sizeof(*w->ids));
	w->list = sp_alloc(frames * 4 + 1, sizeof(*w->list));
}

static void writer_free(struct writer *w)
{
	free(w->seen);
	free(w->ids);
	free(w->list);
}

/* Fills answers and frames, whose numbers the header tells, and with them the writer's strings. */
static void pack_answers(struct writer *w, struct sp_chunk_header *header, const struct sp_answers *answers,
	uint32_t module, const uint64_t *addresses)
{
	struct sp_chunk_answer *packed = (struct sp_chunk_answer *)(header + 1);
	struct sp_chunk_frame *frames = (struct sp_chunk_frame *)(packed + header->answers);
	uint32_t used = 0;

	for (uint32_t i = 0; i < header->answers; i++) {
		const struct sp_answer *answer = sp_answers_find(answers, module, addresses[i]);

		packed[i] = (struct sp_chunk_answer){
			.offset = addresses[i] & ((1u << SP_CHUNK_BITS) - 1), .first = used, .count = answer->count};
		for (uint32_t k = 0; k < answer->count; k++)
			frames[used++] = pack_frame(w, &answers->frames[answer->first + k]);
	}
}

/* The strings behind the frames, of which there is room for now. */
static void pack_strings(const struct writer *w, struct sp_chunk_header *header, size_t fixed_bytes)
{
	uint32_t *offsets = (uint32_t *)((uint8_t *)header + fixed_bytes);
	char *text = (char *)(offsets + w->count);
	uint32_t used = 0;

	for (size_t i = 0; i < w->count; i++) {
		size_t length = strlen(w->list[i]) + 1;

		offsets[i] = used;
		memcpy(text + used, w->list[i], length);
		used += (uint32_t)length;
	}
	header->strings = (uint32_t)w->count;
	header->text_bytes = used;
}

void *sp_chunk_write(const struct sp_answers *answers, uint32_t module, const uint64_t *addresses, size_t count,
	size_t *bytes)
{
	struct sp_chunk_header *header;
	struct writer w = {0};
	size_t frames = 0, fixed, capacity;

	for (size_t i = 0; i < count; i++) {
		const struct sp_answer *answer = sp_answers_find(answers, module, addresses[i]);

		if (!answer)
			return NULL;
		frames += answer->count;
	}
	fixed = sizeof(*header) + count * sizeof(struct sp_chunk_answer) + frames * sizeof(struct sp_chunk_frame);
	header = sp_alloc(1, fixed);
	capacity = fixed;
	writer_init(&w, frames);
	header->answers = (uint32_t)count;
	header->frames = (uint32_t)frames;
	pack_answers(&w, header, answers, module, addresses);
	*bytes = fixed + w.count * sizeof(uint32_t) + w.text_bytes;
	if (*bytes < UINT32_MAX) {
		sp_grow(&header, &capacity, *bytes, 1);
		pack_strings(&w, header, fixed);
		header->checksum = checksum_of(header, *bytes);
	} else {
		free(header);
		header = NULL;
	}
	writer_free(&w);
	return header;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_sound(const struct sp_chunk *chunk)
{
	const struct sp_chunk_header *h = chunk->header;
	uint32_t last = 0;

	for (uint32_t i = 0; i < h->answers; i++) {
		const struct sp_chunk_answer *a = &chunk->answers[i];

		if ((i && a->offset <= last) || a->offset >> SP_CHUNK_BITS || !a->count || a->count > SP_FRAMES_MAX ||
			a->first > h->frames || a->count > h->frames - a->first)
			return false;
		last = a->offset;
	}
	for (uint32_t i = 0; i < h->frames; i++) {
		const struct sp_chunk_frame *f = &chunk->frames[i];

		if (f->function > h->strings || f->file > h->strings || f->decl_file > h->strings ||
			f->local_to > h->strings)
			return false;
	}
	for (uint32_t i = 0; i < h->strings; i++)
		if (chunk->strings[i] >= h->text_bytes)
			return false;
	return !h->text_bytes || !chunk->text[h->text_bytes - 1];
}

int sp_chunk_open(struct sp_chunk *chunk, const void *data, size_t bytes)
{
	const struct sp_chunk_header *h = data;

	*chunk = (struct sp_chunk){.header = h};
	if (bytes < sizeof(*h) || h->answers > COUNT_LIMIT || h->frames > COUNT_LIMIT || h->strings > COUNT_LIMIT)
		return -EINVAL;
	chunk->answers = (const struct sp_chunk_answer *)(h + 1);
	chunk->frames = (const struct sp_chunk_frame *)(chunk->answers + h->answers);
	chunk->strings = (const uint32_t *)(chunk->frames + h->frames);
	chunk->text = (const char *)(chunk->strings + h->strings);
	if (bytes != (size_t)(chunk->text - (const char *)data) + h->text_bytes ||
		h->checksum != checksum_of(h, bytes) || !is_sound(chunk))
		return -EINVAL;
	return 0;
}

size_t sp_chunk_count(const struct sp_chunk *chunk)
{
	return chunk->header->answers;
}

uint32_t sp_chunk_offset(const struct sp_chunk *chunk, size_t i)
{
	return chunk->answers[i].offset;
}

static const struct sp_chunk_answer *find(const struct sp_chunk *chunk, uint32_t offset)
{
	size_t low = 0, high = chunk->header->answers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (chunk->answers[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < chunk->header->answers && chunk->answers[low].offset == offset ? &chunk->answers[low] : NULL;
}

/* The text for 1 + its index. */
static const char *get_string(const struct sp_chunk *chunk, uint32_t id)
{
	return id ? chunk->text + chunk->strings[id - 1] : NULL;
}

bool sp_chunk_has(const struct sp_chunk *chunk, uint32_t offset)
{
	return find(chunk, offset);
}

size_t sp_chunk_frames(const struct sp_chunk *chunk, uint32_t offset, struct sp_symbol *out)
{
	const struct sp_chunk_answer *answer = find(chunk, offset);
	uint32_t count = answer ? answer->count : 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct sp_chunk_frame *f = &chunk->frames[answer->first + i];

		out[i] = (struct sp_symbol){
			.function = get_string(chunk, f->function),
			.file = get_string(chunk, f->file),
			.line = f->line,
			.decl_file = get_string(chunk, f->decl_file),
			.decl_line = f->decl_line,
			.function_address = f->function_address,
			.inlined = f->inlined,
			.local_to = get_string(chunk, f->local_to),
		};
	}
	return count;
}
