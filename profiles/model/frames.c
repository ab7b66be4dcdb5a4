/* Stage 2 of the model: stacks of addresses -> paths of named frames. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/resolve.h"
#include "profiles/model/spans.h"
#include "profiles/model/waits.h"

#define PATH_FRAMES_MAX (64u << 20) /* of all paths together: 256 MB; stacks beyond it count as overflow */
#define LIKELY_INLINES 4u           /* frames of an address, at most, on average */
#define PROGRESS_EVERY 256u

/* Where a complete path starts: frame_ids[first .. first+count) stand outside of some function. */
struct start {
	size_t first;
	uint32_t count;
};

struct paths {
	struct sp_resolver names;
	struct sp_map start_of; /* function -> index into starts */
	struct start *starts;
	size_t start_count, start_capacity;
	sp_progress_fn *progress;
	void *context;
	uint32_t *span_frames; /* frame id + 1 of each node of the tree of spans; 0: not asked for yet */
	uint8_t *waits;        /* by stack: 1 + enum sp_wait_kind, 0 of no wait */
	size_t loaded;         /* paths so far, for the progress */
};

static bool has_entry(const struct sp_stack *stack)
{
	return (stack->flags & SP_STACK_ENTRY) && stack->depth;
}

static void path_push(struct sp_profile *p, struct sp_path *path, uint32_t frame)
{
	uint32_t previous = path->depth ? p->frame_ids[path->first + path->depth - 1] : 0;

	if (!p->system_libraries && path->depth && p->frames[frame].function == p->frames[previous].function &&
		(p->functions[p->frames[frame].function].flags & SP_FUNCTION_FOLDED))
		return;
	if (p->frame_id_count == p->frame_id_capacity)
		sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + 1, sizeof(*p->frame_ids));
	p->frame_ids[p->frame_id_count++] = frame;
	path->depth++;
}

/* An address's frames. Only folded ones may be left out. */
static void path_push_chain(struct paths *t, struct sp_path *path, const struct sp_address *at)
{
	struct sp_profile *p = t->names.profile;

	if (!p->system_libraries) {
		for (uint32_t k = 0; k < at->count; k++)
			path_push(p, path, t->names.chain[at->first + k]);
		return;
	}
	if (p->frame_id_capacity - p->frame_id_count < at->count)
		sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + at->count, sizeof(*p->frame_ids));
	for (uint32_t k = 0; k < at->count; k++)
		p->frame_ids[p->frame_id_count + k] = t->names.chain[at->first + k];
	p->frame_id_count += at->count;
	path->depth += at->count;
}

/* How good the site is that was found so far. */
enum site { SITE_NONE, SITE_LAYER, SITE_FOUND };

/* As sp_path_site does, address by address. */
static void find_site(const struct paths *t, const struct sp_address *at, enum site *has, uint32_t *site)
{
	for (uint32_t k = 0; k < at->count && *has < SITE_FOUND; k++) {
		uint32_t id = t->names.chain[at->first + k];
		const struct sp_profile_frame *frame = &t->names.profile->frames[id];

		if (frame->allocator || (frame->layer && *has == SITE_LAYER))
			continue;
		*site = id;
		*has = frame->layer ? SITE_LAYER : SITE_FOUND;
	}
}

static uint32_t pseudo_frame(struct paths *t, enum sp_pseudo which)
{
	struct sp_profile_frame frame = {.function = which};

	return sp_resolver_frame(&t->names, &frame);
}

static bool is_folded(const struct sp_profile *p, uint32_t frame)
{
	return p->functions[p->frames[frame].function].flags & SP_FUNCTION_FOLDED;
}

static uint32_t frame_module(const struct sp_profile *p, uint32_t frame)
{
	return p->functions[p->frames[frame].function].module;
}

/* The executable's own entry point, which calls libc to start the program. */
static bool is_entry(const struct sp_profile *p, uint32_t frame)
{
	const struct sp_function *f = &p->functions[p->frames[frame].function];
	const char *exe = sp_snapshot_text(p->snapshot, p->snapshot->header.text.exe);

	return strcmp(p->modules[f->module].path, exe) == 0 &&
		((f->flags & SP_FUNCTION_UNNAMED) || strcmp(f->name, "_start") == 0);
}

/* Every stack starts in libc: folded, that would give the library's row nearly all of the time. So
 * the libraries at the outer end go, when code inside of them remains. */
