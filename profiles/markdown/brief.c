/* A profile in a few lines, for where there is no room for more: the verdict, what is hottest, and what is missing. */
#include "profiles/markdown/markdown.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/markdown/writer.h"
#include "profiles/model/folded.h"
#include "profiles/model/heap.h"
#include "profiles/model/rank.h"

#define ROWS_MOST 10u
#define PATH_MOST 12u /* functions of the hottest path, the inner ones */
#define LEAK_PERCENT 1.0
#define CHURN_PERCENT 20.0
#define MISSING_PERCENT 5.0

struct brief {
	struct sp_writer w; /* its buffer is for one text at a time */
	const struct sp_profile *profile;
	const char *verdict;
	uint32_t *order; /* functions by self time, without pseudo functions */
	size_t count;
	struct sp_folded stacks;
	const struct sp_folded_row *path; /* the hottest; NULL: none */
	const struct sp_heap_site *leak, *churn;
};

/* --- what there is to say ---------------------------------------------------------------------- */

static uint64_t rank_real(const struct sp_profile *p, size_t i)
{
	return i < SP_PSEUDOS ? 0 : sp_function_self(&p->functions[i]);
}

static double row_ns(const struct sp_folded_row *row)
{
	return row->values[SP_WEIGHT_USER_NS] + row->values[SP_WEIGHT_SYS_NS];
}

static void find_path(struct brief *b)
{
	sp_fold_functions(&b->stacks, b->profile, SP_STACKS_CPU);
	for (size_t i = 0; i < b->stacks.count; i++) {
		const struct sp_folded_row *row = &b->stacks.rows[i];

		if (row->depth && b->stacks.ids[row->first + row->depth - 1] >= SP_PSEUDOS &&
			(!b->path || row_ns(row) > row_ns(b->path)))
			b->path = row;
	}
}

static void find_sites(struct brief *b)
{
	const struct sp_profile *p = b->profile;
	uint64_t leaked = 0, churned = 0;

	for (size_t i = 0; i < p->site_count; i++) {
		const struct sp_heap_site *s = &p->sites[i];

		if (sp_heap_leaked(s) > leaked &&
			sp_percent(sp_heap_leaked(s), sp_profile_fact_number(p, "heap_inuse_bytes")) >= LEAK_PERCENT) {
			leaked = sp_heap_leaked(s);
			b->leak = s;
		}
		if (s->short_bytes > churned && sp_percent(s->short_bytes, p->heap_allocated_bytes) >= CHURN_PERCENT) {
			churned = s->short_bytes;
			b->churn = s;
		}
	}
}

/* --- pieces of text; each lives until the next ------------------------------------------------- */

static const char *guilty_line(struct brief *b, const struct sp_function *f)
{
	sp_buffer_clear(&b->w.out);
	sp_buffer_puts(&b->w.out, "");
	sp_put_guilty_line(&b->w, f);
	return b->w.out.data;
}

static const char *site_text(struct brief *b, const struct sp_heap_site *s)
{
	sp_buffer_clear(&b->w.out);
	sp_escape_name(&b->w.out, SP_ESCAPE_CELL, b->profile->functions[s->function].name);
	if (s->file && s->line) {
		sp_buffer_puts(&b->w.out, " (");
		sp_put_location(&b->w.out, SP_ESCAPE_CELL, b->profile, s->file, s->line);
		sp_buffer_puts(&b->w.out, ")");
	}
	return b->w.out.data;
}

/* In code of no file, such as a just-in-time compiler's. */
static double generated_percent(const struct sp_profile *p)
{
	for (size_t i = 0; i < p->module_count; i++)
		if (strcmp(p->modules[i].path, "[unknown]") == 0)
			return sp_percent(p->modules[i].self_ns, p->total_ns);
	return 0;
}

typedef void say_fn(void *context, const char *text);

static void say(say_fn *fn, void *context, struct sp_buffer *text)
{
	fn(context, text->data);
	sp_buffer_clear(text);
}

