/* The complete part: every function, line, thread, heap site and stack, raw, one a row; read.c reads it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/cut.h"
#include "profiles/model/heap.h"
#include "profiles/model/rank.h"
#include "profiles/model/spans.h"
#include "profiles/model/wait_rows.h"

/* Shares below which is cut: from the first that is tried to the last. */
#define SHARE_LEAST (1.0 / 8192)
#define SHARE_MOST (1.0 / 8)
#define SHARE_STEP 1.5

/* Of a profile that is cut: so many samples in the order of time, at some five bytes. */
#define CUT_SAMPLES 5000u

static void put_field(struct sp_buffer *out, const char *text)
{
	sp_buffer_puts(out, "\t");
	sp_escape(out, SP_ESCAPE_PLAIN, text, strlen(text));
}

/* last: NULL, or the module of the row above, which is not written again, except where the name looks like a span's, which
 * have none. */
static void put_place(struct sp_buffer *out, const struct sp_profile *p, const struct sp_function *f, const char *file,
	unsigned line, uint32_t *last)
{
	put_field(out, f->name);
	put_field(out,
		f->module >= p->module_count || (last && *last == f->module && f->name[0] != '{')
			? ""
			: p->modules[f->module].path);
	if (last && f->module)
		*last = f->module;
	put_field(out, file ? file : "");
	sp_buffer_printf(out, "\t%u\n", line);
}

static uint64_t rank_function(const struct sp_profile *p, size_t i)
{
	return sp_function_total(&p->functions[i]) + sp_function_self(&p->functions[i]);
}

static uint64_t rank_site(const struct sp_profile *p, size_t i)
{
	return p->sites[i].alloc_bytes;
}

