/* Stage 3 of the model: CPU time by function and module, and by thread. */
#include "profiles/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/order.h"
#include "profiles/redact/redact.h"

static uint64_t path_ns(const struct sp_path *path)
{
	return path->user_ns + path->sys_ns;
}

static void count_self(struct sp_profile *p, const struct sp_path *path)
{
	const struct sp_profile_frame *leaf = &p->frames[p->frame_ids[path->first]];
	struct sp_function *f = &p->functions[leaf->function];
	struct sp_module_info *m = &p->modules[f->module];

	f->self_user_ns += path->user_ns;
	f->self_sys_ns += path->sys_ns;
	f->self_samples += path->samples;
	m->self_ns += path_ns(path);
	m->samples += path->samples;
	if (f->flags & SP_FUNCTION_UNNAMED)
		m->unnamed_ns += path_ns(path);
}

static bool is_sampled(const struct sp_profile *p, size_t path)
{
	return path_ns(&p->paths[path]) || p->paths[path].samples;
}

/* How many of a stack's outer frames are code, and of those have no name. */
struct named {
	uint32_t all, unnamed;
};

enum { PSEUDO, NAMED, UNNAMED };

static unsigned char *kinds_of_frames(const struct sp_profile *p)
{
	unsigned char *kinds = sp_alloc(p->frame_count, 1);

	for (size_t i = 0; i < p->frame_count; i++) {
		uint32_t flags = p->functions[p->frames[i].function].flags;

		kinds[i] = flags & SP_FUNCTION_PSEUDO ? PSEUDO : flags & SP_FUNCTION_UNNAMED ? UNNAMED : NAMED;
	}
	return kinds;
}

static struct named with(struct named before, unsigned char kind)
{
	return (struct named){before.all + (kind != PSEUDO), before.unnamed + (kind == UNNAMED)};
}

static void count_frames(struct sp_profile *p)
{
	struct sp_path_walk walk = {0};
	struct named *until = NULL; /* until[i]: of the i outermost */
	unsigned char *kinds = kinds_of_frames(p);
	size_t capacity = 0;

	while (sp_path_walk_next(&walk, p, is_sampled)) {
		double weight = (double)path_ns(walk.path);

		sp_grow(&until, &capacity, walk.depth + (size_t)1, sizeof(*until));
		until[0] = (struct named){0};
		for (uint32_t i = walk.shared; i < walk.depth; i++)
			until[i + 1] = with(until[i], kinds[walk.frames[i]]);
		p->all_frames += weight * until[walk.depth].all;
		p->unnamed_frames += weight * until[walk.depth].unnamed;
	}
	free(until);
	free(kinds);
}

static void add_pseudo(struct sp_profile *p, enum sp_pseudo which, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_function *f = &p->functions[which];

	f->self_user_ns += user_ns;
	f->total_user_ns += user_ns;
	f->self_sys_ns += sys_ns;
	f->total_sys_ns += sys_ns;
	p->modules[0].self_ns += user_ns + sys_ns;
}

/* a - b, kept far from the ends of the type: a damaged spool may hold any number. */
static int64_t difference(uint64_t a, uint64_t b)
{
	const int64_t most = INT64_MAX / 4;
	uint64_t size = a > b ? a - b : b - a;
	int64_t clamped = size > (uint64_t)most ? most : (int64_t)size;

	return a > b ? clamped : -clamped;
}

/* The CPU time that the process used according to the kernel and that no sample stands for. The two clocks may be
 * off in opposite directions, so the surplus of one is taken from the rest of the other. */
static void account_for_rest(struct sp_profile *p)
{
	const struct sp_cpu_totals *cpu = &p->snapshot->header.cpu;
	int64_t user = difference(p->cpu_user_ns, p->sampled_user_ns + cpu->before_user_ns);
	int64_t sys = difference(p->cpu_sys_ns, p->sampled_sys_ns + cpu->before_sys_ns);

	if (user < 0) {
		sys += user;
		user = 0;
	}
	if (sys < 0) {
		user += sys;
		sys = 0;
	}
	if (user < 0)
		user = 0;
	p->unsampled_ns = (uint64_t)user + (uint64_t)sys;
	add_pseudo(p, SP_PSEUDO_UNSAMPLED, (uint64_t)user, (uint64_t)sys);
	add_pseudo(p, SP_PSEUDO_BEFORE, cpu->before_user_ns, cpu->before_sys_ns);
}

