/* The verdict's last sentence, "Next: …": one thing to do about this profile. Problems that make the figures unfit
 * to act on come first, then what the run spent most on. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/heap.h"
#include "profiles/model/order.h"
#include "profiles/model/rank.h"

#define SAMPLES_WANTED 1000u /* a share of one half is then known to 3 points either way */
#define SAMPLES_LEAST 100u
#define UNSAMPLED_PERCENT 20.0
#define UNNAMED_PERCENT 30.0
#define TRUNCATED_PERCENT 20.0
#define LEAKED_BYTES (256u << 10)
#define LEAKED_PERCENT 10.0 /* of what is in use */
#define GENERATED_PERCENT 20.0
#define NODE_PERCENT 5.0 /* the same of a program that can be told to name it */
#define LOCK_PERCENT 20.0
#define KERNEL_PERCENT 50.0
#define ALLOCATOR_PERCENT 20.0
#define FLAT_PERCENT 10.0 /* self time of the hottest function */
#define BRANCH_LEAST_PERCENT 15.0
#define BRANCH_MOST_PERCENT 85.0

typedef bool advice(struct sp_writer *w);

static void put_function(struct sp_writer *w, const struct sp_function *f)
{
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
}

static uint64_t used_ns(const struct sp_profile *p)
{
	return p->cpu_user_ns + p->cpu_sys_ns;
}

static bool say_unsampled(struct sp_writer *w)
{
	double unsampled = sp_percent(w->profile->unsampled_ns, w->profile->total_ns);

	if (!w->profile->cpu_on || unsampled <= UNSAMPLED_PERCENT || w->profile->samples < SAMPLES_LEAST)
		return false;
	sp_buffer_printf(&w->out,
		"%.0f %% of the CPU time was not sampled: Threads says whose, Data Quality why and what would help.",
		unsampled);
	return true;
}

static uint64_t rank_leaked(const struct sp_profile *p, size_t i)
{
	return sp_heap_leaked(&p->sites[i]);
}

static bool say_leak(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_heap_site *site;
	uint64_t leaked = 0;
	size_t count;
	uint32_t *order;

	if (!p->heap_on || sp_heap_mostly_before(p))
		return false;
	order = sp_rank(p->site_count, &count, rank_leaked, p);
	site = count ? &p->sites[order[0]] : NULL;
	free(order);
	if (site)
		leaked = sp_heap_leaked(site);
	if (leaked < LEAKED_BYTES || sp_percent(leaked, p->snapshot->header.heap.inuse_bytes) < LEAKED_PERCENT)
		return false;
	sp_buffer_puts(&w->out, "find out whether what ");
	put_function(w, &p->functions[site->function]);
	if (site->file) {
		sp_buffer_puts(&w->out, " (");
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, site->file, site->line);
		sp_buffer_puts(&w->out, ")");
	}
	sp_buffer_puts(&w->out, " allocates is ever freed: it left ");
	sp_put_size(&w->out, leaked);
	sp_buffer_puts(&w->out, " behind all through the run, see Leak Suspects.");
	return true;
}

/* CPU time that gives as many samples as are wanted, at the rate they came so far. */
static uint64_t enough_ns(const struct sp_profile *p)
{
	if (p->samples)
		return sp_whole((double)used_ns(p) * SAMPLES_WANTED / (double)p->samples);
	return sp_whole((double)p->snapshot->header.cpu.requested_ns * SAMPLES_WANTED);
}

static bool say_few_samples(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	if (!p->cpu_on || p->samples >= SAMPLES_LEAST)
		return false;
	sp_buffer_printf(&w->out,
		"give it more work, as %llu sample%s only %s the coarse picture: shares are known to ",
		(unsigned long long)p->samples, p->samples == 1 ? "" : "s", p->samples == 1 ? "shows" : "show");
	sp_buffer_puts(&w->out, "about 3 points after ");
	sp_put_duration(&w->out, enough_ns(p));
	sp_buffer_puts(&w->out, " of CPU time, of which this run had ");
	sp_put_duration(&w->out, used_ns(p));
	sp_buffer_puts(&w->out, ".");
	return true;
}

