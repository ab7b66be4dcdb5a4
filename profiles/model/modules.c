/* Stage 1 of the model: modules, and which one an address belongs to. */
#include "profiles/model/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/spool/process.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool sp_is_system_path(const char *path)
{
	return starts_with(path, "/lib/") || starts_with(path, "/lib64/") || starts_with(path, "/lib32/") ||
		starts_with(path, "/usr/lib/") || starts_with(path, "/usr/lib64/") ||
		starts_with(path, "/usr/lib32/") || strcmp(path, "[vdso]") == 0;
}

/* By start, so that sp_modules_find can search; the same range may come up in several epochs. */
static int by_start(const void *a, const void *b)
{
	const struct sp_module *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->epoch_from < y->epoch_from ? -1 : x->epoch_from > y->epoch_from;
}

static const char *hex_build_id(struct sp_pool *pool, const struct sp_module *m)
{
	static const char digits[] = "0123456789abcdef";
	size_t bytes = m->build_id_bytes <= SP_BUILD_ID_MAX ? m->build_id_bytes : 0;
	char *text = sp_pool_alloc(pool, 2 * bytes + 1);

	for (size_t i = 0; i < bytes; i++) {
		text[2 * i] = digits[m->build_id[i] >> 4];
		text[2 * i + 1] = digits[m->build_id[i] & 15];
	}
	return text;
}

static struct sp_module_info module_info(const struct sp_snapshot *snapshot, const struct sp_module *m,
	struct sp_pool *pool)
{
	const char *path = sp_snapshot_text(snapshot, m->path);
	const char *exe = sp_snapshot_text(snapshot, snapshot->header.text.exe);
	const char *allocator = sp_snapshot_text(snapshot, snapshot->header.text.allocator);
	const char *name = base_name(path);

	return (struct sp_module_info){
		.path = path,
		.name = *name ? name : "[unnamed]",
		.build_id = hex_build_id(pool, m),
		.start = m->start,
		.end = m->end,
		.bias = m->bias,
		.epoch_from = m->epoch_from,
		.epoch_to = m->epoch_to,
		.handle = -1,
		.system = sp_is_system_path(path) && strcmp(path, exe) != 0,
		.agent = starts_with(name, "libsmartprof.so"),
		.allocator = *allocator && strcmp(path, allocator) == 0 && strcmp(path, exe) != 0,
	};
}

static uint64_t hash_identity(const struct sp_module *m)
{
	return m->build_id_bytes ? sp_hash_bytes(m->build_id, m->build_id_bytes)
				 : sp_hash_bytes(&m->file, sizeof(m->file));
}

/* The same library loaded twice is one row in every table. */
static uint32_t canonical(struct sp_names *seen, struct sp_map *seen_ids, const struct sp_module *m, const char *path,
	uint32_t index)
{
	int found;
	uint32_t *cell = sp_map_at(seen_ids, sp_names_id(seen, path), hash_identity(m), &found);

	if (!found)
		*cell = index;
	return *cell;
}

/* Its number among the processes of its own pid namespace, as it knows itself. */
static int own_pid(int pid)
{
	char path[64], line[256];
	const char *last;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		last = starts_with(line, "NSpid:") ? strrchr(line, '\t') : NULL;
		if (last)
			pid = atoi(last + 1);
	}
	if (file)
		fclose(file);
	return pid;
}

/* A living process may have a /tmp of its own; of a dead one only ours is left. */
static int add_perf_map(const struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	const struct sp_spool_header *h = &profile->snapshot->header;
	uint64_t began_ns = h->start_realtime_ns - h->attached_ns;
	char root[64];
	int handle = -ENOENT;

	if (!symbolizer || h->pid <= 0)
		return handle;
	if (sp_process_alive(h->pid, h->start_ticks)) {
		snprintf(root, sizeof(root), "/proc/%d/root", h->pid);
		handle = sp_symbolizer_add_perf_map(symbolizer, root, own_pid(h->pid), h->uid, began_ns);
	}
	if (handle < 0)
		handle = sp_symbolizer_add_perf_map(symbolizer, "/", h->pid, h->uid, began_ns);
	return handle;
}

