/* Shortening names: what tells functions apart stands at both ends, template arguments in between. */
#include "profiles/base/shorten.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "symbolize/base/memory.h"

#define NESTING_MAX 16u
#define HASH_CHARS 9u /* "#" and eight digits */
#define ROOM (SP_NAME_CHARS - HASH_CHARS)
#define HEAD_CHARS (ROOM * 3 / 5)
#define TAIL_CHARS (ROOM - HEAD_CHARS - 1)

/* Walks a name character by character, counting the template brackets it is inside of. */
struct walk {
	const char *text;
	size_t at, length;
	size_t bytes;     /* of the character at `at` */
	uint32_t depth;   /* of that character; a bracket has that of what it stands in */
	uint32_t next;    /* depth of the following one */
	size_t name_ends; /* up to here brackets are part of an operator's name */
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* End of the operator's name that begins at `at` ("operator<<"), or `at`. The demangler puts a blank
 * between such a name and its template arguments. */
static size_t operator_end(const char *text, size_t at)
{
	static const char word[] = "operator";
	const size_t n = sizeof(word) - 1;

	if (strncmp(text + at, word, n) != 0 || (at && is_word(text[at - 1])))
		return at;
	return at + n + strspn(text + at + n, "<>=-");
}

static bool step(struct walk *w)
{
	uint32_t code;
	char c;

	w->at += w->bytes;
	w->depth = w->next;
	if (w->at >= w->length)
		return false;
	w->bytes = sp_utf8_length(w->text + w->at, w->length - w->at, &code);
	w->bytes = w->bytes ? w->bytes : 1;
	c = w->text[w->at];
	if (c == 'o' && w->at >= w->name_ends)
		w->name_ends = operator_end(w->text, w->at);
	if (w->at < w->name_ends)
		return true;
	if (c == '<')
		w->next = w->depth + 1;
	else if (c == '>' && w->depth && w->text[w->at - 1] != '-')
		w->depth = w->next = w->depth - 1;
	return true;
}

/* The deepest nesting that can be kept in ROOM characters; 0 when none can. */
static uint32_t depth_to_keep(const char *name, size_t length)
{
	struct walk w = {.text = name, .length = length};
	size_t chars[NESTING_MAX] = {0}, groups[NESTING_MAX] = {0}, sum = 0;
	uint32_t keep = 0;

	while (step(&w)) {
		if (w.depth >= NESTING_MAX)
			continue;
		chars[w.depth]++;
		groups[w.depth] += w.next > w.depth;
	}
	for (uint32_t d = 0; d < NESTING_MAX; d++) {
		sum += chars[d];
		if (sum + groups[d] <= ROOM)
			keep = d;
	}
	return keep;
}

/* The name without what is nested deeper than `keep`; returns its characters. */
static size_t elide(struct sp_buffer *out, const char *name, size_t length, uint32_t keep)
{
	struct walk w = {.text = name, .length = length};
	size_t chars = 0;

	while (step(&w)) {
		if (w.depth > keep)
			continue;
		sp_buffer_add(out, name + w.at, w.bytes);
		chars++;
		if (w.depth == keep && w.next > keep) {
			sp_buffer_puts(out, "…");
			chars++;
		}
	}
	return chars;
}

static void cut_middle(struct sp_buffer *out, const char *text, size_t length, size_t chars)
{
	size_t n = 0;

	for (size_t at = 0, bytes; at < length; at += bytes, n++) {
		uint32_t code;

		bytes = sp_utf8_length(text + at, length - at, &code);
		bytes = bytes ? bytes : 1;
		if (n == HEAD_CHARS)
			sp_buffer_puts(out, "…");
		if (n < HEAD_CHARS || n >= chars - TAIL_CHARS)
			sp_buffer_add(out, text + at, bytes);
	}
}

static bool is_short(const char *name, size_t length)
{
	size_t chars = 0;

	for (size_t at = 0, bytes; at < length; at += bytes) {
		uint32_t code;

		bytes = sp_utf8_length(name + at, length - at, &code);
		bytes = bytes ? bytes : 1;
		if (++chars > SP_NAME_CHARS)
			return false;
	}
	return true;
}

void sp_shorten_name(struct sp_buffer *out, const char *name)
{
	struct sp_buffer elided = {0};
	size_t length = strlen(name), chars;

	if (is_short(name, length)) {
		sp_buffer_add(out, name, length);
		return;
	}
	chars = elide(&elided, name, length, depth_to_keep(name, length));
	if (chars > ROOM)
		cut_middle(out, elided.data, elided.length, chars);
	else
		sp_buffer_add(out, elided.data, elided.length);
	sp_buffer_printf(out, "#%08x", (uint32_t)(sp_hash_bytes(name, length) >> 32));
	sp_buffer_free(&elided);
}
