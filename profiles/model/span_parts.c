/* The functions that spans spend their time in, and those that allocate in them. */
#include "profiles/model/span_parts.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/error.h"
#include "profiles/model/heap.h"

#define NONE UINT32_MAX
#define LEAST_SAMPLES 5u

/* Numbers by the place of a span: those of place i are list[first[i] .. first[i + 1]). */
struct placed {
	uint32_t *list, *first;
};

struct parts {
	struct sp_profile *p;
	const uint32_t *site_frame;
	struct placed paths, tails; /* stacks that were taken in a span itself; what was sampled in its slow ones */
	struct sp_span_sampled had;
	const struct sp_site **site_of; /* by stack; NULL none */
	struct sp_sum *waited;          /* by stack */
	uint32_t *waited_in;            /* by stack: in `waits`; NONE: no wait */
	struct sp_span_wait *waits;
	size_t wait_count;
};

/* place_of[i]: of number i, NONE: of none. */
static void put_in_place(struct placed *placed, const uint32_t *place_of, size_t count, size_t spans)
{
	uint32_t *at = sp_alloc(spans + 1, sizeof(*at)), sum = 0;

	placed->list = sp_alloc(count, sizeof(*placed->list));
	placed->first = sp_alloc(spans + 1, sizeof(*placed->first));
	for (size_t i = 0; i < count; i++)
		if (place_of[i] != NONE)
			at[place_of[i]]++;
	for (size_t i = 0; i <= spans; i++) {
		placed->first[i] = sum;
		sum += at[i];
		at[i] = placed->first[i];
	}
	for (size_t i = 0; i < count; i++)
		if (place_of[i] != NONE)
			placed->list[at[place_of[i]]++] = (uint32_t)i;
	free(at);
}

static void place_all(struct parts *x, const uint32_t *place)
{
	const struct sp_snapshot *s = x->p->snapshot;
	size_t most = x->p->path_count > s->span_tail_count ? x->p->path_count : s->span_tail_count;
	uint32_t *of = sp_alloc(most, sizeof(*of));

	for (size_t i = 0; i < x->p->path_count; i++)
		of[i] = s->stacks[i].span ? place[s->stacks[i].span] : NONE;
	put_in_place(&x->paths, of, x->p->path_count, x->p->span_count);
	for (size_t i = 0; i < s->span_tail_count; i++)
		of[i] = s->span_tail[i].node ? place[s->span_tail[i].node] : NONE;
	put_in_place(&x->tails, of, s->span_tail_count, x->p->span_count);
	free(of);
}

static uint32_t function_of(const struct parts *x, uint32_t stack)
{
	const struct sp_path *path = &x->p->paths[stack];
	uint32_t frame = path->kind == SP_STACKS_CPU ? x->p->frame_ids[path->first] : x->site_frame[stack];

	return x->p->frames[frame].function;
}

static void add(struct sp_span_sums *to, uint32_t function, const struct sp_sum *what, bool slow)
{
	if (!to->all[function].samples && !to->slow[function].samples)
		to->touched[to->touched_count++] = function;
	sp_sum_add(slow ? &to->slow[function] : &to->all[function], what);
	sp_sum_add(slow ? &to->slow_total : &to->total, what);
}

static void add_path(struct parts *x, uint32_t stack)
{
	const struct sp_path *path = &x->p->paths[stack];
	const struct sp_site *site = x->site_of[stack];
	struct sp_sum sum = {(double)(path->user_ns + path->sys_ns) / 1e3, path->sq, (double)path->samples};

	if (path->kind == SP_STACKS_CPU && path->samples)
		add(&x->had.cpu, function_of(x, stack), &sum, false);
	if (x->waited[stack].samples > 0)
		add(&x->had.waits, x->waited_in[stack], &x->waited[stack], false);
	if (path->kind != SP_STACKS_HEAP || !site || !site->samples)
		return;
	sum = (struct sp_sum){
		(double)site->alloc_bytes, (double)site->variance_alloc * SP_VARIANCE_UNIT, (double)site->samples};
	add(&x->had.heap, function_of(x, stack), &sum, false);
}

static void add_tail(struct parts *x, const struct sp_span_tail *tail)
{
	bool heap = x->p->paths[tail->stack].kind == SP_STACKS_HEAP;
	struct sp_sum sum = {heap ? (double)tail->weight : (double)tail->weight / 1e3,
		heap ? (double)tail->sq * SP_VARIANCE_UNIT : (double)tail->sq, (double)tail->samples};

	if (tail->samples && x->waited_in[tail->stack] != NONE)
		add(&x->had.waits, x->waited_in[tail->stack], &sum, true);
	else if (tail->samples && x->p->paths[tail->stack].kind != SP_STACKS_WAITS)
		add(heap ? &x->had.heap : &x->had.cpu, function_of(x, tail->stack), &sum, true);
}

static void forget(struct sp_span_sums *sums)
{
	while (sums->touched_count) {
		uint32_t function = sums->touched[--sums->touched_count];

		sums->all[function] = sums->slow[function] = (struct sp_sum){0};
	}
	sums->total = sums->slow_total = (struct sp_sum){0};
}

