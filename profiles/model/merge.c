/* Adding profiles up. */
#include "profiles/model/merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"
#include "profiles/model/build.h"
#include "profiles/model/facts.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"
#include "profiles/model/waits.h"

/* A profile has no room for more (ROWS_MAX of its reader); lighter ones keep their outermost frames. */
#define STACKS_MAX 100000u
#define SHORT_DEPTH 6u
#define ROUNDING_NS 2000000u

struct sp_merge {
	struct sp_profile *out;
	struct sp_snapshot snapshot; /* totals alone */
	struct sp_merge_sums sums;
	struct sp_names texts; /* of paths, files and build-ids */
	struct sp_merge_spans spans;
	struct sp_map modules, functions, frames, paths, sites, lines, files, threads, waits;
	size_t module_capacity, path_capacity, thread_capacity;
	uint32_t *module_of, *function_of, *frame_of; /* of the profile that is being added */
	uint32_t *ids;
	size_t id_capacity;
};

struct sp_merge *sp_merge_new(void)
{
	struct sp_merge *m = sp_alloc(1, sizeof(*m));

	m->out = sp_alloc(1, sizeof(*m->out));
	m->out->snapshot = &m->snapshot;
	sp_profile_setup(m->out);
	for (uint32_t i = 0; i < SP_PSEUDOS; i++) {
		int found;

		*sp_map_at(&m->functions, 0, sp_names_id(&m->out->names, m->out->functions[i].name), &found) = i;
	}
	sp_grow(&m->out->modules, &m->module_capacity, 1, sizeof(*m->out->modules));
	m->out->modules[m->out->module_count++] =
		(struct sp_module_info){.path = "", .name = "", .build_id = "", .handle = -1};
	return m;
}

static const char *keep(struct sp_merge *m, const char *text)
{
	return text ? sp_names_text(&m->texts, sp_names_id(&m->texts, text)) : NULL;
}

static uint64_t text_id(struct sp_merge *m, const char *text)
{
	return text ? sp_names_id(&m->texts, text) + 1ull : 0;
}

/* --- modules: one by its path and build-id; of an unknown one, the first with that path */

static uint32_t new_module(struct sp_merge *m, const struct sp_module_info *in, uint32_t builds)
{
	struct sp_profile *p = m->out;
	struct sp_buffer path = {0};
	struct sp_module_info *out;
	const char *slash;

	sp_buffer_puts(&path, in->path);
	if (builds)
		sp_buffer_printf(&path, " (build %.12s)", *in->build_id ? in->build_id : "unknown");
	sp_grow(&p->modules, &m->module_capacity, p->module_count + 1, sizeof(*p->modules));
	out = &p->modules[p->module_count];
	*out = (struct sp_module_info){.start = in->start, .end = in->end, .bias = in->bias, .handle = -1};
	out->path = keep(m, path.data);
	slash = strrchr(in->path, '/');
	out->name = slash && slash[1] ? out->path + (slash + 1 - in->path) : out->path;
	out->build_id = keep(m, in->build_id);
	out->canonical = (uint32_t)p->module_count;
	out->system = in->system;
	sp_buffer_free(&path);
	return (uint32_t)p->module_count++;
}

static uint32_t module_for(struct sp_merge *m, const struct sp_module_info *in)
{
	uint64_t path = text_id(m, in->path), id = *in->build_id ? text_id(m, in->build_id) : 0;
	uint32_t *first, *cell, module;
	int known, found;

	if (!*in->path)
		return 0;
	first = sp_map_at(&m->modules, path, UINT64_MAX, &known);
	module = *first;
	if (known &&
		(!id || !*m->out->modules[module].build_id ||
			strcmp(m->out->modules[module].build_id, in->build_id) == 0)) {
		if (id && !*m->out->modules[module].build_id) {
			m->out->modules[module].build_id = keep(m, in->build_id);
			m->out->modules[module].start = in->start;
			m->out->modules[module].end = in->end;
			m->out->modules[module].bias = in->bias;
		}
		return module;
	}
	cell = sp_map_at(&m->modules, path, id, &found);
	if (found)
		return *cell;
	module = new_module(m, in, known);
	*sp_map_at(&m->modules, path, id, &found) = module;
	if (!known)
		*sp_map_at(&m->modules, path, UINT64_MAX, &found) = module;
	return module;
}