static uint64_t rank_unnamed(const struct sp_profile *p, size_t i)
{
	return p->modules[i].unnamed_ns;
}

static bool say_unnamed(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	double unnamed = p->all_frames > 0 ? 100 * p->unnamed_frames / p->all_frames : 0;
	size_t count;
	uint32_t *order;

	if (unnamed <= UNNAMED_PERCENT)
		return false;
	order = sp_rank(p->module_count, &count, rank_unnamed, p);
	sp_buffer_puts(&w->out, "get the symbols");
	if (count) {
		sp_buffer_puts(&w->out, " of ");
		sp_put_module(&w->out, SP_ESCAPE_CELL, p, order[0]);
	}
	sp_buffer_printf(&w->out, ", %.0f %% of all frames have no name; Data Quality says how to get them.", unnamed);
	free(order);
	return true;
}

/* Time in stacks with any of these flags. */
static uint64_t stacks_ns(const struct sp_profile *p, uint32_t flags)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->snapshot->stack_count; i++)
		if (p->snapshot->stacks[i].flags & flags)
			sum += p->snapshot->stacks[i].user_ns + p->snapshot->stacks[i].sys_ns;
	return sum;
}

static bool say_truncated(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	double truncated = sp_percent(p->truncated_ns, p->total_ns);
	bool deep = stacks_ns(p, SP_STACK_TRUNCATED) >= stacks_ns(p, SP_STACK_BROKEN | SP_STACK_LATE);

	if (truncated <= TRUNCATED_PERCENT)
		return false;
	sp_buffer_printf(&w->out,
		"trust self times more than totals, as %.0f %% of the time has stacks that end early: ", truncated);
	if (deep)
		sp_buffer_printf(&w->out, "they are deeper than %u frames; Hot Paths shows what recurses.",
			SP_MAX_FRAMES);
	else if (p->broken_generated_ns > p->truncated_ns / 2)
		sp_buffer_puts(&w->out,
			"they end in generated code that keeps no frame pointer; where its compiler has an "
			"option for that, use it (java -XX:+PreserveFramePointer).");
	else if (!p->stack_copies)
		sp_buffer_puts(&w->out,
			"code without unwind tables; build it with -fasynchronous-unwind-tables, or with "
			"-g and have such stacks copied (SMARTPROF_STACK_COPIES=on).");
	else
		sp_buffer_puts(&w->out,
			"code without unwind tables; build it with -fasynchronous-unwind-tables, or with "
			"-g and keep its debug file.");
	return true;
}

static uint64_t rank_kernel(const struct sp_profile *p, size_t i)
{
	return p->functions[i].flags & SP_FUNCTION_PSEUDO ? 0 : p->functions[i].self_sys_ns;
}

static bool say_kernel(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count;
	uint32_t *order;

	if (sp_percent(p->cpu_sys_ns, used_ns(p)) <= KERNEL_PERCENT)
		return false;
	order = sp_rank(p->function_count, &count, rank_kernel, p);
	if (count) {
		sp_buffer_puts(&w->out, "see who calls ");
		put_function(w, &p->functions[order[0]]);
		sp_buffer_puts(&w->out,
			" under Function Details: fewer and larger system calls, and memory that is used "
			"again, keep the kernel out of it.");
	}
	free(order);
	return count > 0;
}

/* Functions that give memory back, or work for those that do either. */
static bool is_allocator(const struct sp_profile *p, const struct sp_function *f)
{
	static const char *const names[] = {"free", "cfree", "__libc_free", "_int_free", "malloc_consolidate",
		"unlink_chunk", "operator delete", "tcache_", "__libc_free", "je_", "mi_", "_mi_", "tc_"};
	const struct sp_module_info *m = &p->modules[f->module];

	if (m->allocator && strncmp(m->name, "libc.so", 7) != 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(f->name, names[i], n) == 0 &&
			(names[i][n - 1] == '_' || !f->name[n] || strchr("(.[", f->name[n])))
			return true;
	}
	return sp_is_allocator_name(f->name);
}

