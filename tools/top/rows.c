/* smartprof top: the rows of its views. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/error.h"
#include "profiles/model/heap.h"
#include "profiles/redact/redact.h"
#include "tools/top/parts.h"

#define CODE_COLUMNS \
	{ \
		{"Self%", "self_percent", SP_TOP_PERCENT}, {"Total%", "total_percent", SP_TOP_PERCENT}, \
			{"Self s", "self_seconds", SP_TOP_SECONDS}, \
		{ \
			"Total s", "total_seconds", SP_TOP_SECONDS \
		} \
	}

const struct sp_top_kind sp_top_kinds[SP_TOP_VIEWS] = {
	[SP_TOP_FUNCTIONS] = {"functions", 'F', "Function", CODE_COLUMNS},
	[SP_TOP_LINES] = {"lines", 'L', "Line", CODE_COLUMNS},
	[SP_TOP_THREADS] = {"threads", 'T', "Thread",
		{{"CPU%", "cpu_percent", SP_TOP_PERCENT}, {"Alloc/s", "allocated_bytes_per_second", SP_TOP_BYTES},
			{"CPU s", "cpu_seconds", SP_TOP_SECONDS}, {"Alloc", "allocated_bytes", SP_TOP_BYTES}}},
	[SP_TOP_HEAP] = {"heap", 'H', "Heap site",
		{{"Growth/s", "growth_bytes_per_second", SP_TOP_BYTES},
			{"Alloc/s", "allocated_bytes_per_second", SP_TOP_BYTES},
			{"Growth", "growth_bytes", SP_TOP_BYTES}, {"Alloc", "allocated_bytes", SP_TOP_BYTES}}},
	[SP_TOP_SPANS] = {"spans", 'S', "Span",
		{{"Count/s", "count_per_second", SP_TOP_NUMBER}, {"CPU%", "cpu_share_percent", SP_TOP_PERCENT},
			{"Mean", "mean_seconds", SP_TOP_TIME}, {"p99", "p99_seconds", SP_TOP_TIME}}},
	[SP_TOP_WAITS] = {"waits", 'W', "Wait",
		{{"Wait%", "wait_percent", SP_TOP_PERCENT}, {"Count/s", "count_per_second", SP_TOP_NUMBER},
			{"Wait s", "wait_seconds", SP_TOP_SECONDS}, {"Count", "count", SP_TOP_NUMBER}}},
};

bool sp_top_is_none(const struct sp_top_figure *figure)
{
	return figure->value == 0 && figure->error == 0;
}

bool sp_top_is_rough(const struct sp_top_figure *figure)
{
	return figure->error > 0 && figure->error >= fabs(figure->value);
}

struct sp_top_row *sp_top_add_row(struct sp_top *top)
{
	sp_grow(&top->rows, &top->row_capacity, top->row_count + 1, sizeof(*top->rows));
	top->rows[top->row_count] = (struct sp_top_row){.name = ""};
	return &top->rows[top->row_count++];
}

struct sp_top_row *sp_top_add_item(struct sp_top *top, const struct sp_top_item *item)
{
	struct sp_top_row *row = sp_top_add_row(top);

	row->name = item->name;
	row->module = item->module;
	row->file = item->file;
	row->line = item->line;
	return row;
}

/* --- code --------------------------------------------------------------------------------------- */

/* What 100 % is: what samples stand for, and what none does. */
struct whole {
	const struct sp_sum *all;
	double us, unsampled_us;
};

static struct whole whole_of(const struct sp_sum *all, double cpu_us)
{
	return (struct whole){all, fmax(all->weight, cpu_us), fmax(cpu_us - all->weight, 0)};
}

static void set_share(struct sp_top_figure *percent, struct sp_top_figure *seconds, const struct sp_sum *part,
	const struct whole *whole)
{
	double error;

	if (part->samples <= 0 || part->weight <= 0 || whole->us <= 0)
		return;
	error = sp_independent_error(part, whole->all) * whole->all->weight;
	if (percent)
		*percent = (struct sp_top_figure){100 * part->weight / whole->us, 100 * error / whole->us};
	if (seconds)
		*seconds = (struct sp_top_figure){part->weight / 1e6, error / 1e6};
}