static void add_modules(struct sp_merge *m, const struct sp_profile *in)
{
	m->module_of = sp_alloc(in->module_count + 1, sizeof(*m->module_of));
	for (size_t i = 0; i < in->module_count; i++) {
		uint32_t to = module_for(m, &in->modules[i]);

		m->module_of[i] = to;
		m->out->modules[to].self_ns += in->modules[i].self_ns;
		m->out->modules[to].samples += in->modules[i].samples;
		m->out->modules[to].self_error =
			hypot(m->out->modules[to].self_error, in->modules[i].self_error * (double)in->total_ns);
	}
}

/* --- functions, frames; errors are in ns until the total is known */

static void add_functions(struct sp_merge *m, const struct sp_profile *in)
{
	m->function_of = sp_alloc(in->function_count, sizeof(*m->function_of));
	for (size_t i = 0; i < in->function_count; i++) {
		const struct sp_function *f = &in->functions[i];
		size_t before = m->out->function_count;
		uint32_t id = sp_profile_function(m->out, m->module_of[f->module], f->name, &m->functions);
		struct sp_function *to = &m->out->functions[id];

		m->function_of[i] = id;
		if (m->out->function_count > before)
			to->code = f->code;
		else if (to->code != f->code)
			to->code = 0;
		to->self_user_ns += f->self_user_ns;
		to->self_sys_ns += f->self_sys_ns;
		to->total_user_ns += f->total_user_ns;
		to->total_sys_ns += f->total_sys_ns;
		to->self_samples += f->self_samples;
		to->total_samples += f->total_samples;
		to->self_error = hypot(to->self_error, f->self_error * (double)in->total_ns);
		to->total_error = hypot(to->total_error, f->total_error * (double)in->total_ns);
		if (!to->file && f->file) {
			to->file = keep(m, f->file);
			to->line = f->line;
		}
		if (to->module && to->name[0] == '[')
			to->flags |= SP_FUNCTION_FOLDED;
	}
}

static void add_frames(struct sp_merge *m, const struct sp_profile *in)
{
	struct sp_profile *p = m->out;

	m->frame_of = sp_alloc(in->frame_count + 1, sizeof(*m->frame_of));
	for (size_t i = 0; i < in->frame_count; i++) {
		struct sp_profile_frame frame = in->frames[i];
		uint64_t file = text_id(m, frame.file);
		uint32_t *cell;
		int found;

		frame.function = m->function_of[frame.function];
		frame.file = keep(m, frame.file);
		cell = sp_map_at(&m->frames, (uint64_t)frame.function << 32 | frame.line, file << 1 | frame.inlined,
			&found);
		if (!found) {
			*cell = (uint32_t)p->frame_count;
			sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
			p->frames[p->frame_count++] = frame;
		}
		m->frame_of[i] = *cell;
	}
}

/* --- stacks */

static void add_weights(struct sp_path *to, const struct sp_path *path)
{
	to->user_ns += path->user_ns;
	to->sys_ns += path->sys_ns;
	to->samples += path->samples;
	to->alloc_bytes += path->alloc_bytes;
	to->alloc_count += path->alloc_count;
	to->inuse_bytes += path->inuse_bytes;
	to->inuse_count += path->inuse_count;
	to->peak_bytes += path->peak_bytes;
	to->peak_count += path->peak_count;
	to->heap_samples += path->heap_samples;
	sp_path_add_waits(to, path);
}

/* The path with the frames in ids[], a new one where there is none. */
static struct sp_path *path_for(struct sp_merge *m, uint32_t depth, enum sp_stack_kind kind)
{
	struct sp_profile *p = m->out;
	size_t bytes = depth * sizeof(*m->ids);
	uint64_t hash = sp_hash_bytes(m->ids, bytes), next = (uint64_t)depth << 2 | kind;
	int found;

	for (;; next += 1ull << 40) { /* texts of equal hashes stand one behind the other */
		uint32_t *cell = sp_map_at(&m->paths, hash, next, &found);

		if (!found) {
			*cell = (uint32_t)p->path_count;
			break;
		}
		if (memcmp(p->frame_ids + p->paths[*cell].first, m->ids, bytes) == 0)
			return &p->paths[*cell];
	}
	sp_grow(&p->paths, &m->path_capacity, p->path_count + 1, sizeof(*p->paths));
	sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + depth, sizeof(*p->frame_ids));
	memcpy(p->frame_ids + p->frame_id_count, m->ids, bytes);
	p->paths[p->path_count] = (struct sp_path){.first = p->frame_id_count, .depth = depth, .kind = kind};
	p->frame_id_count += depth;
	return &p->paths[p->path_count++];
}

