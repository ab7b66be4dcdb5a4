/* Many addresses at once: the cache first, then all processors.
 *
 * Modules are opened by one thread each, then every module's addresses, by compilation unit, are cut into jobs. A
 * thread reads DWARF with handles of its own (libdw's are not to be shared) and keeps its answers to
 * itself until all are done. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "symbolize/base/memory.h"
#include "symbolize/cached.h"

#define THREADS_MAX 8u
#define STACK_BYTES (8u << 20)
#define HEAP_BYTES (64u << 20) /* of address space, which allocators set aside for each thread */
/* If one unit has fewer addresses than this, it is not worth reading the unit twice. */
#define JOB_ADDRESSES_MIN 512u
#define JOBS_PER_THREAD 3u
/* See sp_dwarf_open; of all readers together, the modules' first ones apart. */
#define COST_LIMIT (6u << 20)

/* The addresses of one module: list[first .. first + count), ascending. */
struct group {
	uint32_t module;
	size_t first, count;
};

/* Addresses are by unit, and ascending in each. */
struct job {
	uint32_t module;
	const uint64_t *addresses;
	size_t count;
	struct sp_symbol *frames; /* of all its answers, in order; malloc'ed */
	uint32_t *counts;         /* frames of each; 0: not worked out */
};

/* A thread's own reader of a module's DWARF. */
struct own_reader {
	struct sp_dwarf *dwarf;
	uint32_t module;
};

struct work {
	struct sp_symbolizer *s;
	struct group *groups;
	size_t group_count;
	struct job *jobs;
	size_t job_count, job_capacity;
	unsigned threads;
	void (*each)(struct work *work, struct own_reader *own, size_t i);
	size_t next, end; /* atomic: the next one to be taken */
};

static void open_group(struct work *work, struct own_reader *own, size_t i)
{
	(void)own;
	sp_module_symbols_open(work->s->modules[work->groups[i].module], &work->s->context);
}

static void add_frames(struct job *job, size_t *used, size_t *capacity, const struct sp_symbol *frames, size_t count)
{
	sp_grow(&job->frames, capacity, *used + count, sizeof(*frames));
	memcpy(job->frames + *used, frames, count * sizeof(*frames));
	*used += count;
}

/* The module's first reader, if no other thread has it, else one of this thread's own, which is kept:
 * threads take jobs in order, so it mostly serves several of them. */
static struct sp_dwarf *get_reader(struct work *work, struct own_reader *own, uint32_t module)
{
	struct sp_module_symbols *m = work->s->modules[module];

	if (!__atomic_exchange_n(&m->dwarf_taken, true, __ATOMIC_ACQUIRE))
		return m->dwarf;
	if (!own->dwarf || own->module != module) {
		sp_dwarf_close(own->dwarf);
		own->dwarf = sp_module_symbols_reader(m, &work->s->context, COST_LIMIT / work->threads);
		own->module = module;
	}
	return own->dwarf;
}

/* How many of a job's addresses, from `first` on, are in one unit. */
static size_t same_unit(const struct job *job, const struct sp_dwarf *reader, size_t first)
{
	size_t unit = sp_dwarf_unit(reader, job->addresses[first]), n = 1;

	while (first + n < job->count && sp_dwarf_unit(reader, job->addresses[first + n]) == unit)
		n++;
	return n;
}

static void run_job(struct work *work, struct own_reader *own, size_t i)
{
	struct job *job = &work->jobs[i];
	struct sp_module_symbols *m = work->s->modules[job->module];
	struct sp_dwarf *reader = m->dwarf ? get_reader(work, own, job->module) : NULL;
	struct sp_symbol frames[SP_FRAMES_MAX];
	size_t used = 0, capacity = 0, unit_end = 0;

	/* A thread that gets no reader leaves its job undone: those addresses are worked out when they are asked
	 * for. */
	for (size_t k = 0; k < job->count && (reader || !m->dwarf); k++) {
		size_t count;

		if (reader && k == unit_end) {
			unit_end += same_unit(job, reader, k);
			sp_dwarf_expect(reader, job->addresses + k, unit_end - k);
		}
		count = sp_module_symbols_resolve(m, &work->s->context, reader, job->addresses[k], frames);
		add_frames(job, &used, &capacity, frames, count);
		job->counts[k] = (uint32_t)count;
	}
	if (reader)
		sp_dwarf_expect(reader, NULL, 0);
	if (reader && reader == m->dwarf)
		__atomic_store_n(&m->dwarf_taken, false, __ATOMIC_RELEASE);
}

