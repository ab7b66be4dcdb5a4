/* Stage 3 of the model: the log of samples by stack and block. */
#include "profiles/model/log.h"

#include <stdlib.h>

#include "profiles/model/build.h"
#include "profiles/model/model.h"

#define BLOCKS_MIN 8u

/* What a path weighs in a block, SP_LOG_UNIT_NS. */
struct piece {
	uint64_t weight;
	uint32_t path, block;
};

struct cutter {
	struct sp_log_sums *sums;
	uint64_t *now; /* by path: its weight in the block that is not complete yet */
	struct piece *pieces;
	size_t count, capacity, begin; /* where that block's pieces begin */
	uint64_t heaviest;             /* of all blocks so far */
};

static double entry_weight(const struct sp_log_entry *entry)
{
	return (double)entry->weight * SP_LOG_UNIT_NS / 1e3;
}

static void sum_log(struct sp_log_sums *sums, const struct sp_snapshot *s, size_t paths)
{
	for (size_t i = 0; i < s->log_count; i++) {
		double weight = entry_weight(&s->log[i]);

		sp_sum_add(&sums->paths[s->log[i].stack], &(struct sp_sum){weight, weight * weight, 1});
	}
	for (size_t i = 0; i < paths; i++)
		sp_sum_add(&sums->all, &sums->paths[i]);
}

static void end_block(struct cutter *c, double weight)
{
	uint64_t sum = 0;

	for (; c->begin < c->count; c->begin++) {
		struct piece *piece = &c->pieces[c->begin];

		piece->weight = c->now[piece->path];
		c->now[piece->path] = 0;
		sum += piece->weight;
	}
	c->heaviest = sum > c->heaviest ? sum : c->heaviest;
	c->sums->blocks[c->sums->block_count++] = weight;
}

/* Cuts the log into blocks of equal weight. A sample belongs to the block its middle lies in. */
static void cut_log(struct cutter *c, const struct sp_snapshot *s, uint32_t blocks)
{
	struct sp_log_sums *sums = c->sums;
	double before = 0, begin = 0;

	for (size_t i = 0; i < s->log_count; i++) {
		double weight = entry_weight(&s->log[i]);
		uint32_t path = s->log[i].stack;

		while (sums->block_count + 1 < blocks &&
			before + weight / 2 >= sums->all.weight * (sums->block_count + 1) / blocks) {
			end_block(c, before - begin);
			begin = before;
		}
		if (!c->now[path]) {
			sp_grow(&c->pieces, &c->capacity, c->count + 1, sizeof(*c->pieces));
			c->pieces[c->count++] = (struct piece){.path = path, .block = sums->block_count};
		}
		c->now[path] += s->log[i].weight;
		before += weight;
	}
	end_block(c, before - begin);
}

/* Puts the pieces together by path, each path's in the order of time. */
static void list_by_path(const struct cutter *c, size_t paths)
{
	struct sp_log_sums *sums = c->sums;
	unsigned coarser = 0;

	while (c->heaviest >> coarser > UINT32_MAX)
		coarser++;
	sums->unit = (double)SP_LOG_UNIT_NS / 1e3 * (double)(1ull << coarser);
	sums->list = sp_alloc(c->count, sizeof(*sums->list));
	sums->first = sp_alloc(paths + 1, sizeof(*sums->first));
	for (size_t i = 0; i < c->count; i++)
		sums->first[c->pieces[i].path]++;
	for (size_t i = 0, before = 0; i <= paths; i++) {
		before += sums->first[i];
		sums->first[i] = before; /* the end of its pieces, for now */
	}
	for (size_t i = c->count; i-- > 0;) {
		const struct piece *piece = &c->pieces[i];

		sums->list[--sums->first[piece->path]] =
			(struct sp_block_weight){piece->block, (uint32_t)(piece->weight >> coarser)};
	}
}

struct sp_log_sums *sp_log_add_up(const struct sp_profile *profile)
{
	const struct sp_snapshot *s = profile->snapshot;
	size_t blocks = s ? s->log_count / SP_PERIOD_SAMPLES : 0;
	struct cutter c = {0};

	if (blocks < BLOCKS_MIN)
		return NULL;
	c.sums = sp_alloc(1, sizeof(*c.sums));
	c.sums->paths = sp_alloc(profile->path_count, sizeof(*c.sums->paths));
	c.now = sp_alloc(profile->path_count, sizeof(*c.now));
	sum_log(c.sums, s, profile->path_count);
	cut_log(&c, s, blocks < SP_BLOCKS_MAX ? (uint32_t)blocks : SP_BLOCKS_MAX);
	list_by_path(&c, profile->path_count);
	free(c.pieces);
	free(c.now);
	return c.sums;
}

void sp_log_free(struct sp_log_sums *sums)
{
	if (!sums)
		return;
	free(sums->paths);
	free(sums->list);
	free(sums->first);
	free(sums);
}