static void add_paths(struct sp_merge *m, const struct sp_profile *in)
{
	for (size_t i = 0; i < in->path_count; i++) {
		const struct sp_path *path = &in->paths[i];

		sp_grow(&m->ids, &m->id_capacity, path->depth, sizeof(*m->ids));
		for (uint32_t k = 0; k < path->depth; k++)
			m->ids[k] = m->frame_of[in->frame_ids[path->first + k]];
		add_weights(path_for(m, path->depth, path->kind), path);
	}
}

/* --- heap sites, lines, files, threads */

static void add_sites(struct sp_merge *m, const struct sp_profile *in)
{
	struct sp_profile *p = m->out;

	for (size_t i = 0; i < in->site_count; i++) {
		const struct sp_heap_site *s = &in->sites[i];
		uint32_t function = m->function_of[s->function], *cell;
		struct sp_heap_site *to;
		int found;

		cell = sp_map_at(&m->sites, (uint64_t)function << 32 | s->line, text_id(m, s->file), &found);
		if (!found) {
			*cell = (uint32_t)p->site_count;
			sp_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof(*p->sites));
			p->sites[p->site_count++] = (struct sp_heap_site){.function = function,
				.file = keep(m, s->file),
				.line = s->line,
				.births.first_ns = UINT64_MAX};
		}
		to = &p->sites[*cell];
		to->alloc_bytes += s->alloc_bytes, to->alloc_count += s->alloc_count;
		to->inuse_bytes += s->inuse_bytes, to->inuse_count += s->inuse_count;
		to->peak_bytes += s->peak_bytes, to->peak_count += s->peak_count;
		to->short_bytes += s->short_bytes, to->short_count += s->short_count;
		to->temp_bytes += s->temp_bytes, to->temp_count += s->temp_count;
		to->samples += s->samples, to->inuse_samples += s->inuse_samples;
		to->alloc_variance += s->alloc_variance, to->inuse_variance += s->inuse_variance;
		to->leaked_bytes += sp_heap_leaked(s);
	}
}

static void add_lines(struct sp_merge *m, const struct sp_profile *in)
{
	struct sp_profile *p = m->out;

	for (size_t i = 0; i < in->line_count; i++) {
		const struct sp_line_info *line = &in->lines[i];
		uint32_t function = m->function_of[line->function], *cell;
		struct sp_line_info *to;
		int found;

		cell = sp_map_at(&m->lines, (uint64_t)function << 32 | line->line, text_id(m, line->file), &found);
		if (!found) {
			*cell = (uint32_t)p->line_count;
			*sp_profile_line(p) = (struct sp_line_info){
				.function = function, .file = keep(m, line->file), .line = line->line};
		}
		to = &p->lines[*cell];
		to->self_user_ns += line->self_user_ns;
		to->self_sys_ns += line->self_sys_ns;
		to->self_samples += line->self_samples;
		to->self_error = hypot(to->self_error, line->self_error * (double)in->total_ns);
	}
}

static void add_files(struct sp_merge *m, const struct sp_profile *in)
{
	struct sp_profile *p = m->out;

	for (size_t i = 0; i < in->file_error_count; i++) {
		const struct sp_file_sum *file = &in->file_errors[i];
		int found;
		uint32_t *cell = sp_map_at(&m->files, text_id(m, file->file), 0, &found);

		if (!found) {
			*cell = (uint32_t)p->file_error_count;
			sp_grow(&p->file_errors, &p->file_error_capacity, p->file_error_count + 1,
				sizeof(*p->file_errors));
			p->file_errors[p->file_error_count++] = (struct sp_file_sum){.file = keep(m, file->file)};
		}
		p->file_errors[*cell].error = hypot(p->file_errors[*cell].error, file->error * (double)in->total_ns);
	}
}

/* Threads that share a name and a start function share a row. */
static void add_threads(struct sp_merge *m, const struct sp_profile *in)
{
	struct sp_profile *p = m->out;

	for (size_t i = 0; i < in->thread_count; i++) {
		const struct sp_thread_info *t = &in->threads[i];
		int found;
		uint32_t *cell = sp_map_at(&m->threads, text_id(m, t->name), text_id(m, t->start), &found);
		struct sp_thread_info *to;

		if (!found) {
			*cell = (uint32_t)p->thread_count;
			sp_grow(&p->threads, &m->thread_capacity, p->thread_count + 1, sizeof(*p->threads));
			p->threads[p->thread_count++] =
				(struct sp_thread_info){.name = keep(m, t->name), .start = keep(m, t->start)};
		}
		to = &p->threads[*cell];
		to->merged += t->merged ? t->merged : 1;
		to->user_ns += t->user_ns, to->sys_ns += t->sys_ns;
		to->cpu_user_ns += t->cpu_user_ns, to->cpu_sys_ns += t->cpu_sys_ns;
		to->samples += t->samples;
		sp_waiting_add(&to->waiting, &t->waiting);
		to->alloc_bytes += t->alloc_bytes;
	}
}