static void drop_start(struct sp_profile *p, struct sp_path *path)
{
	uint32_t *ids = p->frame_ids + path->first;
	uint32_t end = path->depth, from;

	if (end && is_entry(p, ids[end - 1]))
		end--;
	for (from = end; from && is_folded(p, ids[from - 1]);)
		from--;
	if (!from || from == end)
		return;
	memmove(ids + from, ids + end, (path->depth - end) * sizeof(*ids));
	p->frame_id_count -= end - from;
	path->depth -= end - from;
}

/* The frames outside of `function` in complete paths: those remembered, else `otherwise`, which is remembered from
 * now on. */
static struct start start_of(struct paths *t, uint32_t function, struct start otherwise)
{
	int found;
	uint32_t *cell = sp_map_at(&t->start_of, function, 0, &found);

	if (found)
		return t->starts[*cell];
	*cell = (uint32_t)t->start_count;
	sp_grow(&t->starts, &t->start_capacity, t->start_count + 1, sizeof(*t->starts));
	t->starts[t->start_count++] = otherwise;
	return otherwise;
}

/* Remembers which frames of the C library, and which entry point, call the first function of a
 * complete path: main, or a thread's start routine. */
static void learn_start(struct paths *t, const struct sp_path *path)
{
	struct sp_profile *p = t->names.profile;
	const uint32_t *ids = p->frame_ids + path->first;
	uint32_t inner = path->depth, library;

	if (inner && is_entry(p, ids[inner - 1]))
		inner--;
	library = inner ? frame_module(p, ids[inner - 1]) : 0;
	while (inner && p->modules[library].system && frame_module(p, ids[inner - 1]) == library)
		inner--;
	if (inner)
		start_of(t, p->frames[ids[inner - 1]].function,
			(struct start){path->first + inner, path->depth - inner});
}

/* The outer end of a stack that does not reach it: the function its thread entered by, and what
 * calls that in stacks that are complete, so that all of a thread's stacks have one root. */
static void push_entry(struct paths *t, struct sp_path *path, uint32_t id)
{
	struct sp_profile *p = t->names.profile;
	const struct sp_address *at;
	struct start start;
	uint32_t entry;

	if (p->modules[t->names.addresses.list[id].module].agent)
		return;
	at = sp_resolve(&t->names, id);
	entry = t->names.chain[at->first + at->count - 1];
	path_push(p, path, entry);
	start = start_of(t, p->frames[entry].function, (struct start){0, 0});
	for (uint32_t i = 0; i < start.count; i++)
		path_push(p, path, p->frame_ids[start.first + i]);
}

/* Appends the stack's frames to the path; returns the frame that is its allocation site. */
static uint32_t add_frames(struct paths *t, struct sp_path *path, const struct sp_stack *stack, const uint32_t *ids)
{
	struct sp_profile *p = t->names.profile;
	uint32_t site = 0, last = 0, kept = stack->depth - has_entry(stack), inside = path->depth;
	enum site has_site = SITE_NONE;

	if (stack->flags & SP_STACK_OWN)
		path_push(p, path, pseudo_frame(t, SP_PSEUDO_AGENT));
	for (uint32_t i = 0; i < kept; i++) {
		const struct sp_address *at;

		if (p->modules[t->names.addresses.list[ids[i]].module].agent)
			continue;
		at = sp_resolve(&t->names, ids[i]);
		if (!at->count)
			continue;
		last = t->names.chain[at->first + at->count - 1];
		find_site(t, at, &has_site, &site);
		path_push_chain(t, path, at);
	}
	if (path->depth == inside)
		path_push(p, path, last = pseudo_frame(t, stack->depth ? SP_PSEUDO_AGENT : SP_PSEUDO_OVERFLOW));
	if (stack->flags & SP_STACK_CUT) {
		path_push(p, path, pseudo_frame(t, SP_PSEUDO_TRUNCATED));
	} else {
		drop_start(p, path);
		learn_start(t, path);
	}
	if (has_entry(stack))
		push_entry(t, path, ids[kept]);
	return has_site ? site : last;
}

/* The spans that the stack was taken in stand outside of it, the innermost next to it. */
static uint32_t span_frame(struct paths *t, uint32_t node)
{
	struct sp_buffer name = {0};
	struct sp_profile_frame frame = {0};

	if (!t->span_frames[node]) {
		sp_buffer_puts(&name, "{");
		sp_span_put_name(&name, t->names.profile->snapshot, node);
		sp_buffer_puts(&name, "}");
		frame.function = sp_profile_function(t->names.profile, 0, name.data, &t->names.functions);
		t->span_frames[node] = sp_resolver_frame(&t->names, &frame) + 1;
		sp_buffer_free(&name);
	}
	return t->span_frames[node] - 1;
}