uint64_t sp_allocator_ns(const struct sp_profile *p)
{
	bool *of = sp_alloc(p->function_count, sizeof(*of));
	struct sp_path_walk walk = {0};
	uint32_t frames = 0; /* the outermost ones up to the first such function, or all of the stack's */
	bool inside = false;
	uint64_t sum = 0;

	for (size_t i = 0; i < p->function_count; i++)
		of[i] = is_allocator(p, &p->functions[i]);
	while (sp_path_walk_next(&walk, p, sp_path_has_time)) {
		if (walk.shared < frames) {
			frames = walk.shared;
			inside = false;
		}
		while (!inside && frames < walk.depth)
			inside = of[p->frames[walk.frames[frames++]].function];
		sum += inside ? walk.path->user_ns + walk.path->sys_ns : 0;
	}
	free(of);
	return sum;
}

static uint64_t rank_count(const struct sp_profile *p, size_t i)
{
	return p->sites[i].alloc_count;
}

static bool say_allocator(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	double share = sp_percent(w->sums.allocator_ns, p->total_ns);
	size_t count;
	uint32_t *order;

	if (share <= ALLOCATOR_PERCENT)
		return false;
	order = sp_rank(p->site_count, &count, rank_count, p);
	sp_buffer_printf(&w->out, "allocate less often, as %.0f %% of the CPU time goes into allocating and freeing",
		share);
	if (count) {
		sp_buffer_puts(&w->out, "; most calls come from ");
		put_function(w, &p->functions[p->sites[order[0]].function]);
		sp_buffer_puts(&w->out, ", see Heap Sites (Allocated) and Short-Lived Allocations.");
	} else {
		sp_buffer_puts(&w->out, "; Function Details says for whom.");
	}
	free(order);
	return true;
}