static struct sp_module_info pseudo_module(const char *name, size_t index, int handle)
{
	return (struct sp_module_info){.path = name,
		.name = name,
		.build_id = "",
		.handle = handle,
		.canonical = (uint32_t)index,
		.asked = handle >= 0};
}

/* modules[0] holds the pseudo functions, modules[1..n] the snapshot's, modules[n+1] and [n+2] all
 * code that belongs to no file. */
void sp_modules_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	struct sp_snapshot *snapshot = profile->snapshot;
	struct sp_names seen = {0};
	struct sp_map seen_ids = {0};
	size_t n = snapshot->module_count;

	if (n)
		qsort(snapshot->modules, n, sizeof(*snapshot->modules), by_start);
	profile->modules = sp_alloc(n + 3, sizeof(*profile->modules));
	profile->module_count = n + 3;
	profile->unknown_module = (uint32_t)n + 1;
	profile->modules[0] = (struct sp_module_info){.path = "", .name = "", .build_id = "", .handle = -1};
	profile->modules[n + 1] = pseudo_module("[unknown]", n + 1, -1);
	profile->modules[n + 2] = pseudo_module("[jit]", n + 2, add_perf_map(profile, symbolizer));
	for (size_t i = 0; i < n; i++) {
		const struct sp_module *m = &snapshot->modules[i];
		struct sp_module_info *info = &profile->modules[i + 1];
		const struct sp_symbol_file file = {.device = m->file.device,
			.inode = m->file.inode,
			.bytes = m->file.bytes,
			.modified_ns = m->file.modified_ns,
			.changed_ns = m->file.changed_ns};
		struct sp_symbol_module symbols;

		*info = module_info(snapshot, m, &profile->pool);
		info->reach = m->end > info[-1].reach ? m->end : info[-1].reach;
		info->canonical = canonical(&seen, &seen_ids, m, info->path, (uint32_t)i + 1);
		symbols = (struct sp_symbol_module){.path = info->path,
			.start = m->start,
			.bias = m->bias,
			.build_id = m->build_id,
			.build_id_bytes = m->build_id_bytes,
			.file = &file};
		info->handle = symbolizer ? sp_symbolizer_add_module(symbolizer, &symbols) : -1;
	}
	sp_names_free(&seen);
	sp_map_free(&seen_ids);
}

void sp_module_take_source(struct sp_profile *profile, struct sp_module_info *module, struct sp_symbolizer *symbolizer)
{
	struct sp_symbol_trouble trouble;

	module->source = sp_symbolizer_source(symbolizer, module->handle);
	sp_symbolizer_trouble(symbolizer, module->handle, &trouble);
	module->read_error = -trouble.error;
	module->debug_missing_count = trouble.missing_count;
	if (trouble.missing)
		module->debug_missing = sp_pool_copy(&profile->pool, trouble.missing, strlen(trouble.missing));
}

bool sp_module_is_gone(const struct sp_module_info *module)
{
	return module->asked && module->handle >= 0 && module->source <= SP_SYMBOLS_MISMATCH;
}

/* Ranges of one epoch do not overlap, so walking back from the last start at or below the address
 * meets the right module first, and ends where nothing reaches so far. */
uint32_t sp_modules_find(const struct sp_profile *profile, uint64_t address, uint64_t epoch)
{
	size_t n = profile->unknown_module - 1, low = 1, high = n + 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (profile->modules[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low - 1; i >= 1; i--) {
		const struct sp_module_info *m = &profile->modules[i];

		if (address >= m->reach)
			break;
		if (address < m->end && m->epoch_from <= epoch && epoch < m->epoch_to)
			return (uint32_t)i;
	}
	return profile->unknown_module;
}
