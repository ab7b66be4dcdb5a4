/* Memory for the command: allocation that cannot fail, a pool for what lives as long as a profile, a hash index and string
 * interning on top of it.
 *
 * The command may end where the agent may not: when memory runs out, these functions print one line and exit, with 1
 * unless told otherwise. Nothing is lost by that, because the spool stays where it is. Any thread may call them. Only sizes
 * that a file dictates are asked for in another way: a file that does not fit is one that cannot be read. */
#ifndef SP_SYMBOLIZE_BASE_MEMORY_H
#define SP_SYMBOLIZE_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Sets what they say and exit with from now on, for commands that do not render. text: static, without "smartprof:
 * ". */
void sp_memory_set_failure(int status, const char *text);

/* Zeroed; free() it. */
void *sp_alloc(size_t count, size_t size);

/* Not zeroed. free() it. */
void *sp_alloc_bytes(size_t bytes);

/* A copy of the text. free() it. */
char *sp_copy_text(const char *text);

/* A printf into memory. free() it. */
char *sp_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *sp_text_list(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Makes room for `wanted` items of `size` bytes in *array (of *capacity items), at least doubling. Room that is
 * never filled costs nothing, so more room than is likely to be needed is cheaper than copying a large array. */
void sp_grow(void *array, size_t *capacity, size_t wanted, size_t size);

struct sp_pool {
	struct sp_pool_block *blocks;
};

void *sp_pool_alloc(struct sp_pool *pool, size_t bytes);                   /* zeroed, 8-aligned */
char *sp_pool_copy(struct sp_pool *pool, const char *text, size_t length); /* adds the NUL */
void sp_pool_free(struct sp_pool *pool);

/* Open-addressing map from two 64-bit words to a 32-bit value. All-zero is a valid empty map. */
struct sp_map {
	struct sp_map_slot *slots;
	size_t capacity, used;
};

/* The value cell of the key; *found tells whether it was there already (a new cell holds 0).
 * The pointer lives until the next call. */
uint32_t *sp_map_at(struct sp_map *map, uint64_t a, uint64_t b, int *found);
void sp_map_free(struct sp_map *map);

/* Interned strings: equal texts get equal ids, counted from 0. */
struct sp_names {
	struct sp_pool pool;
	struct sp_name *items;
	size_t count, capacity;
	uint32_t *slots;
	size_t slot_count;
};

uint32_t sp_names_id(struct sp_names *names, const char *text);
const char *sp_names_text(const struct sp_names *names, uint32_t id);
void sp_names_free(struct sp_names *names);

uint64_t sp_hash_bytes(const void *data, size_t length);

#endif
