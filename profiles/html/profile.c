/* The page of one profile. */
#include "profiles/html/html.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/export/export.h"
#include "profiles/html/page.h"
#include "profiles/model/heap.h"

/* Front matter that the page shows, in this order. */
static const char *const shown_facts[] = {"command", "started", "exit", "environment", "wall_seconds",
	"cpu_user_seconds", "cpu_system_seconds", "thread_seconds", "run_queue_seconds", "throttled_seconds",
	"blocked_seconds", "max_rss_bytes", "threads", "cpu_clock", "cpu_samples", "cpu_interval_achieved_us",
	"frames_unsymbolized_percent", "heap_samples", "heap_allocated_bytes", "heap_allocations", "heap_peak_bytes",
	"heap_inuse_bytes", "overhead_measured_percent", "git_commit", "build_id", "kernel"};

static json_t *facts_json(const struct sp_profile *p)
{
	json_t *facts = json_array();

	for (size_t i = 0; i < sizeof(shown_facts) / sizeof(shown_facts[0]); i++) {
		const char *value = sp_profile_fact(p, shown_facts[i]);

		if (value)
			json_array_append_new(facts, json_pack("[s, o]", shown_facts[i], sp_json_text(value)));
	}
	return facts;
}

/* Markdown to text: no bold, and no backslash before what it keeps from acting. */
static json_t *plain_json(const char *markdown)
{
	struct sp_buffer out = {0};
	json_t *text;

	sp_buffer_puts(&out, "");
	for (; *markdown; markdown++) {
		if (markdown[0] == '*' && markdown[1] == '*') {
			markdown++;
			continue;
		}
		if (markdown[0] == '\\' && markdown[1])
			markdown++;
		sp_buffer_add(&out, *markdown == '\n' ? " " : markdown, 1);
	}
	text = sp_json_text(out.data);
	sp_buffer_free(&out);
	return text;
}

/* Half the width of the 95 % interval of a function's self value, by view and number on the page. Functions of
 * which the page has one number add up as independent ones. */
static json_t *errors_json(const struct sp_profile *p, const uint32_t *numbers, size_t count)
{
	double *squares = sp_alloc(count * SP_VIEWS, sizeof(*squares));
	json_t *errors = json_object();

	for (size_t i = 0; i < p->function_count; i++)
		if (numbers[i] != UINT32_MAX)
			squares[numbers[i]] += pow(p->functions[i].self_error * (double)p->total_ns, 2);
	for (size_t i = 0; i < p->site_count; i++) {
		const struct sp_heap_site *s = &p->sites[i];
		uint32_t number = numbers[s->function];

		if (number == UINT32_MAX)
			continue;
		squares[SP_VIEW_INUSE * count + number] += pow(sp_heap_error(s->inuse_variance, s->inuse_samples), 2);
		squares[SP_VIEW_PEAK * count + number] += pow(sp_heap_error(sp_peak_variance(s), s->samples), 2);
		squares[SP_VIEW_ALLOCATED * count + number] += pow(sp_heap_error(s->alloc_variance, s->samples), 2);
	}
	for (enum sp_export_view v = 0; v < SP_VIEWS; v++) {
		json_t *row = json_array();

		for (size_t i = 0; i < count; i++)
			json_array_append_new(row, sp_json_count((uint64_t)fmin(sqrt(squares[v * count + i]), 1e18)));
		json_object_set_new(errors, sp_view_info[v].key, row);
	}
	free(squares);
	return errors;
}

void sp_html_profile(struct sp_buffer *out, const struct sp_profile *profile, const struct sp_html_text *text,
	enum sp_export_view view)
{
	const char *program = sp_profile_fact(profile, "program");
	struct sp_page_stacks stacks = {0};
	const double scale[SP_STACK_KINDS] = {1, 1, 1};
	const bool on[SP_STACK_KINDS] = {profile->cpu_on, profile->heap_on, profile->waits_on};
	uint32_t *numbers = sp_page_add(&stacks, profile, 0, scale, false);
	uint32_t *places = sp_alloc(profile->path_count, sizeof(*places));
	json_t *data = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "kind", "profile", "program",
		sp_json_text(program), "verdict", plain_json(text->verdict), "report", sp_json_text(text->report),
		"facts", facts_json(profile), "views", sp_page_views(on), "view", sp_view_info[view].key);

	if (!profile->filtered)
		json_object_set_new(data, "errors", errors_json(profile, numbers, json_array_size(stacks.functions)));
	stacks.rows[SP_STACKS_CPU].places = places;
	sp_page_stacks_put(&stacks, data, 1);
	sp_page_samples_put(data, profile, numbers, places, text->directory);
	free(places);
	free(numbers);
	sp_page_write(out, program ? program : "profile", data);
}
