/* The profile model: building it from a snapshot, its error bars, its facts. */
#include "profiles/model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/wait_rows.h"
#include "profiles/model/waits.h"
#include "profiles/model/cut.h"
#include "profiles/model/order.h"
#include "profiles/model/places.h"
#include "profiles/model/samples.h"
#include "profiles/model/traces.h"
#include "profiles/spool/process.h"

static const char *const pseudo_names[SP_PSEUDOS] = {
	[SP_PSEUDO_UNSAMPLED] = "[unsampled]",
	[SP_PSEUDO_OVERFLOW] = "[overflow]",
	[SP_PSEUDO_TRUNCATED] = "[truncated]",
	[SP_PSEUDO_BEFORE] = "[before sampling]",
	[SP_PSEUDO_AGENT] = SP_OWN,
	[SP_PSEUDO_FILTERED] = "[filtered]",
	[SP_PSEUDO_REST] = SP_REST,
};

/* Module 0 and the pseudo functions exist in every profile. */
void sp_profile_setup(struct sp_profile *profile)
{
	sp_grow(&profile->functions, &profile->function_capacity, SP_PSEUDOS, sizeof(*profile->functions));
	for (size_t i = 0; i < SP_PSEUDOS; i++)
		profile->functions[i] = (struct sp_function){.name = pseudo_names[i], .flags = SP_FUNCTION_PSEUDO};
	profile->function_count = SP_PSEUDOS;
}

uint32_t sp_profile_function(struct sp_profile *profile, uint32_t module, const char *name, struct sp_map *index)
{
	return sp_profile_function_id(profile, module, sp_names_id(&profile->names, name), index);
}

/* No code is a span, "{request}", outside of all frames of the stacks that were taken in it, nor a wait, "[lock]", inside. */
static uint32_t flags_of(uint32_t module, const char *name)
{
	return !module && (name[0] == '{' || name[0] == '[') ? SP_FUNCTION_PSEUDO : 0;
}

bool sp_function_is_span(const struct sp_function *f)
{
	return !f->module && f->name[0] == '{';
}

uint32_t sp_profile_function_id(struct sp_profile *profile, uint32_t module, uint32_t name_id, struct sp_map *index)
{
	int found;
	const char *name = sp_names_text(&profile->names, name_id);
	uint32_t *cell = sp_map_at(index, module, name_id, &found);

	if (found)
		return *cell;
	*cell = (uint32_t)profile->function_count;
	sp_grow(&profile->functions, &profile->function_capacity, profile->function_count + 1,
		sizeof(*profile->functions));
	profile->functions[profile->function_count] =
		(struct sp_function){.name = name, .module = module, .flags = flags_of(module, name)};
	return (uint32_t)profile->function_count++;
}

/* Finds "name\tvalue\t" among the settings lines; returns the value, or NULL. */
static const char *find_setting(const struct sp_snapshot *snapshot, const char *name)
{
	const char *line = sp_snapshot_text(snapshot, snapshot->header.text.settings);
	size_t length = strlen(name);

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, name, length) == 0 && line[length] == '\t')
			return line + length + 1;
	return NULL;
}

static bool setting_is_on(const struct sp_snapshot *snapshot, const char *name, bool otherwise)
{
	const char *value = find_setting(snapshot, name);

	return value ? strncmp(value, "on\t", 3) == 0 : otherwise;
}

static void load_times(struct sp_profile *profile)
{
	const struct sp_spool_header *h = &profile->snapshot->header;

	profile->running = h->state == SP_STATE_RUNNING && profile->snapshot->running;
	profile->end_unknown = h->state == SP_STATE_RUNNING && !profile->running && !h->end_ns;
	profile->wall_ns = profile->snapshot->taken_ns;
	profile->is_window = profile->snapshot->growth != NULL;
}

