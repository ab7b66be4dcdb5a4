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

/* What the samples of a block weigh on one path. */
struct block_path {
	double weight;
	uint32_t path;
};

struct block {
	double weight;
	size_t end; /* in list[]: its paths stand between the end of the block before and this */
};

struct sp_log_sums {
	struct sum all, *paths; /* by path */
	struct block blocks[BLOCKS_MAX];
	uint32_t block_count;
	struct block_path *list;
	size_t count, capacity;
};

struct part {
	struct sum all, logged;
	double variance; /* of logged.weight as a share, if its samples were drawn independently */
	double last;     /* residual of the block before */
	double effect;   /* sum over the differences between blocks */
};

struct errors {
	const struct sp_profile *profile;
	const struct sp_log_sums *log; /* NULL: none */
	uint32_t *parts_of;            /* of path i, each once: [first[i], first[i + 1]) */
	size_t *first;
	struct part *parts;
	double *now; /* weight of each in the block that is being looked at */
	size_t count;
	struct sum all;
};

static void add(struct sum *to, const struct sum *what)
{
	to->weight += what->weight;
	to->sq += what->sq;
	to->samples += what->samples;
}

/* --- the log ---------------------------------------------------------------------------------- */

static double entry_weight(const struct sp_log_entry *entry)
{
	return (double)entry->weight * SP_LOG_UNIT_NS / 1e3;
}

static void sum_log(struct sp_log_sums *sums, const struct sp_snapshot *s, size_t paths)
{
	for (size_t i = 0; i < s->log_count; i++) {
		double weight = entry_weight(&s->log[i]);

		add(&sums->paths[s->log[i].stack], &(struct sum){weight, weight * weight, 1});
	}
	for (size_t i = 0; i < paths; i++)
		add(&sums->all, &sums->paths[i]);
}

/* Ends a block: what `now` holds of the paths that were met in it goes behind their list. */
static void end_block(struct sp_log_sums *sums, double *now, double weight)
{
	struct block *block = &sums->blocks[sums->block_count++];
	size_t from = sums->block_count > 1 ? block[-1].end : 0;

	for (size_t i = from; i < sums->count; i++) {
		sums->list[i].weight = now[sums->list[i].path];
		now[sums->list[i].path] = 0;
	}
	*block = (struct block){.weight = weight, .end = sums->count};
}

/* Cuts the log into blocks of equal weight. A sample belongs to the block its middle lies in. */
static void cut_log(struct sp_log_sums *sums, const struct sp_snapshot *s, uint32_t blocks, size_t paths)
{
	double *now = sp_alloc(paths, sizeof(*now)), before = 0, begin = 0;

	for (size_t i = 0; i < s->log_count; i++) {
		double weight = entry_weight(&s->log[i]);
		uint32_t path = s->log[i].stack;

		while (sums->block_count + 1 < blocks &&
			before + weight / 2 >= sums->all.weight * (sums->block_count + 1) / blocks) {
			end_block(sums, now, before - begin);
			begin = before;
		}
		if (now[path] <= 0) {
			sp_grow(&sums->list, &sums->capacity, sums->count + 1, sizeof(*sums->list));
			sums->list[sums->count++].path = path;
		}
		now[path] += weight;
		before += weight;
	}
	end_block(sums, now, before - begin);
	free(now);
}

struct sp_log_sums *sp_log_add_up(const struct sp_profile *profile)
{
	const struct sp_snapshot *s = profile->snapshot;
	size_t blocks = s ? s->log_count / SP_PERIOD_SAMPLES : 0;
	struct sp_log_sums *sums;

	if (blocks < BLOCKS_MIN)
		return NULL;
	sums = sp_alloc(1, sizeof(*sums));
	sums->paths = sp_alloc(profile->path_count, sizeof(*sums->paths));
	sum_log(sums, s, profile->path_count);
	cut_log(sums, s, blocks < BLOCKS_MAX ? (uint32_t)blocks : BLOCKS_MAX, profile->path_count);
	return sums;
}

void sp_log_free(struct sp_log_sums *sums)
{
	if (!sums)
		return;
	free(sums->paths);
	free(sums->list);
	free(sums);
}

/* --- the parts -------------------------------------------------------------------------------- */

/* Of most heap stacks there is no sample. */
static bool has_samples(const struct errors *e, size_t i)
{
	const struct sp_path *path = &e->profile->paths[i];

	return path->user_ns || path->sys_ns || (e->log && e->log->paths[i].samples > 0);
}

