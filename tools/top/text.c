/* smartprof top: figures as text, the heading, and a refresh for -b and --json. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/base/shorten.h"
#include "tools/top/top.h"

/* --- figures ------------------------------------------------------------------------------------ */

/* Five characters at the most, and a sign. */
static void put_bytes(char *text, size_t size, double value)
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;

	while (fabs(value) >= 1000 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, unit && fabs(value) < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

/* Five characters and "ms" at the most. */
static void put_time(char *text, size_t size, double seconds)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	double value = seconds * 1e9;
	unsigned unit = 0;

	while (fabs(value) >= 999.5 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(text, size,
		!unit || fabs(value) >= 99.95  ? "%.0f%s"
			: fabs(value) >= 9.995 ? "%.1f%s"
					       : "%.2f%s",
		value, units[unit]);
}

/* "1234", "12.3k" */
static void put_count(char *text, size_t size, double value)
{
	static const char units[] = " kMGT";
	unsigned unit = 0;

	if (value >= 9999.5)
		for (; value >= 999.5 && unit < 4; unit++)
			value /= 1000;
	if (unit)
		snprintf(text, size, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	else
		snprintf(text, size, value < 99.95 && value != floor(value) ? "%.1f" : "%.0f", value);
}

static void put_number(char *text, size_t size, double value, enum sp_top_unit unit)
{
	if (fabs(value) > 1e15)
		snprintf(text, size, "huge");
	else if (unit == SP_TOP_BYTES)
		put_bytes(text, size, value);
	else if (unit == SP_TOP_TIME)
		put_time(text, size, value);
	else if (unit == SP_TOP_NUMBER)
		put_count(text, size, value);
	else if (unit == SP_TOP_PERCENT)
		snprintf(text, size, value < 999.95 ? "%.1f" : "%.0f", value);
	else
		snprintf(text, size, value < 99.995 ? "%.2f" : value < 999.95 ? "%.1f" : "%.0f", value);
}

void sp_top_cell(struct sp_top_cell *cell, const struct sp_top_figure *figure, enum sp_top_unit unit, bool ascii)
{
	char error[12];

	*cell = (struct sp_top_cell){"", ""};
	if (sp_top_is_none(figure))
		return;
	put_number(cell->value, sizeof(cell->value), figure->value, unit);
	if (figure->error <= 0)
		return;
	put_number(error, sizeof(error), figure->error, unit);
	snprintf(cell->error, sizeof(cell->error), "%s%s", ascii ? "+-" : "±", error);
}

unsigned sp_top_value_width(enum sp_top_unit unit)
{
	return unit == SP_TOP_PERCENT ? 5 : 6;
}

unsigned sp_top_error_width(enum sp_top_unit unit)
{
	return unit == SP_TOP_PERCENT ? 5 : unit == SP_TOP_TIME ? 7 : 6;
}

/* --- text --------------------------------------------------------------------------------------- */

void sp_top_clean(struct sp_buffer *out, const char *text)
{
	sp_escape_name(out, SP_ESCAPE_PLAIN, text);
}

static void put_line(struct sp_buffer *out, const struct sp_top_row *row, bool whole)
{
	const char *slash = strrchr(row->file, '/');

	sp_top_clean(out, slash && slash[1] && !whole ? slash + 1 : row->file);
	if (row->line)
		sp_buffer_printf(out, ":%u", row->line);
}

static void put_name(struct sp_buffer *out, const char *name, bool ascii)
{
	static const char arrow[] = "›";
	struct sp_buffer clean = {0};
	const char *rest, *at;

	sp_top_clean(&clean, name);
	rest = clean.data ? clean.data : "";
	for (; ascii && (at = strstr(rest, arrow)); rest = at + sizeof(arrow) - 1)
		sp_buffer_printf(out, "%.*s>", (int)(at - rest), rest);
	sp_buffer_puts(out, rest);
	sp_buffer_free(&clean);
}

void sp_top_label(struct sp_buffer *out, enum sp_top_view view, const struct sp_top_row *row, bool ascii)
{
	if (view == SP_TOP_LINES && row->file) {
		put_line(out, row, false);
		sp_buffer_puts(out, " ");
	}
	if (row->call)
		sp_buffer_printf(out, "%s: %s in ", row->kind, row->call);
	put_name(out, row->name, ascii);
	if (row->tid)
		sp_buffer_printf(out, " %d", row->tid);
}

void sp_top_place(struct sp_buffer *out, enum sp_top_view view, const struct sp_top_row *row)
{
	bool file = row->file && view != SP_TOP_LINES;

	if (row->count)
		sp_buffer_printf(out, "%llu in the window", (unsigned long long)row->count);
	if (row->open)
		sp_buffer_printf(out, "%s%u open, for %.1f s", row->count ? ", " : "", row->open, row->open_s);
	if (file)
		put_line(out, row, row->file[0] != '/');
	if (file && row->module && *row->module)
		sp_buffer_puts(out, ", ");
	if (row->module && *row->module)
		sp_top_clean(out, row->module);
}

static void put_figure(struct sp_buffer *out, const struct sp_top_figure *figure, enum sp_top_unit unit, bool ascii)
{
	struct sp_top_cell cell;

	sp_top_cell(&cell, figure, unit, ascii);
	sp_buffer_printf(out, "%s%s%s", *cell.value ? cell.value : "0", *cell.error ? " " : "", cell.error);
}

/* --- the heading -------------------------------------------------------------------------------- */

#define PARTS 4u

static void put_process(struct sp_buffer *parts, const struct sp_top_state *s, bool ascii)
{
	sp_buffer_printf(&parts[0], "%s (%d)", s->program, s->pid);
	sp_buffer_puts(&parts[1], s->text);
	if (s->interval_s > 0 && s->process <= SP_TOP_STOPPED) {
		put_figure(&parts[2], &s->cores, SP_TOP_SECONDS, ascii);
		sp_buffer_puts(&parts[2], " cores");
	}
	sp_buffer_printf(&parts[3], s->whole ? "all of its %.1f s: " : "window %.1f s: ", s->window_s);
	put_figure(&parts[3], &s->cpu_s, SP_TOP_SECONDS, ascii);
	sp_buffer_puts(&parts[3], " s CPU");
}

static void put_memory(struct sp_buffer *parts, const struct sp_top_state *s, bool ascii)
{
	if (s->interval_s > 0)
		sp_buffer_printf(&parts[0], "last %.1f s: %llu samples", s->interval_s, (unsigned long long)s->samples);
	sp_buffer_puts(&parts[1], "RSS ");
	put_figure(&parts[1], &(struct sp_top_figure){(double)s->rss_bytes, 0}, SP_TOP_BYTES, ascii);
	sp_buffer_puts(&parts[2], "heap ");
	put_figure(&parts[2], &s->heap, SP_TOP_BYTES, ascii);
	if (s->interval_s > 0) {
		sp_buffer_puts(&parts[3], "allocates ");
		put_figure(&parts[3], &s->allocated, SP_TOP_BYTES, ascii);
		sp_buffer_puts(&parts[3], "/s");
	}
}

/* What the process is doing, where that is out of the ordinary, is told below the heading too. */
static const struct heading {
	void (*put)(struct sp_buffer *parts, const struct sp_top_state *s, bool ascii);
	unsigned char by_worth[PARTS];
	bool has_state; /* as its second part, which belongs to the first */
} headings[SP_TOP_HEADING] = {{put_process, {0, 2, 3, 1}, true}, {put_memory, {1, 2, 3, 0}, false}};

static void put_shown(struct sp_buffer *out, const struct heading *heading, const struct sp_buffer *parts,
	unsigned shown)
{
	for (unsigned k = 0; k < PARTS; k++) {
		if (!(shown & 1u << k) || !parts[k].length)
			continue;
		if (out->length)
			sp_buffer_puts(out, k == 1 && heading->has_state ? " " : "   ");
		sp_buffer_puts(out, parts[k].data);
	}
}

void sp_top_heading(struct sp_buffer *out, unsigned line, const struct sp_top_state *s, bool ascii, int columns)
{
	const struct heading *heading = &headings[line];
	struct sp_buffer parts[PARTS] = {{0}};
	unsigned shown = 1u << heading->by_worth[0];

	heading->put(parts, s, ascii);
	for (unsigned i = 1; i < PARTS; i++) {
		struct sp_buffer longer = {0};

		put_shown(&longer, heading, parts, shown | 1u << heading->by_worth[i]);
		if (sp_top_columns(longer.data) <= columns)
			shown |= 1u << heading->by_worth[i];
		sp_buffer_free(&longer);
	}
	put_shown(out, heading, parts, shown);
	for (unsigned k = 0; k < PARTS; k++)
		sp_buffer_free(&parts[k]);
}

/* --- -b ----------------------------------------------------------------------------------------- */

#define ROWS_MOST 20u
#define ROWS_OTHERS 10u

static void put_columns(struct sp_buffer *out, const struct sp_top_kind *kind)
{
	for (unsigned k = 0; k < SP_TOP_FIGURES; k++) {
		enum sp_top_unit unit = kind->columns[k].unit;

		sp_buffer_printf(out, "%*s ", (int)(sp_top_value_width(unit) + sp_top_error_width(unit) + 1),
			kind->columns[k].title);
	}
	sp_buffer_printf(out, " %s\n", kind->what);
}

/* printf counts bytes, and ± has two. */
static void put_row(struct sp_buffer *out, enum sp_top_view view, const struct sp_top_row *row)
{
	const struct sp_top_kind *kind = &sp_top_kinds[view];

	for (unsigned k = 0; k < SP_TOP_FIGURES; k++) {
		enum sp_top_unit unit = kind->columns[k].unit;
		struct sp_top_cell cell;

		sp_top_cell(&cell, &row->figures[k], unit, false);
		sp_buffer_printf(out, "%*s %-*s ", (int)sp_top_value_width(unit), cell.value,
			(int)sp_top_error_width(unit) + (*cell.error != '\0'), cell.error);
	}
	sp_buffer_puts(out, " ");
	sp_top_label(out, view, row, false);
	sp_buffer_puts(out, "  ");
	sp_top_place(out, view, row);
	sp_buffer_puts(out, "\n");
}

static void put_view(struct sp_buffer *out, struct sp_top *top, enum sp_top_view view)
{
	const struct sp_top_kind *kind = &sp_top_kinds[view];
	size_t most = view == SP_TOP_FUNCTIONS ? ROWS_MOST : ROWS_OTHERS;
	const struct sp_top_row *rows;
	size_t count = sp_top_rows(top, view, 0, NULL, &rows);

	if (!count && (view == SP_TOP_SPANS || view == SP_TOP_WAITS))
		return;
	sp_buffer_puts(out, "\n");
	put_columns(out, kind);
	for (size_t i = 0; i < count && i < most; i++)
		put_row(out, view, &rows[i]);
	if (count > most)
		sp_buffer_printf(out, "… %zu more %s\n", count - most, kind->name);
}

void sp_top_put_text(struct sp_buffer *out, struct sp_top *top)
{
	for (unsigned line = 0; line < SP_TOP_HEADING; line++) {
		struct sp_buffer text = {0};

		sp_top_heading(&text, line, sp_top_state(top), false, INT_MAX);
		sp_buffer_printf(out, "%s\n", text.data);
		sp_buffer_free(&text);
	}
	for (unsigned view = 0; view < SP_TOP_VIEWS; view++)
		put_view(out, top, view);
	sp_buffer_puts(out, "\n");
}

/* --- --json ------------------------------------------------------------------------------------- */

#define ROWS_JSON 50u

static void set_figure(json_t *object, const char *key, const struct sp_top_figure *figure)
{
	char error[64];

	snprintf(error, sizeof(error), "%s_error", key);
	sp_json_set(object, key, sp_json_number(figure->value));
	sp_json_set(object, error, sp_json_number(figure->error));
}

static json_t *row_json(enum sp_top_view view, const struct sp_top_row *row)
{
	const struct sp_top_kind *kind = &sp_top_kinds[view];
	json_t *object = json_object();
	const char *module = row->tid ? "start" : "module";

	sp_json_set(object, "name", sp_json_text(row->name));
	if (view == SP_TOP_SPANS) {
		sp_json_set(object, "count", sp_json_count(row->count));
		sp_json_set(object, "open", sp_json_count(row->open));
		sp_json_set(object, "open_seconds", sp_json_number(row->open_s));
	} else if (!row->kind || row->call) {
		sp_json_set(object, module, sp_json_text(row->module));
	}
	if (row->kind)
		sp_json_set(object, "kind", sp_json_text(row->kind));
	if (row->call)
		sp_json_set(object, "call", sp_json_text(row->call));
	if (row->tid)
		sp_json_set(object, "tid", sp_json_count((uint64_t)row->tid));
	if (row->file) {
		sp_json_set(object, "file", sp_json_text(row->file));
		sp_json_set(object, "line", sp_json_count(row->line));
	}
	for (unsigned k = 0; k < SP_TOP_FIGURES; k++)
		set_figure(object, kind->columns[k].key, &row->figures[k]);
	return object;
}

static json_t *view_json(struct sp_top *top, enum sp_top_view view)
{
	const struct sp_top_row *rows;
	size_t count = sp_top_rows(top, view, 0, NULL, &rows);
	json_t *array = json_array();

	for (size_t i = 0; i < count && i < ROWS_JSON; i++)
		json_array_append_new(array, row_json(view, &rows[i]));
	return array;
}

static const char *const process_words[] = {[SP_TOP_RUNNING] = "running",
	[SP_TOP_STOPPED] = "stopped",
	[SP_TOP_EXEC] = "exec",
	[SP_TOP_ENDED] = "ended",
	[SP_TOP_DIED] = "died"};

void sp_top_put_json(struct sp_buffer *out, struct sp_top *top)
{
	const struct sp_top_state *s = sp_top_state(top);
	json_t *object = json_object();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	sp_json_set(object, "time_ms", sp_json_count((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000));
	sp_json_set(object, "pid", sp_json_count((uint64_t)s->pid));
	sp_json_set(object, "program", sp_json_text(s->program));
	sp_json_set(object, "state", sp_json_text(process_words[s->process]));
	sp_json_set(object, "interval_seconds", sp_json_number(s->interval_s));
	sp_json_set(object, "window_seconds", sp_json_number(s->window_s));
	sp_json_set(object, "window_is_whole_run", json_boolean(s->whole));
	set_figure(object, "cores", &s->cores);
	set_figure(object, "window_cpu_seconds", &s->cpu_s);
	sp_json_set(object, "samples", sp_json_count(s->samples));
	sp_json_set(object, "window_samples", sp_json_count(s->window_samples));
	sp_json_set(object, "rss_bytes", sp_json_count(s->rss_bytes));
	set_figure(object, "heap_in_use_bytes", &s->heap);
	sp_json_set(object, "allocated_bytes_per_second", sp_json_number(s->allocated.value));
	for (unsigned view = 0; view < SP_TOP_VIEWS; view++)
		sp_json_set(object, sp_top_kinds[view].name, view_json(top, view));
	sp_json_put(out, object, false);
	sp_buffer_puts(out, "\n");
}
