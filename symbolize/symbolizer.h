/* Internal to the symbolizer: its state. */
#ifndef SP_SYMBOLIZE_SYMBOLIZER_H
#define SP_SYMBOLIZE_SYMBOLIZER_H

#include "symbolize/cache/answers.h"
#include "symbolize/cache/cache.h"
#include "symbolize/module.h"

/* A module at its place in a process: what a handle stands for. */
struct sp_view {
	uint32_t module;
	uint64_t bias;
};

struct sp_symbolizer {
	struct sp_symbolizer *next; /* in its pool */
	struct sp_view *views;
	size_t views_count, views_capacity;
	struct sp_symbol_context context;
	char *debug_dirs, *cache_path;
	struct sp_module_symbols **modules;
	size_t modules_count, modules_capacity;
	struct sp_answers answers;
	struct sp_cached_chunk *chunks; /* of answers, as read from the cache */
	size_t chunks_count, chunks_capacity;
	struct sp_cache *cache; /* NULL: none, or not opened yet */
	bool cache_tried;
};

/* The module of a handle, and its load bias; NULL: there is none. */
struct sp_module_symbols *sp_symbolizer_module(struct sp_symbolizer *s, int handle, uint64_t *bias);

#endif