/* rows[function]: which row it has. */
static void write_functions(struct sp_buffer *out, const struct sp_profile *p, uint32_t *rows, uint32_t *last)
{
	size_t count;
	uint32_t *order = sp_rank(p->function_count, &count, rank_function, p);

	sp_buffer_printf(out,
		"## All functions (%zu)\n\n```tsv\nself_user_ns\tself_sys_ns\ttotal_user_ns\ttotal_sys_ns\t"
		"self_samples\ttotal_samples\tself_error_ns\ttotal_error_ns\tfunction\tmodule\tfile\tline\n",
		count);
	for (size_t i = 0; i < count; i++) {
		const struct sp_function *f = &p->functions[order[i]];

		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu",
			(unsigned long long)f->self_user_ns, (unsigned long long)f->self_sys_ns,
			(unsigned long long)f->total_user_ns, (unsigned long long)f->total_sys_ns,
			(unsigned long long)f->self_samples, (unsigned long long)f->total_samples,
			(unsigned long long)sp_whole(f->self_error * (double)p->total_ns),
			(unsigned long long)sp_whole(f->total_error * (double)p->total_ns));
		put_place(out, p, f, f->file, f->line, last);
		rows[order[i]] = (uint32_t)i;
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

/* Functions whose machine code is known: a row of All functions, and the hash. */
static void write_code(struct sp_buffer *out, const struct sp_profile *p, const uint32_t *rows)
{
	size_t count, known = 0;
	uint32_t *order = sp_rank(p->function_count, &count, rank_function, p);

	for (size_t i = 0; i < count; i++)
		known += p->functions[order[i]].code != 0;
	if (known)
		sp_buffer_printf(out, "## All code (%zu)\n\n```tsv\nrow\tcode\n", known);
	for (size_t i = 0; i < count; i++)
		if (p->functions[order[i]].code)
			sp_buffer_printf(out, "%u\t%016llx\n", rows[order[i]],
				(unsigned long long)p->functions[order[i]].code);
	if (known)
		sp_buffer_puts(out, "```\n\n");
	free(order);
}

static void write_sites(struct sp_buffer *out, const struct sp_profile *p, uint32_t *last)
{
	size_t count;
	uint32_t *order = sp_rank(p->site_count, &count, rank_site, p);

	sp_buffer_printf(out,
		"## All heap sites (%zu)\n\n```tsv\nalloc_bytes\talloc_count\tinuse_bytes\tinuse_count\t"
		"peak_bytes\tpeak_count\tshort_bytes\tshort_count\tsamples\tinuse_samples\talloc_variance\t"
		"inuse_variance\ttemp_bytes\ttemp_count\tleaked_bytes\tfunction\tmodule\tfile\tline\n",
		count);
	for (size_t i = 0; i < count; i++) {
		const struct sp_heap_site *s = &p->sites[order[i]];
		const uint64_t numbers[] = {s->alloc_bytes, s->alloc_count, s->inuse_bytes, s->inuse_count,
			s->peak_bytes, s->peak_count, s->short_bytes, s->short_count, s->samples, s->inuse_samples};

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			sp_buffer_printf(out, "%llu\t", (unsigned long long)numbers[k]);
		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu\t%llu", (unsigned long long)sp_whole(s->alloc_variance),
			(unsigned long long)sp_whole(s->inuse_variance), (unsigned long long)s->temp_bytes,
			(unsigned long long)s->temp_count, (unsigned long long)sp_heap_leaked(s));
		put_place(out, p, &p->functions[s->function], s->file, s->line, last);
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

static uint64_t rank_line(const struct sp_profile *p, size_t i)
{
	return p->lines[i].self_user_ns + p->lines[i].self_sys_ns;
}

static void write_lines(struct sp_buffer *out, const struct sp_profile *p, uint32_t *last)
{
	size_t count;
	uint32_t *order = sp_rank(p->line_count, &count, rank_line, p);

	sp_buffer_printf(out,
		"## All lines (%zu)\n\n```tsv\nself_user_ns\tself_sys_ns\tself_samples\tself_error_ns\tfunction\t"
		"module\tfile\tline\n",
		count);
	for (size_t i = 0; i < count; i++) {
		const struct sp_line_info *line = &p->lines[order[i]];

		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu", (unsigned long long)line->self_user_ns,
			(unsigned long long)line->self_sys_ns, (unsigned long long)line->self_samples,
			(unsigned long long)sp_whole(line->self_error * (double)p->total_ns));
		put_place(out, p, &p->functions[line->function], line->file, line->line, last);
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

static void put_sum(struct sp_buffer *out, const struct sp_profile *p, uint64_t self_ns, uint64_t samples, double error)
{
	sp_buffer_printf(out, "%llu\t%llu\t%llu", (unsigned long long)self_ns, (unsigned long long)samples,
		(unsigned long long)sp_whole(error * (double)p->total_ns));
}

/* Their ± does not follow from those of lines and functions. What is cut comes last, largest first, as all do. */
static void write_files(struct sp_buffer *out, const struct sp_profile *p, const struct sp_sums *sums, double share)
{
	struct sp_file_sum rest = {.file = SP_REST};
	size_t kept = 0;

	while (kept < sums->file_count &&
		(double)sums->files[kept].self_ns >= SP_ROW_SHARE(share) * (double)p->total_ns)
		kept++;
	for (size_t i = kept; i < sums->file_count; i++) {
		rest.self_ns += sums->files[i].self_ns;
		rest.samples += sums->files[i].samples;
		rest.error = hypot(rest.error, sums->files[i].error);
	}
	sp_buffer_printf(out, "## All files (%zu)\n\n```tsv\nself_ns\tself_samples\tself_error_ns\tfile\n",
		kept + (kept < sums->file_count));
	for (size_t i = 0; i < kept + (kept < sums->file_count); i++) {
		const struct sp_file_sum *file = i < kept ? &sums->files[i] : &rest;

		put_sum(out, p, file->self_ns, file->samples, file->error);
		put_field(out, file->file);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
}

static void write_modules(struct sp_buffer *out, const struct sp_profile *p)
{
	size_t count;
	uint32_t *order = sp_rank(p->module_count, &count, sp_rank_module, p);

	sp_buffer_printf(out, "## All modules (%zu)\n\n```tsv\nself_ns\tself_samples\tself_error_ns\tmodule\n", count);
	for (size_t i = 0; i < count; i++) {
		const struct sp_module_info *m = &p->modules[order[i]];

		put_sum(out, p, m->self_ns, m->samples, m->self_error);
		put_field(out, m->path);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

static void put_kind_names(struct sp_buffer *out)
{
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		sp_buffer_printf(out, "\t%s_ns", sp_wait_kind_name(i));
}

static void put_kinds(struct sp_buffer *out, const struct sp_waiting *waiting)
{
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		sp_buffer_printf(out, "\t%llu", (unsigned long long)waiting->kind_ns[i]);
}

static void write_threads(struct sp_buffer *out, const struct sp_profile *p)
{
	sp_buffer_printf(out,
		"## All threads (%zu)\n\n```tsv\ncpu_user_ns\tcpu_sys_ns\tsampled_user_ns\tsampled_sys_ns\t"
		"samples\ttid\tmerged\tname\tstart\talloc_bytes\twall_ns\tqueue_ns",
		p->thread_count);
	if (p->waiting.kinds_known)
		put_kind_names(out);
	sp_buffer_puts(out, "\n");
	for (size_t i = 0; i < p->thread_count; i++) {
		const struct sp_thread_info *t = &p->threads[i];

		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu\t%llu\t%u\t%llu", (unsigned long long)t->cpu_user_ns,
			(unsigned long long)t->cpu_sys_ns, (unsigned long long)t->user_ns,
			(unsigned long long)t->sys_ns, (unsigned long long)t->samples,
			t->tid > 0 ? (unsigned)t->tid : 0, (unsigned long long)t->merged);
		put_field(out, t->name);
		put_field(out, t->start ? t->start : "");
		sp_buffer_printf(out, "\t%llu\t%llu\t%llu", (unsigned long long)t->alloc_bytes,
			(unsigned long long)t->waiting.wall_ns, (unsigned long long)t->waiting.queue_ns);
		if (p->waiting.kinds_known)
			put_kinds(out, &t->waiting);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
}

static void put_plain(struct sp_buffer *out, const char *name)
{
	sp_escape(out, SP_ESCAPE_PLAIN, name, strlen(name));
}

static void write_all_waits(struct sp_buffer *out, const struct sp_profile *p)
{
	if (!p->wait_row_count)
		return;
	sp_buffer_printf(out,
		"## All waits (%zu)\n\n```tsv\nwait_ns\terror_ns\twait_count\tsamples\tlongest_ns\tidle\tkind\tcall\t"
		"function\tlock\tholder\tholder_call\n",
		p->wait_row_count);
	for (size_t i = 0; i < p->wait_row_count; i++) {
		const struct sp_wait_row *row = &p->wait_rows[i];
		const char *const texts[] = {
			sp_wait_kind_name(row->kind), row->call, row->caller, row->lock, row->holder, row->holder_call};

		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu\t%llu\t%d", (unsigned long long)row->ns,
			(unsigned long long)sp_whole(row->error_ns), (unsigned long long)row->count,
			(unsigned long long)row->samples, (unsigned long long)row->longest_ns, row->idle);
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			put_field(out, texts[k]);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
}

/* Those that have ended. */
static void write_all_spans(struct sp_buffer *out, const struct sp_profile *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->span_count; i++)
		count += p->spans[i].count != 0;
	if (!count)
		return;
	sp_buffer_printf(out,
		"## All spans (%zu)\n\n```tsv\ncount\tsum_ns\tself_ns\tcpu_ns\tcpu_error_ns\tbytes\tmedian_ns\tp99_ns\t"
		"max_ns\tsq_us2\tspan\n",
		count);
	for (size_t i = 0; i < p->span_count; i++) {
		const struct sp_span_info *s = &p->spans[i];
		const uint64_t numbers[] = {s->count, s->sum_ns, s->self_ns, s->cpu_ns, sp_whole(s->cpu_error),
			s->bytes, s->median_ns, s->p99_ns, s->max_ns, sp_whole(s->spread.us_sq)};

		if (!s->count)
			continue;
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			sp_buffer_printf(out, "%llu\t", (unsigned long long)numbers[k]);
		sp_span_put_path(out, p, s, put_plain);
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
}

static void put_summary(struct sp_buffer *out, double share)
{
	sp_buffer_puts(out, "<details>\n<summary>Every function, line, file, module, thread, heap site and stack");
	if (share > 0)
		sp_buffer_printf(out,
			" from %.2g %% on (stacks from %.2g %%), raw; [rest] is what the others add up to, and "
			"smartprof run "
			"--full keeps them all",
			100 * SP_ROW_SHARE(share), 100 * share);
	else
		sp_buffer_puts(out, ", raw");
	sp_buffer_puts(out, "</summary>\n\n");
}

static void write_tables(const struct sp_writer *w, struct sp_buffer *out, const struct sp_profile *p, double share)
{
	uint32_t *rows = sp_alloc(p->function_count, sizeof(*rows));
	uint32_t modules[3] = {0}, *last = share > 0 ? modules : NULL;

	memset(rows, 0xff, p->function_count * sizeof(*rows));
	put_summary(out, share);
	if (p->cpu_on) {
		write_functions(out, p, rows, last);
		write_code(out, p, rows);
		write_lines(out, p, last ? last + 1 : NULL);
		write_files(out, p, &w->sums, share);
		write_modules(out, p);
	}
	write_threads(out, p);
	write_all_waits(out, p);
	write_all_spans(out, p);
	sp_write_all_processes(out, p);
	if (p->heap_on)
		write_sites(out, p, last ? last + 2 : NULL);
	sp_write_stacks(out, p, rows, share > 0 ? CUT_SAMPLES : 0);
	sp_buffer_puts(out, "</details>\n");
	free(rows);
}

void sp_write_complete(const struct sp_writer *w, struct sp_buffer *out, size_t most_bytes)
{
	const size_t from = out->length;

	write_tables(w, out, w->profile, 0);
	for (double share = SHARE_LEAST; most_bytes && out->length > most_bytes && share <= SHARE_MOST;
		share *= SHARE_STEP) {
		struct sp_profile *cut = sp_profile_cut(w->profile, share);

		out->length = from;
		write_tables(w, out, cut, share);
		sp_profile_cut_free(cut);
	}
}
