/* The symbolizer: modules opened on first use, answers kept by address. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/cached.h"

static struct sp_symbolizer *make(const struct sp_symbolizer_options *options)
{
	struct sp_symbolizer *s = sp_alloc(1, sizeof(*s));

	elf_version(EV_CURRENT);
	pthread_mutex_init(&s->context.lock, NULL);
	s->context.options = *options;
	s->debug_dirs = sp_copy_text(options->debug_dirs ? options->debug_dirs : SP_DEBUG_DIR);
	s->cache_path = options->cache ? sp_copy_text(options->cache) : NULL;
	s->context.options.debug_dirs = s->debug_dirs;
	s->context.options.cache = s->cache_path;
	return s;
}

static void unmake(struct sp_symbolizer *s)
{
	sp_cache_close(s->cache);
	for (size_t i = 0; i < s->modules_count; i++)
		sp_module_symbols_free(s->modules[i]);
	free(s->modules);
	free(s->views);
	sp_cached_free(s);
	sp_answers_free(&s->answers);
	sp_strings_free(&s->context.strings);
	pthread_mutex_destroy(&s->context.lock);
	free(s->debug_dirs);
	free(s->cache_path);
	free(s);
}

/* The cache is that of the pool's first render. */
static struct sp_symbolizer *find_in(struct sp_symbolizer_pool *pool, const struct sp_symbolizer_options *options)
{
	const char *dirs = options->debug_dirs ? options->debug_dirs : SP_DEBUG_DIR;
	struct sp_symbolizer *s = pool->first;

	while (s &&
		(strcmp(s->debug_dirs, dirs) != 0 || s->context.options.names_only != options->names_only ||
			s->context.options.pid != options->pid))
		s = s->next;
	return s;
}

struct sp_symbolizer *sp_symbolizer_new(const struct sp_symbolizer_options *options)
{
	struct sp_symbolizer_options how = options ? *options : (struct sp_symbolizer_options){0};
	struct sp_symbolizer *s;

	s = how.pool ? find_in(how.pool, &how) : NULL;
	if (s)
		return s;
	s = make(&how);
	if (how.pool) {
		s->next = how.pool->first;
		how.pool->first = s;
	}
	return s;
}

void sp_symbolizer_free(struct sp_symbolizer *s)
{
	if (!s)
		return;
	if (s->context.options.pool)
		s->views_count = 0;
	else
		unmake(s);
}

void sp_symbolizer_pool_free(struct sp_symbolizer_pool *pool)
{
	struct sp_symbolizer *s;

	while ((s = pool->first)) {
		pool->first = s->next;
		unmake(s);
	}
}

static int add_module(struct sp_symbolizer *s, struct sp_module_symbols *m)
{
	sp_grow(&s->modules, &s->modules_capacity, s->modules_count + 1, sizeof(*s->modules));
	s->modules[s->modules_count] = m;
	return (int)s->modules_count++;
}

static int add_view(struct sp_symbolizer *s, int module, uint64_t bias)
{
	sp_grow(&s->views, &s->views_capacity, s->views_count + 1, sizeof(*s->views));
	s->views[s->views_count] = (struct sp_view){(uint32_t)module, bias};
	return (int)s->views_count++;
}

static int find_module(const struct sp_symbolizer *s, const struct sp_symbol_module *module)
{
	for (size_t i = 0; i < s->modules_count; i++)
		if (sp_module_symbols_are_of(s->modules[i], module))
			return (int)i;
	return -ENOENT;
}

int sp_symbolizer_add_module(struct sp_symbolizer *s, const struct sp_symbol_module *module)
{
	int known = s->context.options.pool ? find_module(s, module) : -ENOENT;

	if (known < 0)
		known = add_module(s, sp_module_symbols_new(module));
	return add_view(s, known, module->bias);
}

