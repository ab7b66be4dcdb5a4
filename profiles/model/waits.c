/* Stage of the model: what was waited, by place and by lock. */
#include "profiles/model/waits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"

const char *const sp_wait_call_names[SP_WAIT_CALLS] = {
#define X(call, kind) [SP_CALL_##call] = #call,
	SP_WAIT_CALLS_LIST(X)
#undef X
};

/* --- places */

uint32_t sp_wait_chain_at(const struct sp_profile *p, uint32_t path, uint32_t frame)
{
	const struct sp_path *its = &p->paths[path];
	uint32_t at = 0;

	/* A function at one line may be called by several instructions, and has a frame of each. */
	while (at < its->depth && p->frames[p->frame_ids[its->first + at]].function != p->frames[frame].function)
		at++;
	return at < its->depth ? at : 0;
}

/* Numbers for chains of functions, each from that of the chain without its last. */
static uint32_t longer_chain(struct sp_map *chains, uint32_t *count, uint32_t chain, uint32_t function, uint32_t line)
{
	int found;
	uint32_t *cell = sp_map_at(chains, (uint64_t)chain << 32 | function, line, &found);

	if (!found)
		*cell = ++*count;
	return *cell;
}

struct places {
	struct sp_map index, chains;
	uint32_t chain_count;
};

static uint32_t chain_of(struct sp_profile *p, struct places *all, uint32_t path, uint32_t frame)
{
	const struct sp_path *its = &p->paths[path];
	uint32_t at = sp_wait_chain_at(p, path, frame), chain;

	chain = longer_chain(&all->chains, &all->chain_count, 0, p->frames[frame].function, p->frames[frame].line);
	for (uint32_t i = 1; i < SP_WAIT_CHAIN && at + i < its->depth; i++)
		chain = longer_chain(&all->chains, &all->chain_count, chain,
			p->frames[p->frame_ids[its->first + at + i]].function, UINT32_MAX);
	return chain;
}

static struct sp_wait_place *place_of(struct sp_profile *p, struct places *all, uint32_t call, uint32_t path,
	uint32_t frame)
{
	struct sp_waits_info *w = p->waits;
	int found;
	uint32_t *cell = sp_map_at(&all->index, chain_of(p, all, path, frame), call, &found);

	if (!found) {
		*cell = (uint32_t)w->place_count;
		sp_grow(&w->places, &w->place_capacity, w->place_count + 1, sizeof(*w->places));
		w->places[w->place_count++] = (struct sp_wait_place){.call = (enum sp_wait_call)call, .frame = frame};
	}
	return &w->places[*cell];
}

/* Few samples do not know their own variance well. */
static double with_doubt(double variance, uint64_t samples)
{
	return samples ? variance * (1 + 1 / (double)samples) : 0;
}

static double variance_ns2(const struct sp_wait_site *s)
{
	return (int64_t)s->variance_us2 > 0 ? (double)s->variance_us2 * 1e6 : 0;
}

static void add_to_place(struct sp_wait_place *to, const struct sp_wait_site *s, uint64_t path_ns)
{
	if (!to->samples)
		to->lock = s->lock;
	else if (to->lock != s->lock)
		to->lock = 0;
	to->ns += s->ns;
	to->count += s->count;
	to->samples += s->samples;
	to->variance += variance_ns2(s);
	if (s->longest_ns > to->longest_ns)
		to->longest_ns = s->longest_ns;
	if (path_ns >= to->path_ns) {
		to->path_ns = path_ns;
		to->path = s->stack;
	}
}

const struct sp_lock_info *sp_waits_lock(const struct sp_waits_info *w, uint32_t lock)
{
	for (size_t i = 0; lock && i < w->lock_count; i++)
		if (w->locks[i].lock == lock)
			return &w->locks[i];
	return NULL;
}

bool sp_waits_is_gil(const struct sp_lock_info *lock)
{
	return strncmp(lock->name, "the GIL", 7) == 0;
}

static bool is_interpreter_lock(const struct sp_profile *p, uint32_t lock)
{
	const struct sp_lock_info *info = sp_waits_lock(p->waits, lock);

	return info && sp_waits_is_gil(info);
}

/* A thread that waits for work in its loop holds nothing up. */
static bool is_idle(const struct sp_profile *p, const struct sp_wait_place *place)
{
	enum sp_wait_kind kind = sp_wait_kind_of(place->call);

	return (kind == SP_WAIT_POLL || (kind == SP_WAIT_CONDITION && place->call < SP_CALL_pthread_join)) &&
		place->count >= SP_WAIT_IDLE_COUNT && place->ns >= p->wall_ns / 2 &&
		!is_interpreter_lock(p, place->lock) && !sp_wait_is_work(p, place);
}

