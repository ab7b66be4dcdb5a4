/* A written profile is built anew by the stages that build one from a spool: what was read stands in for the spool, and
 * a frame that was read for an address. */
#include "profiles/model/again.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/spans.h"
#include "profiles/model/error.h"
#include "profiles/model/heap.h"
#include "profiles/model/waits.h"
#include "profiles/model/order.h"
#include "profiles/model/places.h"
#include "profiles/model/samples.h"

#define TSC_PER_US 1u

/* --- the snapshot ------------------------------------------------------------------------------ */

static uint32_t add_text(struct sp_snapshot *s, const char *text)
{
	size_t bytes = strlen(text) + 1, capacity = s->text_bytes;
	uint32_t at = (uint32_t)s->text_bytes;

	sp_grow(&s->text, &capacity, s->text_bytes + bytes, 1);
	memcpy(s->text + at, text, bytes);
	s->text_bytes += bytes;
	return at;
}

static uint32_t parse_build_id(const char *text, uint8_t *id)
{
	uint32_t bytes = 0;

	for (; text[0] && text[1] && bytes < SP_BUILD_ID_MAX; text += 2) {
		char digits[] = {text[0], text[1], '\0'};

		id[bytes++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return bytes;
}

static bool is_file(const struct sp_module_info *m)
{
	return *m->path && strcmp(m->path, "[unknown]") != 0 && strcmp(m->path, "[jit]") != 0;
}

static void take_modules(struct sp_snapshot *s, const struct sp_profile *p)
{
	const char *exe = sp_profile_fact(p, "build_id"), *allocator = sp_profile_fact(p, "allocator");

	s->modules = sp_alloc(p->module_count, sizeof(*s->modules));
	for (size_t i = 1; i < p->module_count; i++) {
		const struct sp_module_info *m = &p->modules[i];
		struct sp_module *module = &s->modules[s->module_count];

		if (!is_file(m))
			continue;
		*module = (struct sp_module){.ready = 1,
			.path = add_text(s, m->path),
			.start = m->start,
			.end = m->end,
			.bias = m->bias,
			.epoch_to = UINT64_MAX};
		module->build_id_bytes = parse_build_id(m->build_id, module->build_id);
		if (exe && *m->build_id && strcmp(exe, m->build_id) == 0)
			s->header.text.exe = module->path;
		s->module_count++;
	}
	s->header.text.allocator = allocator ? add_text(s, allocator) : 0;
}

static double path_us(const struct sp_path *path)
{
	return (double)(path->user_ns + path->sys_ns) / 1e3;
}

static void take_stacks(struct sp_snapshot *s, const struct sp_profile *p)
{
	static const uint16_t flags[SP_STACK_KINDS] = {
		[SP_STACKS_HEAP] = SP_STACK_IS_HEAP, [SP_STACKS_WAITS] = SP_STACK_IS_HEAP | SP_STACK_IS_WAIT};

	s->stacks = sp_alloc(p->path_count, sizeof(*s->stacks));
	s->stack_count = p->path_count;
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		double us = path_us(path);

		s->stacks[i] =
			(struct sp_stack){.depth = (uint16_t)(path->depth < UINT16_MAX ? path->depth : UINT16_MAX),
				.flags = flags[path->kind],
				.user_ns = path->user_ns,
				.sys_ns = path->sys_ns,
				.user_samples = (uint32_t)path->samples,
				.weight_sq_us2 = path->samples ? (uint64_t)(us * us / (double)path->samples) : 0};
		s->depth_sum += s->stacks[i].depth;
	}
}

/* Each sample weighs what its stack's weigh on average. */
static void take_log(struct sp_snapshot *s, const struct sp_profile *p)
{
	const struct sp_samples *in_time = p->in_time;
	size_t capacity = 0;

	for (size_t i = 0; in_time && i < in_time->run_count; i++) {
		const struct sp_sample_run *run = &in_time->runs[i];
		const struct sp_path *path = &p->paths[run->path];
		double weight = path->samples ? path_us(path) * 1e3 / (double)path->samples / SP_LOG_UNIT_NS : 0;

		for (uint32_t k = 0; k < run->count && s->log_count < SP_LOG_MAX && weight >= 1 && weight < 4e9; k++) {
			sp_grow(&s->log, &capacity, s->log_count + 1, sizeof(*s->log));
			s->log[s->log_count++] = (struct sp_log_entry){
				.stack = run->path & (SP_LOG_MAX - 1), .weight = (uint32_t)weight};
		}
	}
}

static void take_births(struct sp_snapshot *s, uint32_t site, const struct sp_births *births, uint64_t wall_ns,
	size_t *capacity)
{
	for (unsigned part = 0; part < SP_RUN_PARTS; part++)
		for (uint32_t k = 0; k < births->samples[part] && s->live_count < SP_LIVE_MAX; k++) {
			uint64_t from_ns = wall_ns / SP_RUN_PARTS * part,
				 each = births->bytes[part] / births->samples[part];

			if (births->first_ns > from_ns && births->first_ns != UINT64_MAX)
				from_ns = births->first_ns;
			sp_grow(&s->live, capacity, s->live_count + 1, sizeof(*s->live));
			s->live[s->live_count++] = (struct sp_live){.alive = 1,
				.site = site,
				.count = (uint32_t)(births->counts[part] / births->samples[part] +
					(k ? 0 : births->counts[part] % births->samples[part])),
				.weight = each + (k ? 0 : births->bytes[part] % births->samples[part]),
				.born_tsc = s->header.start_tsc + from_ns / 1000 + 1};
		}
}

static struct sp_site site_of(const struct sp_path *path, const struct sp_heap_site *more, uint32_t stack)
{
	return (struct sp_site){.ready = 1,
		.stack = stack,
		.alloc_bytes = path->alloc_bytes,
		.alloc_count = path->alloc_count,
		.free_bytes = path->alloc_bytes - path->inuse_bytes,
		.free_count = path->alloc_count - path->inuse_count,
		.short_bytes = more->short_bytes,
		.short_count = more->short_count,
		.temp_bytes = more->temp_bytes,
		.temp_count = more->temp_count,
		.samples = path->heap_samples,
		.inuse_samples = more->inuse_samples,
		.variance_alloc = (uint64_t)(more->alloc_variance / SP_VARIANCE_UNIT),
		.variance_inuse = (uint64_t)(more->inuse_variance / SP_VARIANCE_UNIT),
		.peak_seq = 1,
		.peak_bytes = path->peak_bytes,
		.peak_count = path->peak_count};
}

static void take_heap(struct sp_snapshot *s, const struct sp_profile *p)
{
	struct sp_heap_totals *h = &s->header.heap;
	size_t capacity = 0;

	s->header.start_tsc = 1;
	s->header.tsc_per_us_x1024 = 1024 * TSC_PER_US;
	*h = (struct sp_heap_totals){.on = p->heap_on,
		.samples = sp_profile_fact_number(p, "heap_samples"),
		.inuse_bytes = sp_profile_fact_number(p, "heap_inuse_bytes"),
		.peak_bytes = sp_profile_fact_number(p, "heap_peak_bytes"),
		.before_bytes = sp_profile_fact_number(p, "heap_before_sampling_bytes"),
		.before_count = sp_profile_fact_number(p, "heap_before_sampling_allocations"),
		.peak_seq = 1};
	s->sites = sp_alloc(p->path_count + 1, sizeof(*s->sites));
	s->site_count = 1; /* the first one collects what found a table full */
	for (size_t i = 0, heap = 0; i < p->path_count; i++) {
		const struct sp_heap_site *more;

		if (p->paths[i].kind != SP_STACKS_HEAP)
			continue;
		more = &p->stack_details[heap++];
		s->sites[s->site_count] = site_of(&p->paths[i], more, (uint32_t)i);
		take_births(s, (uint32_t)s->site_count++, &more->births, p->wall_ns, &capacity);
	}
}

static void take_snapshot(struct sp_snapshot *s, const struct sp_profile *p)
{
	*s = (struct sp_snapshot){0};
	add_text(s, "");
	s->header.state = SP_STATE_ENDED;
	s->header.end_ns = p->wall_ns;
	s->header.cpu.clock = p->cpu_on ? SP_CLOCK_EVENT : SP_CLOCK_OFF;
	s->header.cpu.before_user_ns = p->functions[SP_PSEUDO_BEFORE].self_user_ns;
	s->header.cpu.before_sys_ns = p->functions[SP_PSEUDO_BEFORE].self_sys_ns;
	for (size_t i = 0; i < p->function_count; i++) {
		s->header.cpu.self_user_ns += p->functions[i].self_user_ns;
		s->header.cpu.self_sys_ns += p->functions[i].self_sys_ns;
	}
	s->header.cpu.requested_ns = (uint64_t)sp_profile_fact_number(p, "cpu_interval_requested_us") * 1000;
	take_modules(s, p);
	take_stacks(s, p);
	take_log(s, p);
	take_heap(s, p);
}

/* --- the profile ------------------------------------------------------------------------------- */

/* For each module of the written profile the one of the same path in the new one; 0: none. free() it. */
static uint32_t *match_modules(const struct sp_profile *p, const struct sp_profile *old)
{
	uint32_t *first = sp_alloc(p->module_count + old->module_count, sizeof(*first)); /* by path */
	uint32_t *modules = sp_alloc(old->module_count, sizeof(*modules));
	struct sp_names paths = {0};

	for (uint32_t k = 1; k < p->module_count; k++) {
		uint32_t *module = &first[sp_names_id(&paths, p->modules[k].path)];

		*module = *module ? *module : k;
	}
	for (size_t i = 1; i < old->module_count; i++)
		modules[i] = first[sp_names_id(&paths, old->modules[i].path)];
	sp_names_free(&paths);
	free(first);
	return modules;
}

/* A frame whose line is known, or that is no code of a file whose build is known, stays as it was written. */
static void match_frames(struct sp_written *w, const struct sp_profile *p, bool look_up)
{
	const struct sp_profile *old = w->profile;
	uint32_t *modules = match_modules(p, old);

	w->frames = sp_alloc(old->frame_count, sizeof(*w->frames));
	for (size_t i = 0; i < old->frame_count; i++) {
		const struct sp_profile_frame *frame = &old->frames[i];
		const struct sp_function *f = &old->functions[frame->function];
		uint32_t module = modules[f->module];

		w->frames[i].module = module;
		w->frames[i].wanted = look_up && module && p->modules[module].handle >= 0 &&
			*p->modules[module].build_id && frame->address && !frame->inlined && !frame->line &&
			f->name[0] != '[';
	}
	free(modules);
}

static void copy_facts(struct sp_profile *p, const struct sp_profile *old)
{
	for (size_t i = 0; i < old->fact_count; i++) {
		if (strcmp(old->facts[i].key, "frames_unsymbolized_percent") == 0 && p->all_frames > 0)
			sp_profile_add_fact(p, old->facts[i].key, "%.1f", 100 * p->unnamed_frames / p->all_frames);
		else
			sp_profile_add_fact(p, old->facts[i].key, "%s", old->facts[i].value);
	}
}

static void copy_rest(struct sp_profile *p, struct sp_profile *old)
{
	p->threads = sp_alloc(old->thread_count, sizeof(*p->threads));
	if (old->thread_count)
		memcpy(p->threads, old->threads, old->thread_count * sizeof(*p->threads));
	p->thread_count = old->thread_count;
	p->span_count = old->span_count;
	p->spans = sp_alloc(old->span_count, sizeof(*p->spans));
	if (old->span_count)
		memcpy(p->spans, old->spans, old->span_count * sizeof(*p->spans));
	p->threads_seen = sp_profile_fact_number(old, "threads");
	p->in_time = old->in_time; /* stacks keep their numbers */
	old->in_time = NULL;
	p->traces = old->traces;
	old->traces = NULL;
	p->wait_rows = old->wait_rows;
	p->wait_row_count = old->wait_row_count;
	old->wait_rows = NULL;
	old->wait_row_count = 0;
	p->max_rss_bytes = sp_profile_fact_number(old, "max_rss_bytes");
	p->heap_allocated_bytes = old->heap_allocated_bytes;
	p->heap_allocations = old->heap_allocations;
	p->heap_frees = old->heap_frees;
	p->heap_inuse_error = (double)sp_profile_fact_number(old, "heap_inuse_error_bytes");
	p->heap_peak_error = (double)sp_profile_fact_number(old, "heap_peak_error_bytes");
}

/* Only the average weight of samples is known, which makes errors too small. A module's error does not depend on
 * names, and was written, so all squares are scaled up until the largest of those errors is met. */
static void correct_squares(struct sp_profile *p, const struct sp_profile *old)
{
	uint32_t *part_of = sp_alloc(p->frame_count, sizeof(*part_of)), *modules = match_modules(p, old);
	double *errors = sp_alloc(p->module_count, sizeof(*errors)), was = 0, is = 0;

	for (size_t i = 0; i < p->frame_count; i++)
		part_of[i] = p->functions[p->frames[i].function].module;
	sp_share_errors(p, part_of, false, errors, p->module_count);
	for (size_t k = 1; k < old->module_count; k++)
		if (modules[k] && old->modules[k].self_error > was && errors[modules[k]] > 0) {
			was = old->modules[k].self_error;
			is = errors[modules[k]];
		}
	free(modules);
	for (size_t i = 0; is > 0 && i < p->path_count; i++)
		p->paths[i].sq *= was / is * (was / is);
	free(errors);
	free(part_of);
}

static const char *cannot(const struct sp_profile *written)
{
	const char *exact = sp_profile_fact(written, "frame_addresses");
	size_t heap = 0;

	for (size_t i = 0; i < written->path_count; i++)
		heap += written->paths[i].kind == SP_STACKS_HEAP;
	if (written->process_count)
		return "it is a sum of profiles; run smartprof symbolize on each of them, and merge the results";
	if (!written->has_stacks || !exact || strcmp(exact, "exact") != 0 || heap != written->stack_detail_count)
		return "it was written before profiles held the addresses that names are found by; profile the program "
		       "again";
	return NULL;
}

const char *sp_profile_again(struct sp_again *again, struct sp_profile *written, const char *text, size_t length,
	const struct sp_symbolizer_options *symbols, bool look_up)
{
	struct sp_profile *p;
	struct sp_symbolizer *symbolizer;
	uint32_t *site_frame;
	const char *why = cannot(written);

	if (why)
		return why;
	*again = (struct sp_again){.written = {.profile = written, .text = text, .length = length}};
	take_snapshot(&again->snapshot, written);
	p = again->profile = sp_alloc(1, sizeof(*p));
	p->snapshot = &again->snapshot;
	p->written = &again->written;
	p->has_stacks = p->source_lines = p->system_libraries = true;
	p->inlines = !(symbols && symbols->no_inlines);
	p->heap_wrappers = written->heap_wrappers;
	p->cpu_on = written->cpu_on;
	p->heap_on = written->heap_on;
	p->waits_on = written->waits_on;
	p->wall_ns = written->wall_ns;
	p->waiting = written->waiting;
	sp_profile_setup(p);
	symbolizer = sp_profile_symbolizer(p, symbols);
	sp_modules_load(p, symbolizer);
	match_frames(&again->written, p, look_up);
	site_frame = sp_alloc(again->snapshot.stack_count, sizeof(*site_frame));
	sp_frames_load(p, symbolizer, site_frame, NULL, NULL);
	for (size_t i = 0; i < p->path_count; i++)
		sp_path_add_waits(&p->paths[i], &written->paths[i]);
	sp_paths_sort(p);
	copy_rest(p, written);
	sp_cpu_add_up(p);
	p->cpu_user_ns = written->cpu_user_ns;
	p->cpu_sys_ns = written->cpu_sys_ns;
	p->log = sp_log_add_up(p);
	correct_squares(p, written);
	sp_cpu_totals(p);
	sp_lines_add_up(p);
	sp_heap_add_up(p, site_frame);
	for (size_t i = 0; symbolizer && i < p->module_count; i++)
		if (p->modules[i].asked || (p->modules[i].self_ns && p->modules[i].handle >= 0))
			sp_module_take_source(p, &p->modules[i], symbolizer);
	copy_facts(p, written);
	sp_places_find(p);
	free(site_frame);
	sp_symbolizer_free(symbolizer);
	return NULL;
}

void sp_again_free(struct sp_again *again)
{
	sp_profile_free(again->profile);
	sp_profile_free(again->written.profile);
	free(again->written.frames);
	sp_snapshot_free(&again->snapshot);
}