static void load_process(struct sp_profile *profile)
{
	const struct sp_spool_header *h = &profile->snapshot->header;

	profile->source_lines = setting_is_on(profile->snapshot, "source_lines", true);
	profile->stack_copies = setting_is_on(profile->snapshot, "stack_copies", true);
	profile->inlines = setting_is_on(profile->snapshot, "inlines", false);
	profile->system_libraries = setting_is_on(profile->snapshot, "system_libraries", true);
	profile->full = setting_is_on(profile->snapshot, "full", false);
	profile->heap_wrappers = find_setting(profile->snapshot, "heap_wrappers");
	load_times(profile);
	/* The kernel updates its maximum at the tick, and may know less than was seen in between. */
	profile->max_rss_bytes = h->max_rss_bytes > h->rss_bytes ? h->max_rss_bytes : h->rss_bytes;
	profile->cpu_on = h->cpu.clock != SP_CLOCK_OFF;
	profile->heap_on = h->heap.on != 0;
}

/* The directories asked for on rendering, else those that were when the program was profiled, before
 * the usual one. Malloc'ed. */
static char *debug_dirs(const struct sp_snapshot *snapshot, const struct sp_symbolizer_options *symbols)
{
	const char *asked = symbols ? symbols->debug_dirs : NULL, *line;
	size_t bytes = 0;

	if (asked) {
		bytes = strlen(asked);
	} else {
		line = find_setting(snapshot, "debug_dir");
		asked = line ? line : "";
		bytes = line ? strcspn(line, "\t\n") : 0;
	}
	return sp_text("%.*s%s%s", (int)bytes, asked, bytes ? ":" : "", SP_DEBUG_DIR);
}

struct sp_symbolizer *sp_profile_symbolizer(const struct sp_profile *profile,
	const struct sp_symbolizer_options *symbols)
{
	struct sp_symbolizer_options options = symbols ? *symbols : (struct sp_symbolizer_options){0};
	const struct sp_spool_header *h = &profile->snapshot->header;
	char *dirs = debug_dirs(profile->snapshot, symbols);
	struct sp_symbolizer *symbolizer;

	options.debug_dirs = dirs;
	options.names_only = !profile->source_lines && !profile->inlines;
	/* One that has told of its end waits for this. */
	options.pid = sp_process_alive(h->pid, h->start_ticks) ? h->pid : 0;
	symbolizer = sp_symbolizer_new(&options);
	free(dirs);
	return symbolizer;
}

struct sp_profile *sp_profile_from_snapshot(struct sp_snapshot *snapshot, const struct sp_symbolizer_options *symbols,
	sp_progress_fn *progress, void *context)
{
	return sp_profile_filtered(snapshot, symbols, NULL, progress, context);
}

struct sp_profile *sp_profile_filtered(struct sp_snapshot *snapshot, const struct sp_symbolizer_options *symbols,
	const struct sp_filter *filter, sp_progress_fn *progress, void *context)
{
	struct sp_profile *profile = sp_alloc(1, sizeof(*profile));
	struct sp_symbolizer *symbolizer;
	uint32_t *site_frame;

	profile->snapshot = snapshot;
	profile->has_stacks = true;
	sp_profile_setup(profile);
	load_process(profile);
	if (symbols && symbols->no_inlines)
		profile->inlines = false;
	symbolizer = sp_profile_symbolizer(profile, symbols);
	sp_modules_load(profile, symbolizer);
	sp_stacks_finish(profile, symbolizer);
	site_frame = sp_alloc(snapshot->stack_count, sizeof(*site_frame));
	sp_frames_load(profile, symbolizer, site_frame, progress, context);
	sp_code_load(profile, symbolizer);
	if (sp_filter_is_on(filter))
		sp_frames_filter(profile, filter, site_frame);
	sp_paths_sort(profile);
	sp_threads_add_up(profile, symbolizer);
	sp_cpu_add_up(profile);
	sp_waiting_add_up(profile);
	profile->log = sp_log_add_up(profile);
	sp_cpu_totals(profile);
	sp_lines_add_up(profile);
	sp_spans_add_up(profile, site_frame);
	if (filter && filter->span)
		sp_spans_choose(profile, filter->span);
	sp_waits_add_up(profile, site_frame);
	sp_wait_rows_make(profile);
	sp_traces_add_up(profile);
	sp_marks_add_up(profile, site_frame);
	sp_heap_settle(profile);
	sp_heap_add_up(profile, site_frame);
	for (size_t i = 0; symbolizer && i < profile->module_count; i++)
		if (profile->modules[i].asked)
			sp_module_take_source(profile, &profile->modules[i], symbolizer);
	sp_places_find(profile);
	free(site_frame);
	sp_symbolizer_free(symbolizer);
	return profile;
}

