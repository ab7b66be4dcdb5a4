/* What is light is cut: rows become [rest], and stacks lose their middle. */
#include "profiles/model/cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/heap.h"
#include "profiles/model/order.h"

#define NOT_MADE UINT32_MAX

/* Of outer frames, whatever they lead to. */
#define NODE_SHARE(share) (4 * (share))

struct cutter {
	const struct sp_profile *p;
	struct sp_profile *out;
	double share;
	double allocated, inuse, peak, waited; /* of all stacks */
	double *frames[SP_STACK_KINDS];        /* what is spent in each, allocated or waited: weighed apart */
	double *functions[SP_STACK_KINDS];
	uint32_t *kept;  /* by path: how many of its outer frames stay */
	uint32_t *plain; /* by function: a frame of it without a place, or NOT_MADE */
	uint32_t rest;   /* the frame */
};

static double part(double value, double whole)
{
	return whole > 0 ? value / whole : 0;
}

static double weight(const struct cutter *c, const struct sp_path *path)
{
	if (path->kind == SP_STACKS_WAITS)
		return part((double)path->wait_ns, c->waited);
	if (path->kind == SP_STACKS_CPU)
		return part((double)(path->user_ns + path->sys_ns), (double)c->p->total_ns);
	return part((double)path->alloc_bytes, c->allocated) + part((double)path->inuse_bytes, c->inuse) +
		part((double)path->peak_bytes, c->peak);
}

static double weight_of_site(const struct cutter *c, const struct sp_heap_site *s)
{
	return part((double)s->alloc_bytes, c->allocated) + part((double)s->inuse_bytes, c->inuse) +
		part((double)s->peak_bytes, c->peak);
}

static void add_totals(struct cutter *c)
{
	for (size_t i = 0; i < c->p->path_count; i++) {
		c->allocated += (double)c->p->paths[i].alloc_bytes;
		c->inuse += (double)c->p->paths[i].inuse_bytes;
		c->peak += (double)c->p->paths[i].peak_bytes;
		c->waited += (double)c->p->paths[i].wait_ns;
	}
}

/* --- stacks */

/* Of a path, counted from the leaf: where its innermost function begins and ends, with what is inlined there. */
static uint32_t inner_frames(const struct sp_profile *p, const struct sp_path *path, uint32_t *from)
{
	uint32_t to = *from = path->kind == SP_STACKS_HEAP && path->depth ? sp_path_site(p, path) : 0;

	while (to < path->depth && p->frames[p->frame_ids[path->first + to++]].inlined)
		;
	return to;
}

static void weigh_inner(struct cutter *c)
{
	for (size_t i = 0; i < c->p->path_count; i++) {
		const struct sp_path *path = &c->p->paths[i];
		double w = weight(c, path);
		uint32_t from, frame;

		if (!path->depth)
			continue;
		inner_frames(c->p, path, &from);
		frame = c->p->frame_ids[path->first + from];
		c->frames[path->kind][frame] += w;
		c->functions[path->kind][c->p->frames[frame].function] += w;
	}
}

static size_t count_nodes(const struct sp_profile *p)
{
	size_t nodes = 0;

	for (size_t i = 0; i < p->path_count; i++)
		nodes += p->order[i].depth - p->order[i].shared;
	return nodes;
}

/* Goes along all paths with the nodes of each from the root: first adds up what leads through them, then looks how far each
 * path's are so heavy that whatever is below them keeps them. */
static void walk_nodes(struct cutter *c, double *nodes[SP_STACK_KINDS], bool weigh)
{
	const struct sp_profile *p = c->p;
	uint32_t *open = NULL;
	size_t capacity = 0, node = 0;

	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_ordered *at = &p->order[i];
		enum sp_stack_kind kind = p->paths[at->path].kind;
		double w = weight(c, &p->paths[at->path]);
		uint32_t depth = 0;

		sp_grow(&open, &capacity, at->depth + (size_t)1, sizeof(*open));
		for (uint32_t k = at->shared; k < at->depth; k++)
			open[k] = (uint32_t)node++;
		for (; weigh && depth < at->depth; depth++)
			nodes[kind][open[depth]] += w;
		while (!weigh && depth < at->depth && nodes[kind][open[depth]] >= NODE_SHARE(c->share))
			depth++;
		c->kept[at->path] = depth;
	}
	free(open);
}

