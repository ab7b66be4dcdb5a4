/* Stage 2 of the model: stacks of addresses -> paths of named frames. */
#include "profiles/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/again.h"
#include "profiles/model/build.h"
#include "profiles/model/heap.h"
#include "profiles/model/waits.h"
#include "profiles/model/spans.h"

#define INLINES_MAX 64u
#define PATH_FRAMES_MAX (64u << 20) /* of all paths together: 256 MB; stacks beyond it count as overflow */
#define LIKELY_INLINES 4u           /* frames of an address, at most, on average */
#define PROGRESS_EVERY 256u

/* Where a complete path starts: frame_ids[first .. first+count) stand outside of some function. */
struct start {
	size_t first;
	uint32_t count;
};

struct resolver {
	struct sp_profile *profile;
	struct sp_symbolizer *symbolizer;
	struct sp_map texts;     /* a text of the symbolizer, which keeps each once -> name id */
	struct sp_map functions; /* (module, name id) -> function */
	struct sp_map frames;    /* see frame_id */
	struct sp_addresses addresses;
	uint32_t *chain; /* frame ids of all resolved addresses: [first .. first + count) of each, innermost first */
	size_t chain_count, chain_capacity;
	struct sp_map start_of; /* function -> index into starts */
	struct start *starts;
	size_t start_count, start_capacity;
	sp_progress_fn *progress;
	void *context;
	uint32_t *span_frames; /* frame id + 1 of each node of the tree of spans; 0: not asked for yet */
	uint8_t *waits;        /* by stack: 1 + enum sp_wait_kind, 0 of no wait */
	size_t loaded;         /* paths so far, for the progress */
};

static bool is_of_file(const struct sp_profile *p, uint32_t function)
{
	const struct sp_function *f = &p->functions[function];

	return !(f->flags & (SP_FUNCTION_PSEUDO | SP_FUNCTION_FOLDED)) && f->module < p->unknown_module;
}

static uint32_t frame_id(struct resolver *r, const struct sp_profile_frame *frame)
{
	struct sp_profile *p = r->profile;
	/* Interned; without a line the address stands for what may be found there later. */
	uint64_t where = frame->line || !is_of_file(p, frame->function) ? (uintptr_t)frame->file : frame->address;
	uint64_t flags = (uint64_t)frame->layer << 2 | (uint64_t)frame->inlined << 1 | frame->allocator;
	int found;
	uint32_t *cell =
		sp_map_at(&r->frames, (uint64_t)frame->function << 32 | frame->line, where << 3 | flags, &found);

	if (found)
		return *cell;
	*cell = (uint32_t)p->frame_count;
	sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
	p->frames[p->frame_count] = *frame;
	return (uint32_t)p->frame_count++;
}

/* Code nothing names: by the start of its function where that is known, else by the address; all
 * code outside of files is one. */
static uint32_t unnamed_function(struct resolver *r, uint32_t module, uint64_t address, uint64_t function_address)
{
	const struct sp_module_info *m = &r->profile->modules[module];
	char name[320];
	uint32_t id;

	if (module == r->profile->unknown_module)
		snprintf(name, sizeof(name), "[unknown]");
	else
		snprintf(name, sizeof(name), "%.250s+0x%llx", m->name,
			(unsigned long long)(function_address ? function_address : address - m->bias));
	id = sp_profile_function(r->profile, r->profile->modules[module].canonical, name, &r->functions);
	r->profile->functions[id].flags |= SP_FUNCTION_UNNAMED;
	return id;
}

static uint32_t folded_function(struct resolver *r, uint32_t module)
{
	const struct sp_module_info *m = &r->profile->modules[module];
	char name[270];
	uint32_t id;

	snprintf(name, sizeof(name), strcmp(m->path, "[vdso]") == 0 ? "%.255s" : "[%.255s]", m->name);
	id = sp_profile_function(r->profile, r->profile->modules[module].canonical, name, &r->functions);
	r->profile->functions[id].flags |= SP_FUNCTION_FOLDED;
	return id;
}