void sp_profile_divide_errors(struct sp_profile *p)
{
	const double total = p->total_ns ? (double)p->total_ns : 1;

	for (size_t i = 0; i < p->function_count; i++) {
		p->functions[i].self_error /= total;
		p->functions[i].total_error /= total;
	}
	for (size_t i = 0; i < p->line_count; i++)
		p->lines[i].self_error /= total;
	for (size_t i = 0; i < p->file_error_count; i++)
		p->file_errors[i].error /= total;
	for (size_t i = 0; i < p->module_count; i++)
		p->modules[i].self_error /= total;
}

void sp_profile_sum_up(struct sp_profile *p)
{
	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];

		p->total_ns += sp_function_self(f);
		p->samples += f->self_samples;
		p->modules[f->module].self_ns += sp_function_self(f);
		p->modules[f->module].samples += f->self_samples;
		if (i == SP_PSEUDO_UNSAMPLED || i == SP_PSEUDO_BEFORE)
			continue;
		p->sampled_user_ns += f->self_user_ns;
		p->sampled_sys_ns += f->self_sys_ns;
	}
	sp_profile_divide_errors(p);
	p->unsampled_ns = sp_function_self(&p->functions[SP_PSEUDO_UNSAMPLED]);
}

void sp_profile_free(struct sp_profile *profile)
{
	if (!profile)
		return;
	sp_pool_free(&profile->pool);
	sp_names_free(&profile->names);
	free(profile->facts);
	free(profile->modules);
	free(profile->functions);
	free(profile->frames);
	free(profile->frame_ids);
	free(profile->paths);
	free(profile->order);
	free(profile->tree);
	free(profile->by_place);
	free(profile->sites);
	free(profile->stack_details);
	free(profile->file_errors);
	sp_log_free(profile->log);
	if (profile->in_time)
		sp_samples_free(profile->in_time);
	free(profile->in_time);
	free(profile->lines);
	free(profile->threads);
	free(profile->marks);
	free(profile->spans);
	sp_waits_free(profile->waits);
	free(profile->wait_rows);
	sp_traces_free(profile->traces);
	free(profile->processes);
	free(profile);
}

const char *sp_profile_fact(const struct sp_profile *profile, const char *key)
{
	for (size_t i = 0; i < profile->fact_count; i++)
		if (strcmp(profile->facts[i].key, key) == 0)
			return profile->facts[i].value;
	return NULL;
}

uint64_t sp_profile_fact_number(const struct sp_profile *profile, const char *key)
{
	const char *value = sp_profile_fact(profile, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

void sp_profile_add_fact(struct sp_profile *profile, const char *key, const char *format, ...)
{
	va_list args;
	char *value;

	va_start(args, format);
	value = sp_text_list(format, args);
	va_end(args);
	sp_grow(&profile->facts, &profile->fact_capacity, profile->fact_count + 1, sizeof(*profile->facts));
	profile->facts[profile->fact_count++] = (struct sp_fact){
		sp_pool_copy(&profile->pool, key, strlen(key)), sp_pool_copy(&profile->pool, value, strlen(value))};
	free(value);
}

uint64_t sp_function_self(const struct sp_function *f)
{
	return f->self_user_ns + f->self_sys_ns;
}

uint64_t sp_function_total(const struct sp_function *f)
{
	return f->total_user_ns + f->total_sys_ns;
}