static void keep_trunk(struct cutter *c)
{
	size_t count = count_nodes(c->p);
	double *nodes[SP_STACK_KINDS];

	for (unsigned k = 0; k < SP_STACK_KINDS; k++)
		nodes[k] = sp_alloc(count + 1, sizeof(double));
	walk_nodes(c, nodes, true);
	walk_nodes(c, nodes, false);
	for (unsigned k = 0; k < SP_STACK_KINDS; k++)
		free(nodes[k]);
}

/* What stays of a stack's innermost function if not all of the stack does: its frame, the function alone, or nothing. */
enum inner { INNER_FRAME, INNER_FUNCTION, INNER_NOTHING };

static enum inner inner_of(const struct cutter *c, enum sp_stack_kind kind, uint32_t frame)
{
	if (c->frames[kind][frame] >= c->share)
		return INNER_FRAME;
	return c->functions[kind][c->p->frames[frame].function] >= SP_ROW_SHARE(c->share) ? INNER_FUNCTION
											  : INNER_NOTHING;
}

/* A path among those with the same innermost function, in the order in which neighbours have most in common. */
struct item {
	uint64_t key;
	uint32_t place, path; /* in order[] */
	uint32_t outer, shared;
};

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static struct item item_of(const struct cutter *c, uint32_t place)
{
	struct item item = {.place = place, .path = c->p->order[place].path};
	const struct sp_path *path = &c->p->paths[item.path];
	uint32_t from, frame;
	enum inner inner;

	if (!path->depth)
		return item;
	item.outer = path->depth - inner_frames(c->p, path, &from);
	frame = c->p->frame_ids[path->first + from];
	inner = inner_of(c, path->kind, frame);
	item.key = (uint64_t)path->kind << 40 | (uint64_t)inner << 32;
	if (inner == INNER_FRAME)
		item.key |= frame;
	if (inner == INNER_FUNCTION)
		item.key |= c->p->frames[frame].function;
	return item;
}

static uint32_t shared_frames(const struct sp_profile *p, const struct item *a, const struct item *b)
{
	const struct sp_path *x = &p->paths[a->path], *y = &p->paths[b->path];
	uint32_t most = a->outer < b->outer ? a->outer : b->outer, n = 0;

	while (n < most && p->frame_ids[x->first + x->depth - 1 - n] == p->frame_ids[y->first + y->depth - 1 - n])
		n++;
	return n;
}

/* Of paths with the same innermost function: how far each one's outer frames lead to enough of it. */
static void keep_outer(struct cutter *c, struct item *items, size_t count)
{
	uint32_t *open = NULL;
	double *nodes = NULL;
	size_t capacity = 0, node_capacity = 0, node = 0;

	for (size_t i = 0; i < count; i++) {
		double w = weight(c, &c->p->paths[items[i].path]);

		items[i].shared = i ? shared_frames(c->p, &items[i - 1], &items[i]) : 0;
		sp_grow(&open, &capacity, items[i].outer + (size_t)1, sizeof(*open));
		sp_grow(&nodes, &node_capacity, node + items[i].outer + 1, sizeof(*nodes));
		for (uint32_t k = items[i].shared; k < items[i].outer; k++) {
			open[k] = (uint32_t)node;
			nodes[node++] = 0;
		}
		for (uint32_t k = 0; k < items[i].outer; k++)
			nodes[open[k]] += w;
	}
	node = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t kept = 0, trunk = c->kept[items[i].path];

		for (uint32_t k = items[i].shared; k < items[i].outer; k++)
			open[k] = (uint32_t)node++;
		while (kept < items[i].outer && nodes[open[kept]] >= c->share)
			kept++;
		trunk = trunk < items[i].outer ? trunk : items[i].outer;
		c->kept[items[i].path] = kept > trunk ? kept : trunk;
	}
	free(nodes);
	free(open);
}

static void keep_heavy(struct cutter *c)
{
	size_t count = c->p->path_count;
	struct item *items = sp_alloc(count + 1, sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = item_of(c, (uint32_t)i);
	qsort(items, count, sizeof(*items), by_key);
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count && items[next].key == items[i].key; next++)
			;
		keep_outer(c, items + i, next - i);
	}
	free(items);
}

static uint32_t add_frame(struct sp_profile *out, uint32_t function)
{
	sp_grow(&out->frames, &out->frame_capacity, out->frame_count + 1, sizeof(*out->frames));
	out->frames[out->frame_count] = (struct sp_profile_frame){.function = function};
	return (uint32_t)out->frame_count++;
}

