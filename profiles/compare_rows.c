/* Which function of one profile is which of another. */
#include "profiles/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/markdown.h"

#define Z95 1.959964
#define RENAMED_ALIKE 0.25 /* cost of a function under its old and its new name */

struct loader {
	struct sp_comparison *c;
	struct sp_map rows; /* (kind and module, function) */
	struct sp_names functions, modules;
	struct sp_buffer name, module;
	bool rebuilt; /* the sides are of different builds: addresses in the program mean nothing */
};

enum sp_metric sp_row_metric(enum sp_row_kind kind)
{
	static const enum sp_metric metrics[] = {[SP_ROW_CPU] = SP_METRIC_CPU,
		[SP_ROW_PEAK] = SP_METRIC_PEAK,
		[SP_ROW_ALLOCATED] = SP_METRIC_ALLOCATED,
		[SP_ROW_INUSE] = SP_METRIC_INUSE};

	return metrics[kind];
}

/* module+0x123: code without a symbol. */
static bool is_unnamed(const char *name)
{
	const char *plus = strrchr(name, '+');

	return plus && strncmp(plus, "+0x", 3) == 0 && plus[3 + strspn(plus + 3, "0123456789abcdef")] == '\0';
}

static void name_function(struct loader *l, const struct sp_profile *p, const struct sp_function *f)
{
	const char *path = f->module < p->module_count ? p->modules[f->module].path : "";

	sp_buffer_clear(&l->name);
	sp_buffer_clear(&l->module);
	sp_compare_module(&l->module, path, sp_profile_fact(p, "program"));
	if (l->rebuilt && is_unnamed(f->name) && strcmp(l->module.data, "(program)") == 0)
		sp_buffer_puts(&l->name, "[without names]");
	else
		sp_compare_name(&l->name, f->name);
}

static struct sp_row *row_of(struct loader *l, enum sp_row_kind kind)
{
	struct sp_comparison *c = l->c;
	uint32_t function = sp_names_id(&l->functions, l->name.data), module = sp_names_id(&l->modules, l->module.data);
	int found;
	uint32_t *cell = sp_map_at(&l->rows, (uint64_t)kind << 32 | module, function, &found);
	struct sp_row *row;

	if (found)
		return &c->rows[*cell];
	*cell = (uint32_t)c->row_count;
	sp_grow(&c->rows, &c->row_capacity, c->row_count + 1, sizeof(*c->rows));
	row = &c->rows[c->row_count++];
	*row = (struct sp_row){.kind = kind, .p = 1, .q = 1, .holm = 1};
	row->function = sp_pool_copy(&c->arena, l->name.data, l->name.length);
	row->module = sp_pool_copy(&c->arena, l->module.data, l->module.length);
	for (int side = 0; side < SP_SIDES; side++)
		row->values[side] = sp_pool_alloc(&c->arena, c->input->count[side] * sizeof(double));
	return row;
}

static void add(struct loader *l, enum sp_row_kind kind, enum sp_side side, size_t run, double value, double variance)
{
	struct sp_row *row;

	if (value <= 0)
		return;
	row = row_of(l, kind);
	row->values[side][run] += value;
	row->variance[side] += variance;
}

static void load_functions(struct loader *l, const struct sp_profile *p, enum sp_side side, size_t run)
{
	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];
		double error = f->self_error * (double)p->total_ns / Z95, self = (double)sp_function_self(f);
		struct sp_row *row;

		if (f->flags & SP_FUNCTION_PSEUDO)
			continue;
		name_function(l, p, f);
		add(l, SP_ROW_CPU, side, run, self, error * error);
		if (self <= 0)
			continue;
		row = row_of(l, SP_ROW_CPU);
		row->total[side] += (double)sp_function_total(f) / (double)l->c->input->count[side];
		row->file = f->file ? f->file : row->file;
		row->line = f->file ? f->line : row->line;
	}
}

/* What the sites' estimates are above or below what the process is known to have allocated, in standard variances
 * of their sum. Each site is moved by its own variance times that, and keeps var - var² / sum: the best linear
 * unbiased estimates of independent ones whose sum is known (calibration: Deville & Särndal, JASA 87, 1992). So sites
 * that were recorded exactly stay what they are. */
static double allocated_gap(const struct sp_profile *p, double *variance)
{
	double exact = (double)p->heap_allocated_bytes, estimated = 0;

	*variance = 0;
	for (size_t i = 0; i < p->site_count; i++) {
		estimated += (double)p->sites[i].alloc_bytes;
		*variance += p->sites[i].alloc_variance;
	}
	return exact > 0 && *variance > 0 ? (exact - estimated) / *variance : 0;
}

