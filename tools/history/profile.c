/* A profile, for the history: the file itself, its totals and its functions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"
#include "profiles/base/normal_name.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/spans.h"
#include "profiles/model/wait_rows.h"
#include "symbolize/base/memory.h"
#include "tools/history/record.h"
#include "tools/tools.h"

#define SHARE_LEAST 0.001
#define ERROR_95 1.96 /* half of a 95 % interval is so many standard errors */
#define SPANS_MOST 100

static double standard_error(double half_width)
{
	return half_width > 0 ? half_width / ERROR_95 : NAN;
}

static void add_function(struct sp_history_run *run, enum sp_history_of of, const char *name, const char *module,
	const double *figures, const char *program)
{
	struct sp_buffer normal = {0}, in = {0};

	sp_normal_name(&normal, name);
	sp_normal_module(&in, module ? module : "", program);
	sp_history_add_function(run, of, normal.data ? normal.data : name, in.data, figures[0], figures[1], figures[2]);
	sp_buffer_free(&normal);
	sp_buffer_free(&in);
}

static const char *module_of(const struct sp_profile *profile, uint32_t function)
{
	return profile->modules[profile->functions[function].module].path;
}

static void add_cpu(struct sp_history_run *run, const struct sp_profile *profile, const char *program)
{
	for (size_t i = 0; i < profile->function_count; i++) {
		const struct sp_function *f = &profile->functions[i];
		double self = (double)sp_function_self(f), all = (double)profile->total_ns;
		const double figures[] = {self, (double)sp_function_total(f), standard_error(f->self_error * all)};

		if (self >= SHARE_LEAST * all && self > 0)
			add_function(run, SP_HISTORY_CPU, f->name, module_of(profile, (uint32_t)i), figures, program);
	}
}

static void add_allocated(struct sp_history_run *run, const struct sp_profile *profile, const char *program)
{
	double *bytes = calloc(2 * profile->function_count + 1, sizeof(*bytes)),
	       *variance = bytes + profile->function_count;
	double all = (double)profile->heap_allocated_bytes;

	for (size_t i = 0; bytes && i < profile->site_count; i++) {
		bytes[profile->sites[i].function] += (double)profile->sites[i].alloc_bytes;
		variance[profile->sites[i].function] += profile->sites[i].alloc_variance;
	}
	for (size_t i = 0; bytes && i < profile->function_count; i++) {
		const double figures[] = {bytes[i], NAN, variance[i] > 0 ? sqrt(variance[i]) : NAN};

		if (bytes[i] >= SHARE_LEAST * all && bytes[i] > 0)
			add_function(run, SP_HISTORY_ALLOCATED, profile->functions[i].name,
				module_of(profile, (uint32_t)i), figures, program);
	}
	free(bytes);
}

/* By the call and who called it, "read in parse", by whatever way. */
static void add_waited(struct sp_history_run *run, const struct sp_profile *profile, const char *program)
{
	double *ns = sp_alloc(2 * profile->wait_row_count + 1, sizeof(*ns)), *squares = ns + profile->wait_row_count;
	struct sp_names names = {0};
	double all = 0;

	for (size_t i = 0; i < profile->wait_row_count; i++) {
		const struct sp_wait_row *w = &profile->wait_rows[i];
		struct sp_buffer name = {0};
		uint32_t id;

		if (w->idle)
			continue;
		sp_buffer_printf(&name, "%s in %s", w->call, w->caller);
		id = sp_names_id(&names, name.data);
		ns[id] += (double)w->ns;
		squares[id] += w->error_ns * w->error_ns;
		all += (double)w->ns;
		sp_buffer_free(&name);
	}
	for (uint32_t id = 0; id < names.count; id++) {
		const double figures[] = {ns[id], NAN, standard_error(sqrt(squares[id]))};

		if (ns[id] >= SHARE_LEAST * all)
			add_function(run, SP_HISTORY_WAITED, sp_names_text(&names, id), "", figures, program);
	}
	sp_names_free(&names);
	free(ns);
}

static void add_spans(struct sp_history_run *run, const struct sp_profile *profile)
{
	for (size_t i = 0; i < profile->span_count && i < SPANS_MOST; i++) {
		const struct sp_span_info *s = &profile->spans[i];
		struct sp_buffer name = {0};

		if (!s->count)
			continue;
		if (s->p99_ns) { /* not of a sum of profiles */
			sp_buffer_printf(&name, "span.%s.p99_ns", s->name);
			sp_history_add_metric(run, name.data, (double)s->p99_ns, NAN);
			sp_buffer_clear(&name);
			sp_buffer_printf(&name, "span.%s.p50_ns", s->name);
			sp_history_add_metric(run, name.data, (double)s->median_ns, NAN);
			sp_buffer_clear(&name);
		}
		sp_buffer_printf(&name, "span.%s.count", s->name);
		sp_history_add_metric(run, name.data, (double)s->count, NAN);
		sp_buffer_free(&name);
	}
}

static void add_fact(struct sp_history_run *run, const struct sp_profile *profile, const char *key, const char *metric,
	const char *error_key)
{
	double error = error_key ? standard_error((double)sp_profile_fact_number(profile, error_key)) : NAN;

	if (sp_profile_fact(profile, key))
		sp_history_add_metric(run, metric, (double)sp_profile_fact_number(profile, key), error);
}

/* What was measured beside the profile was there before, and stays. */
static void add_totals(struct sp_history_run *run, const struct sp_profile *profile)
{
	sp_history_add_metric(run, "wall_ns", (double)profile->wall_ns, NAN);
	sp_history_add_metric(run, "cpu_ns", (double)(profile->cpu_user_ns + profile->cpu_sys_ns), NAN);
	sp_history_add_metric(run, "user_ns", (double)profile->cpu_user_ns, NAN);
	sp_history_add_metric(run, "sys_ns", (double)profile->cpu_sys_ns, NAN);
	add_fact(run, profile, "max_rss_bytes", "peak_rss_bytes", NULL);
	add_fact(run, profile, "heap_allocated_bytes", "allocated_bytes", NULL);
	add_fact(run, profile, "heap_allocations", "allocations", NULL);
	add_fact(run, profile, "heap_peak_bytes", "heap_peak_bytes", "heap_peak_error_bytes");
	add_fact(run, profile, "heap_inuse_bytes", "heap_inuse_bytes", "heap_inuse_error_bytes");
}

static void take_build_id(struct sp_history_run *run, const struct sp_profile *profile)
{
	const char *program = sp_profile_fact(profile, "program");

	for (size_t i = 0; program && (!run->build_id || !*run->build_id) && i < profile->module_count; i++)
		if (profile->modules[i].path && profile->modules[i].build_id && *profile->modules[i].build_id &&
			strcmp(profile->modules[i].path, program) == 0)
			sp_history_set(&run->build_id, profile->modules[i].build_id);
}

bool sp_record_profile(struct sp_history_run *run, const char *path)
{
	struct sp_buffer text = {0};
	struct sp_profile *profile = NULL;
	const char *why, *program;

	if (sp_input_read(path, &text) == 0)
		profile = sp_markdown_read(text.data, text.length, &why);
	if (profile) {
		program = sp_profile_fact(profile, "program");
		add_totals(run, profile);
		add_cpu(run, profile, program);
		add_allocated(run, profile, program);
		add_waited(run, profile, program);
		add_spans(run, profile);
		take_build_id(run, profile);
		sp_history_set_blob(run, SP_HISTORY_PROFILE, text.data, text.length);
		run->profiled = true;
		sp_profile_free(profile);
	}
	sp_buffer_free(&text);
	return profile != NULL;
}