/* --- processes */

static void add_process(struct sp_merge *m, struct sp_member process)
{
	struct sp_profile *p = m->out;

	process.program = keep(m, process.program ? process.program : "unknown");
	process.command = keep(m, process.command ? process.command : "");
	process.tree = keep(m, process.tree ? process.tree : "");
	process.exit = keep(m, process.exit ? process.exit : "unknown");
	process.profile = keep(m, process.profile ? process.profile : "");
	sp_grow(&p->processes, &p->process_capacity, p->process_count + 1, sizeof(*p->processes));
	p->processes[p->process_count++] = process;
}

static void add_processes(struct sp_merge *m, const struct sp_profile *in, const char *file)
{
	const char *role = sp_profile_fact(in, "tree_role");

	for (size_t i = 0; i < in->process_count; i++)
		add_process(m, in->processes[i]);
	if (in->process_count)
		return;
	add_process(m,
		(struct sp_member){.program = sp_profile_fact(in, "program"),
			.command = sp_profile_fact(in, "command"),
			.tree = sp_profile_fact(in, "tree"),
			.exit = sp_profile_fact(in, "exit"),
			.profile = file,
			.pid = (int)(sp_profile_fact_number(in, "pid") & INT32_MAX),
			.ppid = (int)(sp_profile_fact_number(in, "ppid") & INT32_MAX),
			.root = role && strcmp(role, "root") == 0,
			.start_ns = sp_facts_start_ns(in),
			.wall_ns = in->wall_ns,
			.cpu_user_ns = in->cpu_user_ns,
			.cpu_sys_ns = in->cpu_sys_ns,
			.samples = in->samples,
			.max_rss_bytes = sp_profile_fact_number(in, "max_rss_bytes"),
			.peak_bytes = sp_profile_fact_number(in, "heap_peak_bytes"),
			.alloc_bytes = in->heap_allocated_bytes});
}

/* What functions add up to is not rounded. */
void sp_merge_cpu_time(const struct sp_profile *in, uint64_t *user_ns, uint64_t *sys_ns)
{
	uint64_t rounded = in->cpu_user_ns + in->cpu_sys_ns, whole = rounded, user = in->cpu_user_ns;

	if (in->cpu_on && (in->total_ns > rounded ? in->total_ns - rounded : rounded - in->total_ns) < ROUNDING_NS)
		whole = in->total_ns;
	*user_ns = user < whole ? user : whole;
	*sys_ns = whole - *user_ns;
}

static void add_cpu_time(struct sp_profile *p, const struct sp_profile *in)
{
	uint64_t user_ns, sys_ns;

	sp_merge_cpu_time(in, &user_ns, &sys_ns);
	p->cpu_user_ns += user_ns;
	p->cpu_sys_ns += sys_ns;
}

void sp_merge_add(struct sp_merge *m, const struct sp_profile *in, const char *file)
{
	struct sp_profile *p = m->out;

	add_modules(m, in);
	add_functions(m, in);
	add_frames(m, in);
	add_paths(m, in);
	add_sites(m, in);
	add_lines(m, in);
	add_files(m, in);
	add_threads(m, in);
	sp_merge_waits(p, in, &m->texts, &m->waits);
	sp_merge_spans(&m->spans, p, in);
	add_processes(m, in, file);
	free(m->module_of);
	free(m->function_of);
	free(m->frame_of);
	p->cpu_on |= in->cpu_on;
	p->heap_on |= in->heap_on;
	p->waits_on |= in->waits_on;
	p->total_ns += in->total_ns;
	p->samples += in->samples;
	p->sampled_user_ns += in->sampled_user_ns;
	p->sampled_sys_ns += in->sampled_sys_ns;
	p->unsampled_ns += in->unsampled_ns;
	add_cpu_time(p, in);
	p->heap_allocated_bytes += in->heap_allocated_bytes;
	p->heap_allocations += in->heap_allocations;
	p->heap_frees += in->heap_frees;
	p->threads_seen += sp_profile_fact_number(in, "threads");
	sp_waiting_add(&p->waiting, &in->waiting);
	m->sums.waiting_unknown |= !in->waiting.wall_ns && in->cpu_user_ns + in->cpu_sys_ns > 0;
	sp_merge_take_facts(&m->sums, p, in);
}