/* Puts it where it belongs among the largest. */
static void insert(struct sp_span_part *parts, unsigned *count, const struct sp_span_part *part)
{
	unsigned i = *count;

	while (i && part->amount > parts[i - 1].amount)
		i--;
	if (i == SP_SPAN_PARTS_MOST)
		return;
	*count += *count < SP_SPAN_PARTS_MOST;
	memmove(&parts[i + 1], &parts[i], (*count - 1 - i) * sizeof(*parts));
	parts[i] = *part;
}

static void find_largest(const struct parts *x, struct sp_span_info *span)
{
	const struct sp_span_sums *cpu = &x->had.cpu, *heap = &x->had.heap;

	for (size_t i = 0; cpu->total.samples >= LEAST_SAMPLES && i < cpu->touched_count; i++) {
		const struct sp_sum *sum = &cpu->all[cpu->touched[i]];
		double error = sum->samples ? sp_independent_error(sum, &cpu->total) * cpu->total.weight * 1e3 : 0;

		if (sum->weight > 0)
			insert(span->hot, &span->hot_count,
				&(struct sp_span_part){cpu->touched[i], sum->weight * 1e3, error});
	}
	for (size_t i = 0; i < heap->touched_count; i++) {
		const struct sp_sum *sum = &heap->all[heap->touched[i]];

		if (sum->weight > 0)
			insert(span->sites, &span->site_count,
				&(struct sp_span_part){
					heap->touched[i], sum->weight, sp_heap_error(sum->sq, (uint64_t)sum->samples)});
	}
}

/* Those of a span and of the spans inside stand one behind the other. */
static void add_span(struct parts *x, size_t place)
{
	struct sp_span_info *span = &x->p->spans[place];
	size_t end = place + 1;

	while (end < x->p->span_count && x->p->spans[end].depth > span->depth)
		end++;
	for (uint32_t k = x->paths.first[place]; k < x->paths.first[end]; k++)
		add_path(x, x->paths.list[k]);
	for (uint32_t k = x->tails.first[place]; k < x->tails.first[place + 1]; k++)
		add_tail(x, &x->p->snapshot->span_tail[x->tails.list[k]]);
	find_largest(x, span);
	if (span->tail.count && span->count > span->tail.count)
		sp_span_slow_judge(x->p, span, &x->had);
	forget(&x->had.cpu);
	forget(&x->had.heap);
	forget(&x->had.waits);
}

static void open_sums(struct sp_span_sums *sums, size_t functions)
{
	sums->all = sp_alloc(functions, sizeof(*sums->all));
	sums->slow = sp_alloc(functions, sizeof(*sums->slow));
	sums->touched = sp_alloc(functions, sizeof(*sums->touched));
}

static void close_sums(struct sp_span_sums *sums)
{
	free(sums->all);
	free(sums->slow);
	free(sums->touched);
}

/* What is waited in at a stack: its waits are of one call, but perhaps for several locks. */
static void add_up_waits(struct parts *x)
{
	const struct sp_snapshot *s = x->p->snapshot;
	struct sp_map index = {0};
	size_t capacity = 0;

	x->waited = sp_alloc(x->p->path_count, sizeof(*x->waited));
	x->waited_in = sp_alloc(x->p->path_count, sizeof(*x->waited_in));
	memset(x->waited_in, 0xff, x->p->path_count * sizeof(*x->waited_in));
	for (size_t i = 1; i < s->wait_site_count; i++) {
		const struct sp_wait_site *site = &s->wait_sites[i];
		uint32_t stack = site->stack, *cell;
		int found;

		if (!site->samples || !stack || stack >= x->p->path_count || x->p->paths[stack].kind != SP_STACKS_WAITS)
			continue;
		cell = sp_map_at(&index, site->call, function_of(x, stack), &found);
		if (!found) {
			*cell = (uint32_t)x->wait_count;
			sp_grow(&x->waits, &capacity, x->wait_count + 1, sizeof(*x->waits));
			x->waits[x->wait_count++] =
				(struct sp_span_wait){site->call, function_of(x, stack), site->lock};
		}
		if (x->waits[*cell].lock != site->lock)
			x->waits[*cell].lock = 0;
		x->waited_in[stack] = *cell;
		sp_sum_add(&x->waited[stack],
			&(struct sp_sum){(double)site->ns / 1e3, (double)site->sq_us2, (double)site->samples});
	}
	sp_map_free(&index);
	x->had.waited_in = x->waits;
}

void sp_span_parts_add_up(struct sp_profile *profile, const uint32_t *place, const uint32_t *site_frame)
{
	const struct sp_snapshot *s = profile->snapshot;
	struct parts x = {.p = profile, .site_frame = site_frame};

	x.site_of = sp_alloc(profile->path_count, sizeof(*x.site_of));
	for (size_t i = 1; i < s->site_count; i++)
		x.site_of[s->sites[i].stack] = &s->sites[i];
	place_all(&x, place);
	add_up_waits(&x);
	open_sums(&x.had.cpu, profile->function_count);
	open_sums(&x.had.heap, profile->function_count);
	open_sums(&x.had.waits, x.wait_count + 1);
	for (size_t i = 0; i < profile->span_count; i++)
		add_span(&x, i);
	close_sums(&x.had.cpu);
	close_sums(&x.had.heap);
	close_sums(&x.had.waits);
	free(x.waited);
	free(x.waited_in);
	free(x.waits);
	free(x.paths.list);
	free(x.paths.first);
	free(x.tails.list);
	free(x.tails.first);
	free(x.site_of);
}