static uint32_t plain_frame(struct cutter *c, uint32_t function)
{
	if (c->plain[function] == NOT_MADE)
		c->plain[function] = add_frame(c->out, function);
	return c->plain[function];
}

static void push(struct sp_profile *out, struct sp_path *path, uint32_t frame)
{
	sp_grow(&out->frame_ids, &out->frame_id_capacity, out->frame_id_count + 1, sizeof(*out->frame_ids));
	out->frame_ids[out->frame_id_count++] = frame;
	path->depth++;
}

static void cut_path(struct cutter *c, size_t index)
{
	const struct sp_path *old = &c->p->paths[index];
	const uint32_t *ids = c->p->frame_ids + old->first;
	struct sp_path *path = &c->out->paths[index];
	uint32_t kept = c->kept[index], from, to;
	enum inner inner;

	path->first = c->out->frame_id_count;
	path->depth = 0;
	if (!old->depth)
		return;
	to = inner_frames(c->p, old, &from);
	inner = inner_of(c, old->kind, ids[from]);
	if (inner == INNER_FRAME)
		for (uint32_t k = kept + to == old->depth ? 0 : from; k < to; k++)
			push(c->out, path, ids[k]);
	if (inner == INNER_FUNCTION)
		push(c->out, path, plain_frame(c, c->p->frames[ids[from]].function));
	if (inner == INNER_NOTHING || kept + to < old->depth)
		push(c->out, path, c->rest);
	for (uint32_t k = old->depth - kept; k < old->depth; k++)
		push(c->out, path, ids[k]);
}

static void cut_stacks(struct cutter *c)
{
	const struct sp_profile *p = c->p;

	c->kept = sp_alloc(p->path_count, sizeof(*c->kept));
	c->plain = sp_alloc(p->function_count, sizeof(*c->plain));
	memset(c->plain, 0xff, p->function_count * sizeof(*c->plain));
	for (unsigned k = 0; k < SP_STACK_KINDS; k++) {
		c->frames[k] = sp_alloc(p->frame_count, sizeof(double));
		c->functions[k] = sp_alloc(p->function_count, sizeof(double));
	}
	weigh_inner(c);
	keep_trunk(c);
	keep_heavy(c);
	c->rest = add_frame(c->out, SP_PSEUDO_REST);
	for (size_t i = 0; i < p->path_count; i++)
		cut_path(c, i);
	sp_paths_sort(c->out);
	for (unsigned k = 0; k < SP_STACK_KINDS; k++) {
		free(c->frames[k]);
		free(c->functions[k]);
	}
	free(c->kept);
	free(c->plain);
}

/* --- rows */

static void add_function(struct sp_function *rest, const struct sp_function *f)
{
	rest->self_user_ns += f->self_user_ns;
	rest->self_sys_ns += f->self_sys_ns;
	rest->self_samples += f->self_samples;
	rest->self_error = hypot(rest->self_error, f->self_error);
}

/* The row's total is its self time: which stacks the functions share is not known of a profile that was read. */
static void cut_functions(struct cutter *c)
{
	struct sp_function *rest = &c->out->functions[SP_PSEUDO_REST];

	for (size_t i = SP_PSEUDOS; i < c->out->function_count; i++) {
		struct sp_function *f = &c->out->functions[i];

		if (part((double)sp_function_total(f), (double)c->p->total_ns) >= SP_ROW_SHARE(c->share))
			continue;
		add_function(rest, f);
		f->self_user_ns = f->self_sys_ns = f->self_samples = 0;
		f->total_user_ns = f->total_sys_ns = f->total_samples = 0;
	}
	rest->total_user_ns = rest->self_user_ns;
	rest->total_sys_ns = rest->self_sys_ns;
	rest->total_samples = rest->self_samples;
	rest->total_error = rest->self_error;
}

