/* The error bars of CPU shares; what they mean stands at sp_share_errors in model.h. */
#include "profiles/model.h"

#include <math.h>
#include <stdlib.h>

#define Z95 1.959964

#define BLOCKS_MAX 48u
#define BLOCKS_MIN 8u
#define FEW_SAMPLES 20u
#define PRIOR_FREEDOM 6.0
#define LARGEST_EFFECT 1.5
#define LARGEST_DIFFERENCE 9.0 /* 3 standard deviations, squared */

/* Weights in microseconds, so that their squares are those of the spool. */
struct sum {
	double weight, sq, samples;
};

struct part {
	struct sum all, logged;
	double variance;  /* of logged.weight as a share, if its samples were drawn independently */
	double now, last; /* weight in this block, residual of the block before */
	double effect;    /* sum over the differences between blocks */
	size_t seen;      /* last visit that counted for this part */
};

struct errors {
	const struct sp_profile *profile;
	const uint32_t *part_of;
	bool total;
	struct part *parts;
	size_t count, visit;
	struct sum all, logged;
	uint32_t blocks;
};

static void add(struct sum *to, const struct sum *what)
{
	to->weight += what->weight;
	to->sq += what->sq;
	to->samples += what->samples;
}

/* Calls fn for every part that a sample on this path counts for. */
static void visit_parts(struct errors *e, size_t index, const struct sum *what,
	void (*fn)(struct part *, const struct sum *))
{
	const struct sp_path *path = &e->profile->paths[index];
	uint32_t depth = e->total || !path->depth ? path->depth : 1;

	e->visit++;
	for (uint32_t i = 0; i < depth; i++) {
		uint32_t id = e->part_of[e->profile->frame_ids[path->first + i]];

		if (id == SP_NO_PART || e->parts[id].seen == e->visit)
			continue;
		e->parts[id].seen = e->visit;
		fn(&e->parts[id], what);
	}
}

static void add_all(struct part *part, const struct sum *what)
{
	add(&part->all, what);
}

static void add_logged(struct part *part, const struct sum *what)
{
	add(&part->logged, what);
}

static void add_now(struct part *part, const struct sum *what)
{
	part->now += what->weight;
}

static void sum_paths(struct errors *e)
{
	const struct sp_profile *p = e->profile;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		struct sum what = {(double)(path->user_ns + path->sys_ns) / 1e3, path->sq, (double)path->samples};

		if (what.weight <= 0)
			continue;
		add(&e->all, &what);
		visit_parts(e, i, &what, add_all);
	}
}

static double entry_weight(const struct sp_log_entry *entry)
{
	return (double)entry->weight * SP_LOG_UNIT_NS / 1e3;
}

/* Adds the log up by path first: stacks repeat. */
static void sum_log(struct errors *e)
{
	const struct sp_snapshot *s = e->profile->snapshot;
	struct sum *paths = sp_alloc(e->profile->path_count, sizeof(*paths));

	for (size_t i = 0; i < s->log_count; i++) {
		double weight = entry_weight(&s->log[i]);

		add(&paths[s->log[i].stack], &(struct sum){weight, weight * weight, 1});
	}
	for (size_t i = 0; i < e->profile->path_count; i++) {
		if (!paths[i].samples)
			continue;
		add(&e->logged, &paths[i]);
		visit_parts(e, i, &paths[i], add_logged);
	}
	free(paths);
}

/* Variance of part/all when the samples counted as Poisson, and one sample more than there are,
 * of the rarer kind: that makes few samples, down to none, cover what a score interval covers. */
static double independent_variance(const struct sum *part, const struct sum *all)
{
	double p = part->weight / all->weight, others = all->samples - part->samples;
	double one = all->sq / all->samples;

	if (part->samples <= others)
		one = part->sq / part->samples;
	else if (others > 0)
		one = (all->sq - part->sq) / others;
	return (fmax(part->sq * (1 - 2 * p) + p * p * all->sq, 0) + one) / (all->weight * all->weight);
}

