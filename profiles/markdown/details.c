/* `## Function Details`: hottest lines, callers and callees of the hot functions. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>

#include "profiles/model/order.h"
#include "profiles/model/rank.h"

enum relation { CALLER, CALLEE, LINE, RELATIONS };

/* Something related to a hot function: another function, or a line of its own. */
struct relative {
	uint32_t function; /* CALLER, CALLEE */
	const char *file;  /* LINE */
	unsigned line;
	uint64_t ns;
	bool open;    /* the stack that is being looked at has counted */
	uint32_t hot; /* index of the hot function */
	enum relation relation;
};

/* A call in the stack that is being looked at, by which a relation counts: once a stack. */
struct mark {
	uint32_t callee; /* its number from the root */
	uint32_t item;
	uint64_t before_ns; /* what stacks before the first with this call took */
};

struct sp_details {
	const struct sp_profile *p;
	uint32_t *hot;    /* functions, hottest first */
	uint32_t *hot_of; /* frame -> 1 + index of the hot function, 0 none */
	struct sp_map index[RELATIONS];
	struct relative *items; /* by hot function */
	size_t hot_count, count, capacity;
	struct mark *marks;
	size_t mark_count, mark_capacity;
	uint64_t ns; /* of all stacks so far */
};

static uint32_t item_of(struct sp_details *d, struct relative key)
{
	uint64_t other = key.relation == LINE ? (uint64_t)(uintptr_t)key.file : key.function;
	int found;
	uint32_t *cell = sp_map_at(&d->index[key.relation], (uint64_t)key.hot << 32 | key.line, other, &found);

	if (!found) {
		*cell = (uint32_t)d->count;
		sp_grow(&d->items, &d->capacity, d->count + 1, sizeof(*d->items));
		d->items[d->count++] = key;
	}
	return *cell;
}

static void add_line(struct sp_details *d, const struct sp_path *path)
{
	uint32_t leaf = d->p->frame_ids[path->first], hot = d->hot_of[leaf], item;
	const struct sp_profile_frame *f = &d->p->frames[leaf];

	if (!hot || !f->file)
		return;
	item = item_of(d, (struct relative){.hot = hot, .relation = LINE, .file = f->file, .line = f->line});
	d->items[item].ns += path->user_ns + path->sys_ns;
}

static void begin_mark(struct sp_details *d, uint32_t callee, struct relative key)
{
	uint32_t item = item_of(d, key);

	if (d->items[item].open)
		return;
	d->items[item].open = true;
	sp_grow(&d->marks, &d->mark_capacity, d->mark_count + 1, sizeof(*d->marks));
	d->marks[d->mark_count++] = (struct mark){callee, item, d->ns};
}

static void end_marks(struct sp_details *d, uint32_t shared)
{
	for (; d->mark_count && d->marks[d->mark_count - 1].callee >= shared; d->mark_count--) {
		const struct mark *mark = &d->marks[d->mark_count - 1];

		d->items[mark->item].ns += d->ns - mark->before_ns;
		d->items[mark->item].open = false;
	}
}

/* Looks only at calls that the stack before did not have. */
static void add_calls(struct sp_details *d, const struct sp_path_walk *walk)
{
	const struct sp_profile_frame *frames = d->p->frames;

	end_marks(d, walk->shared);
	for (uint32_t i = walk->shared ? walk->shared : 1; i < walk->depth; i++) {
		uint32_t outer = walk->frames[i - 1], inner = walk->frames[i];
		struct relative caller = {
			.hot = d->hot_of[inner], .relation = CALLER, .function = frames[outer].function};
		struct relative callee = {
			.hot = d->hot_of[outer], .relation = CALLEE, .function = frames[inner].function};

		if (caller.hot)
			begin_mark(d, i, caller);
		if (callee.hot)
			begin_mark(d, i, callee);
	}
	d->ns += walk->path->user_ns + walk->path->sys_ns;
}

static void add_up(struct sp_details *d)
{
	const struct sp_profile *p = d->p;
	struct sp_path_walk walk = {0};

	for (size_t i = 0; i < p->path_count; i++)
		if (sp_path_has_time(p, i))
			add_line(d, &p->paths[i]);
	while (sp_path_walk_next(&walk, p, sp_path_has_time))
		add_calls(d, &walk);
	end_marks(d, 0);
}

static int by_hot_function(const void *a, const void *b)
{
	const struct relative *x = a, *y = b;

	if (x->hot != y->hot)
		return x->hot < y->hot ? -1 : 1;
	if (x->relation != y->relation)
		return x->relation < y->relation ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->function < y->function ? -1 : x->function > y->function;
}