/* Functions that take a lock, give one back or wait for one. */
static bool is_lock(const struct sp_function *f)
{
	static const char *const names[] = {"pthread_mutex_", "__pthread_mutex_", "___pthread_mutex_",
		"pthread_rwlock_", "__pthread_rwlock_", "___pthread_rwlock_", "pthread_spin_", "pthread_cond_",
		"__pthread_cond_", "___pthread_cond_", "lll_", "__lll_", "futex_", "__futex_", "sem_wait", "sem_post",
		"__new_sem_", "std::mutex::", "std::condition_variable::"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(f->name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The time in such functions, and the frame that caused most of it. */
static uint64_t locks_ns(const struct sp_profile *p, const struct sp_profile_frame **whom)
{
	uint64_t *sums = sp_alloc(p->frame_count, sizeof(*sums)), sum = 0, most = 0;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		const uint32_t *ids = p->frame_ids + path->first;
		uint32_t at = 0;

		while (at < path->depth && is_lock(&p->functions[p->frames[ids[at]].function]))
			at++;
		if (!at || at == path->depth || !sp_path_has_time(p, i))
			continue;
		sum += path->user_ns + path->sys_ns;
		sums[ids[at]] += path->user_ns + path->sys_ns;
		if (sums[ids[at]] > most) {
			most = sums[ids[at]];
			*whom = &p->frames[ids[at]];
		}
	}
	free(sums);
	return sum;
}

static bool say_locks(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_profile_frame *whom = NULL;
	double share = sp_percent(locks_ns(p, &whom), p->total_ns);

	if (!whom || share <= LOCK_PERCENT || p->thread_count < 2)
		return false;
	sp_buffer_printf(&w->out,
		"have threads meet less often, as %.0f %% of the CPU time goes into taking and giving locks, most of "
		"it "
		"for ",
		share);
	put_function(w, &p->functions[whom->function]);
	if (whom->file) {
		sp_buffer_puts(&w->out, " at ");
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, whom->file, whom->line);
	}
	sp_buffer_puts(&w->out,
		": hold that lock for less, take it less often, or give each thread data of its own. Waiting takes no "
		"CPU "
		"time and comes on top.");
	return true;
}

/* A just-in-time compiler's code. Only an interpreter knows its names. */
static bool say_generated(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const char *program = sp_profile_fact(p, "program");
	bool node = program && strncmp(program, "node", 4) == 0, mapped;
	double share;

	if (!p->cpu_on || p->unknown_module + 1 >= p->module_count)
		return false;
	share = sp_percent(p->modules[p->unknown_module].self_ns, p->total_ns);
	mapped = p->modules[p->unknown_module + 1].handle >= 0;
	if (share <= (node ? NODE_PERCENT : GENERATED_PERCENT) || (mapped && !node))
		return false;
	sp_buffer_printf(&w->out, "%.0f %% of the CPU time is in generated code without a name: ", share);
	if (mapped)
		sp_buffer_puts(&w->out,
			"the part that is V8's copy of its own functions has names with `node --no-short-builtin-calls "
			"--perf-basic-prof`.");
	else if (node)
		sp_buffer_puts(&w->out,
			"run it as `node --perf-basic-prof --no-short-builtin-calls`, which names the program's "
			"functions.");
	else
		sp_buffer_puts(&w->out,
			"have its compiler write a perf map (/tmp/perf-PID.map), which names it (`node "
			"--perf-basic-prof` and the "
			"like).");
	return true;
}

static uint64_t rank_branch(const struct sp_profile *p, size_t i)
{
	const struct sp_function *f = &p->functions[i];
	double share = sp_percent(sp_function_total(f), p->total_ns);

	if (f->flags || share < BRANCH_LEAST_PERCENT || share > BRANCH_MOST_PERCENT)
		return 0;
	return sp_function_total(f);
}

static bool say_flat(struct sp_writer *w, const struct sp_function *hottest)
{
	const struct sp_profile *p = w->profile;
	size_t count;
	uint32_t *order;

	if (!hottest || sp_percent(sp_function_self(hottest), p->total_ns) >= FLAT_PERCENT)
		return false;
	order = sp_rank(p->function_count, &count, rank_branch, p);
	sp_buffer_puts(&w->out, "no function stands out, so look at branches in Call Tree");
	if (count) {
		sp_buffer_printf(&w->out, ": %.0f %% of the time is in ",
			sp_percent(sp_function_total(&p->functions[order[0]]), p->total_ns));
		put_function(w, &p->functions[order[0]]);
		sp_buffer_puts(&w->out, " and what it calls.");
	} else {
		sp_buffer_puts(&w->out, ", and at Modules.");
	}
	free(order);
	return true;
}

static bool say_hottest(struct sp_writer *w, const struct sp_function *hottest)
{
	if (!hottest)
		return false;
	sp_buffer_puts(&w->out, "see who calls ");
	put_function(w, hottest);
	sp_buffer_puts(&w->out, " under Function Details.");
	return true;
}

static bool say_heap(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	if (!p->heap_on || sp_heap_mostly_before(p) || !p->site_count)
		return false;
	sp_buffer_puts(&w->out,
		"see Heap Sites (At Peak) for what made the heap this large, and Heap Call Tree for whom.");
	return true;
}

void sp_write_next(struct sp_writer *w, const struct sp_function *hottest)
{
	static advice *const advices[] = {say_leak, sp_advise_on_waiting, say_few_samples, say_generated, say_unsampled,
		say_unnamed, say_truncated, say_locks, say_kernel, say_allocator};

	sp_buffer_puts(&w->out, "Next: ");
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i](w))
			return;
	if (!say_flat(w, hottest) && !say_hottest(w, hottest) && !say_heap(w))
		sp_buffer_puts(&w->out, "let it run longer, as this shows little more than its start.");
}
