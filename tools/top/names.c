/* smartprof top: which functions and lines a stack counts for. Each stack is asked for once, by the model that profiles
 * are made with; what it answered is kept. */
#include <stdlib.h>
#include <string.h>

#include "profiles/model/heap.h"
#include "profiles/model/model.h"
#include "profiles/model/places.h"
#include "tools/top/parts.h"

/* What the model answered, and the items of its functions and frames: 1 + index, 0: not looked for yet. */
struct names {
	struct sp_top *top;
	struct sp_profile *profile;
	uint32_t *functions, *lines;
};

static const char *keep(struct sp_top *top, const char *text)
{
	return sp_names_text(&top->texts, sp_names_id(&top->texts, text));
}

static uint64_t text_key(struct sp_top *top, const char *text)
{
	return text ? 1 + (uint64_t)sp_names_id(&top->texts, text) : 0;
}

/* The item of that name; a line has a file and a number, a function as a whole has none that tell it apart. */
static uint32_t item_of(struct sp_top *top, struct sp_top_items *items, const struct sp_function *f, const char *module,
	const char *file, unsigned line)
{
	int found;
	uint64_t place = file ? text_key(top, file) << 32 | line : 0;
	uint64_t owner = text_key(top, module) << 32 | text_key(top, f->name);
	uint32_t *cell = sp_map_at(&items->index, owner, place, &found);

	if (found)
		return *cell;
	*cell = (uint32_t)items->count;
	sp_grow(&items->list, &items->capacity, items->count + 1, sizeof(*items->list));
	items->list[items->count] = (struct sp_top_item){.name = keep(top, f->name),
		.module = keep(top, module),
		.file = file ? keep(top, file) : NULL,
		.line = line};
	return (uint32_t)items->count++;
}

static const char *shown_place(const struct sp_profile *profile, const char *file)
{
	const char *below = file ? sp_place_below_cwd(profile, file) : NULL;

	return below ? below : file;
}

static const char *module_of(const struct sp_profile *profile, const struct sp_function *f)
{
	return profile->modules[f->module].name;
}

static uint32_t place_of(struct names *n, struct sp_top_items *items, const struct sp_profile_frame *frame)
{
	const struct sp_function *f = &n->profile->functions[frame->function];

	return item_of(n->top, items, f, module_of(n->profile, f), shown_place(n->profile, frame->file), frame->line);
}

static uint32_t line_of(struct names *n, uint32_t frame)
{
	if (!n->lines[frame])
		n->lines[frame] = 1 + place_of(n, &n->top->lines, &n->profile->frames[frame]);
	return n->lines[frame] - 1;
}

static uint32_t function_of(struct names *n, uint32_t function)
{
	const struct sp_function *f = &n->profile->functions[function];
	struct sp_top_item *item;
	uint32_t id;

	if (n->functions[function])
		return n->functions[function] - 1;
	id = item_of(n->top, &n->top->functions, f, module_of(n->profile, f), NULL, 0);
	item = &n->top->functions.list[id];
	if (!item->file && f->file) {
		item->file = keep(n->top, shown_place(n->profile, f->file));
		item->line = f->line;
	}
	n->functions[function] = 1 + id;
	return id;
}

/* A function or line counts once a stack. */
static void push(struct sp_top *top, struct sp_top_items *items, uint32_t id)
{
	if (items->list[id].stamp == top->stamp)
		return;
	items->list[id].stamp = top->stamp;
	sp_grow(&top->ids, &top->id_capacity, top->id_count + 1, sizeof(*top->ids));
	top->ids[top->id_count++] = id;
}

/* The overflow record, 0, is of both kinds. */
static void take_path(struct names *n, uint32_t index, const struct sp_path *path)
{
	const struct sp_profile *p = n->profile;
	const uint32_t *ids = p->frame_ids + path->first;
	struct sp_top *top = n->top;
	struct sp_top_stack *stack = &top->stacks[index];

	*stack = (struct sp_top_stack){.known = true, .first = (uint32_t)top->id_count};
	if (path->kind != SP_STACKS_CPU || !index)
		stack->site = 1 + place_of(n, &top->sites, &p->frames[ids[sp_path_site(p, path)]]);
	if (path->kind != SP_STACKS_CPU)
		return;
	top->stamp++;
	for (uint32_t i = 0; i < path->depth; i++)
		push(top, &top->functions, function_of(n, p->frames[ids[i]].function));
	stack->functions = (uint32_t)top->id_count - stack->first;
	for (uint32_t i = 0; i < path->depth; i++)
		if (p->frames[ids[i]].file)
			push(top, &top->lines, line_of(n, ids[i]));
	stack->lines = (uint32_t)top->id_count - stack->first - stack->functions;
	stack->has_line = path->depth && p->frames[ids[0]].file;
}

/* Threads in whose records nothing is looked at but where they began. */
static void ask_for_entries(struct sp_top *top, struct sp_snapshot *picked)
{
	const struct sp_snapshot *now = &top->spool.now.is;

	free(picked->threads);
	picked->threads = sp_alloc(now->thread_count + 1, sizeof(*picked->threads));
	picked->thread_count = 1;
	for (size_t i = 1; i < now->thread_count; i++) {
		const struct sp_thread_record *t = &now->threads[i];
		int found = 1;

		if (t->state && t->entry)
			sp_map_at(&top->entries, t->entry, 0, &found);
		if (!found)
			picked->threads[picked->thread_count++] =
				(struct sp_thread_record){.state = 1, .entry = t->entry};
	}
}

static void take_entries(struct sp_top *top, const struct sp_snapshot *picked, const struct sp_profile *p)
{
	size_t rows = p->thread_count < picked->thread_count ? p->thread_count : picked->thread_count - 1;

	for (size_t i = 0; i < rows; i++) {
		int found;
		uint32_t *cell = sp_map_at(&top->entries, picked->threads[i + 1].entry, 0, &found);

		if (p->threads[i].start)
			*cell = 1 + sp_names_id(&top->texts, p->threads[i].start);
	}
}

bool sp_top_name(struct sp_top *top, const uint32_t *stacks, size_t count, const char **why)
{
	struct sp_snapshot *picked = sp_follow_pick(&top->spool, stacks, count, why);
	struct names names = {.top = top};

	if (!picked)
		return false;
	ask_for_entries(top, picked);
	names.profile = sp_profile_from_snapshot(picked, &top->symbols, NULL, NULL);
	names.functions = sp_alloc(names.profile->function_count, sizeof(*names.functions));
	names.lines = sp_alloc(names.profile->frame_count, sizeof(*names.lines));
	for (size_t i = 0; i < count; i++)
		take_path(&names, stacks[i], &names.profile->paths[i]);
	take_entries(top, picked, names.profile);
	free(names.functions);
	free(names.lines);
	sp_profile_free(names.profile);
	return true;
}

const char *sp_top_entry(struct sp_top *top, uint64_t address)
{
	int found;
	uint32_t id = address ? *sp_map_at(&top->entries, address, 0, &found) : 0;

	return id ? sp_names_text(&top->texts, id - 1) : NULL;
}