static void close_block(struct errors *e, uint32_t block, double weight)
{
	for (size_t i = 0; i < e->count; i++) {
		struct part *part = &e->parts[i];
		double residual = (part->now - weight * part->logged.weight / e->logged.weight) / e->logged.weight;
		double difference = residual - part->last;

		if (block && part->variance > 0)
			part->effect +=
				fmin(difference * difference / 2 * e->blocks / part->variance, LARGEST_DIFFERENCE);
		part->last = residual;
		part->now = 0;
	}
}

/* Compares neighbouring blocks of the log. A sample belongs to the block its middle lies in. */
static void compare_blocks(struct errors *e)
{
	const struct sp_snapshot *s = e->profile->snapshot;
	double before = 0, begin = 0;
	uint32_t block = 0;

	for (size_t i = 0; i < s->log_count; i++) {
		struct sum what = {.weight = entry_weight(&s->log[i])};

		while (block + 1 < e->blocks &&
			before + what.weight / 2 >= e->logged.weight * (block + 1) / e->blocks) {
			close_block(e, block++, before - begin);
			begin = before;
		}
		visit_parts(e, s->log[i].stack, &what, add_now);
		before += what.weight;
	}
	close_block(e, block, before - begin);
}

static void load_log(struct errors *e)
{
	const struct sp_snapshot *s = e->profile->snapshot;
	size_t blocks = s ? s->log_count / SP_PERIOD_SAMPLES : 0;

	if (blocks < BLOCKS_MIN)
		return;
	sum_log(e);
	e->blocks = blocks < BLOCKS_MAX ? (uint32_t)blocks : BLOCKS_MAX;
	for (size_t i = 0; i < e->count; i++)
		if (e->parts[i].logged.samples)
			e->parts[i].variance = independent_variance(&e->parts[i].logged, &e->logged);
	compare_blocks(e);
}

/* Student's t, 97.5 %: Abramowitz & Stegun 26.7.5; for 10 degrees of freedom right to 0.001. */
static double student_t(double freedom)
{
	const double z = Z95, z2 = z * z, n = freedom;

	return z + z * (z2 + 1) / (4 * n) + z * ((5 * z2 + 16) * z2 + 3) / (96 * n * n) +
		z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * n * n * n);
}

/* The half-width in units of the independent draws' standard deviation. */
static double width(const struct errors *e, const struct part *part)
{
	double rarer = fmin(part->logged.samples, e->logged.samples - part->logged.samples);
	double differences, freedom, effect, width;

	if (!e->blocks || rarer < FEW_SAMPLES)
		return Z95;
	differences = e->blocks - 1;
	freedom = 2 * differences / 3;
	effect = (part->effect / differences * freedom + PRIOR_FREEDOM) / (freedom + PRIOR_FREEDOM);
	width = student_t(freedom + PRIOR_FREEDOM) * sqrt(effect);
	return fmin(width, Z95 * sqrt(LARGEST_EFFECT));
}

void sp_share_errors(const struct sp_profile *profile, const uint32_t *part_of, bool total, double *errors,
	size_t count)
{
	struct errors e = {.profile = profile, .part_of = part_of, .total = total, .count = count};
	double sampled;

	e.parts = sp_alloc(count, sizeof(*e.parts));
	sum_paths(&e);
	load_log(&e);
	/* What was not sampled is known and only dilutes the share. */
	sampled = profile->total_ns ? e.all.weight * 1e3 / (double)profile->total_ns : 0;
	for (size_t i = 0; i < count; i++) {
		const struct part *part = &e.parts[i];

		errors[i] = 0;
		if (part->all.samples)
			errors[i] = width(&e, part) * sqrt(independent_variance(&part->all, &e.all)) * sampled;
	}
	free(e.parts);
}

void sp_cpu_errors(struct sp_profile *profile)
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
	sp_share_errors(profile, part_of, true, errors, profile->function_count);
	for (size_t i = 0; i < profile->function_count; i++)
		profile->functions[i].total_error = errors[i];
	for (size_t i = 0; i < profile->frame_count; i++)
		part_of[i] = profile->functions[part_of[i]].module;
	sp_share_errors(profile, part_of, false, errors, profile->module_count);
	for (size_t i = 0; i < profile->module_count; i++)
		profile->modules[i].self_error = errors[i];
	free(errors);
	free(part_of);
}