static int by_ns(const void *left, const void *right)
{
	const struct sp_wait_place *a = left, *b = right;

	if (a->idle != b->idle)
		return a->idle ? 1 : -1;
	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

static void add_places(struct sp_profile *p, const uint32_t *site_frame)
{
	const struct sp_snapshot *s = p->snapshot;
	struct sp_waits_info *w = p->waits;
	struct places all = {0};

	for (size_t i = 1; i < s->wait_site_count; i++) {
		const struct sp_wait_site *site = &s->wait_sites[i];

		if (!site->samples || site->stack >= p->path_count)
			continue;
		p->waits_on = true;
		p->paths[site->stack].wait_ns += site->ns;
		p->paths[site->stack].wait_count += site->count;
		p->paths[site->stack].wait_samples += site->samples;
		add_to_place(place_of(p, &all, site->call, site->stack, site_frame[site->stack]), site,
			p->paths[site->stack].wait_ns);
		w->ns += site->ns;
	}
	sp_map_free(&all.index);
	sp_map_free(&all.chains);
}

double sp_waits_share_error(double part, double variance, double whole, double whole_variance)
{
	double share = whole > 0 ? part / whole : 0, rest = whole_variance > variance ? whole_variance - variance : 0;

	return whole > 0 ? sqrt((1 - share) * (1 - share) * variance + share * share * rest) / whole : 0;
}

/* --- locks */

static const char *lock_name(struct sp_profile *p, uint64_t address, uint32_t epoch)
{
	uint32_t module = sp_modules_find(p, address, epoch);
	const struct sp_module_info *m = &p->modules[module];
	char text[400];
	uint64_t offset;
	char *name = NULL;

	if (module && module < p->unknown_module && m->path[0] == '/') {
		uint8_t id[SP_BUILD_ID_MAX];
		size_t bytes = 0;

		for (; m->build_id[2 * bytes] && bytes < sizeof(id); bytes++)
			sscanf(m->build_id + 2 * bytes, "%2hhx", &id[bytes]);
		name = sp_symbolize_variable(&(struct sp_symbol_module){.path = m->path,
						     .bias = m->bias,
						     .build_id = id,
						     .build_id_bytes = bytes},
			address, &offset);
	}
	if (name && strcmp(name, "_PyRuntime") == 0)
		snprintf(text, sizeof(text), "the GIL (_PyRuntime+%llu)", (unsigned long long)offset);
	else if (name)
		snprintf(text, sizeof(text), offset ? "%.300s+%llu" : "%.300s", name, (unsigned long long)offset);
	else if (module && module < p->unknown_module)
		snprintf(text, sizeof(text), "%.300s+0x%llx", m->name, (unsigned long long)(address - m->bias));
	else
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	free(name);
	return sp_pool_copy(&p->pool, text, strlen(text));
}

static uint32_t holder_function(const struct sp_profile *p, const struct sp_wait_site *s, const uint32_t *site_frame)
{
	return s->holder && s->holder < p->path_count ? p->frames[site_frame[s->holder]].function : UINT32_MAX;
}

/* Of what threads wait for each other with, a lock has a holder; so has an interpreter's, which is a condition. */
static bool has_holder(const struct sp_wait_site *s)
{
	return sp_wait_kind_of((enum sp_wait_call)s->call) == SP_WAIT_LOCK || s->holder || s->holder_call;
}

static void add_holder(struct sp_profile *p, struct sp_lock_info *lock, const struct sp_wait_site *s,
	const uint32_t *site_frame)
{
	uint32_t function = holder_function(p, s, site_frame);
	struct sp_lock_holder *h = NULL;
	size_t capacity = lock->holder_count;

	for (size_t i = 0; i < lock->holder_count; i++)
		if (lock->holders[i].function == function && lock->holders[i].call == s->holder_call &&
			lock->holders[i].span == s->holder_span)
			h = &lock->holders[i];
	if (!h) {
		sp_grow(&lock->holders, &capacity, lock->holder_count + 1, sizeof(*lock->holders));
		h = &lock->holders[lock->holder_count++];
		*h = (struct sp_lock_holder){.function = function, .call = s->holder_call, .span = s->holder_span};
	}
	h->ns += s->ns;
	h->variance += variance_ns2(s);
}

static int by_held(const void *left, const void *right)
{
	const struct sp_lock_holder *a = left, *b = right;

	return a->ns > b->ns ? -1 : a->ns < b->ns;
}

static int by_waited(const void *left, const void *right)
{
	const struct sp_lock_info *a = left, *b = right;
	uint64_t x = a->waited_ns ? a->waited_ns : a->ns, y = b->waited_ns ? b->waited_ns : b->ns;

	return x > y ? -1 : x < y;
}

/* What functions have waited for locks. */
struct waiters {
	struct sp_map index; /* (lock, function) */
	uint64_t *ns;
	size_t count, capacity;
};

static void add_waiter(struct waiters *w, struct sp_lock_info *lock, uint32_t function, uint64_t ns)
{
	int found;
	uint32_t *cell = sp_map_at(&w->index, lock->lock, function, &found);

	if (!found) {
		*cell = (uint32_t)w->count;
		sp_grow(&w->ns, &w->capacity, w->count + 1, sizeof(*w->ns));
		w->ns[w->count++] = 0;
	}
	w->ns[*cell] += ns;
	if (w->ns[*cell] <= lock->waiter_ns)
		return;
	lock->waiter_ns = w->ns[*cell];
	lock->waiter = function;
}

static bool is_waited_for(const struct sp_profile *p, const struct sp_wait_site *s)
{
	return s->samples && s->lock && s->stack < p->path_count;
}

static void add_holders(struct sp_profile *p, const uint32_t *site_frame)
{
	const struct sp_snapshot *s = p->snapshot;
	struct sp_lock_info *locks = p->waits->locks;

	for (size_t i = 1; i < s->wait_site_count; i++)
		if (is_waited_for(p, &s->wait_sites[i]))
			locks[s->wait_sites[i].lock].held |= has_holder(&s->wait_sites[i]);
	for (size_t i = 1; i < s->wait_site_count; i++)
		if (is_waited_for(p, &s->wait_sites[i]) && locks[s->wait_sites[i].lock].held)
			add_holder(p, &locks[s->wait_sites[i].lock], &s->wait_sites[i], site_frame);
}

static void add_locks(struct sp_profile *p, const uint32_t *site_frame)
{
	const struct sp_snapshot *s = p->snapshot;
	struct sp_waits_info *w = p->waits;
	struct waiters waiters = {0};

	w->locks = sp_alloc(s->lock_count + 1, sizeof(*w->locks));
	w->lock_count = s->lock_count;
	for (size_t i = 0; i < s->lock_count; i++)
		w->locks[i] = (struct sp_lock_info){.lock = (uint32_t)i,
			.contentions = s->locks[i].contentions,
			.waited_ns = s->locks[i].ns,
			.longest_ns = s->locks[i].longest_ns};
	for (size_t i = 1; i < s->wait_site_count; i++) {
		const struct sp_wait_site *site = &s->wait_sites[i];
		struct sp_lock_info *lock = &w->locks[site->lock];

		if (!is_waited_for(p, site))
			continue;
		lock->ns += site->ns;
		lock->variance += variance_ns2(site);
		lock->samples += site->samples;
		add_waiter(&waiters, lock, p->frames[site_frame[site->stack]].function, site->ns);
	}
	add_holders(p, site_frame);
	sp_map_free(&waiters.index);
	free(waiters.ns);
}

/* The names of those alone that are shown. */
#define NAMED 64u

static void settle_locks(struct sp_profile *p)
{
	struct sp_waits_info *w = p->waits;
	size_t kept = 0;

	for (size_t i = 1; i < w->lock_count; i++)
		if (w->locks[i].contentions || w->locks[i].samples)
			w->locks[kept++] = w->locks[i];
	w->lock_count = kept;
	qsort(w->locks, kept, sizeof(*w->locks), by_waited);
	for (size_t i = 0; i < kept; i++) {
		const struct sp_lock *lock = &p->snapshot->locks[w->locks[i].lock];

		w->locks[i].name = i < NAMED ? lock_name(p, lock->address, lock->epoch) : "";
		if (w->locks[i].holder_count)
			qsort(w->locks[i].holders, w->locks[i].holder_count, sizeof(*w->locks[i].holders), by_held);
	}
}

void sp_waits_add_up(struct sp_profile *p, const uint32_t *site_frame)
{
	struct sp_waits_info *w;

	if (p->snapshot->wait_site_count < 2 && p->snapshot->lock_count < 2)
		return;
	w = p->waits = sp_alloc(1, sizeof(*p->waits));
	add_places(p, site_frame);
	add_locks(p, site_frame);
	settle_locks(p);
	for (size_t i = 0; i < w->place_count; i++) {
		w->places[i].idle = is_idle(p, &w->places[i]);
		w->places[i].variance = with_doubt(w->places[i].variance, w->places[i].samples);
		w->variance += w->places[i].variance;
	}
	if (w->place_count)
		qsort(w->places, w->place_count, sizeof(*w->places), by_ns);
}

void sp_path_add_waits(struct sp_path *to, const struct sp_path *path)
{
	to->wait_ns += path->wait_ns;
	to->wait_count += path->wait_count;
	to->wait_samples += path->wait_samples;
}

void sp_waits_free(struct sp_waits_info *w)
{
	for (size_t i = 0; w && i < w->lock_count; i++)
		free(w->locks[i].holders);
	if (w) {
		free(w->places);
		free(w->locks);
	}
	free(w);
}
