/* Whether a wait is that of a loop for work, or is part of the work: by where the CPU time was. */
#include <stdlib.h>
#include <string.h>

#include "profiles/model/model.h"
#include "profiles/model/waits.h"

#define LEAST_SAMPLES 5u /* of the CPU that tell where the work is done */
#define WORK 0.5         /* of the CPU time, which a loop has below it */
#define ASIDE 0.2        /* of a loop's, which the way to where it waits has at the most */

/* The function of the frame so many from the outermost. */
static uint32_t function_at(const struct sp_profile *p, const struct sp_path *path, uint32_t from_root)
{
	return p->frames[p->frame_ids[path->first + path->depth - 1 - from_root]].function;
}

/* What starts a program or a thread is common to threads that have nothing else in common. */
static bool is_start(const struct sp_profile *p, uint32_t function)
{
	const struct sp_function *f = &p->functions[function];

	return f->layer || strncmp(p->modules[f->module].name, "libc.so", 7) == 0;
}

static uint32_t first_own(const struct sp_profile *p, const struct sp_path *path)
{
	uint32_t at = 0;

	while (at < path->depth && is_start(p, function_at(p, path, at)))
		at++;
	return at;
}

static uint32_t common_frames(const struct sp_profile *p, const struct sp_path *a, const struct sp_path *b)
{
	uint32_t least = a->depth < b->depth ? a->depth : b->depth, n = 0;

	while (n < least && function_at(p, a, n) == function_at(p, b, n))
		n++;
	return n;
}

/* CPU time below each of the path's frames, from the outermost; how many samples have its frame `base` in common. */
static uint64_t add_cpu(const struct sp_profile *p, const struct sp_path *path, uint32_t base, double *cpu_ns)
{
	uint64_t samples = 0;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *other = &p->paths[i];
		uint32_t common = other->kind == SP_STACKS_CPU ? common_frames(p, path, other) : 0;

		samples += common > base ? other->samples : 0;
		for (uint32_t at = base; at < common; at++)
			cpu_ns[at] += (double)(other->user_ns + other->sys_ns);
	}
	return samples;
}

/* The work of a loop, and where its path leaves that. */
struct loop {
	const struct sp_path *path;
	uint32_t base, at; /* the outermost frame, and the innermost with half of the CPU time */
	double *cpu_ns;    /* nothing is below the innermost */
	bool known;
};

static struct loop find_loop(const struct sp_profile *p, uint32_t wait)
{
	struct loop l = {.path = &p->paths[wait], .base = first_own(p, &p->paths[wait])};

	l.cpu_ns = sp_alloc(l.path->depth + 1, sizeof(*l.cpu_ns));
	l.known = add_cpu(p, l.path, l.base, l.cpu_ns) >= LEAST_SAMPLES;
	for (l.at = l.base; l.known && l.at + 1 < l.path->depth && l.cpu_ns[l.at + 1] >= WORK * l.cpu_ns[l.base];)
		l.at++;
	return l;
}

/* Whether another wait is that of a loop outside of this one: at a frame at which the way to this one has half of the CPU time. */
static bool is_outside(const struct sp_profile *p, const struct sp_wait_place *other, const struct loop *l)
{
	const struct sp_path *path = &p->paths[other->path];
	uint32_t common = common_frames(p, l->path, path);
	double aside_ns = 0;

	if (common <= l->base || common > l->at || common >= path->depth)
		return false;
	for (size_t i = 0; i < p->path_count; i++)
		if (p->paths[i].kind == SP_STACKS_CPU && common_frames(p, path, &p->paths[i]) > common)
			aside_ns += (double)(p->paths[i].user_ns + p->paths[i].sys_ns);
	return aside_ns <= ASIDE * l->cpu_ns[common - 1];
}

static bool may_be_for_work(const struct sp_wait_place *place)
{
	enum sp_wait_kind kind = sp_wait_kind_of(place->call);

	return place->count >= SP_WAIT_IDLE_COUNT &&
		(kind == SP_WAIT_POLL || kind == SP_WAIT_READ || kind == SP_WAIT_CONDITION);
}

bool sp_wait_is_work(const struct sp_profile *p, const struct sp_wait_place *place)
{
	const struct sp_waits_info *waits = p->waits;
	struct loop l = find_loop(p, place->path);
	bool is_work = l.known && l.cpu_ns[l.at + 1] > ASIDE * l.cpu_ns[l.at];

	for (size_t i = 0; l.known && !is_work && i < waits->place_count; i++)
		is_work = &waits->places[i] != place && may_be_for_work(&waits->places[i]) &&
			is_outside(p, &waits->places[i], &l);
	free(l.cpu_ns);
	return is_work;
}
