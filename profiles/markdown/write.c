/* Writing a profile as Markdown: the order of its parts, and its budget. */
#include "profiles/markdown/markdown.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/rank.h"

#define FULL 1000000u
#define TIGHTEST 6

static const struct sp_limits usual = {.functions = 60,
	.tree_lines = 120,
	.paths = 15,
	.details = 12,
	.sources = 8,
	.detail_rows = 5,
	.threads = 16,
	.modules = 15,
	.files = 15,
	.sites = 20,
	.heap_tree_lines = 60,
	.notes = 20};
static const struct sp_limits unlimited = {.functions = FULL,
	.tree_lines = FULL,
	.paths = 1000,
	.details = 100,
	.sources = 100,
	.detail_rows = 50,
	.threads = FULL,
	.modules = FULL,
	.files = FULL,
	.sites = FULL,
	.heap_tree_lines = FULL,
	.notes = FULL};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Trees and notes are not counted in rows. */
static struct sp_limits rows(size_t top)
{
	struct sp_limits l = usual;

	l.functions = l.modules = l.files = l.threads = l.sites = top;
	l.paths = least(top, unlimited.paths);
	l.details = least(top, unlimited.details);
	return l;
}

static size_t less(size_t limit, unsigned step)
{
	return limit >> step ? limit >> step : 1;
}

static struct sp_limits tighten(const struct sp_limits *l, unsigned step)
{
	return (struct sp_limits){less(l->functions, step), less(l->tree_lines, step), less(l->paths, step),
		less(l->details, step), less(l->sources, step), less(l->detail_rows, step / 2), less(l->threads, step),
		less(l->modules, step), less(l->files, step), less(l->sites, step), less(l->heap_tree_lines, step),
		less(l->notes, step)};
}

/* Keys whose values are no numbers, even where they happen to look like one to YAML. */
static bool is_text_key(const char *key)
{
	static const char *const keys[] = {"program", "command", "tree", "mark", "kernel", "git_commit", "git_branch",
		"build_id", "environment_reason", "allocator"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

void sp_write_front_matter(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_puts(&w->out, "---\n");
	for (size_t i = 0; i < p->fact_count; i++) {
		sp_buffer_printf(&w->out, "%s: ", p->facts[i].key);
		sp_escape_yaml(&w->out, p->facts[i].value, is_text_key(p->facts[i].key));
		sp_buffer_puts(&w->out, "\n");
	}
	sp_buffer_puts(&w->out, "---\n\n");
}

/* A word for the grep lines: the longest run of plain characters of the hottest function's name. */
static void put_example(struct sp_buffer *out, const struct sp_profile *p)
{
	size_t count, best = 0, length = 0;
	uint32_t *order = sp_rank(p->function_count, &count, sp_rank_self, p);
	const char *name = "main";

	for (size_t i = 0; i < count; i++) {
		if (p->functions[order[i]].flags)
			continue;
		name = p->functions[order[i]].name;
		break;
	}
	for (size_t i = 0; name[i];) {
		size_t n = 0;

		while (isalnum((unsigned char)name[i + n]) || name[i + n] == '_')
			n++;
		if (n > length) {
			length = n;
			best = i;
		}
		i += n ? n : 1;
	}
	sp_buffer_add(out, length ? name + best : "main", length ? (length < 60 ? length : 60) : 4);
	free(order);
}

static void write_find(struct sp_writer *w)
{
	bool plain = *w->file_name != '\0';

	for (const char *c = w->file_name; *c; c++)
		plain = plain && (isalnum((unsigned char)*c) || strchr("._-+", *c));
	if (!plain)
		w->file_name = "PROFILE.md";
	sp_buffer_puts(&w->out, "## Find things\n\n```sh\n");
	sp_buffer_printf(&w->out, "grep -n '^#' %s   # table of contents\n", w->file_name);
	sp_buffer_puts(&w->out, "grep -n '");
	put_example(&w->out, w->profile);
	sp_buffer_printf(&w->out, "' %s   # one function, wherever it appears\n", w->file_name);
	sp_buffer_printf(&w->out, "sed -n '/^## Call Tree/,/^## Hot/p' %s   # the call tree\n", w->file_name);
	sp_buffer_printf(&w->out, "sed -n '/^# Data Quality/,/^# Settings/p' %s   # how far to trust this\n",
		w->file_name);
	sp_buffer_printf(&w->out,
		"smartprof report --format html --output page.html %s   # flame graphs for a browser\n", w->file_name);
	sp_buffer_puts(&w->out, "```\n\n");
}

static void write_top(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	sp_write_front_matter(w);
	sp_write_verdict(w);
	write_find(w);
	sp_write_processes(w);
	sp_write_spans(w);
	sp_write_waiting(w);
	sp_write_waits(w);
	sp_write_traces(w);
	if (p->cpu_on) {
		sp_write_cpu(w);
		sp_write_call_tree(w);
		sp_write_hot_paths(w);
		sp_write_function_details(w);
	}
	sp_write_threads(w);
	if (p->cpu_on) {
		sp_write_modules(w);
		sp_write_files(w);
	}
	sp_write_heap(w);
	sp_write_marks(w);
	sp_write_timeline(w);
	sp_write_quality(w);
	sp_write_settings(w);
}

static void add_up(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	struct sp_sums *sums = &w->sums;

	if (p->process_count) {
		sp_what_tell(&sums->what, p);
		sums->waits = sp_critical_path(p, &sums->wait_count);
	}
	sums->allocator_ns = sp_allocator_ns(p);
	sums->source = sp_source_open(p, sp_snapshot_text(p->snapshot, p->snapshot->header.text.cwd));
	sums->files = sp_files_add_up(p, &sums->file_count);
	sums->details = sp_details_add_up(p, w->limits.details);
	sp_sequences_build(&sums->calls, p, SP_TREE_CPU);
	sums->allocations_by = SP_TREE_INUSE;
	sp_sequences_build(&sums->allocations, p, sums->allocations_by);
	if (sums->allocations.total)
		return;
	sp_sequences_free(&sums->allocations);
	sums->allocations_by = SP_TREE_ALLOCATED;
	sp_sequences_build(&sums->allocations, p, sums->allocations_by);
}

static void finish(struct sp_writer *w, struct sp_buffer *out, bool full)
{
	sp_buffer_add(out, w->out.data, w->out.length);
	sp_write_complete(w, out, full ? 0 : SP_BUDGET_BYTES);
	sp_buffer_free(&w->out);
	sp_what_free(&w->sums.what);
	free(w->sums.waits);
	free(w->sums.files);
	sp_source_free(w->sums.source);
	sp_details_free(w->sums.details);
	sp_sequences_free(&w->sums.calls);
	sp_sequences_free(&w->sums.allocations);
}

void sp_markdown_write(struct sp_buffer *out, const struct sp_profile *profile, const char *file_name, bool full)
{
	struct sp_writer w = {.profile = profile, .file_name = file_name, .limits = full ? unlimited : usual};

	add_up(&w);
	write_top(&w);
	for (unsigned step = 1; step <= TIGHTEST && !full && w.out.length > SP_TOP_BUDGET_BYTES; step++) {
		sp_buffer_clear(&w.out);
		w.limits = tighten(&usual, step);
		write_top(&w);
	}
	finish(&w, out, full);
}

void sp_markdown_write_top(struct sp_buffer *out, const struct sp_profile *profile, const char *file_name, size_t top)
{
	struct sp_writer w = {.profile = profile, .file_name = file_name, .limits = rows(top)};

	add_up(&w);
	write_top(&w);
	finish(&w, out, true);
}