/* A file that is heavy enough keeps what its light lines add up to. */
static void cut_lines(struct cutter *c)
{
	struct sp_profile *out = c->out;
	struct sp_names files = {0};
	struct sp_line_info *rests = sp_alloc(out->line_count + 1, sizeof(*rests));
	double *sums = sp_alloc(out->line_count + 1, sizeof(*sums));
	size_t kept = 0, count = 1;

	for (size_t i = 0; i < out->line_count; i++) {
		const struct sp_line_info *line = &out->lines[i];

		sums[sp_names_id(&files, line->file)] += (double)(line->self_user_ns + line->self_sys_ns);
	}
	for (size_t i = 0; i < out->line_count; i++) {
		const struct sp_line_info line = out->lines[i];
		uint32_t id = sp_names_id(&files, line.file);
		bool heavy = part(sums[id], (double)c->p->total_ns) >= SP_ROW_SHARE(c->share);
		struct sp_line_info *rest = &rests[heavy ? id + (size_t)1 : 0];

		count = heavy && id + (size_t)2 > count ? id + (size_t)2 : count;
		if (part((double)(line.self_user_ns + line.self_sys_ns), (double)c->p->total_ns) >=
			SP_ROW_SHARE(c->share)) {
			out->lines[kept++] = line;
			continue;
		}
		rest->function = SP_PSEUDO_REST;
		rest->file = heavy ? line.file : SP_REST;
		rest->self_user_ns += line.self_user_ns;
		rest->self_sys_ns += line.self_sys_ns;
		rest->self_samples += line.self_samples;
		rest->self_error = hypot(rest->self_error, line.self_error);
	}
	for (size_t i = 0; i < count; i++)
		if (rests[i].file)
			out->lines[kept++] = rests[i];
	out->line_count = kept;
	sp_names_free(&files);
	free(sums);
	free(rests);
}

static void add_site(struct sp_heap_site *rest, const struct sp_heap_site *s)
{
	rest->leaked_bytes += sp_heap_leaked(s);
	rest->alloc_bytes += s->alloc_bytes, rest->alloc_count += s->alloc_count;
	rest->inuse_bytes += s->inuse_bytes, rest->inuse_count += s->inuse_count;
	rest->peak_bytes += s->peak_bytes, rest->peak_count += s->peak_count;
	rest->short_bytes += s->short_bytes, rest->short_count += s->short_count;
	rest->temp_bytes += s->temp_bytes, rest->temp_count += s->temp_count;
	rest->samples += s->samples, rest->inuse_samples += s->inuse_samples;
	rest->alloc_variance += s->alloc_variance;
	rest->inuse_variance += s->inuse_variance;
}

static void cut_sites(struct cutter *c)
{
	struct sp_profile *out = c->out;
	struct sp_heap_site rest = {.function = SP_PSEUDO_REST};
	size_t kept = 0;

	for (size_t i = 0; i < out->site_count; i++) {
		const struct sp_heap_site *s = &out->sites[i];

		if (weight_of_site(c, s) >= SP_ROW_SHARE(c->share) && s->function != SP_PSEUDO_REST)
			out->sites[kept++] = *s;
		else
			add_site(&rest, s);
	}
	if (kept < out->site_count)
		out->sites[kept++] = rest;
	out->site_count = kept;
}

/* --- */

static void *copy_of(const void *items, size_t count, size_t size)
{
	void *copy = sp_alloc(count + 1, size);

	if (count)
		memcpy(copy, items, count * size);
	return copy;
}

struct sp_profile *sp_profile_cut(const struct sp_profile *profile, double share)
{
	struct cutter c = {.p = profile, .share = share};
	struct sp_profile *out = copy_of(profile, 1, sizeof(*profile));

	c.out = out;
	out->functions = copy_of(profile->functions, profile->function_count, sizeof(*profile->functions));
	out->frames = copy_of(profile->frames, profile->frame_count, sizeof(*profile->frames));
	out->paths = copy_of(profile->paths, profile->path_count, sizeof(*profile->paths));
	out->lines = copy_of(profile->lines, profile->line_count, sizeof(*profile->lines));
	out->sites = copy_of(profile->sites, profile->site_count, sizeof(*profile->sites));
	out->frame_capacity = profile->frame_count + 1;
	out->frame_ids = NULL;
	out->frame_id_count = out->frame_id_capacity = 0;
	out->order = NULL;
	out->tree = out->by_place = NULL;
	add_totals(&c);
	cut_stacks(&c);
	cut_functions(&c);
	cut_lines(&c);
	cut_sites(&c);
	return out;
}

void sp_profile_cut_free(struct sp_profile *cut)
{
	free(cut->functions);
	free(cut->frames);
	free(cut->frame_ids);
	free(cut->paths);
	free(cut->order);
	free(cut->tree);
	free(cut->by_place);
	free(cut->lines);
	free(cut->sites);
	free(cut);
}
