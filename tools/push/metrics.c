/* Figures for Prometheus and its like: totals, the 20 functions with most, what is left as `other`, and how sending goes. All of a
 * profile's functions would be a series each. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/base64.h"
#include "profiles/base/exposition.h"
#include "profiles/base/shorten.h"
#include "profiles/base/time.h"
#include "profiles/output/output.h"
#include "symbolize/base/memory.h"
#include "tools/push/engine.h"

#define FUNCTIONS_SHOWN 20u

struct writer {
	struct sp_buffer *out;
	const struct sp_push_item *item;
	struct sp_push_labels labels; /* as names of Prometheus */
	uint64_t at_ms;               /* written behind each figure; 0: none is */
};

/* What the front matter has under that key. */
static const struct {
	const char *fact, *name, *label, *help;
} totals[] = {
	{"wall_seconds", "smartprof_wall_seconds", NULL, "How long what was measured took."},
	{"cpu_user_seconds", "smartprof_cpu_seconds", "mode=\"user\"", "CPU time of the process."},
	{"cpu_system_seconds", "smartprof_cpu_seconds", "mode=\"system\"", NULL},
	{"run_queue_seconds", "smartprof_run_queue_seconds", NULL, "How long threads were ready and got no CPU."},
	{"blocked_seconds", "smartprof_blocked_seconds", NULL, "How long threads were blocked, added up."},
	{"max_rss_bytes", "smartprof_max_rss_bytes", NULL, "The most memory the process had."},
	{"heap_allocated_bytes", "smartprof_heap_allocated_bytes", NULL, "Bytes allocated, exact."},
	{"heap_inuse_bytes", "smartprof_heap_inuse_bytes", NULL, "Bytes of heap in use at the end."},
	{"heap_inuse_error_bytes", "smartprof_heap_inuse_error_bytes", NULL, "Half of its 95 % interval."},
	{"heap_peak_bytes", "smartprof_heap_peak_bytes", NULL, "Bytes of heap in use at the peak."},
	{"heap_peak_error_bytes", "smartprof_heap_peak_error_bytes", NULL, "Half of its 95 % interval."},
	{"cpu_samples", "smartprof_samples", NULL, "CPU samples that the profile rests on."},
	{"cpu_samples_dropped", "smartprof_samples_dropped", NULL, "CPU samples that there was no room for."},
	{"overhead_measured_percent", "smartprof_overhead_percent", NULL, "What sampling cost, of the CPU time."},
};

static void begin(struct writer *w, const char *name, const char *help)
{
	if (help)
		sp_buffer_printf(w->out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* more: labels of this figure alone, or NULL. */
static void put(struct writer *w, const char *name, const char *more, double value)
{
	sp_buffer_printf(w->out, "%s{", name);
	for (size_t i = 0; i < w->labels.count; i++) {
		sp_buffer_puts(w->out, i ? "," : "");
		sp_exposition_label(w->out, w->labels.list[i].name, w->labels.list[i].value);
	}
	if (more)
		sp_buffer_printf(w->out, "%s%s", w->labels.count ? "," : "", more);
	sp_buffer_printf(w->out, "} %.15g", value);
	if (w->at_ms)
		sp_buffer_printf(w->out, " %llu", (unsigned long long)w->at_ms);
	sp_buffer_puts(w->out, "\n");
}

static void put_totals(struct writer *w)
{
	const char *begun = "";

	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		const char *text = sp_profile_fact(w->item->profile, totals[i].fact);
		char *end = NULL;
		double value = text ? strtod(text, &end) : NAN;

		if (!text || *end || end == text || !isfinite(value))
			continue;
		if (strcmp(begun, totals[i].name) != 0)
			begin(w, totals[i].name, totals[i].help ? totals[i].help : totals[i - 1].help);
		begun = totals[i].name;
		put(w, totals[i].name, totals[i].label, value);
	}
}

/* --- functions */

struct row {
	uint32_t label; /* of w's names */
	double value, variance;
};

struct table {
	struct sp_names labels; /* function and module, as they are written */
	struct row *rows;
	size_t count, capacity;
};

/* Rows of one label are one: names that are shortened, and modules of one name in two places, may become the same. */
static void add_row(struct table *t, const struct sp_profile *p, uint32_t function, double value, double error)
{
	const struct sp_function *f = &p->functions[function];
	struct sp_buffer name = {0}, label = {0};
	uint32_t id;

	if (!(value > 0))
		return;
	sp_buffer_puts(&name, "");
	sp_shorten_name(&name, f->name);
	sp_exposition_label(&label, "function", name.data);
	sp_buffer_puts(&label, ",");
	sp_exposition_label(&label, "module", p->modules[f->module].name);
	id = sp_names_id(&t->labels, label.data);
	if (id >= t->count) {
		sp_grow(&t->rows, &t->capacity, id + 1, sizeof(*t->rows));
		t->rows[id] = (struct row){.label = id};
		t->count = id + 1;
	}
	t->rows[id].value += value;
	t->rows[id].variance += error * error;
	sp_buffer_free(&name);
	sp_buffer_free(&label);
}

static int most_first(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	return a->label < b->label ? -1 : a->label > b->label;
}

/* error_name: NULL: errors are not known. */
static void put_table(struct writer *w, struct table *t, const char *name, const char *help, const char *error_name)
{
	size_t shown = t->count < FUNCTIONS_SHOWN ? t->count : FUNCTIONS_SHOWN;
	double other = 0;

	if (t->count) {
		qsort(t->rows, t->count, sizeof(*t->rows), most_first);
		begin(w, name, help);
	}
	for (size_t i = 0; i < shown; i++)
		put(w, name, sp_names_text(&t->labels, t->rows[i].label), t->rows[i].value);
	for (size_t i = shown; i < t->count; i++)
		other += t->rows[i].value;
	if (t->count)
		put(w, name, "function=\"other\",module=\"\"", other);
	if (t->count && error_name)
		begin(w, error_name, "Half of the 95 % interval of a function's CPU time.");
	for (size_t i = 0; error_name && i < shown; i++)
		put(w, error_name, sp_names_text(&t->labels, t->rows[i].label), sqrt(t->rows[i].variance));
	sp_names_free(&t->labels);
	free(t->rows);
}

static void put_functions(struct writer *w)
{
	const struct sp_profile *p = w->item->profile;
	struct table cpu = {0}, heap = {0};

	for (uint32_t i = 0; i < p->function_count; i++)
		add_row(&cpu, p, i, (double)sp_function_self(&p->functions[i]) / 1e9,
			p->functions[i].self_error * (double)p->total_ns / 1e9);
	put_table(w, &cpu, "smartprof_function_cpu_seconds", "CPU time in the function's own code.",
		"smartprof_function_cpu_error_seconds");
	for (size_t i = 0; i < p->site_count; i++)
		add_row(&heap, p, p->sites[i].function, (double)p->sites[i].peak_bytes, 0);
	put_table(w, &heap, "smartprof_function_heap_peak_bytes",
		"Bytes that the function's allocations held at the peak.", NULL);
}

/* --- all of it */

static void put_health(struct writer *w)
{
	const struct sp_push_health *h = w->item->health;
	const struct {
		const char *name, *help;
		uint64_t value;
	} list[] = {{"smartprof_push_sent", "Profiles that this machine's outbox has sent.", h->sent},
		{"smartprof_push_refused", "Profiles that an engine would not take.", h->refused},
		{"smartprof_push_dropped", "Profiles that the outbox had no room for.", h->dropped},
		{"smartprof_push_failures", "Attempts that did not reach an engine.", h->failures},
		{"smartprof_push_waiting", "Profiles in the outbox.", h->waiting},
		{"smartprof_push_waiting_bytes", "Bytes in the outbox.", h->waiting_bytes}};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin(w, list[i].name, list[i].help);
		put(w, list[i].name, NULL, (double)list[i].value);
	}
	begin(w, "smartprof_last_success_timestamp_seconds", "When this was sent.");
	put(w, "smartprof_last_success_timestamp_seconds", NULL, (double)(sp_time_ns(CLOCK_REALTIME) / 1000000u) / 1e3);
}

