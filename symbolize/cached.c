/* Between the symbolizer and its cache: see cached.h. */
#include "symbolize/cached.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "symbolize/base/memory.h"
#include "symbolize/cache/chunk.h"

/* chunks are sorted by module and number. */
struct sp_cached_chunk {
	uint32_t module;
	uint64_t number;
	struct sp_chunk chunk;
	void *data; /* of the chunk, malloc'ed */
};

/* A module's key: a text, and its build-id or file behind it. free() it; *bytes long. */
static char *make_key(const struct sp_symbolizer *s, const struct sp_module_symbols *m, size_t *bytes)
{
	const struct sp_symbolizer_options *options = &s->context.options;
	char *text = sp_text("%u%s\t%d\t%s\t%s\t", SP_SYMBOLIZER_VERSION, options->names_only ? "n" : "",
		options->debuginfod_seconds != 0, options->debug_dirs, m->path);
	size_t length = strlen(text), capacity = length;

	*bytes = length + (m->has_file ? sizeof(m->file) : m->build_id_bytes);
	sp_grow(&text, &capacity, *bytes, 1);
	if (m->has_file)
		memcpy(text + length, &m->file, sizeof(m->file));
	else if (m->build_id_bytes)
		memcpy(text + length, m->build_id, m->build_id_bytes);
	return text;
}

/* How many of the addresses are in the first one's chunk. */
static size_t same_chunk(const uint64_t *addresses, size_t count)
{
	size_t n = 1;

	while (n < count && addresses[n] >> SP_CHUNK_BITS == addresses[0] >> SP_CHUNK_BITS)
		n++;
	return n;
}

/* Opens the module's chunk around the address. Returns its bytes, to be freed, or NULL: there is none, and the chunk is
 * empty. */
static void *open_chunk(struct sp_symbolizer *s, struct sp_chunk *chunk, int64_t row, uint64_t address)
{
	size_t bytes = 0;
	void *data = sp_cache_read(s->cache, row, address >> SP_CHUNK_BITS, &bytes);

	if (data && !sp_chunk_open(chunk, data, bytes))
		return data;
	free(data);
	*chunk = (struct sp_chunk){0};
	return NULL;
}

static uint32_t offset_of(uint64_t address)
{
	return address & ((1u << SP_CHUNK_BITS) - 1);
}