static void push_spans(struct paths *t, struct sp_path *path, uint32_t node)
{
	struct sp_profile *p = t->names.profile;
	const struct sp_snapshot *s = p->snapshot;

	for (; node && p->frame_id_count <= PATH_FRAMES_MAX; node = s->span_nodes[node].parent)
		if (s->span_names[s->span_nodes[node].name].kind != SP_SPAN_MEASURED)
			path_push(p, path, span_frame(t, node));
}

static const struct sp_stack no_frames;

static enum sp_stack_kind kind_of(const struct sp_stack *stack)
{
	if (stack->flags & SP_STACK_IS_WAIT)
		return SP_STACKS_WAITS;
	return stack->flags & SP_STACK_IS_HEAP ? SP_STACKS_HEAP : SP_STACKS_CPU;
}

/* What was waited for stands inside of who waited. */
static void push_wait(struct paths *t, struct sp_path *path, size_t index)
{
	struct sp_profile_frame frame = {0};
	char name[16];

	if (!t->waits[index])
		return;
	snprintf(name, sizeof(name), "[%s]", sp_wait_kind_name(t->waits[index] - 1));
	frame.function = sp_profile_function(t->names.profile, 0, name, &t->names.functions);
	path_push(t->names.profile, path, sp_resolver_frame(&t->names, &frame));
}

static void load_path(struct paths *t, size_t index, uint32_t *site_frame)
{
	struct sp_profile *p = t->names.profile;
	const struct sp_stack *stack = &p->snapshot->stacks[index];
	struct sp_path *path = &p->paths[index];

	*path = (struct sp_path){
		.first = p->frame_id_count,
		.kind = kind_of(stack),
		.user_ns = stack->user_ns,
		.sys_ns = stack->sys_ns,
		.samples = (uint64_t)stack->user_samples + stack->sys_samples,
		.sq = (double)stack->weight_sq_us2,
	};
	push_wait(t, path, index);
	site_frame[index] = add_frames(t, path, p->frame_id_count > PATH_FRAMES_MAX ? &no_frames : stack,
		t->names.addresses.of_frame + t->names.addresses.first[index]);
	push_spans(t, path, stack->span);
}

static void load_paths(struct paths *t, bool with_entry, uint32_t *site_frame)
{
	size_t total = t->names.profile->snapshot->stack_count;

	for (size_t i = 0; i < total; i++) {
		if (has_entry(&t->names.profile->snapshot->stacks[i]) != with_entry)
			continue;
		load_path(t, i, site_frame);
		if (t->progress && t->loaded++ % PROGRESS_EVERY == 0)
			t->progress(t->context, t->loaded, total);
	}
}

/* Stack 0 is that of all for which there was no room, whatever they were taken for. */
static uint8_t *waits_of_stacks(const struct sp_snapshot *s)
{
	uint8_t *waits = sp_alloc(s->stack_count + 1, sizeof(*waits));

	for (size_t i = 1; i < s->wait_site_count; i++)
		if (s->wait_sites[i].stack && s->wait_sites[i].stack < s->stack_count)
			waits[s->wait_sites[i].stack] =
				(uint8_t)(1 + sp_wait_kind_of((enum sp_wait_call)s->wait_sites[i].call));
	return waits;
}

void sp_frames_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer, uint32_t *site_frame,
	sp_progress_fn *progress, void *context)
{
	struct paths t = {.progress = progress, .context = context};
	size_t total = profile->snapshot->stack_count;

	sp_resolver_begin(&t.names, profile, symbolizer);
	profile->paths = sp_alloc(total, sizeof(*profile->paths));
	profile->path_count = total;
	t.waits = waits_of_stacks(profile->snapshot);
	t.span_frames = sp_alloc(profile->snapshot->span_node_count + 1, sizeof(*t.span_frames));
	sp_grow(&profile->frame_ids, &profile->frame_id_capacity, LIKELY_INLINES * profile->snapshot->depth_sum,
		sizeof(*profile->frame_ids));
	load_paths(&t, false, site_frame);
	load_paths(&t, true, site_frame); /* what these start with is known now */
	if (progress)
		progress(context, total, total);
	sp_resolver_end(&t.names);
	sp_map_free(&t.start_of);
	free(t.starts);
	free(t.span_frames);
	free(t.waits);
}
