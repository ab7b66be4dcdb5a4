/* smartprof top: what the screen shows. */
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "tools/top/screen.h"

#define NARROW 70
#define WIDE 75       /* columns in which all keys are explained */
#define PLACE_FROM 50 /* columns for names from which there is a column for places too */

/* What the locale cannot show is a question mark. Returns how many columns the text takes. */
static int widen(wchar_t *out, size_t size, const char *text, int most)
{
	int columns = 0;
	size_t n = 0;

	while (*text && n + 1 < size) {
		mbstate_t state = {0};
		wchar_t c;
		size_t bytes = mbrtowc(&c, text, strlen(text), &state);
		int width;

		if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
			bytes = 1;
			c = L'?';
		}
		text += bytes;
		width = wcwidth(c);
		if (width < 0 || !iswprint((wint_t)c)) {
			c = L'?';
			width = 1;
		}
		if (columns + width > most)
			break;
		columns += width;
		out[n++] = c;
	}
	out[n] = L'\0';
	return columns;
}

/* At most `width` columns of it; what does not fit ends in a mark. */
static void put(const struct sp_top_screen *s, int y, int x, int width, const char *text, attr_t attributes)
{
	wchar_t wide[512];
	int columns;

	if (width <= 0 || y >= LINES || x >= COLS)
		return;
	width = width < COLS - x ? width : COLS - x;
	columns = widen(wide, sizeof(wide) / sizeof(wide[0]), text, width + 1);
	if (columns > width) {
		columns = widen(wide, sizeof(wide) / sizeof(wide[0]) - 1, text, width - 1);
		wcscat(wide, s->ascii ? L"~" : L"…");
	}
	attrset(attributes);
	mvaddwstr(y, x, wide);
	attrset(A_NORMAL);
}

int sp_top_columns(const char *text)
{
	wchar_t wide[512];

	return widen(wide, sizeof(wide) / sizeof(wide[0]), text, 512);
}

static void put_right(const struct sp_top_screen *s, int y, int x, int width, const char *text, attr_t attributes)
{
	int columns = sp_top_columns(text);

	put(s, y, columns < width ? x + width - columns : x, width, text, attributes);
}

static int figure_width(enum sp_top_unit unit)
{
	return (int)(sp_top_value_width(unit) + 1 + sp_top_error_width(unit) + 1);
}

/* On a narrow terminal it is the one that rows are sorted by alone. */
static bool is_shown(const struct sp_top_screen *s, unsigned figure)
{
	return COLS >= NARROW || figure == s->figure;
}

static int figures_width(const struct sp_top_screen *s)
{
	const struct sp_top_kind *kind = &sp_top_kinds[s->view];
	int width = 0;

	for (unsigned k = 0; k < SP_TOP_FIGURES; k++)
		width += is_shown(s, k) ? figure_width(kind->columns[k].unit) : 0;
	return width;
}

static int label_width(const struct sp_top_screen *s)
{
	int left = COLS - figures_width(s) - 1;

	return left >= PLACE_FROM ? left * 3 / 5 : left;
}

static void draw_columns(const struct sp_top_screen *s)
{
	const struct sp_top_kind *kind = &sp_top_kinds[s->view];
	int x = 0;

	for (unsigned k = 0; k < SP_TOP_FIGURES; k++) {
		enum sp_top_unit unit = kind->columns[k].unit;
		int value = (int)sp_top_value_width(unit) + 2;
		char title[32];

		if (!is_shown(s, k))
			continue;
		snprintf(title, sizeof(title), "%u:%s", k + 1, kind->columns[k].title);
		put_right(s, SP_TOP_TABLE_AT - 1, x, value > sp_top_columns(title) ? value : sp_top_columns(title),
			title, k == s->figure ? A_BOLD | A_UNDERLINE : A_NORMAL);
		x += figure_width(unit);
	}
	put(s, SP_TOP_TABLE_AT - 1, x + 1, COLS, kind->what, A_NORMAL);
}

static void draw_row(const struct sp_top_screen *s, int y, const struct sp_top_row *row)
{
	const struct sp_top_kind *kind = &sp_top_kinds[s->view];
	struct sp_buffer label = {0}, place = {0};
	int x = 0;

	for (unsigned k = 0; k < SP_TOP_FIGURES; k++) {
		enum sp_top_unit unit = kind->columns[k].unit;
		int value = (int)sp_top_value_width(unit);
		struct sp_top_cell cell;
		attr_t how = sp_top_is_rough(&row->figures[k]) ? s->grey : A_NORMAL;

		if (!is_shown(s, k))
			continue;
		sp_top_cell(&cell, &row->figures[k], unit, s->ascii);
		put_right(s, y, x, value, cell.value, how);
		put(s, y, x + value + 1, (int)sp_top_error_width(unit), cell.error, how);
		x += figure_width(unit);
	}
	sp_top_label(&label, s->view, row, s->ascii);
	put(s, y, x + 1, label_width(s), label.data ? label.data : "", A_NORMAL);
	if (label_width(s) < COLS - x - 1) {
		sp_top_place(&place, s->view, row);
		put(s, y, x + 2 + label_width(s), COLS, place.data ? place.data : "", A_NORMAL);
	}
	sp_buffer_free(&label);
	sp_buffer_free(&place);
}