static uint32_t text_id(struct resolver *r, const char *text)
{
	int found;
	uint32_t *cell = sp_map_at(&r->texts, (uintptr_t)text, 0, &found);

	if (!found)
		*cell = sp_names_id(&r->profile->names, text);
	return *cell;
}

static const char *keep_text(struct resolver *r, const char *text)
{
	return sp_names_text(&r->profile->names, text_id(r, text));
}

/* A local function whose name local functions of other files have too is told apart by its file. */
static uint32_t full_name(struct resolver *r, const struct sp_symbol *symbol)
{
	uint32_t id;
	char *name;

	if (!symbol->local_to)
		return text_id(r, symbol->function);
	name = sp_text("%s (%s)", symbol->function, symbol->local_to);
	id = sp_names_id(&r->profile->names, name);
	free(name);
	return id;
}

static bool is_allocator(const struct sp_profile *p, const char *function)
{
	return sp_is_allocator_name(function) || sp_is_wrapper_name(p->heap_wrappers, function);
}

static uint32_t named_function(struct resolver *r, uint32_t module, const struct sp_symbol *symbol)
{
	struct sp_profile *p = r->profile;
	size_t before = p->function_count;
	uint32_t id = sp_profile_function_id(p, p->modules[module].canonical, full_name(r, symbol), &r->functions);
	struct sp_function *f = &p->functions[id];

	if (p->function_count > before) {
		f->allocator = is_allocator(p, symbol->function);
		f->layer = sp_is_layer(symbol->function, p->modules[module].name);
	}
	if (p->source_lines && !f->file && symbol->decl_file) {
		f->file = keep_text(r, symbol->decl_file);
		f->line = symbol->decl_line;
	}
	return id;
}

static void chain_push(struct resolver *r, const struct sp_profile_frame *frame)
{
	sp_grow(&r->chain, &r->chain_capacity, r->chain_count + 1, sizeof(*r->chain));
	r->chain[r->chain_count++] = frame_id(r, frame);
}

static void add_frame(struct resolver *r, uint32_t module, uint64_t address, const struct sp_symbol *symbol)
{
	struct sp_profile *p = r->profile;
	const struct sp_module_info *m = &p->modules[module];
	struct sp_profile_frame frame = {
		.inlined = symbol->inlined, .allocator = m->allocator, .address = address - m->bias};

	if (m->system && !p->system_libraries) {
		frame.allocator = frame.allocator || (symbol->function && is_allocator(p, symbol->function));
		frame.layer = sp_is_layer(symbol->function ? symbol->function : "", m->name);
		frame.function = folded_function(r, module);
		frame.inlined = false;
	} else if (symbol->function && *symbol->function) {
		frame.function = named_function(r, module, symbol);
		frame.allocator = frame.allocator || p->functions[frame.function].allocator;
		frame.layer = p->functions[frame.function].layer;
		if (p->source_lines && symbol->file) {
			frame.file = keep_text(r, symbol->file);
			frame.line = symbol->line;
		}
	} else {
		frame.function = unnamed_function(r, module, address, symbol->function_address);
		frame.layer = sp_is_layer("", m->name);
	}
	chain_push(r, &frame);
}

static uint32_t flags_of_name(const struct sp_profile *p, uint32_t module, const char *name)
{
	const char *of = p->modules[module].name;
	size_t length = strlen(of);

	if (strncmp(name, of, length) == 0 && strncmp(name + length, "+0x", 3) == 0)
		return SP_FUNCTION_UNNAMED;
	if (name[0] == '[' && strncmp(name + 1, of, length) == 0 && strcmp(name + 1 + length, "]") == 0)
		return SP_FUNCTION_FOLDED;
	return strcmp(name, "[unknown]") == 0 ? SP_FUNCTION_UNNAMED : 0;
}

