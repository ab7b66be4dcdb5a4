/* Between the symbolizer and its cache: see cached.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/cached.h"
#include "symbolize/chunk.h"

/* A module's key: a text, and its build-id behind it. Malloc'ed; NULL when memory is out. */
static char *make_key(const struct sp_symbolizer *s, const struct sp_symbols *m, size_t *bytes)
{
	char *text, *key;
	int length = asprintf(&text, "%u\t%d\t%s\t%s\t", SP_SYMBOLIZER_VERSION,
		s->context.options.debuginfod_seconds != 0, s->context.options.debug_dirs, m->path);

	if (length < 0)
		return NULL;
	*bytes = (size_t)length + m->build_id_bytes;
	key = realloc(text, *bytes + 1);
	if (!key)
		free(text);
	else if (m->build_id_bytes)
		memcpy(key + length, m->build_id, m->build_id_bytes);
	return key;
}

/* How many of the addresses are in the first one's chunk. */
static size_t same_chunk(const uint64_t *addresses, size_t count)
{
	size_t n = 1;

	while (n < count && addresses[n] >> SP_CHUNK_BITS == addresses[0] >> SP_CHUNK_BITS)
		n++;
	return n;
}

/* Opens the module's chunk around the address. Returns its bytes, to be freed, or NULL: none. */
static void *open_chunk(struct sp_symbolizer *s, struct sp_chunk *chunk, int64_t row, uint64_t address)
{
	size_t bytes = 0;
	void *data = sp_cache_read(s->cache, row, address >> SP_CHUNK_BITS, &bytes);

	if (data && !sp_chunk_open(chunk, data, bytes))
		return data;
	free(data);
	return NULL;
}

static uint32_t offset_of(uint64_t address)
{
	return address & ((1u << SP_CHUNK_BITS) - 1);
}

static void load_chunks(struct sp_symbolizer *s, uint32_t module, int64_t row, const uint64_t *addresses, size_t count)
{
	for (size_t at = 0, n; at < count; at += n) {
		struct sp_chunk chunk;
		void *data = open_chunk(s, &chunk, row, addresses[at]);

		n = same_chunk(addresses + at, count - at);
		if (!data)
			continue;
		for (size_t i = at; i < at + n; i++)
			sp_chunk_take(&chunk, offset_of(addresses[i]), &s->answers, &s->context.strings, module,
				addresses[i]);
		sp_chunk_close(&chunk);
		free(data);
	}
}

static bool open_cache(struct sp_symbolizer *s)
{
	const struct sp_symbolizer_options *options = &s->context.options;

	if (!s->cache && options->cache && !s->cache_tried)
		s->cache = sp_cache_open(options->cache, options->warn);
	s->cache_tried = true;
	return s->cache;
}

void sp_cached_load(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count)
{
	struct sp_symbols *m = s->modules[module];
	int source = SP_SYMBOLS_NONE;
	size_t key_bytes = 0;
	char *key = NULL;
	int64_t row = 0;

	if (!m->deps.unusable && m->path[0] == '/' && open_cache(s))
		key = make_key(s, m, &key_bytes);
	if (key)
		row = sp_cache_find(s->cache, key, key_bytes, &source, &m->deps);
	if (row && source >= SP_SYMBOLS_NONE && source <= SP_SYMBOLS_DWARF) {
		if (!m->opened)
			m->source = (enum sp_symbol_source)source;
		m->cached = true;
		load_chunks(s, module, row, addresses, count);
	}
	free(key);
}

static int compare_addresses(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* The addresses to be written: these, and those of the chunk as it stands, whose answers are taken into
 * memory. Malloc'ed, *count of them; NULL when memory is out. */
static uint64_t *merge(struct sp_symbolizer *s, uint32_t module, struct sp_chunk *chunk, const uint64_t *addresses,
	size_t *count)
{
	uint64_t base = addresses[0] >> SP_CHUNK_BITS << SP_CHUNK_BITS, *all;
	size_t old = chunk->header ? sp_chunk_count(chunk) : 0, used = 0, kept = 0;

	all = malloc((old + *count) * sizeof(*all));
	if (!all)
		return NULL;
	for (size_t i = 0; i < *count; i++)
		if (sp_answers_find(&s->answers, module, addresses[i]))
			all[used++] = addresses[i];
	for (size_t i = 0; i < old; i++) {
		uint32_t offset = sp_chunk_offset(chunk, i);

		if (sp_chunk_take(chunk, offset, &s->answers, &s->context.strings, module, base + offset) == 1)
			all[used++] = base + offset;
	}
	if (used)
		qsort(all, used, sizeof(*all), compare_addresses);
	for (size_t i = 0; i < used; i++)
		if (!i || all[i] != all[i - 1])
			all[kept++] = all[i];
	*count = kept;
	return all;
}

static int store_chunk(struct sp_symbolizer *s, uint32_t module, int64_t row, const uint64_t *addresses, size_t count)
{
	struct sp_chunk chunk = {0};
	void *old = open_chunk(s, &chunk, row, addresses[0]), *data = NULL;
	uint64_t *all;
	size_t bytes = 0;
	int rc = 0;

	if (!old)
		chunk = (struct sp_chunk){0};
	all = merge(s, module, &chunk, addresses, &count);
	if (all && count)
		data = sp_chunk_write(&s->answers, module, all, count, &bytes);
	if (data)
		rc = sp_cache_write(s->cache, row, addresses[0] >> SP_CHUNK_BITS, data, bytes);
	free(data);
	free(all);
	sp_chunk_close(&chunk);
	free(old);
	return rc;
}

void sp_cached_store(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count)
{
	struct sp_symbols *m = s->modules[module];
	size_t key_bytes = 0;
	char *key = NULL;
	int64_t row = 0;

	if (!s->cache || !count || m->deps.unusable || m->source < SP_SYMBOLS_NONE)
		return;
	key = make_key(s, m, &key_bytes);
	if (key)
		row = sp_cache_begin(s->cache, key, key_bytes, m->source, &m->deps);
	free(key);
	if (!row)
		return;
	for (size_t at = 0, n; at < count; at += n) {
		n = same_chunk(addresses + at, count - at);
		if (store_chunk(s, module, row, addresses + at, n))
			break;
	}
	sp_cache_end(s->cache);
}