void sp_cpu_add_up(struct sp_profile *profile)
{
	for (size_t i = 0; i < profile->path_count; i++) {
		const struct sp_path *path = &profile->paths[i];

		if (!is_sampled(profile, i))
			continue;
		profile->sampled_user_ns += path->user_ns;
		profile->sampled_sys_ns += path->sys_ns;
		profile->samples += path->samples;
		count_self(profile, path);
	}
	count_frames(profile);
	sp_snapshot_cpu(profile->snapshot, &profile->cpu_user_ns, &profile->cpu_sys_ns);
	if (profile->cpu_on)
		account_for_rest(profile);
	for (size_t i = 0; i < profile->function_count; i++)
		profile->total_ns += profile->functions[i].self_user_ns + profile->functions[i].self_sys_ns;
}

static const char *start_name(struct sp_profile *p, struct sp_symbolizer *symbolizer, uint64_t entry)
{
	struct sp_symbol symbols[1] = {{0}};
	uint32_t module;

	if (!entry || !symbolizer)
		return NULL;
	/* Thread records carry no epoch; the newest mapping is the likely one. */
	module = sp_modules_find(p, entry, p->snapshot->header.module_epoch);
	if (p->modules[module].handle < 0 || p->modules[module].agent)
		return NULL;
	if (!sp_symbolize(symbolizer, p->modules[module].handle, entry, symbols, 1) || !symbols[0].function)
		return NULL;
	return sp_names_text(&p->names, sp_names_id(&p->names, symbols[0].function));
}

static uint64_t not_negative(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static const char *thread_name(struct sp_profile *profile, const struct sp_thread_record *r)
{
	struct sp_buffer shown = {0};
	const char *name;

	sp_redact_text(&shown, r->name, strlen(r->name));
	name = sp_pool_copy(&profile->pool, shown.data, shown.length);
	sp_buffer_free(&shown);
	return name;
}

void sp_threads_add_up(struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	struct sp_snapshot *s = profile->snapshot;

	profile->threads = sp_alloc(s->thread_count, sizeof(*profile->threads));
	for (size_t i = 0; i < s->thread_count; i++) {
		const struct sp_thread_record *r = &s->threads[i];
		struct sp_thread_info *t = &profile->threads[profile->thread_count];

		if (i ? r->state == 0 : !r->merged && !r->heap.allocs && !r->heap.bytes_base)
			continue;
		*t = (struct sp_thread_info){
			.tid = i ? r->tid : 0, .merged = i ? 0 : r->merged, .ended = r->state == 2};
		t->name = thread_name(profile, r);
		t->start = start_name(profile, symbolizer, r->entry);
		t->user_ns = r->user_ns;
		t->sys_ns = r->sys_ns;
		t->samples = r->user_samples + r->sys_samples;
		t->cpu_user_ns = r->cpu_user_ns;
		t->cpu_sys_ns = r->cpu_sys_ns;
		t->waiting = sp_waiting_of_thread(profile, r, i == 0);
		t->clocks = r->clocks;
		t->flags = r->flags;
		t->alloc_bytes = not_negative((int64_t)((uint64_t)r->heap.bytes_base - (uint64_t)r->heap.countdown));
		t->allocs = r->heap.allocs;
		t->frees = r->heap.frees;
		profile->heap_reallocs += r->heap.reallocs;
		profile->heap_allocated_bytes += t->alloc_bytes;
		profile->heap_allocations += t->allocs;
		profile->heap_frees += t->frees;
		profile->threads_seen += i ? 1 : r->merged;
		profile->thread_count++;
	}
}