static void put_all(struct sp_buffer *out, const struct sp_push_item *item, bool timed)
{
	static const char *const ours[] = {"function", "module", "mode", "job", "instance", "le", "quantile", NULL};
	static const struct sp_push_name_rules rules = {.reserved = ours};
	struct writer w = {.out = out, .item = item};
	size_t left_out;

	if (timed)
		w.at_ms = (item->end_ns ? item->end_ns : sp_time_ns(CLOCK_REALTIME)) / 1000000u;
	sp_push_labels_valid(&w.labels, item->labels, &rules, &left_out);
	put_totals(&w);
	put_functions(&w);
	put_health(&w);
	begin(&w, "smartprof_profile_end_timestamp_seconds", "When what was measured ended.");
	put(&w, "smartprof_profile_end_timestamp_seconds", NULL, (double)(item->end_ns / 1000000u) / 1e3);
	sp_push_labels_free(&w.labels);
}

static const char *label_or(const struct sp_push_item *item, const char *name, const char *otherwise)
{
	const char *value = sp_push_label(item->labels, name);

	return value && *value ? value : otherwise;
}

bool sp_push_textfile(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_target *target, const char **why)
{
	char service[SAFE_NAME_MAX + 1], program[SAFE_NAME_MAX + 1];

	(void)target;
	*why = NULL;
	sp_output_safe_name(service, sizeof(service), label_or(item, "service", "unknown"));
	sp_output_safe_name(program, sizeof(program), label_or(item, "program", "unknown"));
	put_all(&sp_push_parcel_add(parcel, "PUT", "smartprof.%s.%s.prom", service, program)->body, item, false);
	return true;
}

/* A part of the grouping key. What has a slash in it, or other than a path's plain characters, goes as base64. */
static void put_group(struct sp_buffer *path, const char *name, const char *value)
{
	bool plain = !value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")];

	sp_buffer_printf(path, "/%s%s/", name, plain ? "" : "@base64");
	if (plain)
		sp_buffer_puts(path, value);
	else
		sp_base64(path, value, strlen(value), true);
}

bool sp_push_pushgateway(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_target *target, const char **why)
{
	struct sp_push_request *request;
	struct sp_buffer path = {0};

	*why = NULL;
	put_group(&path, "job", label_or(item, "service", "unknown"));
	put_group(&path, "instance", label_or(item, "host", "unknown"));
	put_group(&path, "program", label_or(item, "program", "unknown"));
	request = sp_push_parcel_add(parcel, "PUT", "%s/metrics%s", target->base, path.data);
	sp_push_header(request, "Content-Type: text/plain; version=0.0.4");
	put_all(&request->body, item, false);
	sp_buffer_free(&path);
	return true;
}

bool sp_push_victoria(struct sp_push_parcel *parcel, const struct sp_push_item *item,
	const struct sp_push_target *target, const char **why)
{
	struct sp_push_request *request =
		sp_push_parcel_add(parcel, "POST", "%s/api/v1/import/prometheus", target->base);

	*why = NULL;
	sp_push_header(request, "Content-Type: text/plain");
	request->gzip = true;
	put_all(&request->body, item, true);
	return true;
}