struct sp_top_figure sp_top_share(const struct sp_top *top, const struct sp_sum *part)
{
	struct whole whole = whole_of(&top->all_now, top->code_now_us);
	struct sp_top_figure percent = {0};

	set_share(&percent, NULL, part, &whole);
	return percent;
}

static void add_unsampled(struct sp_top *top, const struct whole *now, const struct whole *all)
{
	double error_us = sp_top_cpu_error_us(top);
	struct sp_top_row *row;

	if (all->unsampled_us <= 0 && now->unsampled_us <= 0)
		return;
	row = sp_top_add_row(top);
	row->name = "[unsampled]";
	if (now->unsampled_us > 0 && now->us > 0)
		row->figures[SP_TOP_SELF_NOW] = row->figures[SP_TOP_TOTAL_NOW] =
			(struct sp_top_figure){100 * now->unsampled_us / now->us, 100 * error_us / now->us};
	if (all->unsampled_us > 0 && all->us > 0)
		row->figures[SP_TOP_SELF] = row->figures[SP_TOP_TOTAL] =
			(struct sp_top_figure){all->unsampled_us / 1e6, error_us / 1e6};
}

static bool is_empty(const struct sp_top_item *item)
{
	for (unsigned k = 0; k < SP_TOP_FIGURES; k++)
		if (item->sums[k].weight != 0)
			return false;
	return true;
}

static void add_code(struct sp_top *top, const struct sp_top_items *items)
{
	struct whole now, all;
	const char *why;

	sp_top_add_code(top, &why);
	now = whole_of(&top->all_now, top->code_now_us);
	all = whole_of(&top->all, top->code_us - sp_top_cpu_us(&top->base));
	for (size_t i = 0; i < items->count; i++) {
		const struct sp_top_item *item = &items->list[i];
		struct sp_top_row *row;

		if (is_empty(item))
			continue;
		row = sp_top_add_item(top, item);
		set_share(&row->figures[SP_TOP_SELF_NOW], NULL, &item->sums[SP_TOP_SELF_NOW], &now);
		set_share(&row->figures[SP_TOP_TOTAL_NOW], NULL, &item->sums[SP_TOP_TOTAL_NOW], &now);
		set_share(NULL, &row->figures[SP_TOP_SELF], &item->sums[SP_TOP_SELF], &all);
		set_share(NULL, &row->figures[SP_TOP_TOTAL], &item->sums[SP_TOP_TOTAL], &all);
	}
	add_unsampled(top, &now, &all);
}

/* --- heap --------------------------------------------------------------------------------------- */

static struct sp_top_figure bytes(const struct sp_sum *sum, double per_s)
{
	double error = sp_heap_error(sum->sq, (uint64_t)sum->samples);

	return (struct sp_top_figure){sum->weight / per_s, error / per_s};
}

static void add_sites(struct sp_top *top)
{
	double interval_s = top->state.interval_s > 0 ? top->state.interval_s : 1;

	sp_top_add_heap(top);
	for (size_t i = 0; i < top->sites.count; i++) {
		const struct sp_top_item *item = &top->sites.list[i];
		struct sp_top_row *row;

		if (is_empty(item))
			continue;
		row = sp_top_add_item(top, item);
		for (unsigned k = 0; k < SP_TOP_FIGURES; k++)
			row->figures[k] = bytes(&item->sums[k], k < SP_TOP_GROWTH ? interval_s : 1);
	}
}

/* --- threads ------------------------------------------------------------------------------------ */

static double cpu_us(const struct sp_thread_record *t)
{
	double measured = (double)t->cpu_user_ns + (double)t->cpu_sys_ns,
	       sampled = (double)t->user_ns + (double)t->sys_ns;

	return fmax(measured, sampled) / 1e3;
}