static void draw_table(struct sp_top_screen *s)
{
	const struct sp_top_row *rows;
	size_t room = LINES > SP_TOP_TABLE_AT + 1 ? (size_t)(LINES - SP_TOP_TABLE_AT - 1) : 0;

	s->rows = sp_top_rows(s->top, s->view, s->figure, s->filtered ? &s->filter : NULL, &rows);
	if (s->scroll + room > s->rows)
		s->scroll = s->rows > room ? s->rows - room : 0;
	draw_columns(s);
	for (size_t i = 0; i < room && s->scroll + i < s->rows; i++)
		draw_row(s, SP_TOP_TABLE_AT + (int)i, &rows[s->scroll + i]);
}

static void draw_help(struct sp_top_screen *s)
{
	size_t room = LINES > SP_TOP_TABLE_AT ? (size_t)(LINES - SP_TOP_TABLE_AT) : 0, lines = 0;
	char line[SP_TOP_HELP_LINE];

	while (sp_top_help_line(lines, COLS - 2, line))
		lines++;
	if (s->help_from + room > lines)
		s->help_from = lines > room ? lines - room : 0;
	for (size_t i = 0; i < room && sp_top_help_line(s->help_from + i, COLS - 2, line); i++)
		put(s, SP_TOP_TABLE_AT - 1 + (int)i, 2, COLS - 2, line, A_NORMAL);
}

static const char *keys_line(const struct sp_top_screen *s)
{
	if (s->helping)
		return "Up Down PgUp PgDn scroll; any other key: back";
	return COLS < WIDE ? "F L T H S W views  1-4 sort  P R  / ? q"
			   : "F functions L lines T threads H heap S spans W waits  1-4 sort P R  / ? q";
}

/* What is out of the ordinary. */
static void draw_note(const struct sp_top_screen *s)
{
	const struct sp_top_state *state = sp_top_state(s->top);
	char text[400] = "";

	if (s->typing)
		snprintf(text, sizeof(text), "/%s_", s->typed);
	else if (s->message)
		snprintf(text, sizeof(text), "%s", s->message);
	else if (sp_top_has_ended(s->top))
		snprintf(text, sizeof(text), "process %d %s: this is the last of it", state->pid, state->text);
	else if (s->paused)
		snprintf(text, sizeof(text), "paused; P goes on");
	else if (state->process == SP_TOP_STOPPED)
		snprintf(text, sizeof(text),
			"process %d is stopped: nothing happens in it until it goes on (kill -CONT %d)", state->pid,
			state->pid);
	else if (state->interval_s <= 0)
		snprintf(text, sizeof(text), "looking at what happens from now on");
	else if (!s->rows && !s->helping && !s->filtered)
		snprintf(text, sizeof(text), "nothing of that happened in the window");
	put(s, 2, 0, COLS, text, A_BOLD);
	if (s->filtered && !s->typing) {
		snprintf(text, sizeof(text), "/%s", s->filter_text);
		put_right(s, 2, COLS / 2, COLS - COLS / 2, text, A_NORMAL);
	}
}

static void draw_heading(const struct sp_top_screen *s)
{
	for (unsigned line = 0; line < SP_TOP_HEADING; line++) {
		struct sp_buffer text = {0};

		sp_top_heading(&text, line, sp_top_state(s->top), s->ascii, COLS);
		put(s, (int)line, 0, COLS, text.data, A_NORMAL);
		sp_buffer_free(&text);
	}
}

void sp_top_draw(struct sp_top_screen *s)
{
	erase();
	draw_heading(s);
	if (s->helping)
		draw_help(s);
	else
		draw_table(s);
	draw_note(s);
	put(s, LINES - 1, 0, COLS, keys_line(s), A_REVERSE);
	refresh();
}

void sp_top_draw_choice(const struct sp_top_screen *s, const char *title, char *const *lines, size_t count,
	size_t chosen)
{
	size_t room = LINES > 3 ? (size_t)LINES - 3 : 1, from = chosen >= room ? chosen - room + 1 : 0;

	erase();
	put(s, 0, 0, COLS, title, A_BOLD);
	for (size_t i = 0; i < room && from + i < count; i++)
		put(s, 1 + (int)i, 0, COLS, lines[from + i], from + i == chosen ? A_REVERSE : A_NORMAL);
	put(s, LINES - 1, 0, COLS, "Up Down choose  Enter show  q quit", A_REVERSE);
	refresh();
}
