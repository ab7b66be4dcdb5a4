/* The complete part: every function, line, thread, heap site and stack, raw, one a row; read.c reads it. */
#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/folded.h"
#include "profiles/model/heap.h"
#include "profiles/model/rank.h"

static void put_field(struct sp_buffer *out, const char *text)
{
	sp_buffer_puts(out, "\t");
	sp_escape(out, SP_ESCAPE_PLAIN, text, strlen(text));
}

static void put_place(struct sp_buffer *out, const struct sp_profile *p, const struct sp_function *f, const char *file,
	unsigned line)
{
	put_field(out, f->name);
	put_field(out, f->module < p->module_count ? p->modules[f->module].path : "");
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

static void write_functions(struct sp_buffer *out, const struct sp_profile *p)
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
		put_place(out, p, f, f->file, f->line);
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

static void write_sites(struct sp_buffer *out, const struct sp_profile *p)
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
		put_place(out, p, &p->functions[s->function], s->file, s->line);
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

static uint64_t rank_line(const struct sp_profile *p, size_t i)
{
	return p->lines[i].self_user_ns + p->lines[i].self_sys_ns;
}

static void write_lines(struct sp_buffer *out, const struct sp_profile *p)
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
		put_place(out, p, &p->functions[line->function], line->file, line->line);
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

static void put_sum(struct sp_buffer *out, const struct sp_profile *p, uint64_t self_ns, uint64_t samples, double error)
{
	sp_buffer_printf(out, "%llu\t%llu\t%llu", (unsigned long long)self_ns, (unsigned long long)samples,
		(unsigned long long)sp_whole(error * (double)p->total_ns));
}

/* Their ± does not follow from those of lines and functions. */
static void write_files(struct sp_buffer *out, const struct sp_profile *p, const struct sp_sums *sums)
{
	sp_buffer_printf(out, "## All files (%zu)\n\n```tsv\nself_ns\tself_samples\tself_error_ns\tfile\n",
		sums->file_count);
	for (size_t i = 0; i < sums->file_count; i++) {
		const struct sp_file_sum *file = &sums->files[i];

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

static void write_threads(struct sp_buffer *out, const struct sp_profile *p)
{
	sp_buffer_printf(out,
		"## All threads (%zu)\n\n```tsv\ncpu_user_ns\tcpu_sys_ns\tsampled_user_ns\tsampled_sys_ns\t"
		"samples\ttid\tmerged\tname\tstart\n",
		p->thread_count);
	for (size_t i = 0; i < p->thread_count; i++) {
		const struct sp_thread_info *t = &p->threads[i];

		sp_buffer_printf(out, "%llu\t%llu\t%llu\t%llu\t%llu\t%u\t%llu", (unsigned long long)t->cpu_user_ns,
			(unsigned long long)t->cpu_sys_ns, (unsigned long long)t->user_ns,
			(unsigned long long)t->sys_ns, (unsigned long long)t->samples,
			t->tid > 0 ? (unsigned)t->tid : 0, (unsigned long long)t->merged);
		put_field(out, t->name);
		put_field(out, t->start ? t->start : "");
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
}

void sp_write_complete(const struct sp_writer *w, struct sp_buffer *out)
{
	const struct sp_profile *profile = w->profile;

	sp_buffer_puts(out,
		"<details>\n<summary>Every function, line, file, module, thread, heap site and stack, "
		"raw</summary>\n\n");
	if (profile->cpu_on) {
		write_functions(out, profile);
		write_lines(out, profile);
		write_files(out, profile, &w->sums);
		write_modules(out, profile);
	}
	write_threads(out, profile);
	sp_write_all_processes(out, profile);
	if (profile->heap_on)
		write_sites(out, profile);
	sp_write_stacks(out, profile);
	sp_buffer_puts(out, "</details>\n");
}
