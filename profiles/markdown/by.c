/* One table of CPU time, by function, line, file, module or thread: from a spool or a written profile. */
#include "profiles/markdown/markdown.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/writer.h"

struct row {
	uint64_t self_ns, total_ns, samples;
	double error;       /* 0 unknown */
	const char *name;   /* of the function, module or thread; NULL: the place is all there is */
	const char *file;   /* NULL: none */
	const char *module; /* path */
	unsigned line;
	int tid;
};

struct table {
	const struct sp_profile *p;
	const struct sp_filter *filter; /* of rows, where there are no stacks to be filtered */
	struct row *rows;
	size_t count, capacity;
};

static void add(struct table *t, struct row row)
{
	const struct sp_filter *filter = t->filter;
	const char *name = row.name ? row.name : "";

	if (!row.self_ns && !row.total_ns)
		return;
	if (filter && filter->focus && !sp_filter_matches(filter->focus, name, row.file, row.module))
		return;
	if (filter && filter->ignore && sp_filter_matches(filter->ignore, name, row.file, row.module))
		return;
	sp_grow(&t->rows, &t->capacity, t->count + 1, sizeof(*t->rows));
	t->rows[t->count++] = row;
}

static void add_functions(struct table *t)
{
	for (size_t i = 0; i < t->p->function_count; i++) {
		const struct sp_function *f = &t->p->functions[i];

		add(t,
			(struct row){.self_ns = sp_function_self(f),
				.total_ns = sp_function_total(f),
				.samples = f->self_samples,
				.error = f->self_error,
				.name = f->name,
				.file = f->file,
				.line = f->line,
				.module = t->p->modules[f->module].name});
	}
}

static void add_lines(struct table *t)
{
	for (size_t i = 0; i < t->p->line_count; i++) {
		const struct sp_line_info *line = &t->p->lines[i];
		const struct sp_function *f = &t->p->functions[line->function];

		add(t,
			(struct row){.self_ns = line->self_user_ns + line->self_sys_ns,
				.samples = line->self_samples,
				.error = line->self_error,
				.name = f->name,
				.file = line->file,
				.line = line->line,
				.module = t->p->modules[f->module].name});
	}
}

static void add_files(struct table *t)
{
	size_t count;
	struct sp_file_sum *sums = sp_files_add_up(t->p, &count);

	for (size_t i = 0; i < count; i++)
		add(t,
			(struct row){.self_ns = sums[i].self_ns,
				.samples = sums[i].samples,
				.error = sums[i].error,
				.file = sums[i].file});
	free(sums);
}

static void add_modules(struct table *t)
{
	for (size_t i = 1; i < t->p->module_count; i++) {
		const struct sp_module_info *m = &t->p->modules[i];

		add(t,
			(struct row){.self_ns = m->self_ns,
				.samples = m->samples,
				.error = m->self_error,
				.name = m->name,
				.module = m->path});
	}
}

static void add_threads(struct table *t)
{
	for (size_t i = 0; i < t->p->thread_count; i++) {
		const struct sp_thread_info *thread = &t->p->threads[i];

		add(t,
			(struct row){.self_ns = thread->cpu_user_ns + thread->cpu_sys_ns,
				.samples = thread->samples,
				.name = thread->merged && !*thread->name ? "(short threads)" : thread->name,
				.tid = thread->tid,
				.module = thread->start});
	}
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->self_ns != y->self_ns)
		return x->self_ns > y->self_ns ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return strcmp(x->name ? x->name : x->file, y->name ? y->name : y->file);
}

enum column { TOTAL = 1, ERROR = 2, NAME = 4, PLACE = 8, MODULE = 16, TID = 32, START = 64 };

