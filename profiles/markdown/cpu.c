/* `# CPU Profile`: summary, hot functions, modules, files. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/rank.h"

static void write_top(struct sp_writer *w, const uint32_t *order, size_t count)
{
	const struct sp_profile *p = w->profile;

	if (!count)
		return;
	sp_buffer_printf(&w->out, "**Top %zu:** ", count < 10 ? count : 10);
	for (size_t i = 0; i < count && i < 10; i++) {
		const struct sp_function *f = &p->functions[order[i]];

		sp_buffer_puts(&w->out, i ? ", " : "");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
		sp_buffer_printf(&w->out, " %.1f%%", sp_percent(sp_function_self(f), p->total_ns));
	}
	sp_buffer_puts(&w->out, "\n\n");
}

static void put_error(struct sp_writer *w, double error)
{
	if (error > 0)
		sp_buffer_printf(&w->out, "%.1f", 100 * error);
	else
		sp_buffer_puts(&w->out, "-");
}

static void write_function(struct sp_writer *w, const struct sp_function *f)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_printf(&w->out, "| %.1f%% | ", sp_percent(sp_function_self(f), p->total_ns));
	sp_put_duration(&w->out, sp_function_self(f));
	sp_buffer_printf(&w->out, " | %.1f%% | ", sp_percent(sp_function_total(f), p->total_ns));
	sp_put_duration(&w->out, sp_function_total(f));
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	sp_buffer_puts(&w->out, " | ");
	sp_put_function_location(&w->out, SP_ESCAPE_CELL, p, f);
	sp_buffer_puts(&w->out, " | ");
	put_error(w, f->self_error);
	sp_buffer_puts(&w->out, " | ");
	sp_put_module(&w->out, SP_ESCAPE_CELL, p, f->module);
	if (sp_percent(f->self_sys_ns, sp_function_self(f)) >= 0.05)
		sp_buffer_printf(&w->out, " | %.1f%% |\n", sp_percent(f->self_sys_ns, sp_function_self(f)));
	else
		sp_buffer_puts(&w->out, " | |\n");
}

static size_t functions_seen(const struct sp_profile *p)
{
	size_t n = 0;

	for (size_t i = SP_PSEUDOS; i < p->function_count; i++)
		n += sp_function_total(&p->functions[i]) > 0;
	return n;
}

void sp_write_cpu(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const char *interval = sp_profile_fact(p, "cpu_interval_achieved_us");
	size_t count, shown;
	uint32_t *order = sp_rank(p->function_count, &count, sp_rank_self, p);
	size_t from = w->out.length;

	shown = count < w->limits.functions ? count : w->limits.functions;
	sp_buffer_puts(&w->out,
		"# CPU Profile\n\n| Duration | Samples | Interval | Functions |\n|---:|---:|---:|---:|\n| ");
	sp_put_duration(&w->out, p->wall_ns);
	sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)p->samples);
	if (interval)
		sp_put_duration(&w->out, sp_whole(strtod(interval, NULL) * 1e3));
	else
		sp_buffer_puts(&w->out, "-");
	sp_buffer_printf(&w->out, " | %zu |\n\n", functions_seen(p));
	write_top(w, order, count);
	sp_buffer_puts(&w->out,
		"## Hot Functions (Self Time)\n\n"
		"| Self% | Self | Total% | Total | Function | Location | ± | Module | Kernel% |\n"
		"|---:|---:|---:|---:|:---|:---|---:|:---|---:|\n");
	for (size_t i = 0; i < shown; i++)
		write_function(w, &p->functions[order[i]]);
	sp_put_cut(&w->out, shown, count, "rows", "All functions");
	sp_buffer_puts(&w->out, "\n");
	sp_put_hash_note(&w->out, from);
	free(order);
}

void sp_write_modules(struct sp_writer *w)
{
	static const char *const sources[] = {"[gone]", "[gone], unreadable", "[gone], other build", "none",
		"dynamic only", "ELF", "DWARF", "perf map"};
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	uint32_t *order = sp_rank(p->module_count, &count, sp_rank_module, p);

	shown = count < w->limits.modules ? count : w->limits.modules;
	sp_buffer_puts(&w->out,
		"## Modules\n\n| Self% | Self | Samples | Module | ± | Symbols | Path |\n"
		"|---:|---:|---:|:---|---:|:---|:---|\n");
	for (size_t i = 0; i < shown; i++) {
		const struct sp_module_info *m = &p->modules[order[i]];

		sp_buffer_printf(&w->out, "| %.1f%% | ", sp_percent(m->self_ns, p->total_ns));
		sp_put_duration(&w->out, m->self_ns);
		sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)m->samples);
		sp_escape_name(&w->out, SP_ESCAPE_CELL, m->name);
		sp_buffer_puts(&w->out, " | ");
		put_error(w, m->self_error);
		sp_buffer_printf(&w->out, " | %s | ",
			m->handle < 0 || m->source > SP_SYMBOLS_PERF_MAP ? "-" : sources[m->source]);
		sp_escape_name(&w->out, SP_ESCAPE_CELL, m->path);
		sp_buffer_puts(&w->out, " |\n");
	}
	sp_put_cut(&w->out, shown, count, "modules", "the module column of All functions");
	sp_buffer_puts(&w->out, "\n");
	free(order);
}

void sp_write_files(struct sp_writer *w)
{
	const struct sp_file_sum *sums = w->sums.files;
	size_t count = w->sums.file_count;
	size_t shown = count < w->limits.files ? count : w->limits.files;

	if (!count)
		return;
	sp_buffer_puts(&w->out, "## Files\n\n| Self% | Self | ± | File |\n|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < shown; i++) {
		sp_buffer_printf(&w->out, "| %.1f%% | ", sp_percent(sums[i].self_ns, w->profile->total_ns));
		sp_put_duration(&w->out, sums[i].self_ns);
		sp_buffer_puts(&w->out, " | ");
		put_error(w, sums[i].error);
		sp_buffer_puts(&w->out, " | ");
		sp_put_location(&w->out, SP_ESCAPE_CELL, w->profile, sums[i].file, 0);
		sp_buffer_puts(&w->out, " |\n");
	}
	sp_put_cut(&w->out, shown, count, "files", "the location column of All functions");
	sp_buffer_puts(&w->out, "\n");
}
