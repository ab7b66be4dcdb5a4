/* One selection against another: each host's profiles are one run. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/compare/report.h"
#include "profiles/compare/stats.h"
#include "profiles/model/merge.h"
#include "tools/compare/compare.h"
#include "tools/fleet/fleet.h"
#include "tools/tools.h"

/* Up to so many hosts their stacks are compared too, which tell whether cost has only moved between functions. */
#define HOSTS_WITH_STACKS 60u

struct hosts {
	struct sp_fleet_totals totals;
	struct sp_fleet_stacks stacks;
	struct sp_fleet_samples samples;
	struct sp_merge **merges;
	struct sp_profile **profiles;
	const char **names;
};

static int ask(const struct sp_fleet *fleet, const struct sp_fleet_side *side, struct hosts *h)
{
	unsigned kinds = 1u << SP_FLEET_FUNCTION;
	int status = sp_fleet_ask_totals(fleet, side, SP_FLEET_BY_HOST, &h->totals);

	for (size_t i = 0; i < h->totals.count; i++)
		kinds |= h->totals.list[i].facts.numbers[SP_FLEET_HEAP_ON] ? 1u << SP_FLEET_SITE : 0;
	if (!status && h->totals.count <= HOSTS_WITH_STACKS)
		kinds |= 1u << SP_FLEET_CPU;
	return status ? status : sp_fleet_ask_samples(fleet, side, SP_FLEET_BY_HOST, kinds, &h->stacks, &h->samples);
}

static double wall_of(const struct sp_fleet_total *total)
{
	return (double)total->facts.numbers[SP_FLEET_WALL_NS];
}

/* What all are made to have run for: hosts whose profiles are of more or less time cannot be told by sums. */
static double middle_wall(const struct hosts *sides)
{
	double *walls = sp_alloc(sides[0].totals.count + sides[1].totals.count, sizeof(*walls)), middle;
	size_t count = 0;

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < sides[side].totals.count; i++)
			walls[count++] = wall_of(&sides[side].totals.list[i]);
	middle = sp_stats_median(walls, count);
	free(walls);
	return middle;
}

static void add_process(struct sp_profile *p, const struct sp_fleet_total *total, double wall_ns)
{
	sp_grow(&p->processes, &p->process_capacity, 1, sizeof(*p->processes));
	p->processes[p->process_count++] = (struct sp_member){.program = total->facts.texts[SP_FLEET_PROGRAM],
		.command = "",
		.tree = "",
		.exit = "0",
		.profile = total->host,
		.start_ns = total->from_ns,
		.wall_ns = sp_whole(wall_ns),
		.cpu_user_ns = p->cpu_user_ns,
		.cpu_sys_ns = p->cpu_sys_ns,
		.samples = p->samples};
}

static int by_host(const void *left, const void *right, void *stacks)
{
	const struct sp_fleet_sample *a = left, *b = right;
	const struct sp_fleet_stack *list = stacks;

	return a->host != b->host    ? (a->host < b->host ? -1 : 1)
		: a->kind != b->kind ? (a->kind < b->kind ? -1 : 1)
				     : memcmp(list[a->stack].key, list[b->stack].key, sizeof(list->key));
}

/* Where the samples of each host begin, by the number of its name: they are put together, in an order that is the same each time. Hosts may be in one answer alone, as
 * profiles come in meanwhile. */
static size_t *find_samples(struct hosts *h)
{
	size_t *first;

	for (size_t i = 0; i < h->totals.count; i++)
		sp_names_id(&h->samples.hosts, h->totals.list[i].host);
	if (h->samples.count)
		qsort_r(h->samples.list, h->samples.count, sizeof(*h->samples.list), by_host, h->stacks.list);
	first = sp_alloc(h->samples.hosts.count, sizeof(*first));
	for (size_t k = h->samples.count; k-- > 0;)
		first[h->samples.list[k].host] = k;
	return first;
}

static void make_profiles(struct hosts *h, double wall)
{
	size_t count = h->totals.count, *first = find_samples(h);

	h->merges = sp_alloc(count, sizeof(struct sp_merge *));
	h->profiles = sp_alloc(count, sizeof(struct sp_profile *));
	h->names = sp_alloc(count, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		const struct sp_fleet_total *total = &h->totals.list[i];
		const double own = wall_of(total);
		const uint32_t host = sp_names_id(&h->samples.hosts, total->host);
		size_t at = first[host], end = at;
		struct sp_profile *one;

		while (end < h->samples.count && h->samples.list[end].host == host)
			end++;
		one = sp_fleet_profile(h->samples.list + at, end - at, &h->stacks, total, own > 0 ? wall / own : 1);
		add_process(one, total, wall);
		h->merges[i] = sp_merge_new();
		sp_merge_add(h->merges[i], one, total->host);
		h->profiles[i] = sp_merge_finish(h->merges[i], 0);
		h->names[i] = total->host;
		sp_profile_free(one);
	}
	free(first);
}

static void free_hosts(struct hosts *h)
{
	for (size_t i = 0; h->merges && i < h->totals.count; i++)
		sp_merge_free(h->merges[i]);
	free(h->merges);
	free(h->profiles);
	free(h->names);
	sp_fleet_totals_free(&h->totals);
	sp_fleet_samples_free(&h->samples);
	sp_fleet_stacks_free(&h->stacks);
}

static int compare(const struct sp_fleet *fleet, struct hosts *sides, sp_fleet_write_fn *write)
{
	struct sp_comparison_input input = {.gate = {.fail_below = NAN, .fail_on_regression = NAN}};
	struct sp_comparison *c;
	struct sp_buffer text = {0};
	int status;

	for (unsigned m = 0; m < SP_GATING; m++)
		input.gate.most[m] = NAN;
	for (int side = 0; side < SP_SIDES; side++) {
		input.profiles[side] = sides[side].profiles;
		input.names[side] = sides[side].names;
		input.count[side] = sides[side].totals.count;
	}
	sp_compare_weights(input.weights);
	c = sp_compare(&input);
	write(&text, c);
	status = sp_write_output("fleet", fleet->output, &text, O_TRUNC) ? SP_EXIT_USAGE : sp_compare_status(c);
	sp_comparison_free(c);
	sp_buffer_free(&text);
	return status;
}

int sp_fleet_compare(const struct sp_fleet *fleet, sp_fleet_write_fn *write)
{
	struct hosts sides[SP_SIDES] = {0};
	int status = ask(fleet, &fleet->against, &sides[SP_BASELINE]);

	if (!status)
		status = ask(fleet, &fleet->side, &sides[SP_CURRENT]);
	if (!status) {
		double wall = middle_wall(sides);

		for (int side = 0; side < SP_SIDES; side++)
			make_profiles(&sides[side], wall);
		status = compare(fleet, sides, write);
	} else {
		status = SP_EXIT_USAGE; /* 1 is an answer */
	}
	for (int side = 0; side < SP_SIDES; side++)
		free_hosts(&sides[side]);
	return status;
}