static double allocated(const struct sp_thread_record *t)
{
	return fmax((double)t->heap.bytes_base - (double)t->heap.countdown, 0);
}

static const char *thread_name(struct sp_top *top, const struct sp_thread_record *record)
{
	struct sp_buffer shown = {0};
	const char *name;

	sp_redact_text(&shown, record->name, strlen(record->name));
	name = sp_names_text(&top->texts, sp_names_id(&top->texts, shown.data ? shown.data : ""));
	sp_buffer_free(&shown);
	return name;
}

static void set_cpu(struct sp_top_figure *figure, const struct sp_thread_record *t, double error_us, double unit_us)
{
	double us = cpu_us(t);

	if (us > 0)
		*figure = (struct sp_top_figure){us / unit_us, error_us / unit_us};
}

static void add_thread(struct sp_top *top, size_t i, double error_us)
{
	const struct sp_thread_record *now = &top->threads_now.threads[i], *all = &top->threads.threads[i];
	double interval_s = top->state.interval_s;
	struct sp_top_row *row = sp_top_add_row(top);

	row->name = i ? thread_name(top, all) : "[ended threads]";
	row->tid = i ? all->tid : 0;
	row->module = sp_top_entry(top, all->entry);
	if (interval_s > 0 && (!i || now->state)) {
		set_cpu(&row->figures[0], now, error_us, interval_s * 1e4);
		row->figures[1].value = allocated(now) / interval_s;
	}
	if (!i || all->state) {
		set_cpu(&row->figures[2], all, error_us, 1e6);
		row->figures[3].value = allocated(all);
	}
}

static void add_threads(struct sp_top *top)
{
	double error_us = sp_top_sample_us(top);

	for (size_t i = 0; i < top->threads.thread_count; i++)
		add_thread(top, i, error_us);
}

/* --- all of them -------------------------------------------------------------------------------- */

static void fill(struct sp_top *top, enum sp_top_view view)
{
	top->row_count = 0;
	switch (view) {
	case SP_TOP_FUNCTIONS:
		add_code(top, &top->functions);
		break;
	case SP_TOP_LINES:
		add_code(top, &top->lines);
		break;
	case SP_TOP_THREADS:
		add_threads(top);
		break;
	case SP_TOP_HEAP:
		add_sites(top);
		break;
	case SP_TOP_SPANS:
		sp_top_add_spans(top);
		break;
	case SP_TOP_WAITS:
		sp_top_add_waits(top);
		break;
	case SP_TOP_VIEWS:
		break;
	}
}

static bool is_wanted(const struct sp_top_row *row, const regex_t *filter)
{
	bool any = row->open > 0;

	for (unsigned k = 0; k < SP_TOP_FIGURES; k++)
		any = any || row->figures[k].value != 0;
	return any &&
		(!filter || sp_filter_matches(filter, row->name, row->file, row->module) ||
			(row->kind && sp_filter_matches(filter, row->kind, row->call, NULL)));
}

static int by_figure(const void *left, const void *right, void *figure)
{
	const struct sp_top_row *a = left, *b = right;
	unsigned keys[] = {*(unsigned *)figure, SP_TOP_SELF, SP_TOP_TOTAL};

	for (unsigned k = 0; k < 3; k++) {
		double x = a->figures[keys[k]].value, y = b->figures[keys[k]].value;

		if (x != y)
			return x > y ? -1 : 1;
	}
	return strcmp(a->name, b->name) ? strcmp(a->name, b->name) : a->line < b->line ? -1 : a->line > b->line;
}

size_t sp_top_rows(struct sp_top *top, enum sp_top_view view, unsigned figure, const regex_t *filter,
	const struct sp_top_row **rows)
{
	size_t kept = 0;

	fill(top, view);
	for (size_t i = 0; i < top->row_count; i++)
		if (is_wanted(&top->rows[i], filter))
			top->rows[kept++] = top->rows[i];
	top->row_count = kept;
	if (kept)
		qsort_r(top->rows, kept, sizeof(*top->rows), by_figure, &figure);
	*rows = top->rows;
	return kept;
}