/* --- the end */

static uint64_t weight(const struct sp_path *path)
{
	return path->kind == SP_STACKS_HEAP ? path->alloc_bytes + path->inuse_bytes + path->peak_bytes
					    : path->user_ns + path->sys_ns + path->wait_ns;
}

static int by_weight(const void *a, const void *b, void *context)
{
	const struct sp_path *x = &((const struct sp_path *)context)[*(const uint32_t *)a];
	const struct sp_path *y = &((const struct sp_path *)context)[*(const uint32_t *)b];

	return weight(x) != weight(y)                         ? (weight(x) > weight(y) ? -1 : 1)
		: *(const uint32_t *)a < *(const uint32_t *)b ? -1
							      : 1;
}

static uint32_t overflow_frame(struct sp_profile *p)
{
	sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
	p->frames[p->frame_count] = (struct sp_profile_frame){.function = SP_PSEUDO_OVERFLOW};
	return (uint32_t)p->frame_count++;
}

/* Of a light stack the outermost frames remain, below which [overflow] stands for the rest. */
static void shorten(struct sp_merge *m, uint32_t index, uint32_t overflow)
{
	const struct sp_path path = m->out->paths[index];
	uint32_t kept = path.depth < SHORT_DEPTH ? path.depth : SHORT_DEPTH;

	sp_grow(&m->ids, &m->id_capacity, SHORT_DEPTH + 1, sizeof(*m->ids));
	m->ids[0] = overflow;
	memcpy(m->ids + 1, m->out->frame_ids + path.first + path.depth - kept, kept * sizeof(*m->ids));
	add_weights(path_for(m, kept + 1, path.kind), &path);
	m->out->paths[index] = (struct sp_path){.first = path.first, .depth = path.depth, .kind = path.kind};
}

static void limit_stacks(struct sp_merge *m, enum sp_stack_kind kind)
{
	struct sp_profile *p = m->out;
	uint32_t *order = sp_alloc(p->path_count + 1, sizeof(*order)), overflow;
	size_t count = 0;

	for (size_t i = 0; i < p->path_count; i++)
		if (p->paths[i].kind == kind)
			order[count++] = (uint32_t)i;
	if (count > STACKS_MAX) {
		qsort_r(order, count, sizeof(*order), by_weight, p->paths);
		overflow = overflow_frame(p);
		for (size_t i = STACKS_MAX; i < count; i++)
			shorten(m, order[i], overflow);
		p->stacks_shortened += count - STACKS_MAX;
	}
	free(order);
}

struct sp_profile *sp_merge_finish(struct sp_merge *m, size_t left_out)
{
	struct sp_profile *p = m->out;
	struct sp_heap_totals *heap = &m->snapshot.header.heap;
	uint64_t from_ns, to_ns;

	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++)
		limit_stacks(m, kind);
	sp_paths_sort(p);
	sp_merge_sort_waits(p);
	sp_merge_sort_spans(p);
	sp_profile_divide_errors(p);
	p->has_stacks = true;
	p->inputs_left_out = left_out;
	if (m->sums.waiting_unknown)
		p->waiting = (struct sp_waiting){0};
	sp_processes_span(p, &from_ns, &to_ns);
	p->wall_ns = to_ns - from_ns;
	p->heap_inuse_error = sqrt(m->sums.inuse_error2);
	p->heap_peak_error = sqrt(m->sums.peak_error2);
	heap->inuse_bytes = m->sums.inuse_bytes;
	heap->peak_bytes = m->sums.peak_bytes;
	heap->samples = m->sums.heap_samples;
	heap->requested_bytes = m->sums.heap_interval;
	heap->interval_max_bytes = m->sums.heap_interval_max;
	for (size_t i = 0; i < p->site_count; i++)
		heap->inuse_count += p->sites[i].inuse_count;
	m->snapshot.header.cpu.requested_ns = m->sums.requested_ns;
	m->snapshot.header.start_realtime_ns = from_ns;
	sp_merge_put_facts(&m->sums, p);
	return p;
}

void sp_merge_free(struct sp_merge *m)
{
	sp_profile_free(m->out);
	sp_map_free(&m->modules);
	sp_map_free(&m->functions);
	sp_map_free(&m->frames);
	sp_map_free(&m->paths);
	sp_map_free(&m->sites);
	sp_map_free(&m->lines);
	sp_map_free(&m->files);
	sp_map_free(&m->threads);
	sp_map_free(&m->waits);
	sp_names_free(&m->texts);
	sp_names_free(&m->spans.names);
	free(m->ids);
	free(m);
}
