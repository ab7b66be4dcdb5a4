/* The error bars of CPU shares; what they mean stands at sp_share_errors in model.h. */
#include "profiles/model/error.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/model/build.h"
#include "profiles/model/log.h"
#include "profiles/model/model.h"
#include "profiles/model/order.h"

#define Z95 1.959964

#define FEW_SAMPLES 20u
#define PRIOR_FREEDOM 6.0
#define LARGEST_EFFECT 1.5
#define LARGEST_DIFFERENCE 9.0 /* 3 standard deviations, squared */

/* What a part or a stack weighs, altogether and in each block of the log. */
struct row {
	uint64_t user_ns, sys_ns, samples;
	struct sp_sum all, logged;
	uint32_t blocks[SP_BLOCKS_MAX]; /* sp_log_sums.unit */
};

/* A frame of the stack that is being looked at. */
struct node {
	uint32_t part;
	bool counts; /* no frame outside of it belongs to the same part */
};

/* What is complete of a node of the call tree while its stacks are walked: of the frames outside of `depth`. */
struct rest {
	uint32_t depth;
	struct row row;
};

struct errors {
	const struct sp_profile *profile;
	const struct sp_log_sums *log; /* NULL: none */
	const uint32_t *part_of;
	struct row *parts;
	struct sp_sum all;
	/* for totals: */
	bool *inside;       /* of part: some node counts for it */
	struct node *nodes; /* from the root */
	size_t depth, node_capacity;
	struct row now; /* of nodes[depth - 1], but for what is in rests[] */
	struct rest *rests;
	size_t rest_count, rest_capacity;
};

/* --- the parts -------------------------------------------------------------------------------- */

/* Of most heap stacks there is no sample. */
static bool has_samples(const struct sp_profile *profile, size_t path)
{
	const struct sp_path *p = &profile->paths[path];

	return p->depth &&
		(p->user_ns || p->sys_ns || p->samples || (profile->log && profile->log->paths[path].samples > 0));
}

static void add_row(struct row *restrict to, const struct row *restrict what)
{
	to->user_ns += what->user_ns;
	to->sys_ns += what->sys_ns;
	to->samples += what->samples;
	sp_sum_add(&to->all, &what->all);
	sp_sum_add(&to->logged, &what->logged);
	for (unsigned b = 0; b < SP_BLOCKS_MAX; b++)
		to->blocks[b] += what->blocks[b];
}

/* Once for each path: the sum of all is kept here too. */
static void add_path(struct errors *e, size_t index, struct row *row)
{
	const struct sp_path *path = &e->profile->paths[index];
	const struct sp_log_sums *log = e->log;
	const struct sp_sum all = {(double)(path->user_ns + path->sys_ns) / 1e3, path->sq, (double)path->samples};

	row->user_ns += path->user_ns;
	row->sys_ns += path->sys_ns;
	row->samples += path->samples;
	if (all.weight > 0) {
		sp_sum_add(&row->all, &all);
		sp_sum_add(&e->all, &all);
	}
	if (!log)
		return;
	sp_sum_add(&row->logged, &log->paths[index]);
	for (size_t i = log->first[index]; i < log->first[index + 1]; i++)
		row->blocks[log->list[i].block] += log->list[i].units;
}

static void sum_selves(struct errors *e)
{
	const struct sp_profile *p = e->profile;
	struct row nowhere = {0};

	for (size_t i = 0; i < p->path_count; i++) {
		uint32_t part;

		if (!has_samples(p, i))
			continue;
		part = e->part_of[p->frame_ids[p->paths[i].first]];
		add_path(e, i, part == SP_NO_PART ? &nowhere : &e->parts[part]);
	}
}

/* Ends the nodes inside of the `outer` outermost ones: each counts with all its stacks. What these weigh is kept for
 * the nodes that remain. */
static void end_nodes(struct errors *e, uint32_t outer)
{
	struct rest *rest;

	while (e->depth > outer) {
		const struct node *node = &e->nodes[e->depth - 1];

		if (e->rest_count && e->rests[e->rest_count - 1].depth == e->depth)
			add_row(&e->now, &e->rests[--e->rest_count].row);
		if (node->counts) {
			add_row(&e->parts[node->part], &e->now);
			e->inside[node->part] = false;
		}
		e->depth--;
	}
	rest = e->rest_count ? &e->rests[e->rest_count - 1] : NULL;
	if (rest && rest->depth == outer) {
		add_row(&rest->row, &e->now);
		return;
	}
	sp_grow(&e->rests, &e->rest_capacity, e->rest_count + 1, sizeof(*e->rests));
	e->rests[e->rest_count++] = (struct rest){outer, e->now};
}

static void begin_nodes(struct errors *e, const struct sp_path_walk *walk)
{
	sp_grow(&e->nodes, &e->node_capacity, walk->depth, sizeof(*e->nodes));
	while (e->depth < walk->depth) {
		uint32_t part = e->part_of[walk->frames[e->depth]];
		bool counts = part != SP_NO_PART && !e->inside[part];

		if (counts)
			e->inside[part] = true;
		e->nodes[e->depth++] = (struct node){part, counts};
	}
}

/* A sum over a node's stacks is taken once, not once for each of its stacks. */
static void sum_totals(struct errors *e, size_t count)
{
	const struct sp_profile *p = e->profile;
	struct sp_path_walk walk = {0};

	e->inside = sp_alloc(count, sizeof(*e->inside));
	while (sp_path_walk_next(&walk, p, has_samples)) {
		if (e->depth)
			end_nodes(e, walk.shared);
		begin_nodes(e, &walk);
		e->now = (struct row){0};
		add_path(e, walk.index, &e->now);
	}
	if (e->depth)
		end_nodes(e, 0);
	free(e->inside);
	free(e->nodes);
	free(e->rests);
}

