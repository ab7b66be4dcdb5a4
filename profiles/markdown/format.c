/* Pieces of lines that every section uses. */
#include "profiles/markdown/markdown.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES_FOR_ERROR 5u

void sp_put_name(struct sp_buffer *out, enum sp_escape how, const char *name)
{
	sp_escape_name(out, how, name);
}

void sp_put_duration(struct sp_buffer *out, uint64_t ns)
{
	double s = (double)ns / 1e9;

	if (s >= 100)
		sp_buffer_printf(out, "%.0f s", s);
	else if (s >= 1)
		sp_buffer_printf(out, "%.2f s", s);
	else if (ns >= 1000000)
		sp_buffer_printf(out, "%.1f ms", s * 1e3);
	else
		sp_buffer_printf(out, "%.0f µs", s * 1e6);
}

void sp_put_size(struct sp_buffer *out, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	sp_buffer_printf(out, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* Takes "./" and "a/.." out of a path, as it is written: what is shown need not exist here. */
static void put_clean(struct sp_buffer *out, const char *path)
{
	size_t base = out->length;

	if (*path == '/')
		sp_buffer_puts(out, "/");
	while (*path) {
		size_t n = strcspn(path, "/"), from = out->length;

		while (from > base && out->data[from - 1] == '/')
			from--;
		while (from > base && out->data[from - 1] != '/')
			from--;
		if (n == 2 && strncmp(path, "..", 2) == 0 && out->length > base && out->data[out->length - 1] == '/' &&
			out->length > from + 1 && strncmp(out->data + from, "../", 3) != 0) {
			out->length = from;
			out->data[from] = '\0';
		} else if (n && !(n == 1 && *path == '.')) {
			sp_buffer_add(out, path, n + (path[n] == '/'));
		}
		path += n + (path[n] == '/');
	}
}

/* The part of the path below the working directory of the profiled program, or NULL. */
static const char *below_cwd(const struct sp_profile *p, const char *path)
{
	const char *cwd = p->snapshot ? sp_snapshot_text(p->snapshot, p->snapshot->header.text.cwd) : "";
	size_t length = strlen(cwd);

	if (length > 1 && strncmp(path, cwd, length) == 0 && path[length] == '/' && path[length + 1])
		return path + length + 1;
	return NULL;
}

void sp_put_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, const char *file,
	unsigned line)
{
	struct sp_buffer clean = {0};
	const char *relative;

	sp_buffer_puts(&clean, "");
	put_clean(&clean, file);
	relative = below_cwd(p, clean.data);
	sp_escape_name(out, how, relative ? relative : clean.data);
	if (line)
		sp_buffer_printf(out, ":%u", line);
	sp_buffer_free(&clean);
}

void sp_put_function_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p,
	const struct sp_function *f)
{
	const struct sp_module_info *m = f->module < p->module_count ? &p->modules[f->module] : NULL;
	const char *relative = m ? below_cwd(p, m->path) : NULL;

	if (f->file)
		sp_put_location(out, how, p, f->file, f->line);
	else if (m)
		sp_escape_name(out, how, relative ? relative : m->name);
	if (m && (f->flags & SP_FUNCTION_UNNAMED) && sp_module_is_gone(m))
		sp_buffer_puts(out, " [gone]");
}

void sp_put_module(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, uint32_t module)
{
	sp_escape_name(out, how, module < p->module_count ? p->modules[module].name : "");
}

uint64_t sp_whole(double value)
{
	return value > 0 ? value < 1.8e19 ? (uint64_t)(value + 0.5) : 18000000000000000000ULL : 0;
}

double sp_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

uint64_t sp_clock_interval_ns(const struct sp_profile *p, uint64_t set_ns)
{
	const struct sp_cpu_totals *cpu = &p->snapshot->header.cpu;

	return cpu->clock != SP_CLOCK_EVENT && set_ns && set_ns < cpu->tick_ns ? cpu->tick_ns : set_ns;
}

bool sp_heap_is_rough(uint64_t bytes, double error_bytes, uint64_t samples)
{
	bool few = samples < SAMPLES_FOR_ERROR && error_bytes > (double)bytes / 10;

	return few || error_bytes >= (double)bytes;
}

void sp_put_rough(struct sp_buffer *out, uint64_t samples)
{
	sp_buffer_printf(out, "rough: %llu sample%s", (unsigned long long)samples, samples == 1 ? "" : "s");
}

void sp_put_heap_total(struct sp_buffer *out, const struct sp_profile *p, uint64_t bytes, double error)
{
	sp_put_size(out, bytes);
	if (error < 1 || error < (double)bytes / 100)
		return;
	if (sp_heap_is_rough(bytes, error, p->snapshot->header.heap.samples)) {
		sp_buffer_puts(out, bytes ? " (rough: at most " : " (at most ");
		sp_put_size(out, sp_whole((double)bytes + error));
		sp_buffer_puts(out, ")");
		return;
	}
	sp_buffer_puts(out, " ± ");
	sp_put_size(out, sp_whole(error));
}

void sp_put_cut(struct sp_buffer *out, size_t shown, size_t all, const char *what, const char *where)
{
	if (all > shown)
		sp_buffer_printf(out, "\n… %zu more %s, see %s\n", all - shown, what, where);
}

uint64_t sp_function_self(const struct sp_function *f)
{
	return f->self_user_ns + f->self_sys_ns;
}

uint64_t sp_function_total(const struct sp_function *f)
{
	return f->total_user_ns + f->total_sys_ns;
}

uint64_t sp_rank_self(const struct sp_profile *profile, size_t function)
{
	return sp_function_self(&profile->functions[function]);
}

uint64_t sp_rank_module(const struct sp_profile *profile, size_t module)
{
	return module ? profile->modules[module].self_ns : 0;
}

struct ranked {
	uint64_t key;
	uint32_t index;
};

static int by_key(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

uint32_t *sp_rank(size_t all, size_t *count, uint64_t (*key)(const struct sp_profile *, size_t),
	const struct sp_profile *profile)
{
	struct ranked *ranked = sp_alloc(all, sizeof(*ranked));
	uint32_t *order;

	*count = 0;
	for (size_t i = 0; i < all; i++) {
		uint64_t value = key(profile, i);

		if (value)
			ranked[(*count)++] = (struct ranked){value, (uint32_t)i};
	}
	qsort(ranked, *count, sizeof(*ranked), by_key);
	order = sp_alloc(*count, sizeof(*order));
	for (size_t i = 0; i < *count; i++)
		order[i] = ranked[i].index;
	free(ranked);
	return order;
}

void sp_put_bars(struct sp_buffer *out, const double *values, size_t n, double most)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

	for (size_t i = 0; i < n; i++)
		sp_buffer_puts(out, bars[most > 0 ? (size_t)(7.0 * values[i] / most + 0.5) : 0]);
}