static const struct {
	const char *title, *titles;
	void (*add)(struct table *);
	unsigned columns;
	const char *nothing;
} tables[] = {
	[SP_BY_FUNCTION] = {"function",
		" Total% | Total | Samples | ± | Function | Location | Module |\n"
		"|---:|---:|---:|---:|---:|---:|:---|:---|:---|\n",
		add_functions, TOTAL | ERROR | NAME | PLACE | MODULE, "it holds no CPU time"},
	[SP_BY_LINE] = {"line", " Samples | ± | Function | Line | Module |\n|---:|---:|---:|---:|:---|:---|:---|\n",
		add_lines, ERROR | NAME | PLACE | MODULE,
		"it knows no source lines; they come from programs built with -g where SMARTPROF_SOURCE_LINES is on"},
	[SP_BY_FILE] = {"file", " Samples | ± | File |\n|---:|---:|---:|---:|:---|\n", add_files, ERROR | PLACE,
		"it knows no source files; they come from programs built with -g where SMARTPROF_SOURCE_LINES is on"},
	[SP_BY_MODULE] = {"module", " Samples | ± | Module | Path |\n|---:|---:|---:|---:|:---|:---|\n", add_modules,
		ERROR | NAME | MODULE, "it holds no CPU time"},
	[SP_BY_THREAD] = {"thread", " Samples | Thread | TID | Start |\n|---:|---:|---:|:---|---:|:---|\n", add_threads,
		NAME | TID | START, "it holds no threads"},
};

static void put_place(struct sp_buffer *out, const struct sp_profile *p, const struct row *row)
{
	const char *slash = row->module ? strrchr(row->module, '/') : NULL;

	if (row->file)
		sp_put_location(out, SP_ESCAPE_CELL, p, row->file, row->line);
	else
		sp_escape_name(out, SP_ESCAPE_CELL, slash ? slash + 1 : row->module ? row->module : "");
}

static void write_row(struct sp_buffer *out, const struct sp_profile *p, const struct row *row, unsigned columns)
{
	sp_buffer_printf(out, "| %.1f%% | ", sp_percent(row->self_ns, p->total_ns));
	sp_put_duration(out, row->self_ns);
	if (columns & TOTAL) {
		sp_buffer_printf(out, " | %.1f%% | ", sp_percent(row->total_ns, p->total_ns));
		sp_put_duration(out, row->total_ns);
	}
	sp_buffer_printf(out, " | %llu |", (unsigned long long)row->samples);
	if (columns & ERROR)
		sp_buffer_printf(out, row->error > 0 ? " %.1f |" : " - |", 100 * row->error);
	if (columns & NAME) {
		sp_buffer_puts(out, " ");
		sp_escape_name(out, SP_ESCAPE_CELL, row->name);
		sp_buffer_puts(out, " |");
	}
	if (columns & TID)
		row->tid > 0 ? sp_buffer_printf(out, " %d |", row->tid) : sp_buffer_puts(out, " |");
	if (columns & PLACE) {
		sp_buffer_puts(out, " ");
		put_place(out, p, row);
		sp_buffer_puts(out, " |");
	}
	if (columns & (MODULE | START)) {
		sp_buffer_puts(out, " ");
		sp_escape_name(out, SP_ESCAPE_CELL, row->module ? row->module : "");
		sp_buffer_puts(out, " |");
	}
	sp_buffer_puts(out, "\n");
}

const char *sp_markdown_by(struct sp_buffer *out, const struct sp_profile *profile, enum sp_by by, size_t top,
	const struct sp_filter *filter)
{
	struct table t = {.p = profile, .filter = profile->snapshot ? NULL : filter};
	const char *program = sp_profile_fact(profile, "program");

	if (!profile->cpu_on)
		return "it holds no CPU profile";
	tables[by].add(&t);
	if (!t.count) {
		free(t.rows);
		return filter && (filter->focus || filter->ignore) ? "nothing in it matches" : tables[by].nothing;
	}
	qsort(t.rows, t.count, sizeof(*t.rows), by_time);
	sp_buffer_printf(out, "# CPU time by %s\n\n", tables[by].title);
	sp_escape_name(out, SP_ESCAPE_CELL, program ? program : "unknown program");
	sp_buffer_puts(out, " used ");
	sp_put_duration(out, profile->total_ns);
	sp_buffer_printf(out, " of CPU time; %llu samples.\n\n| Self%% | Self |%s",
		(unsigned long long)profile->samples, tables[by].titles);
	for (size_t i = 0; i < t.count && i < top; i++)
		write_row(out, profile, &t.rows[i], tables[by].columns);
	if (t.count > top)
		sp_buffer_printf(out, "\n… %zu more rows, `smartprof report --full` shows them\n", t.count - top);
	free(t.rows);
	return NULL;
}