/* A map that was read again takes the place of what it said before. */
static void drop_perf_maps(struct sp_symbolizer *s)
{
	for (size_t i = 0; i < s->modules_count; i++)
		if (s->modules[i]->source == SP_SYMBOLS_PERF_MAP)
			sp_perfmap_free(&s->modules[i]->perfmap);
}

int sp_symbolizer_add_perf_map(struct sp_symbolizer *s, const char *root, int pid, unsigned uid, uint64_t since_ns)
{
	struct sp_module_symbols *m = sp_module_symbols_new(&(struct sp_symbol_module){.path = ""});
	int handle = sp_perfmap_read(&m->perfmap, root, pid, uid, since_ns);

	if (!handle) {
		drop_perf_maps(s);
		m->opened = true; /* there is no file to open */
		m->source = SP_SYMBOLS_PERF_MAP;
		m->deps.unusable = true;
		handle = add_module(s, m);
	}
	if (handle < 0)
		sp_module_symbols_free(m);
	return handle < 0 ? handle : add_view(s, handle, 0);
}

struct sp_module_symbols *sp_symbolizer_module(struct sp_symbolizer *s, int handle, uint64_t *bias)
{
	if (handle < 0 || (size_t)handle >= s->views_count)
		return NULL;
	*bias = s->views[handle].bias;
	return s->modules[s->views[handle].module];
}

enum sp_symbol_source sp_symbolizer_source(struct sp_symbolizer *s, int module)
{
	uint64_t bias;
	struct sp_module_symbols *m = sp_symbolizer_module(s, module, &bias);

	if (!m)
		return SP_SYMBOLS_GONE;
	if (!m->cached)
		sp_module_symbols_open(m, &s->context);
	return m->source;
}

void sp_symbolizer_trouble(struct sp_symbolizer *s, int module, struct sp_symbol_trouble *trouble)
{
	uint64_t bias;
	struct sp_module_symbols *m = sp_symbolizer_module(s, module, &bias);

	*trouble = (struct sp_symbol_trouble){0};
	if (!m)
		return;
	trouble->error = m->deps.error;
	trouble->missing = sp_deps_missed(&m->deps, &trouble->missing_count);
}

/* Hands out a chain: when it does not fit, calls between the innermost ones and the function are left out. */
static size_t copy_frames(struct sp_symbol *out, size_t max, const struct sp_symbol *frames, size_t count)
{
	size_t n = count < max ? count : max;

	if (!n)
		return 0;
	memcpy(out, frames, (n - 1) * sizeof(*out));
	out[n - 1] = frames[count - 1];
	return n;
}

size_t sp_symbolize(struct sp_symbolizer *s, int module, uint64_t address, struct sp_symbol *out, size_t max)
{
	uint64_t bias;
	struct sp_module_symbols *m = sp_symbolizer_module(s, module, &bias);
	struct sp_symbol frames[SP_FRAMES_MAX];
	const struct sp_answer *known;
	size_t count = 1;
	uint32_t index;

	frames[0] = (struct sp_symbol){0};
	if (!m)
		return copy_frames(out, max, frames, count);
	address -= bias;
	index = s->views[module].module;
	known = sp_answers_find(&s->answers, index, address);
	if (known)
		return copy_frames(out, max, s->answers.frames + known->first, known->count);
	count = sp_cached_frames(s, index, address, frames);
	if (count)
		return copy_frames(out, max, frames, count);
	count = 1;
	sp_module_symbols_open(m, &s->context);
	if (m->source >= SP_SYMBOLS_NONE) {
		count = sp_module_symbols_resolve(m, &s->context, m->dwarf, address, frames);
		sp_answers_add(&s->answers, index, address, frames, count);
	}
	return copy_frames(out, max, frames, count);
}

uint64_t sp_symbolize_code(struct sp_symbolizer *s, int module, uint64_t address)
{
	uint64_t bias;
	struct sp_module_symbols *m = sp_symbolizer_module(s, module, &bias);

	return m ? sp_module_symbols_code(m, &s->context, address - bias) : 0;
}
