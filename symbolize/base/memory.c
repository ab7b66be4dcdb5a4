/* Allocation, pool, hash map and interning for the renderer. */
#include "symbolize/base/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_BLOCK_BYTES 65536u

struct sp_pool_block {
	struct sp_pool_block *next;
	size_t used, size;
	char data[];
};

struct sp_map_slot {
	uint64_t a, b;
	uint32_t value;
	uint32_t taken;
};

struct sp_name {
	const char *text;
	uint64_t hash;
};

static int failure_status = 1;
static const char *failure_text = "rendering: out of memory; the spool is kept, try again with more memory";

void sp_memory_set_failure(int status, const char *text)
{
	failure_status = status;
	failure_text = text;
}

static _Noreturn void die_of_memory(void)
{
	static bool dying;

	while (__atomic_exchange_n(&dying, true, __ATOMIC_RELAXED)) /* exit() is for one thread alone */
		pause();
	if (failure_text)
		fprintf(stderr, "smartprof: %s\n", failure_text);
	exit(failure_status);
}

void *sp_alloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		die_of_memory();
	return p;
}

void *sp_alloc_bytes(size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);

	if (!p)
		die_of_memory();
	return p;
}

char *sp_copy_text(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(sp_alloc_bytes(bytes), text, bytes);
}

char *sp_text_list(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		die_of_memory();
	return text;
}

char *sp_text(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = sp_text_list(format, args);
	va_end(args);
	return text;
}

void sp_grow(void *array, size_t *capacity, size_t wanted, size_t size)
{
	void **slot = array;
	size_t room = *capacity ? *capacity : 16;
	void *p;

	if (wanted <= *capacity)
		return;
	if (wanted > SIZE_MAX / 2 / size)
		die_of_memory();
	while (room < wanted)
		room *= 2;
	p = realloc(*slot, room * size);
	if (!p)
		die_of_memory();
	*slot = p;
	*capacity = room;
}

void *sp_pool_alloc(struct sp_pool *pool, size_t bytes)
{
	struct sp_pool_block *block = pool->blocks;
	size_t size;
	void *p;

	if (bytes > SIZE_MAX / 2)
		die_of_memory();
	bytes = (bytes + 7) & ~(size_t)7;
	if (!block || block->size - block->used < bytes) {
		size = bytes > POOL_BLOCK_BYTES ? bytes : POOL_BLOCK_BYTES;
		block = sp_alloc(1, sizeof(*block) + size);
		block->size = size;
		block->next = pool->blocks;
		pool->blocks = block;
	}
	p = block->data + block->used;
	block->used += bytes;
	return p;
}

char *sp_pool_copy(struct sp_pool *pool, const char *text, size_t length)
{
	char *copy = sp_pool_alloc(pool, length + 1);

	if (length)
		memcpy(copy, text, length);
	return copy;
}

void sp_pool_free(struct sp_pool *pool)
{
	struct sp_pool_block *next;

	for (struct sp_pool_block *block = pool->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	pool->blocks = NULL;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

static void map_rehash(struct sp_map *map)
{
	struct sp_map old = *map;

	map->capacity = old.capacity ? old.capacity * 2 : 64;
	map->slots = sp_alloc(map->capacity, sizeof(*map->slots));
	map->used = 0;
	for (size_t i = 0; i < old.capacity; i++) {
		int found;

		if (old.slots[i].taken)
			*sp_map_at(map, old.slots[i].a, old.slots[i].b, &found) = old.slots[i].value;
	}
	free(old.slots);
}

uint32_t *sp_map_at(struct sp_map *map, uint64_t a, uint64_t b, int *found)
{
	size_t i;

	if (2 * (map->used + 1) > map->capacity)
		map_rehash(map);
	i = mix(mix(a) + b) & (map->capacity - 1);
	while (map->slots[i].taken && (map->slots[i].a != a || map->slots[i].b != b))
		i = (i + 1) & (map->capacity - 1);
	*found = map->slots[i].taken != 0;
	if (!*found) {
		map->slots[i] = (struct sp_map_slot){.a = a, .b = b, .taken = 1};
		map->used++;
	}
	return &map->slots[i].value;
}

void sp_map_free(struct sp_map *map)
{
	free(map->slots);
	*map = (struct sp_map){0};
}

uint64_t sp_hash_bytes(const void *data, size_t length)
{
	const unsigned char *p = data;
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return hash;
}

static void names_rehash(struct sp_names *names)
{
	size_t count = names->slot_count ? names->slot_count * 2 : 256;

	free(names->slots);
	names->slots = sp_alloc(count, sizeof(*names->slots));
	names->slot_count = count;
	for (size_t id = 0; id < names->count; id++) {
		size_t i = mix(names->items[id].hash) & (count - 1);

		while (names->slots[i])
			i = (i + 1) & (count - 1);
		names->slots[i] = (uint32_t)id + 1;
	}
}

uint32_t sp_names_id(struct sp_names *names, const char *text)
{
	size_t length = strlen(text);
	uint64_t hash = sp_hash_bytes(text, length);
	size_t i;

	if (2 * (names->count + 1) > names->slot_count)
		names_rehash(names);
	for (i = mix(hash) & (names->slot_count - 1); names->slots[i]; i = (i + 1) & (names->slot_count - 1)) {
		const struct sp_name *item = &names->items[names->slots[i] - 1];

		if (item->hash == hash && strcmp(item->text, text) == 0)
			return names->slots[i] - 1;
	}
	sp_grow(&names->items, &names->capacity, names->count + 1, sizeof(*names->items));
	names->items[names->count] = (struct sp_name){sp_pool_copy(&names->pool, text, length), hash};
	names->slots[i] = (uint32_t)++names->count;
	return (uint32_t)names->count - 1;
}

const char *sp_names_text(const struct sp_names *names, uint32_t id)
{
	return id < names->count ? names->items[id].text : "";
}

void sp_names_free(struct sp_names *names)
{
	sp_pool_free(&names->pool);
	free(names->items);
	free(names->slots);
	*names = (struct sp_names){0};
}
