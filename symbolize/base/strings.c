/* Interned strings: see strings.h. */
#include "symbolize/base/strings.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/demangle.h"
#include "symbolize/base/memory.h"

#define NAME_LIMIT_BYTES 65536u

struct sp_string {
	uint64_t hash;
	const char *function; /* as sp_strings_function answers; NULL: not asked yet. Atomic: threads
			       * that work it out at once come to the same */
	size_t bytes;
	char text[];
};

void sp_strings_free(struct sp_strings *strings)
{
	for (size_t k = 0; k < SP_STRINGS_PARTS; k++) {
		struct sp_strings_part *part = &strings->parts[k];

		for (size_t i = 0; i < part->capacity; i++)
			free(part->slots[i]);
		free(part->slots);
	}
	*strings = (struct sp_strings){0};
}

uint64_t sp_strings_hash(const char *text, size_t bytes)
{
	uint64_t hash = bytes, word;

	for (; bytes >= sizeof(word); text += sizeof(word), bytes -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, text, bytes);
	hash = (hash ^ word) * 0xff51afd7ed558ccdu;
	return hash ^ hash >> 32;
}

static struct sp_string **find_slot(const struct sp_strings_part *part, uint64_t hash, const char *text, size_t bytes)
{
	size_t i = hash & (part->capacity - 1);

	while (part->slots[i]) {
		const struct sp_string *s = part->slots[i];

		if (s->hash == hash && s->bytes == bytes && !memcmp(s->text, text, bytes))
			break;
		i = (i + 1) & (part->capacity - 1);
	}
	return &part->slots[i];
}

static void grow(struct sp_strings_part *part)
{
	struct sp_strings_part bigger = {.capacity = part->capacity ? part->capacity * 2 : 64};

	bigger.slots = sp_alloc(bigger.capacity, sizeof(*bigger.slots));
	for (size_t i = 0; i < part->capacity; i++) {
		struct sp_string *s = part->slots[i];

		if (s)
			*find_slot(&bigger, s->hash, s->text, s->bytes) = s;
	}
	free(part->slots);
	part->slots = bigger.slots;
	part->capacity = bigger.capacity;
}

static struct sp_string *keep_hashed(struct sp_strings_part *part, uint64_t hash, const char *text, size_t bytes)
{
	struct sp_string **slot, *s;

	if (part->used * 2 >= part->capacity)
		grow(part);
	slot = find_slot(part, hash, text, bytes);
	if (*slot)
		return *slot;
	s = sp_alloc_bytes(sizeof(*s) + bytes + 1);
	*s = (struct sp_string){.hash = hash, .bytes = bytes};
	memcpy(s->text, text, bytes);
	s->text[bytes] = '\0';
	*slot = s;
	part->used++;
	return s;
}

static struct sp_string *keep(struct sp_strings *strings, const char *text, size_t bytes)
{
	uint64_t hash = sp_strings_hash(text, bytes);
	struct sp_strings_part *part = &strings->parts[hash >> 60];
	struct sp_string *s;

	_Static_assert(SP_STRINGS_PARTS == 16, "the upper 4 bits of the hash");
	pthread_mutex_lock(&part->lock);
	s = keep_hashed(part, hash, text, bytes);
	pthread_mutex_unlock(&part->lock);
	return s;
}

const char *sp_strings_keep(struct sp_strings *strings, const char *text, size_t bytes)
{
	return text ? keep(strings, text, bytes)->text : NULL;
}

/* Length of `name` without `.12` at its end. */
static size_t cut_number(const char *name, size_t bytes)
{
	size_t end = bytes;

	while (end && isdigit((unsigned char)name[end - 1]))
		end--;
	return end < bytes && end > 1 && name[end - 1] == '.' ? end - 1 : bytes;
}

/* Length of `name` without `.mark` or `.mark.12` at its end. */
static size_t cut_mark(const char *name, size_t bytes, const char *mark)
{
	size_t end = cut_number(name, bytes), mark_bytes = strlen(mark);

	if (end > mark_bytes && !memcmp(name + end - mark_bytes, mark, mark_bytes))
		return end - mark_bytes;
	return bytes;
}

size_t sp_strings_cut(const char *name, size_t bytes)
{
	const char *at = bytes ? memchr(name + 1, '@', bytes - 1) : NULL;

	return cut_mark(name, at ? (size_t)(at - name) : bytes, ".cold");
}

static const char *shown_name(struct sp_strings *strings, const struct sp_string *raw)
{
	size_t bytes = sp_strings_cut(raw->text, raw->bytes);
	const char *shown = bytes == raw->bytes ? raw->text : sp_strings_keep(strings, raw->text, bytes);
	char *demangled = sp_demangle(shown);

	if (demangled) {
		shown = sp_strings_keep(strings, demangled, strlen(demangled));
		free(demangled);
	}
	return shown;
}

const char *sp_strings_function(struct sp_strings *strings, const char *name)
{
	struct sp_string *raw;
	const char *function;

	if (!name || !*name)
		return NULL;
	raw = keep(strings, name, strnlen(name, NAME_LIMIT_BYTES));
	function = __atomic_load_n(&raw->function, __ATOMIC_ACQUIRE);
	if (!function) {
		function = shown_name(strings, raw);
		__atomic_store_n(&raw->function, function, __ATOMIC_RELEASE);
	}
	return function;
}

/* Compilers number clones: a Go function may be called main.part. */
size_t sp_strings_cut_origin(const char *name, size_t whole)
{
	static const char *const marks[] = {".isra", ".constprop", ".part", ".lto_priv"};
	size_t bytes = sp_strings_cut(name, whole), before;

	do {
		before = bytes;
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && cut_number(name, bytes) < bytes; i++)
			bytes = cut_mark(name, bytes, marks[i]);
	} while (bytes < before);
	/* `inner.0` is a function inside another one; a name with more dots is not (`outer._omp_fn.0`) */
	return memchr(name, '.', cut_number(name, bytes)) ? bytes : cut_number(name, bytes);
}

const char *sp_strings_origin(struct sp_strings *strings, const char *name)
{
	size_t whole = name ? strnlen(name, NAME_LIMIT_BYTES) : 0,
	       bytes = whole ? sp_strings_cut_origin(name, whole) : 0;

	return sp_strings_function(strings, bytes < whole ? sp_strings_keep(strings, name, bytes) : name);
}