static int compare_chunks(const void *left, const void *right)
{
	const struct sp_cached_chunk *a = left, *b = right;

	if (a->module != b->module)
		return a->module < b->module ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static const struct sp_chunk *find_chunk(const struct sp_symbolizer *s, uint32_t module, uint64_t address)
{
	const struct sp_cached_chunk wanted = {.module = module, .number = address >> SP_CHUNK_BITS}, *found = NULL;

	if (s->chunks_count)
		found = bsearch(&wanted, s->chunks, s->chunks_count, sizeof(wanted), compare_chunks);
	return found ? &found->chunk : NULL;
}

static void load_chunks(struct sp_symbolizer *s, uint32_t module, int64_t row, const uint64_t *addresses, size_t count)
{
	size_t known = s->chunks_count;

	for (size_t at = 0; at < count; at += same_chunk(addresses + at, count - at)) {
		struct sp_cached_chunk c = {.module = module, .number = addresses[at] >> SP_CHUNK_BITS};

		if (known && bsearch(&c, s->chunks, known, sizeof(c), compare_chunks))
			continue;
		sp_grow(&s->chunks, &s->chunks_capacity, s->chunks_count + 1, sizeof(c));
		c.data = open_chunk(s, &c.chunk, row, addresses[at]);
		if (c.data)
			s->chunks[s->chunks_count++] = c;
	}
	if (s->chunks_count > known)
		qsort(s->chunks, s->chunks_count, sizeof(*s->chunks), compare_chunks);
}

size_t sp_cached_frames(const struct sp_symbolizer *s, uint32_t module, uint64_t address, struct sp_symbol *out)
{
	const struct sp_chunk *chunk = find_chunk(s, module, address);

	return chunk ? sp_chunk_frames(chunk, offset_of(address), out) : 0;
}

bool sp_cached_has(const struct sp_symbolizer *s, uint32_t module, uint64_t address)
{
	const struct sp_chunk *chunk = find_chunk(s, module, address);

	return chunk && sp_chunk_has(chunk, offset_of(address));
}

void sp_cached_free(struct sp_symbolizer *s)
{
	for (size_t i = 0; i < s->chunks_count; i++)
		free(s->chunks[i].data);
	free(s->chunks);
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
	struct sp_module_symbols *m = s->modules[module];
	int source = SP_SYMBOLS_NONE;
	size_t key_bytes = 0;
	int64_t row;
	char *key;

	if (m->deps.unusable || m->path[0] != '/' || !open_cache(s))
		return;
	key = make_key(s, m, &key_bytes);
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

/* Adds to the answers in memory what the chunk has for the offset. */
static bool take_answer(struct sp_symbolizer *s, uint32_t module, const struct sp_chunk *chunk, uint32_t offset,
	uint64_t address)
{
	struct sp_symbol frames[SP_FRAMES_MAX];
	size_t count = sp_chunk_frames(chunk, offset, frames);

	for (size_t i = 0; i < count; i++) {
		const char **const texts[] = {
			&frames[i].function, &frames[i].file, &frames[i].decl_file, &frames[i].local_to};

		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			if (*texts[k])
				*texts[k] = sp_strings_keep(&s->context.strings, *texts[k], strlen(*texts[k]));
	}
	if (count)
		sp_answers_add(&s->answers, module, address, frames, count);
	return count;
}

/* The addresses to be written: these, and those of the chunk as it stands, whose answers are taken into
 * memory. free() the result; *count of them. */
static uint64_t *merge(struct sp_symbolizer *s, uint32_t module, const struct sp_chunk *chunk,
	const uint64_t *addresses, size_t *count)
{
	uint64_t base = addresses[0] >> SP_CHUNK_BITS << SP_CHUNK_BITS, *all;
	size_t old = chunk->header ? sp_chunk_count(chunk) : 0, used = 0, kept = 0;

	all = sp_alloc_bytes((old + *count) * sizeof(*all));
	for (size_t i = 0; i < *count; i++)
		if (sp_answers_find(&s->answers, module, addresses[i]))
			all[used++] = addresses[i];
	for (size_t i = 0; i < old; i++) {
		uint32_t offset = sp_chunk_offset(chunk, i);

		if (take_answer(s, module, chunk, offset, base + offset))
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
	struct sp_chunk chunk;
	void *old = open_chunk(s, &chunk, row, addresses[0]), *data = NULL;
	uint64_t *all;
	size_t bytes = 0;
	int rc = 0;

	all = merge(s, module, &chunk, addresses, &count);
	if (count)
		data = sp_chunk_write(&s->answers, module, all, count, &bytes);
	if (data)
		rc = sp_cache_write(s->cache, row, addresses[0] >> SP_CHUNK_BITS, data, bytes);
	free(data);
	free(all);
	free(old);
	return rc;
}

/* Answers that were worked out close to the limit on memory may be incomplete for want of room. */
static bool memory_was_short(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long peak_kb = 0;
	struct rlimit limit;
	char line[256];

	while (status && !peak_kb && fgets(line, sizeof(line), status))
		sscanf(line, "VmPeak: %llu", &peak_kb);
	if (status)
		fclose(status);
	return !getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY &&
		peak_kb * 1024 > limit.rlim_cur / 4 * 3;
}

void sp_cached_store(struct sp_symbolizer *s, uint32_t module, const uint64_t *addresses, size_t count)
{
	struct sp_module_symbols *m = s->modules[module];
	size_t key_bytes = 0;
	char *key;
	int64_t row;

	if (!s->cache || !count || m->deps.unusable || m->source < SP_SYMBOLS_NONE || memory_was_short())
		return;
	key = make_key(s, m, &key_bytes);
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