/* A frame as it was read. */
static void add_written(struct resolver *r, size_t index)
{
	struct sp_profile *p = r->profile;
	const struct sp_written *w = p->written;
	struct sp_profile_frame frame = w->profile->frames[index];
	const struct sp_function *old = &w->profile->functions[frame.function];
	uint32_t module = p->modules[w->frames[index].module].canonical;
	struct sp_function *f;

	if (frame.inlined && !p->inlines)
		return;
	if (strcmp(w->profile->modules[old->module].path, "[unknown]") == 0)
		module = p->unknown_module;
	if (strcmp(w->profile->modules[old->module].path, "[jit]") == 0)
		module = p->unknown_module + 1;
	frame.function = sp_profile_function(p, module, old->name, &r->functions);
	f = &p->functions[frame.function];
	f->flags |= module ? flags_of_name(p, module, old->name) : 0;
	f->allocator = frame.allocator;
	f->layer = frame.layer;
	f->code = old->code;
	if (!f->file && old->file) {
		f->file = keep_text(r, old->file);
		f->line = old->line;
	}
	if (frame.file)
		frame.file = keep_text(r, frame.file);
	chain_push(r, &frame);
}

/* What was written stays where nothing more is known. */
static void resolve_written(struct resolver *r, struct sp_address *at)
{
	size_t index = (size_t)(at - r->addresses.list), n = 0, from = 0;
	struct sp_profile *p = r->profile;
	struct sp_written *w = p->written;
	struct sp_symbol symbols[INLINES_MAX];
	bool better = false;

	if (w->frames[index].wanted) {
		const char *name = w->profile->functions[w->profile->frames[index].function].name;

		n = sp_symbolize(r->symbolizer, p->modules[at->module].handle, at->address, symbols, INLINES_MAX);
		better = symbols[n - 1].function &&
			(symbols[n - 1].line || flags_of_name(p, at->module, name) == SP_FUNCTION_UNNAMED);
		from = p->inlines ? 0 : n - 1;
	}
	at->first = (uint32_t)r->chain_count;
	if (!better)
		add_written(r, index);
	for (size_t i = from; better && i < n; i++)
		add_frame(r, at->module, at->address, &symbols[i]);
	w->named += better;
	at->count = (uint32_t)(r->chain_count - at->first);
}

/* Without inlines an address becomes its outermost, real function, at the line where that called
 * what was inlined. */
static void resolve_now(struct resolver *r, struct sp_address *at)
{
	const struct sp_profile *p = r->profile;
	struct sp_symbol symbols[INLINES_MAX];
	uint64_t address = at->address;
	uint32_t module = at->module;
	size_t n = 1, from = 0;
	int handle;

	symbols[0] = (struct sp_symbol){0};
	if (module == p->unknown_module && p->modules[module + 1].handle >= 0 &&
		sp_symbolize(r->symbolizer, p->modules[module + 1].handle, address, symbols, 1) && symbols[0].function)
		module++;
	handle = p->modules[module].handle;
	if (handle >= 0)
		n = sp_symbolize(r->symbolizer, handle, address, symbols, INLINES_MAX);
	if (!p->inlines && n)
		from = n - 1;
	at->first = (uint32_t)r->chain_count;
	at->count = (uint32_t)(n - from);
	for (size_t i = from; i < n; i++)
		add_frame(r, module, address, &symbols[i]);
}

static const struct sp_address *resolve(struct resolver *r, uint32_t id)
{
	struct sp_address *at = &r->addresses.list[id];

	if (!at->count && r->profile->written)
		resolve_written(r, at);
	else if (!at->count)
		resolve_now(r, at);
	return at;
}

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
static void path_push_chain(struct resolver *r, struct sp_path *path, const struct sp_address *at)
{
	struct sp_profile *p = r->profile;

	if (!p->system_libraries) {
		for (uint32_t k = 0; k < at->count; k++)
			path_push(p, path, r->chain[at->first + k]);
		return;
	}
	if (p->frame_id_capacity - p->frame_id_count < at->count)
		sp_grow(&p->frame_ids, &p->frame_id_capacity, p->frame_id_count + at->count, sizeof(*p->frame_ids));
	for (uint32_t k = 0; k < at->count; k++)
		p->frame_ids[p->frame_id_count + k] = r->chain[at->first + k];
	p->frame_id_count += at->count;
	path->depth += at->count;
}

/* How good the site is that was found so far. */
enum site { SITE_NONE, SITE_LAYER, SITE_FOUND };