static void *run_thread(void *argument)
{
	struct work *work = argument;
	struct own_reader own = {0};
	size_t i;

	while ((i = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED)) < work->end)
		work->each(work, &own, i);
	sp_dwarf_close(own.dwarf);
	return NULL;
}

/* Runs each(0) .. each(count - 1) in this thread and in as many others as can be made. */
static void run_all(struct work *work, void (*each)(struct work *, struct own_reader *, size_t), size_t count)
{
	pthread_t others[THREADS_MAX];
	unsigned started = 0;
	pthread_attr_t attributes;

	work->each = each;
	work->next = 0;
	work->end = count;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (started + 1 < work->threads && started + 1 < count &&
		!pthread_create(&others[started], &attributes, run_thread, work))
		started++;
	pthread_attr_destroy(&attributes);
	run_thread(work);
	while (started)
		pthread_join(others[--started], NULL);
}

/* As many as there are processors; where address space is scarce, as many as take a quarter of it at most. */
static unsigned usable_threads(void)
{
	cpu_set_t set;
	struct rlimit space;
	rlim_t most = sched_getaffinity(0, sizeof(set), &set) ? 1 : (rlim_t)CPU_COUNT(&set);

	if (!getrlimit(RLIMIT_AS, &space) && space.rlim_cur != RLIM_INFINITY &&
		most > space.rlim_cur / 4 / (STACK_BYTES + HEAP_BYTES))
		most = space.rlim_cur / 4 / (STACK_BYTES + HEAP_BYTES);
	return most < 1 ? 1 : most < THREADS_MAX ? (unsigned)most : THREADS_MAX;
}

