/* Which function of one profile is which of another. */
#include "profiles/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/normal_name.h"
#include "profiles/compare/calls.h"
#include "profiles/compare/code.h"
#include "profiles/compare/stages.h"
#include "profiles/compare/stats.h"
#include "profiles/model/heap.h"

#define Z95 1.959964

struct loader {
	struct sp_comparison *c;
	struct sp_map rows;  /* (kind, node) */
	struct sp_map nodes; /* (module, function) */
	struct sp_names functions, modules;
	uint32_t *node_of; /* of the functions of the run that is read */
	size_t node_of_capacity, node_count;
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

static void name_function(struct loader *l, const struct sp_profile *p, const struct sp_function *f)
{
	const char *path = f->module < p->module_count ? p->modules[f->module].path : "";

	sp_buffer_clear(&l->name);
	sp_buffer_clear(&l->module);
	sp_normal_module(&l->module, path, sp_profile_fact(p, "program"));
	if (l->rebuilt && sp_name_is_unnamed(f->name) && strcmp(l->module.data, "(program)") == 0)
		sp_buffer_puts(&l->name, "[without names]");
	else
		sp_normal_name(&l->name, f->name);
}

/* The numbers of a run's functions: those of one name in one module are one. */
static void number_functions(struct loader *l, const struct sp_profile *p)
{
	sp_grow(&l->node_of, &l->node_of_capacity, p->function_count, sizeof(*l->node_of));
	for (size_t i = 0; i < p->function_count; i++) {
		int found;
		uint32_t *cell;

		l->node_of[i] = SP_NO_NODE;
		if (p->functions[i].flags & SP_FUNCTION_PSEUDO)
			continue;
		name_function(l, p, &p->functions[i]);
		cell = sp_map_at(&l->nodes, sp_names_id(&l->modules, l->module.data),
			sp_names_id(&l->functions, l->name.data), &found);
		if (!found) {
			*cell = (uint32_t)l->node_count;
			sp_grow(&l->c->nodes, &l->c->node_capacity, l->node_count + 1, sizeof(*l->c->nodes));
			l->c->nodes[l->node_count++] =
				(struct sp_compare_node){sp_pool_copy(&l->c->pool, l->name.data, l->name.length),
					sp_pool_copy(&l->c->pool, l->module.data, l->module.length)};
		}
		l->node_of[i] = *cell;
	}
}

static struct sp_row *row_of(struct loader *l, enum sp_row_kind kind, uint32_t node)
{
	struct sp_comparison *c = l->c;
	int found;
	uint32_t *cell = sp_map_at(&l->rows, kind, node, &found);
	struct sp_row *row;

	if (found)
		return &c->rows[*cell];
	*cell = (uint32_t)c->row_count;
	sp_grow(&c->rows, &c->row_capacity, c->row_count + 1, sizeof(*c->rows));
	row = &c->rows[c->row_count++];
	*row = (struct sp_row){.kind = kind, .node = node, .p = 1, .q = 1, .holm = 1};
	row->function = c->nodes[node].function;
	row->module = c->nodes[node].module;
	return row;
}

/* Runs come in order. */
static void add_cost(struct sp_comparison *c, struct sp_row *row, enum sp_side side, size_t run, double value)
{
	row->sum[side] += value;
	if (row->costs[side] && c->costs[row->costs[side] - 1].run == run) {
		c->costs[row->costs[side] - 1].value += value;
		return;
	}
	sp_grow(&c->costs, &c->cost_capacity, c->cost_count + 1, sizeof(*c->costs));
	c->costs[c->cost_count++] = (struct sp_row_cost){(uint32_t)run, row->costs[side], value};
	row->costs[side] = (uint32_t)c->cost_count;
}

static struct sp_row *add(struct loader *l, enum sp_row_kind kind, uint32_t node, enum sp_side side, size_t run,
	double value, double variance)
{
	struct sp_row *row;

	if (value <= 0 || node == SP_NO_NODE)
		return NULL;
	row = row_of(l, kind, node);
	add_cost(l->c, row, side, run, value);
	row->variance[side] += variance;
	return row;
}

static void load_functions(struct loader *l, const struct sp_profile *p, enum sp_side side, size_t run)
{
	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];
		double error = f->self_error * (double)p->total_ns / Z95, self = (double)sp_function_self(f);
		struct sp_row *row = add(l, SP_ROW_CPU, l->node_of[i], side, run, self, error * error);