static void write_relative(struct sp_writer *w, const struct relative *item, const struct sp_function *self)
{
	const struct sp_profile *p = w->profile;
	const struct sp_function *f = &p->functions[item->function];
	uint64_t whole = item->relation == LINE ? sp_function_self(self) : sp_function_total(self);

	sp_buffer_printf(&w->out, "  - %.1f%% ", sp_percent(item->ns, whole));
	if (item->relation == LINE) {
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, item->file, item->line);
		sp_buffer_puts(&w->out, "\n");
		return;
	}
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	if (f == self)
		sp_buffer_puts(&w->out, " (itself)");
	if (!(f->flags & SP_FUNCTION_PSEUDO)) {
		sp_buffer_puts(&w->out, " — ");
		sp_put_function_location(&w->out, SP_ESCAPE_CELL, p, f);
	}
	sp_buffer_puts(&w->out, "\n");
}

/* Writes the items of one hot function; returns how many there were. */
static size_t write_relatives(struct sp_writer *w, const struct relative *items, size_t count,
	const struct sp_function *self)
{
	static const char *const titles[] = {
		"- Callers (of its total time)", "- Callees (of its total time)", "- Hottest lines (of its self time)"};
	static const char *const rest[] = {
		"see Call Tree", "see Call Tree", "`smartprof report --full` shows them while the spool exists"};
	size_t in_group = 0, used;

	for (used = 0; used < count && items[used].hot == items[0].hot; used++) {
		if (used == 0 || items[used].relation != items[used - 1].relation) {
			in_group = 0;
			sp_buffer_printf(&w->out, "%s\n", titles[items[used].relation]);
		}
		if (in_group++ < w->limits.detail_rows)
			write_relative(w, &items[used], self);
		else if (in_group == w->limits.detail_rows + 1)
			sp_buffer_printf(&w->out, "  - … more, %s\n", rest[items[used].relation]);
	}
	return used;
}

static void put_times(struct sp_writer *w, const char *what, uint64_t user_ns, uint64_t sys_ns)
{
	sp_buffer_printf(&w->out, "%s %.1f%% (", what, sp_percent(user_ns + sys_ns, w->profile->total_ns));
	sp_put_duration(&w->out, user_ns);
	sp_buffer_puts(&w->out, " user, ");
	sp_put_duration(&w->out, sys_ns);
	sp_buffer_puts(&w->out, " system), ");
}

static void write_function(struct sp_writer *w, const struct sp_function *f)
{
	sp_buffer_puts(&w->out, "### ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	sp_buffer_puts(&w->out, "\n\n");
	put_times(w, "self", f->self_user_ns, f->self_sys_ns);
	put_times(w, "total", f->total_user_ns, f->total_sys_ns);
	sp_put_function_location(&w->out, SP_ESCAPE_CELL, w->profile, f);
	sp_buffer_puts(&w->out, "\n\n");
}

struct sp_details *sp_details_add_up(const struct sp_profile *profile, size_t hot)
{
	struct sp_details *d = sp_alloc(1, sizeof(*d));
	uint32_t *rank = sp_alloc(profile->function_count, sizeof(*rank));
	size_t ranked;

	d->p = profile;
	d->hot = sp_rank(profile->function_count, &ranked, sp_rank_self, profile);
	d->hot_of = sp_alloc(profile->frame_count, sizeof(*d->hot_of));
	for (size_t i = 0; i < ranked && d->hot_count < hot; i++)
		if (!(profile->functions[d->hot[i]].flags & SP_FUNCTION_PSEUDO)) {
			d->hot[d->hot_count++] = d->hot[i];
			rank[d->hot[i]] = (uint32_t)d->hot_count;
		}
	for (size_t i = 0; i < profile->frame_count; i++)
		d->hot_of[i] = rank[profile->frames[i].function];
	free(rank);
	if (d->hot_count)
		add_up(d);
	if (d->count)
		qsort(d->items, d->count, sizeof(*d->items), by_hot_function);
	return d;
}

void sp_details_free(struct sp_details *d)
{
	for (size_t i = 0; i < RELATIONS; i++)
		sp_map_free(&d->index[i]);
	free(d->items);
	free(d->marks);
	free(d->hot_of);
	free(d->hot);
	free(d);
}

static void write_source(struct sp_writer *w, const struct relative *items, size_t count, const struct sp_function *f)
{
	struct sp_hot_line *lines = sp_alloc(count, sizeof(*lines));
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (items[i].relation == LINE)
			lines[n++] = (struct sp_hot_line){items[i].file, items[i].line, items[i].ns};
	sp_write_hot_source(w, f, lines, n);
	free(lines);
}

void sp_write_function_details(struct sp_writer *w)
{
	const struct sp_details *d = w->sums.details;
	size_t hot = d->hot_count < w->limits.details ? d->hot_count : w->limits.details, at = 0;

	sp_buffer_puts(&w->out, "## Function Details\n\n");
	for (uint32_t i = 0; i < hot; i++) {
		const struct sp_function *f = &d->p->functions[d->hot[i]];

		write_function(w, f);
		if (at < d->count && d->items[at].hot == i + 1) {
			size_t used = write_relatives(w, d->items + at, d->count - at, f);

			if (i < w->limits.sources)
				write_source(w, d->items + at, used, f);
			at += used;
		}
		sp_buffer_puts(&w->out, "\n");
	}
}