struct place {
	size_t unit;
	uint64_t address;
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

static void add_job(struct work *work, uint32_t module, const uint64_t *addresses, size_t count)
{
	struct job job = {.module = module, .addresses = addresses, .count = count};

	sp_grow(&work->jobs, &work->job_capacity, work->job_count + 1, sizeof(job));
	job.counts = sp_alloc(count, sizeof(*job.counts));
	work->jobs[work->job_count++] = job;
}

/* A module's jobs: one a unit, more where a unit has very many, but a single one when its sections must be
 * unpacked. by_unit: gets the group's addresses. */
static void add_jobs(struct work *work, const struct group *group, const uint64_t *list, uint64_t *by_unit)
{
	const struct sp_module_symbols *m = work->s->modules[group->module];
	struct place *places = sp_alloc(group->count, sizeof(*places));
	size_t most = group->count / (work->threads * JOBS_PER_THREAD), first = 0;
	bool single = work->threads == 1 || !sp_module_symbols_are_shareable(m);

	most = most < JOB_ADDRESSES_MIN ? JOB_ADDRESSES_MIN : most;
	for (size_t i = 0; i < group->count; i++)
		places[i] = (struct place){
			m->dwarf ? sp_dwarf_unit(m->dwarf, list[group->first + i]) : 0, list[group->first + i]};
	qsort(places, group->count, sizeof(*places), compare_places);
	for (size_t i = 0; i < group->count; i++) {
		by_unit[group->first + i] = places[i].address;
		if (i + 1 < group->count && (single || (places[i + 1].unit == places[i].unit && i + 1 - first < most)))
			continue;
		add_job(work, group->module, by_unit + group->first + first, i + 1 - first);
		first = i + 1;
	}
	free(places);
}

static void reserve_answers(struct sp_symbolizer *s, const struct work *work)
{
	size_t addresses = 0, frames = 0;

	for (size_t i = 0; i < work->job_count; i++) {
		addresses += work->jobs[i].count;
		for (size_t k = 0; k < work->jobs[i].count; k++)
			frames += work->jobs[i].counts[k];
	}
	sp_answers_reserve(&s->answers, addresses, frames);
}

static void take_answers(struct sp_symbolizer *s, struct job *job)
{
	size_t used = 0;

	for (size_t i = 0; i < job->count && job->counts[i]; i++) {
		sp_answers_add(&s->answers, job->module, job->addresses[i], job->frames + used, job->counts[i]);
		used += job->counts[i];
	}
	free(job->frames);
	free(job->counts);
}

/* by_unit: as large as the list. */
static void work_out(struct sp_symbolizer *s, struct group *groups, size_t count, const uint64_t *list,
	uint64_t *by_unit)
{
	struct work work = {.s = s, .groups = groups, .group_count = count, .threads = usable_threads()};

	run_all(&work, open_group, count);
	for (size_t i = 0; i < count; i++)
		if (s->modules[groups[i].module]->source >= SP_SYMBOLS_NONE)
			add_jobs(&work, &groups[i], list, by_unit);
	run_all(&work, run_job, work.job_count);
	reserve_answers(s, &work);
	for (size_t i = 0; i < work.job_count; i++)
		take_answers(s, &work.jobs[i]);
	free(work.jobs);
	for (size_t i = 0; i < count; i++)
		sp_cached_store(s, groups[i].module, list + groups[i].first, groups[i].count);
}

static int compare_queries(const void *left, const void *right)
{
	const struct sp_symbol_query *a = left, *b = right;

	if (a->module != b->module)
		return a->module < b->module ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* The module's addresses go to list[group->first ..), each once. Returns the number of queries read. */
static size_t gather(const struct sp_symbol_query *queries, size_t count, struct group *group, uint64_t *list)
{
	size_t i;

	group->module = (uint32_t)queries[0].module;
	group->count = 0;
	for (i = 0; i < count && queries[i].module == queries[0].module; i++) {
		if (i && queries[i].address == queries[i - 1].address)
			continue;
		list[group->first + group->count++] = queries[i].address;
	}
	return i;
}

/* Leaves only the addresses that have no answer yet. */
static void drop_known(const struct sp_symbolizer *s, struct group *group, uint64_t *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < group->count; i++) {
		uint64_t address = list[group->first + i];

		if (!sp_answers_find(&s->answers, group->module, address) && !sp_cached_has(s, group->module, address))
			list[group->first + kept++] = address;
	}
	group->count = kept;
}

/* From handles and addresses at run time to modules and addresses in their files. */
static void turn_into_places(const struct sp_symbolizer *s, struct sp_symbol_query *queries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sp_symbol_query *q = &queries[i];
		bool known = q->module >= 0 && (size_t)q->module < s->views_count;

		if (known)
			q->address -= s->views[q->module].bias;
		q->module = known ? (int)s->views[q->module].module : -1;
	}
}

void sp_symbolizer_prepare(struct sp_symbolizer *s, struct sp_symbol_query *queries, size_t count)
{
	struct group *groups = sp_alloc(s->modules_count, sizeof(*groups));
	uint64_t *list = sp_alloc(count, 2 * sizeof(*list));
	size_t group_count = 0, used = 0, at = 0;

	turn_into_places(s, queries, count);
	if (count)
		qsort(queries, count, sizeof(*queries), compare_queries);
	while (at < count && queries[at].module < 0)
		at++;
	while (at < count && (size_t)queries[at].module < s->modules_count) {
		struct group *group = &groups[group_count];

		group->first = used;
		at += gather(queries + at, count - at, group, list);
		drop_known(s, group, list);
		if (group->count)
			sp_cached_load(s, group->module, list + group->first, group->count);
		drop_known(s, group, list);
		used += group->count;
		group_count += group->count != 0;
	}
	if (group_count)
		work_out(s, groups, group_count, list, list + count);
	free(groups);
	free(list);
}