		if (!row)
			continue;
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
		const double own = s->alloc_variance, left = gap != 0 ? own - own * own / sum : own;
		const double values[] = {
			(double)s->peak_bytes, fmax((double)s->alloc_bytes + gap * own, 0), (double)s->inuse_bytes};
		const double variances[] = {sp_peak_variance(s), left, s->inuse_variance};

		for (unsigned k = 0; k < 3; k++) {
			struct sp_row *row =
				add(l, SP_ROW_PEAK + k, l->node_of[s->function], side, run, values[k], variances[k]);

			if (!row)
				continue;
			row->file = s->file ? s->file : row->file;
			row->line = s->file ? s->line : row->line;
		}
	}
}

double sp_row_mean(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side)
{
	return row->sum[side] / (double)c->input->count[side];
}

void sp_row_values(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side, double *values)
{
	memset(values, 0, c->input->count[side] * sizeof(*values));
	for (uint32_t at = row->costs[side]; at; at = c->costs[at - 1].next)
		values[c->costs[at - 1].run] = c->costs[at - 1].value;
}

double sp_row_median(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side)
{
	size_t runs = c->input->count[side], there = 0;
	double *values, median;

	for (uint32_t at = row->costs[side]; at; at = c->costs[at - 1].next)
		there++;
	if (there < runs - there)
		return 0;
	values = sp_alloc(runs, sizeof(*values));
	sp_row_values(c, row, side, values);
	median = sp_stats_median(values, runs);
	free(values);
	return median;
}

void sp_row_set_presence(struct sp_row *row)
{
	row->presence = row->sum[SP_BASELINE] <= 0 ? SP_ROW_APPEARED
		: row->sum[SP_CURRENT] <= 0        ? SP_ROW_DISAPPEARED
						   : SP_ROW_BOTH;
}

/* The families of functions, by module and name without numbers. */
static void find_families(struct loader *l)
{
	struct sp_comparison *c = l->c;
	struct sp_map index = {0};

	c->family = sp_alloc(l->node_count + 1, sizeof(*c->family));
	for (size_t i = 0; i < l->node_count; i++) {
		int found;
		uint32_t *cell;

		c->family[i] = (uint32_t)i;
		sp_buffer_clear(&l->name);
		if (!sp_normal_family(&l->name, c->nodes[i].function))
			continue;
		cell = sp_map_at(&index, sp_names_id(&l->modules, c->nodes[i].module),
			sp_names_id(&l->functions, l->name.data), &found);
		if (!found)
			*cell = (uint32_t)i;
		c->family[i] = *cell;
	}
	sp_map_free(&index);
}

/* What rows are shares of: the sum of their means, whether they are tested or not. */
static void sum_rows(struct sp_comparison *c)
{
	for (size_t i = 0; i < c->row_count; i++)
		for (int side = 0; side < SP_SIDES; side++)
			c->row_totals[c->rows[i].kind][side] += sp_row_mean(c, &c->rows[i], side);
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

static void load_run(struct loader *l, enum sp_side side, size_t run)
{
	const struct sp_profile *p = l->c->input->profiles[side][run];

	number_functions(l, p);
	load_functions(l, p, side, run);
	load_sites(l, p, side, run);
	sp_compare_code_add(l->c, p, l->node_of, l->node_count, side);
	sp_calls_add(l->c->calls, p, l->node_of, l->node_count, side, 1.0 / (double)l->c->input->count[side]);
}

void sp_compare_rows_load(struct sp_comparison *c)
{
	struct loader l = {.c = c, .rebuilt = differ(c->input, "build_id")};

	c->calls = sp_calls_new();
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t run = 0; run < c->input->count[side]; run++)
			load_run(&l, side, run);
	find_families(&l);
	sp_calls_sort(c->calls, c->family);
	sum_rows(c);
	for (size_t i = 0; i < c->row_count; i++)
		sp_row_set_presence(&c->rows[i]);
	sp_map_free(&l.rows);
	sp_map_free(&l.nodes);
	sp_names_free(&l.functions);
	sp_names_free(&l.modules);
	sp_buffer_free(&l.name);
	sp_buffer_free(&l.module);
	free(l.node_of);
}

void sp_compare_rows_free(struct sp_comparison *c)
{
	sp_calls_free(c->calls);
	free(c->nodes);
	free(c->family);
	free(c->rows);
	free(c->costs);
	free(c->codes);
	free(c->builds);
	sp_pool_free(&c->pool);
}
