/* `## Function Details`: hottest lines, callers and callees of the hot functions. */
#include "profiles/markdown.h"

#include <stdlib.h>
#include <string.h>

enum relation { CALLER, CALLEE, LINE, RELATIONS };

/* Something related to a hot function: another function, or a line of its own. */
struct relative {
	uint32_t function; /* CALLER, CALLEE */
	const char *file;  /* LINE */
	unsigned line;
	uint64_t ns;
	size_t last_path; /* 1 + last path counted: each relation counts once a path */
	uint32_t hot;     /* index of the hot function */
	enum relation relation;
};

struct sp_details {
	const struct sp_profile *p;
	uint32_t *hot;    /* functions, hottest first */
	uint32_t *hot_of; /* function -> 1 + index of the hot function, 0 none */
	struct sp_map index[RELATIONS];
	struct relative *items; /* by hot function */
	size_t hot_count, count, capacity;
};

static void add(struct sp_details *d, struct relative key, size_t path, uint64_t ns)
{
	uint64_t other = key.relation == LINE ? (uint64_t)(uintptr_t)key.file : key.function;
	int found;
	uint32_t *cell = sp_map_at(&d->index[key.relation], (uint64_t)key.hot << 32 | key.line, other, &found);

	if (!found) {
		*cell = (uint32_t)d->count;
		sp_grow(&d->items, &d->capacity, d->count + 1, sizeof(*d->items));
		d->items[d->count++] = key;
	}
	if (d->items[*cell].last_path == path + 1)
		return;
	d->items[*cell].last_path = path + 1;
	d->items[*cell].ns += ns;
}

static void add_path(struct sp_details *d, size_t index)
{
	const struct sp_profile *p = d->p;
	const struct sp_path *path = &p->paths[index];
	uint64_t ns = path->user_ns + path->sys_ns;

	for (uint32_t i = 0; i < path->depth && ns; i++) {
		const struct sp_frame *f = &p->frames[p->frame_ids[path->first + i]];
		const struct sp_frame *caller =
			i + 1 < path->depth ? &p->frames[p->frame_ids[path->first + i + 1]] : NULL;
		uint32_t hot = d->hot_of[f->function];
		uint32_t hot_caller = caller ? d->hot_of[caller->function] : 0;

		if (hot && i == 0 && f->file)
			add(d, (struct relative){.hot = hot, .relation = LINE, .file = f->file, .line = f->line}, index,
				ns);
		if (hot && caller)
			add(d, (struct relative){.hot = hot, .relation = CALLER, .function = caller->function}, index,
				ns);
		if (hot_caller)
			add(d, (struct relative){.hot = hot_caller, .relation = CALLEE, .function = f->function}, index,
				ns);
	}
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
	sp_put_name(&w->out, SP_ESCAPE_CELL, f->name);
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
	sp_put_name(&w->out, SP_ESCAPE_CELL, f->name);
	sp_buffer_puts(&w->out, "\n\n");
	put_times(w, "self", f->self_user_ns, f->self_sys_ns);
	put_times(w, "total", f->total_user_ns, f->total_sys_ns);
	sp_put_function_location(&w->out, SP_ESCAPE_CELL, w->profile, f);
	sp_buffer_puts(&w->out, "\n\n");
}

struct sp_details *sp_details_add_up(const struct sp_profile *profile, size_t hot)
{
	struct sp_details *d = sp_alloc(1, sizeof(*d));
	size_t ranked;

	d->p = profile;
	d->hot = sp_rank(profile->function_count, &ranked, sp_rank_self, profile);
	d->hot_of = sp_alloc(profile->function_count, sizeof(*d->hot_of));
	for (size_t i = 0; i < ranked && d->hot_count < hot; i++)
		if (!(profile->functions[d->hot[i]].flags & SP_FUNCTION_PSEUDO)) {
			d->hot[d->hot_count++] = d->hot[i];
			d->hot_of[d->hot[i]] = (uint32_t)d->hot_count;
		}
	for (size_t i = 0; d->hot_count && i < profile->path_count; i++)
		add_path(d, i);
	if (d->count)
		qsort(d->items, d->count, sizeof(*d->items), by_hot_function);
	return d;
}

void sp_details_free(struct sp_details *d)
{
	for (size_t i = 0; i < RELATIONS; i++)
		sp_map_free(&d->index[i]);
	free(d->items);
	free(d->hot_of);
	free(d->hot);
	free(d);
}

void sp_write_function_details(struct sp_writer *w)
{
	const struct sp_details *d = w->sums.details;
	size_t hot = d->hot_count < w->limits.details ? d->hot_count : w->limits.details, at = 0;

	sp_buffer_puts(&w->out, "## Function Details\n\n");
	for (uint32_t i = 0; i < hot; i++) {
		const struct sp_function *f = &d->p->functions[d->hot[i]];

		write_function(w, f);
		if (at < d->count && d->items[at].hot == i + 1)
			at += write_relatives(w, d->items + at, d->count - at, f);
		sp_buffer_puts(&w->out, "\n");
	}
}
