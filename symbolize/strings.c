/* Interned strings: see strings.h. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/strings.h"
#include "symbolize/symbolize.h"

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
	for (size_t i = 0; i < strings->capacity; i++)
		free(strings->slots[i]);
	free(strings->slots);
	*strings = (struct sp_strings){0};
}

static uint64_t hash_text(const char *text, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

static struct sp_string **find_slot(const struct sp_strings *strings, uint64_t hash, const char *text, size_t bytes)
{
	size_t i = hash & (strings->capacity - 1);

	while (strings->slots[i]) {
		const struct sp_string *s = strings->slots[i];

		if (s->hash == hash && s->bytes == bytes && !memcmp(s->text, text, bytes))
			break;
		i = (i + 1) & (strings->capacity - 1);
	}
	return &strings->slots[i];
}

static int grow(struct sp_strings *strings)
{
	struct sp_strings bigger = {.capacity = strings->capacity ? strings->capacity * 2 : 1024};

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < strings->capacity; i++) {
		struct sp_string *s = strings->slots[i];

		if (s)
			*find_slot(&bigger, s->hash, s->text, s->bytes) = s;
	}
	free(strings->slots);
	strings->slots = bigger.slots;
	strings->capacity = bigger.capacity;
	return 0;
}

static struct sp_string *keep_hashed(struct sp_strings *strings, uint64_t hash, const char *text, size_t bytes)
{
	struct sp_string **slot, *s;

	if (strings->used * 2 >= strings->capacity && grow(strings))
		return NULL;
	slot = find_slot(strings, hash, text, bytes);
	if (*slot)
		return *slot;
	s = malloc(sizeof(*s) + bytes + 1);
	if (!s)
		return NULL;
	*s = (struct sp_string){.hash = hash, .bytes = bytes};
	memcpy(s->text, text, bytes);
	s->text[bytes] = '\0';
	*slot = s;
	strings->used++;
	return s;
}

static struct sp_string *keep(struct sp_strings *strings, const char *text, size_t bytes)
{
	uint64_t hash = hash_text(text, bytes);
	struct sp_string *s;

	pthread_mutex_lock(&strings->lock);
	s = keep_hashed(strings, hash, text, bytes);
	pthread_mutex_unlock(&strings->lock);
	return s;
}

const char *sp_strings_keep(struct sp_strings *strings, const char *text, size_t bytes)
{
	struct sp_string *s = text ? keep(strings, text, bytes) : NULL;

	return s ? s->text : NULL;
}

/* Length of `name` without GCC's `.cold` or `.cold.12`. */
static size_t cut_cold(const char *name, size_t bytes)
{
	size_t end = bytes;

	while (end && isdigit((unsigned char)name[end - 1]))
		end--;
	if (end == bytes || !end || name[end - 1] != '.')
		end = bytes;
	else
		end--;
	if (end > 5 && !memcmp(name + end - 5, ".cold", 5))
		return end - 5;
	return bytes;
}

size_t sp_strings_cut(const char *name, size_t bytes)
{
	const char *at = bytes ? memchr(name + 1, '@', bytes - 1) : NULL;

	return cut_cold(name, at ? (size_t)(at - name) : bytes);
}

static const char *shown_name(struct sp_strings *strings, const struct sp_string *raw)
{
	size_t bytes = sp_strings_cut(raw->text, raw->bytes);
	const char *shown = bytes == raw->bytes ? raw->text : sp_strings_keep(strings, raw->text, bytes);
	char *demangled = shown ? sp_demangle(shown) : NULL;

	if (demangled) {
		shown = sp_strings_keep(strings, demangled, strlen(demangled));
		free(demangled);
	}
	return shown;
}

const char *sp_strings_function(struct sp_strings *strings, const char *name)
{
	struct sp_string *raw = name && *name ? keep(strings, name, strnlen(name, NAME_LIMIT_BYTES)) : NULL;
	const char *function = raw ? __atomic_load_n(&raw->function, __ATOMIC_ACQUIRE) : NULL;

	if (raw && !function) {
		function = shown_name(strings, raw);
		__atomic_store_n(&raw->function, function, __ATOMIC_RELEASE);
	}
	return function;
}