/* What keeps the figures from being complete. */
static void each_missing(const struct sp_profile *p, say_fn *fn, void *context)
{
	const char *unnamed = sp_profile_fact(p, "frames_unsymbolized_percent");
	double unsampled = sp_percent(p->unsampled_ns, p->total_ns);
	double generated = generated_percent(p);
	double truncated = sp_percent(sp_function_total(&p->functions[SP_PSEUDO_TRUNCATED]), p->total_ns);
	uint64_t before = sp_profile_fact_number(p, "heap_before_sampling_bytes");
	struct sp_buffer text = {0};

	if (!p->cpu_on)
		fn(context, "CPU time was not sampled");
	else if (p->samples < 100) {
		sp_buffer_printf(&text, "%llu samples show only a coarse picture", (unsigned long long)p->samples);
		say(fn, context, &text);
	}
	if (!p->heap_on)
		fn(context, "the heap was not sampled");
	if (p->cpu_on && unsampled >= MISSING_PERCENT) {
		sp_buffer_printf(&text, "%.1f %% of the CPU time is unsampled", unsampled);
		say(fn, context, &text);
	}
	if (generated >= MISSING_PERCENT) {
		sp_buffer_printf(&text, "%.0f %% of the CPU time is in generated code without a name", generated);
		say(fn, context, &text);
	}
	if (unnamed && strtod(unnamed, NULL) >= MISSING_PERCENT) {
		sp_buffer_printf(&text,
			"%.0f %% of all frames have no name; smartprof symbolize gives names where there are debug "
			"files",
			strtod(unnamed, NULL));
		say(fn, context, &text);
	}
	if (truncated >= MISSING_PERCENT) {
		sp_buffer_printf(&text, "%.1f %% of the CPU time has stacks that end early", truncated);
		say(fn, context, &text);
	}
	if (p->heap_on && sp_percent(before, p->heap_allocated_bytes) >= MISSING_PERCENT) {
		sp_buffer_printf(&text, "%.0f %% of the bytes were allocated before sampling began",
			sp_percent(before, p->heap_allocated_bytes));
		say(fn, context, &text);
	}
	sp_buffer_free(&text);
}

/* --- as text ----------------------------------------------------------------------------------- */

static void put_rows(struct sp_buffer *out, struct brief *b, size_t rows)
{
	const struct sp_profile *p = b->profile;

	if (rows)
		sp_buffer_puts(out, "Hottest, by self time:\n\n");
	for (size_t i = 0; i < rows; i++) {
		const struct sp_function *f = &p->functions[b->order[i]];

		sp_buffer_printf(out, "%zu. %.1f %% ± %.1f ", i + 1, sp_percent(sp_function_self(f), p->total_ns),
			100 * f->self_error);
		sp_escape_name(out, SP_ESCAPE_CELL, f->name);
		sp_buffer_puts(out, guilty_line(b, f));
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, rows ? "\n" : "");
}

static void put_path(struct sp_buffer *out, const struct brief *b, uint32_t most)
{
	uint32_t from;

	if (!b->path)
		return;
	from = b->path->depth > most ? b->path->depth - most : 0;
	sp_buffer_printf(out, "Hottest path (%.1f %%): ", 100 * row_ns(b->path) / (double)b->profile->total_ns);
	for (uint32_t k = from; k < b->path->depth; k++) {
		sp_buffer_puts(out, k > from ? " → " : from ? "… → " : "");
		sp_escape_name(out, SP_ESCAPE_CELL, b->profile->functions[b->stacks.ids[b->path->first + k]].name);
	}
	sp_buffer_puts(out, "\n\n");
}

static void put_site(struct sp_buffer *out, struct brief *b, const char *what, const struct sp_heap_site *s,
	uint64_t bytes, const char *rest)
{
	if (!s)
		return;
	sp_buffer_printf(out, "%s: %s ", what, site_text(b, s));
	sp_buffer_puts(out, s == b->leak ? "left " : "allocated ");
	sp_put_size(out, bytes);
	sp_buffer_puts(out, rest);
}