/* Variance of part/all when the samples counted as Poisson, and one sample more than there are,
 * of the rarer kind: that makes few samples, down to none, cover what a score interval covers. */
static double independent_variance(const struct sp_sum *part, const struct sp_sum *all)
{
	double p = part->weight / all->weight, others = all->samples - part->samples;
	double one = all->sq / all->samples;

	if (part->samples <= others)
		one = part->sq / part->samples;
	else if (others > 0)
		one = (all->sq - part->sq) / others;
	return (fmax(part->sq * (1 - 2 * p) + p * p * all->sq, 0) + one) / (all->weight * all->weight);
}

double sp_independent_error(const struct sp_sum *part, const struct sp_sum *all)
{
	return Z95 * sqrt(independent_variance(part, all));
}

/* Whether the log holds enough of both, the part and the rest, to compare blocks of it. */
static bool is_comparable(const struct row *part, const struct sp_log_sums *log)
{
	return log && fmin(part->logged.samples, log->all.samples - part->logged.samples) >= FEW_SAMPLES;
}

/* The sum over the squared differences between neighbouring blocks, each in units of what independent draws give. */
static double compare_blocks(const struct row *part, const struct sp_log_sums *log)
{
	double variance = independent_variance(&part->logged, &log->all), last = 0, sum = 0;

	for (uint32_t b = 0; b < log->block_count; b++) {
		double share = log->blocks[b] * part->logged.weight / log->all.weight;
		double residual = (part->blocks[b] * log->unit - share) / log->all.weight;
		double difference = residual - last;

		if (b && variance > 0)
			sum += fmin(difference * difference / 2 * log->block_count / variance, LARGEST_DIFFERENCE);
		last = residual;
	}
	return sum;
}

/* Student's t, 97.5 %: Abramowitz & Stegun 26.7.5; for 10 degrees of freedom right to 0.001. */
static double student_t(double freedom)
{
	const double z = Z95, z2 = z * z, n = freedom;

	return z + z * (z2 + 1) / (4 * n) + z * ((5 * z2 + 16) * z2 + 3) / (96 * n * n) +
		z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * n * n * n);
}

/* The half-width in units of the independent draws' standard deviation. */
static double width(const struct errors *e, const struct row *part)
{
	double differences, freedom, effect, width;

	if (!is_comparable(part, e->log))
		return Z95;
	differences = e->log->block_count - 1;
	freedom = 2 * differences / 3;
	effect = (compare_blocks(part, e->log) / differences * freedom + PRIOR_FREEDOM) / (freedom + PRIOR_FREEDOM);
	width = student_t(freedom + PRIOR_FREEDOM) * sqrt(effect);
	return fmin(width, Z95 * sqrt(LARGEST_EFFECT));
}

static void add_up(struct errors *e, bool total, size_t count)
{
	e->log = e->profile->log;
	e->parts = sp_alloc(count, sizeof(*e->parts));
	if (total)
		sum_totals(e, count);
	else
		sum_selves(e);
}

static void take_errors(const struct errors *e, double *errors, size_t count)
{
	/* What was not sampled is known and only dilutes the share. */
	double sampled = e->profile->total_ns ? e->all.weight * 1e3 / (double)e->profile->total_ns : 0;

	for (size_t i = 0; i < count; i++) {
		const struct row *part = &e->parts[i];

		errors[i] = 0;
		if (part->all.samples > 0)
			errors[i] = width(e, part) * sqrt(independent_variance(&part->all, &e->all)) * sampled;
	}
}

void sp_share_errors(const struct sp_profile *profile, const uint32_t *part_of, bool total, double *errors,
	size_t count)
{
	struct errors e = {.profile = profile, .part_of = part_of};

	add_up(&e, total, count);
	take_errors(&e, errors, count);
	free(e.parts);
}

static void add_totals(struct sp_profile *p, const uint32_t *part_of, double *errors)
{
	struct errors e = {.profile = p, .part_of = part_of};
	const struct row *truncated;

	add_up(&e, true, p->function_count);
	take_errors(&e, errors, p->function_count);
	for (size_t i = 0; i < p->function_count; i++) {
		struct sp_function *f = &p->functions[i];

		f->total_user_ns += e.parts[i].user_ns;
		f->total_sys_ns += e.parts[i].sys_ns;
		f->total_samples += e.parts[i].samples;
		f->total_error = errors[i];
	}
	truncated = &e.parts[SP_PSEUDO_TRUNCATED];
	p->truncated_ns = truncated->user_ns + truncated->sys_ns;
	free(e.parts);
}

void sp_cpu_totals(struct sp_profile *profile)
{
	uint32_t *part_of = sp_alloc(profile->frame_count, sizeof(*part_of));
	size_t count =
		profile->function_count > profile->module_count ? profile->function_count : profile->module_count;
	double *errors = sp_alloc(count, sizeof(*errors));

	for (size_t i = 0; i < profile->frame_count; i++)
		part_of[i] = profile->frames[i].function;
	sp_share_errors(profile, part_of, false, errors, profile->function_count);
	for (size_t i = 0; i < profile->function_count; i++)
		profile->functions[i].self_error = errors[i];
	add_totals(profile, part_of, errors);
	for (size_t i = 0; i < profile->frame_count; i++)
		part_of[i] = profile->functions[part_of[i]].module;
	sp_share_errors(profile, part_of, false, errors, profile->module_count);
	for (size_t i = 0; i < profile->module_count; i++)
		profile->modules[i].self_error = errors[i];
	free(errors);
	free(part_of);
}