/* As sp_path_site does, address by address. */
static void find_site(const struct resolver *r, const struct sp_address *at, enum site *has, uint32_t *site)
{
	for (uint32_t k = 0; k < at->count && *has < SITE_FOUND; k++) {
		uint32_t id = r->chain[at->first + k];
		const struct sp_profile_frame *frame = &r->profile->frames[id];

		if (frame->allocator || (frame->layer && *has == SITE_LAYER))
			continue;
		*site = id;
		*has = frame->layer ? SITE_LAYER : SITE_FOUND;
	}
}

static uint32_t pseudo_frame(struct resolver *r, enum sp_pseudo which)
{
	struct sp_profile_frame frame = {.function = which};

	return frame_id(r, &frame);
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
static struct start start_of(struct resolver *r, uint32_t function, struct start otherwise)
{
	int found;
	uint32_t *cell = sp_map_at(&r->start_of, function, 0, &found);

	if (found)
		return r->starts[*cell];
	*cell = (uint32_t)r->start_count;
	sp_grow(&r->starts, &r->start_capacity, r->start_count + 1, sizeof(*r->starts));
	r->starts[r->start_count++] = otherwise;
	return otherwise;
}

/* Remembers which frames of the C library, and which entry point, call the first function of a
 * complete path: main, or a thread's start routine. */
static void learn_start(struct resolver *r, const struct sp_path *path)
{
	struct sp_profile *p = r->profile;
	const uint32_t *ids = p->frame_ids + path->first;
	uint32_t inner = path->depth, library;

	if (inner && is_entry(p, ids[inner - 1]))
		inner--;
	library = inner ? frame_module(p, ids[inner - 1]) : 0;
	while (inner && p->modules[library].system && frame_module(p, ids[inner - 1]) == library)
		inner--;
	if (inner)
		start_of(r, p->frames[ids[inner - 1]].function,
			(struct start){path->first + inner, path->depth - inner});
}

/* The outer end of a stack that does not reach it: the function its thread entered by, and what
 * calls that in stacks that are complete, so that all of a thread's stacks have one root. */
static void push_entry(struct resolver *r, struct sp_path *path, uint32_t id)
{
	struct sp_profile *p = r->profile;
	const struct sp_address *at;
	struct start start;
	uint32_t entry;

	if (p->modules[r->addresses.list[id].module].agent)
		return;
	at = resolve(r, id);
	entry = r->chain[at->first + at->count - 1];
	path_push(p, path, entry);
	start = start_of(r, p->frames[entry].function, (struct start){0, 0});
	for (uint32_t i = 0; i < start.count; i++)
		path_push(p, path, p->frame_ids[start.first + i]);
}

/* Appends the stack's frames to the path; returns the frame that is its allocation site. */
static uint32_t add_frames(struct resolver *r, struct sp_path *path, const struct sp_stack *stack, const uint32_t *ids)
{
	struct sp_profile *p = r->profile;
	uint32_t site = 0, last = 0, kept = stack->depth - has_entry(stack), inside = path->depth;
	enum site has_site = SITE_NONE;

	if (stack->flags & SP_STACK_OWN)
		path_push(p, path, pseudo_frame(r, SP_PSEUDO_AGENT));
	for (uint32_t i = 0; i < kept; i++) {
		const struct sp_address *at;

		if (p->modules[r->addresses.list[ids[i]].module].agent)
			continue;
		at = resolve(r, ids[i]);
		if (!at->count)
			continue;
		last = r->chain[at->first + at->count - 1];
		find_site(r, at, &has_site, &site);
		path_push_chain(r, path, at);
	}
	if (path->depth == inside)
		path_push(p, path, last = pseudo_frame(r, stack->depth ? SP_PSEUDO_AGENT : SP_PSEUDO_OVERFLOW));
	if (stack->flags & SP_STACK_CUT) {
		path_push(p, path, pseudo_frame(r, SP_PSEUDO_TRUNCATED));
	} else {
		drop_start(p, path);
		learn_start(r, path);
	}
	if (has_entry(stack))
		push_entry(r, path, ids[kept]);
	return has_site ? site : last;
}

/* The spans that the stack was taken in stand outside of it, the innermost next to it. */
static uint32_t span_frame(struct resolver *r, uint32_t node)
{
	struct sp_buffer name = {0};
	struct sp_profile_frame frame = {0};

	if (!r->span_frames[node]) {
		sp_buffer_puts(&name, "{");
		sp_span_put_name(&name, r->profile->snapshot, node);
		sp_buffer_puts(&name, "}");
		frame.function = sp_profile_function(r->profile, 0, name.data, &r->functions);
		r->span_frames[node] = frame_id(r, &frame) + 1;
		sp_buffer_free(&name);
	}
	return r->span_frames[node] - 1;
}

static void push_spans(struct resolver *r, struct sp_path *path, uint32_t node)
{
	struct sp_profile *p = r->profile;
	const struct sp_snapshot *s = p->snapshot;

	for (; node && p->frame_id_count <= PATH_FRAMES_MAX; node = s->span_nodes[node].parent)
		if (s->span_names[s->span_nodes[node].name].kind != SP_SPAN_MEASURED)
			path_push(p, path, span_frame(r, node));
}

static const struct sp_stack no_frames;

static enum sp_stack_kind kind_of(const struct sp_stack *stack)
{
	if (stack->flags & SP_STACK_IS_WAIT)
		return SP_STACKS_WAITS;
	return stack->flags & SP_STACK_IS_HEAP ? SP_STACKS_HEAP : SP_STACKS_CPU;
}

/* What was waited for stands inside of who waited. */
static void push_wait(struct resolver *r, struct sp_path *path, size_t index)
{
	struct sp_profile_frame frame = {0};
	char name[16];

	if (!r->waits[index])
		return;
	snprintf(name, sizeof(name), "[%s]", sp_wait_kind_name(r->waits[index] - 1));
	frame.function = sp_profile_function(r->profile, 0, name, &r->functions);
	path_push(r->profile, path, frame_id(r, &frame));
}

static void load_path(struct resolver *r, size_t index, uint32_t *site_frame)
{
	struct sp_profile *p = r->profile;
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
	push_wait(r, path, index);
	site_frame[index] = add_frames(r, path, p->frame_id_count > PATH_FRAMES_MAX ? &no_frames : stack,
		r->addresses.of_frame + r->addresses.first[index]);
	push_spans(r, path, stack->span);
}

static void load_paths(struct resolver *r, bool with_entry, uint32_t *site_frame)
{
	size_t total = r->profile->snapshot->stack_count;

	for (size_t i = 0; i < total; i++) {
		if (has_entry(&r->profile->snapshot->stacks[i]) != with_entry)
			continue;
		load_path(r, i, site_frame);
		if (r->progress && r->loaded++ % PROGRESS_EVERY == 0)
			r->progress(r->context, r->loaded, total);
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
	struct resolver r = {.profile = profile, .symbolizer = symbolizer, .progress = progress, .context = context};
	size_t total = profile->snapshot->stack_count;

	for (uint32_t i = 0; i < SP_PSEUDOS; i++) {
		int found;
		uint32_t name = sp_names_id(&profile->names, profile->functions[i].name);

		*sp_map_at(&r.functions, 0, name, &found) = i;
	}
	profile->paths = sp_alloc(total, sizeof(*profile->paths));
	profile->path_count = total;
	r.waits = waits_of_stacks(profile->snapshot);
	r.span_frames = sp_alloc(profile->snapshot->span_node_count + 1, sizeof(*r.span_frames));
	sp_addresses_load(&r.addresses, profile, symbolizer);
	sp_grow(&profile->frame_ids, &profile->frame_id_capacity, LIKELY_INLINES * profile->snapshot->depth_sum,
		sizeof(*profile->frame_ids));
	load_paths(&r, false, site_frame);
	load_paths(&r, true, site_frame); /* what these start with is known now */
	if (progress)
		progress(context, total, total);
	sp_map_free(&r.texts);
	sp_map_free(&r.functions);
	sp_map_free(&r.frames);
	sp_map_free(&r.start_of);
	free(r.starts);
	sp_addresses_free(&r.addresses);
	free(r.chain);
	free(r.span_frames);
	free(r.waits);
}