static void put_missing(void *context, const char *text)
{
	struct sp_buffer *out = context;

	sp_buffer_puts(out, out->length ? "; " : "");
	sp_buffer_puts(out, text);
}

static void put_text(struct sp_buffer *out, struct brief *b, size_t rows, uint32_t path)
{
	struct sp_buffer missing = {0};

	sp_buffer_printf(out, "%s\n\n", b->verdict);
	put_rows(out, b, rows);
	put_path(out, b, path);
	if (b->leak)
		put_site(out, b, "Leak suspect", b->leak, sp_heap_leaked(b->leak), " behind all through the run.\n\n");
	else if (b->churn)
		put_site(out, b, "Churn", b->churn, b->churn->short_bytes, " that was freed at once.\n\n");
	each_missing(b->profile, put_missing, &missing);
	sp_buffer_printf(out, "Missing: %s.\n", missing.length ? missing.data : "nothing worth mentioning");
	sp_buffer_free(&missing);
}

/* --- as JSON ----------------------------------------------------------------------------------- */

static json_t *row_json(struct brief *b, const struct sp_function *f)
{
	const struct sp_profile *p = b->profile;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "function", sp_json_text(f->name), "module",
		sp_json_text(p->modules[f->module].name), "self_percent",
		sp_json_number(sp_percent(sp_function_self(f), p->total_ns)), "error_percent",
		sp_json_number(100 * f->self_error), "where", sp_json_text(guilty_line(b, f)));
}

static json_t *site_json(const struct brief *b, const struct sp_heap_site *s, uint64_t bytes)
{
	if (!s)
		return json_null();
	return json_pack("{s:o, s:o, s:i, s:o}", "function", sp_json_text(b->profile->functions[s->function].name),
		"file", sp_json_text(s->file), "line", (int)s->line, "bytes", sp_json_count(bytes));
}

static void add_missing(void *context, const char *text)
{
	json_array_append_new(context, sp_json_text(text));
}

static void put_json(struct sp_buffer *out, struct brief *b, size_t rows, uint32_t most)
{
	json_t *hottest = json_array(), *path = json_array(), *missing = json_array();
	uint32_t from = b->path && b->path->depth > most ? b->path->depth - most : 0;

	for (size_t i = 0; i < rows; i++)
		json_array_append_new(hottest, row_json(b, &b->profile->functions[b->order[i]]));
	for (uint32_t k = from; b->path && k < b->path->depth; k++)
		json_array_append_new(path,
			sp_json_text(b->profile->functions[b->stacks.ids[b->path->first + k]].name));
	each_missing(b->profile, add_missing, missing);
	sp_json_put(out,
		json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o}", "verdict", sp_json_text(b->verdict), "hottest",
			hottest, "hottest_path", "percent",
			b->path ? sp_json_number(100 * row_ns(b->path) / (double)b->profile->total_ns) : json_null(),
			"functions", path, "leak", site_json(b, b->leak, b->leak ? sp_heap_leaked(b->leak) : 0),
			"churn", site_json(b, b->churn, b->churn ? b->churn->short_bytes : 0), "missing", missing),
		false);
	sp_buffer_puts(out, "\n");
}

void sp_markdown_brief(struct sp_buffer *out, const struct sp_profile *profile, const char *verdict, bool json)
{
	struct brief b = {.profile = profile, .verdict = verdict, .w = {.profile = profile}};
	uint32_t path = PATH_MOST;
	size_t rows;

	b.order = sp_rank(profile->function_count, &b.count, rank_real, profile);
	find_path(&b);
	find_sites(&b);
	rows = b.count < ROWS_MOST ? b.count : ROWS_MOST;
	for (bool done = false; !done;) {
		sp_buffer_clear(out);
		if (json)
			put_json(out, &b, rows, path);
		else
			put_text(out, &b, rows, path);
		done = out->length <= SP_BRIEF_BYTES || (!rows && path <= 1);
		path -= path > 1;
		rows -= rows > 0 && path < PATH_MOST / 2;
	}
	sp_folded_free(&b.stacks);
	sp_buffer_free(&b.w.out);
	free(b.order);
}