static void load_sites(struct loader *l, const struct sp_profile *p, enum sp_side side, size_t run)
{
	double sum, gap = allocated_gap(p, &sum);

	for (size_t i = 0; i < p->site_count; i++) {
		const struct sp_heap_site *s = &p->sites[i];
		const struct sp_function *f = &p->functions[s->function];
		const double own = s->alloc_variance, left = gap != 0 ? own - own * own / sum : own;
		const double values[] = {
			(double)s->peak_bytes, fmax((double)s->alloc_bytes + gap * own, 0), (double)s->inuse_bytes};
		const double variances[] = {sp_peak_variance(s), left, s->inuse_variance};

		if (f->flags & SP_FUNCTION_PSEUDO)
			continue;
		name_function(l, p, f);
		for (unsigned k = 0; k < 3; k++) {
			struct sp_row *row;

			add(l, SP_ROW_PEAK + k, side, run, values[k], variances[k]);
			if (values[k] <= 0)
				continue;
			row = row_of(l, SP_ROW_PEAK + k);
			row->file = s->file ? s->file : row->file;
			row->line = s->file ? s->line : row->line;
		}
	}
}

static double mean_of(const struct sp_row *row, const struct sp_comparison *c, enum sp_side side)
{
	double sum = 0;

	for (size_t i = 0; i < c->input->count[side]; i++)
		sum += row->values[side][i];
	return sum / (double)c->input->count[side];
}

static bool is_large(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side)
{
	return mean_of(row, c, side) >= SP_COMPARE_SHARE * c->row_totals[row->kind][side];
}

static double unlikeness(double a, double b)
{
	return fabs(a - b) / fmax(fmax(a, b), 1);
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* How unlike the two are as one function before and after; 1 or more: not the same. Where the file is not
 * known, what it calls must cost the same too. */
static double rename_distance(const struct sp_comparison *c, const struct sp_row *old, const struct sp_row *new)
{
	double self = unlikeness(mean_of(old, c, SP_BASELINE), mean_of(new, c, SP_CURRENT));
	double total = unlikeness(old->total[SP_BASELINE], new->total[SP_CURRENT]);
	const char *a = base_name(old->file), *b = base_name(new->file);

	if (old->kind != new->kind || strcmp(old->module, new->module) != 0 || self > RENAMED_ALIKE ||
		is_unnamed(old->function) || is_unnamed(new->function))
		return 1;
	if (a && b && *a && *b && strcmp(a, b) != 0)
		return 1;
	return total > RENAMED_ALIKE ? 1 : (self + total) / 2;
}

static void merge(struct sp_comparison *c, struct sp_row *old, struct sp_row *new)
{
	new->presence = SP_ROW_RENAMED;
	new->old_function = old->function;
	memcpy(new->values[SP_BASELINE], old->values[SP_BASELINE], c->input->count[SP_BASELINE] * sizeof(double));
	new->variance[SP_BASELINE] = old->variance[SP_BASELINE];
	new->total[SP_BASELINE] = old->total[SP_BASELINE];
	old->gone = true;
}

static void find_renames(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++) {
		struct sp_row *new = &c->rows[i], *best = NULL;
		double least = 1;

		if (new->presence != SP_ROW_APPEARED || !is_large(c, new, SP_CURRENT))
			continue;
		for (size_t k = 0; k < c->row_count; k++) {
			struct sp_row *old = &c->rows[k];
			double distance;

			if (old->presence != SP_ROW_DISAPPEARED || old->gone || !is_large(c, old, SP_BASELINE))
				continue;
			distance = rename_distance(c, old, new);
			if (distance < least) {
				least = distance;
				best = old;
			}
		}
		if (best)
			merge(c, best, new);
	}
}

static void set_presence(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++) {
		struct sp_row *row = &c->rows[i];

		if (mean_of(row, c, SP_BASELINE) <= 0)
			row->presence = SP_ROW_APPEARED;
		else if (mean_of(row, c, SP_CURRENT) <= 0)
			row->presence = SP_ROW_DISAPPEARED;
	}
}

/* What rows are shares of: the sum of their means, whether they are tested or not. */
static void sum_rows(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++)
		for (int side = 0; side < SP_SIDES; side++)
			c->row_totals[c->rows[i].kind][side] += mean_of(&c->rows[i], c, side);
}

static bool differ(const struct sp_comparison_input *in, const char *key)
{
	const char *first = sp_profile_fact(in->profiles[SP_BASELINE][0], key);

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < in->count[side]; i++) {
			const char *value = sp_profile_fact(in->profiles[side][i], key);

			if (!first || !value || strcmp(first, value) != 0)
				return true;
		}
	return false;
}

void sp_compare_rows_load(struct sp_comparison *c)
{
	struct loader l = {.c = c, .rebuilt = differ(c->input, "build_id")};

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t run = 0; run < c->input->count[side]; run++) {
			load_functions(&l, c->input->profiles[side][run], side, run);
			load_sites(&l, c->input->profiles[side][run], side, run);
		}
	sum_rows(c);
	set_presence(c);
	find_renames(c);
	sp_map_free(&l.rows);
	sp_names_free(&l.functions);
	sp_names_free(&l.modules);
	sp_buffer_free(&l.name);
	sp_buffer_free(&l.module);
}