static void list_parts(struct errors *e, const uint32_t *part_of, bool total)
{
	const struct sp_profile *p = e->profile;
	size_t *seen = sp_alloc(e->count, sizeof(*seen)), used = 0, capacity = 0; /* 1 + last path */

	e->first = sp_alloc(p->path_count + 1, sizeof(*e->first));
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		uint32_t depth = total || !path->depth ? path->depth : 1;

		e->first[i] = used;
		if (!has_samples(e, i))
			continue;
		sp_grow(&e->parts_of, &capacity, used + depth, sizeof(*e->parts_of));
		for (uint32_t k = 0; k < depth; k++) {
			uint32_t id = part_of[p->frame_ids[path->first + k]];

			if (id == SP_NO_PART || seen[id] == i + 1)
				continue;
			seen[id] = i + 1;
			e->parts_of[used++] = id;
		}
	}
	e->first[p->path_count] = used;
	free(seen);
}

static void sum_paths(struct errors *e)
{
	const struct sp_profile *p = e->profile;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		struct sum what = {(double)(path->user_ns + path->sys_ns) / 1e3, path->sq, (double)path->samples};
		const struct sum *logged = e->log && e->log->paths[i].samples > 0 ? &e->log->paths[i] : NULL;

		if (what.weight > 0)
			add(&e->all, &what);
		for (size_t k = e->first[i]; k < e->first[i + 1]; k++) {
			struct part *part = &e->parts[e->parts_of[k]];

			if (what.weight > 0)
				add(&part->all, &what);
			if (logged)
				add(&part->logged, logged);
		}
	}
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

/* Whether the log holds enough of both, the part and the rest, to compare blocks of it. */
static bool is_comparable(const struct part *part, const struct sp_log_sums *log)
{
	return log && fmin(part->logged.samples, log->all.samples - part->logged.samples) >= FEW_SAMPLES;
}

static void close_block(struct errors *e, const uint32_t *ids, size_t count, bool first, double weight)
{
	const struct sp_log_sums *log = e->log;

	for (size_t i = 0; i < count; i++) {
		struct part *part = &e->parts[ids[i]];
		double residual = (e->now[ids[i]] - weight * part->logged.weight / log->all.weight) / log->all.weight;
		double difference = residual - part->last;

		if (!first && part->variance > 0)
			part->effect += fmin(difference * difference / 2 * log->block_count / part->variance,
				LARGEST_DIFFERENCE);
		part->last = residual;
		e->now[ids[i]] = 0;
	}
}

/* Compares neighbouring blocks of the log. */
static void compare_blocks(struct errors *e)
{
	const struct sp_log_sums *log = e->log;
	uint32_t *ids = sp_alloc(e->count, sizeof(*ids));
	size_t count = 0, at = 0;

	for (size_t i = 0; i < e->count; i++) {
		if (!is_comparable(&e->parts[i], log))
			continue;
		ids[count++] = (uint32_t)i;
		e->parts[i].variance = independent_variance(&e->parts[i].logged, &log->all);
	}
	e->now = sp_alloc(e->count, sizeof(*e->now));
	for (uint32_t b = 0; b < log->block_count; b++) {
		for (; at < log->blocks[b].end; at++) {
			const struct block_path *entry = &log->list[at];

			for (size_t k = e->first[entry->path]; k < e->first[entry->path + 1]; k++)
				e->now[e->parts_of[k]] += entry->weight;
		}
		close_block(e, ids, count, b == 0, log->blocks[b].weight);
	}
	free(e->now);
	free(ids);
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
	double differences, freedom, effect, width;

	if (!is_comparable(part, e->log))
		return Z95;
	differences = e->log->block_count - 1;
	freedom = 2 * differences / 3;
	effect = (part->effect / differences * freedom + PRIOR_FREEDOM) / (freedom + PRIOR_FREEDOM);
	width = student_t(freedom + PRIOR_FREEDOM) * sqrt(effect);
	return fmin(width, Z95 * sqrt(LARGEST_EFFECT));
}

void sp_share_errors(const struct sp_profile *profile, const uint32_t *part_of, bool total, double *errors,
	size_t count)
{
	struct errors e = {.profile = profile, .log = profile->log, .count = count};
	double sampled;

	e.parts = sp_alloc(count, sizeof(*e.parts));
	list_parts(&e, part_of, total);
	sum_paths(&e);
	if (e.log)
		compare_blocks(&e);
	/* What was not sampled is known and only dilutes the share. */
	sampled = profile->total_ns ? e.all.weight * 1e3 / (double)profile->total_ns : 0;
	for (size_t i = 0; i < count; i++) {
		const struct part *part = &e.parts[i];

		errors[i] = 0;
		if (part->all.samples > 0)
			errors[i] = width(&e, part) * sqrt(independent_variance(&part->all, &e.all)) * sampled;
	}
	free(e.first);
	free(e.parts_of);
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
