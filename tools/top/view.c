/* smartprof top: the screen. */
#include <curses.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "tools/live.h"
#include "profiles/base/time.h"
#include "tools/tools.h"
#include "tools/top/top.h"

#define TABLE_AT 4
#define NARROW 70
#define WIDE 75       /* columns in which all keys are explained */
#define PLACE_FROM 50 /* columns for names from which there is a column for places too */
#define CONTROL(key) ((key)&0x1f)
#define ESCAPE 27
#define DELETE 127

struct screen {
	struct sp_top *top;
	SCREEN *terminal;
	bool ascii;
	attr_t grey;
	enum sp_top_view view;
	unsigned figure;
	size_t scroll, rows, help_from;
	bool paused, helping, typing, done;
	char typed[128], filter_text[128];
	regex_t filter;
	bool filtered;
	const char *message; /* until the next key */
};

/* --- drawing ------------------------------------------------------------------------------------ */

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
static void put(const struct screen *s, int y, int x, int width, const char *text, attr_t attributes)
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

static int columns_of(const char *text)
{
	wchar_t wide[512];

	return widen(wide, sizeof(wide) / sizeof(wide[0]), text, 512);
}

static void put_right(const struct screen *s, int y, int x, int width, const char *text, attr_t attributes)
{
	int columns = columns_of(text);

	put(s, y, columns < width ? x + width - columns : x, width, text, attributes);
}

static int figure_width(enum sp_top_unit unit)
{
	return (int)(sp_top_value_width(unit) + 1 + sp_top_error_width(unit) + 1);
}

/* On a narrow terminal it is the one that rows are sorted by alone. */
static bool is_shown(const struct screen *s, unsigned figure)
{
	return COLS >= NARROW || figure == s->figure;
}

static int figures_width(const struct screen *s)
{
	const struct sp_top_kind *kind = &sp_top_kinds[s->view];
	int width = 0;

	for (unsigned k = 0; k < SP_TOP_FIGURES; k++)
		width += is_shown(s, k) ? figure_width(kind->columns[k].unit) : 0;
	return width;
}

static int label_width(const struct screen *s)
{
	int left = COLS - figures_width(s) - 1;

	return left >= PLACE_FROM ? left * 3 / 5 : left;
}

static void draw_columns(const struct screen *s)
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
		put_right(s, TABLE_AT - 1, x, value > columns_of(title) ? value : columns_of(title), title,
			k == s->figure ? A_BOLD | A_UNDERLINE : A_NORMAL);
		x += figure_width(unit);
	}
	put(s, TABLE_AT - 1, x + 1, COLS, kind->what, A_NORMAL);
}

static void draw_row(const struct screen *s, int y, const struct sp_top_row *row)
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

static void draw_table(struct screen *s)
{
	const struct sp_top_row *rows;
	size_t room = LINES > TABLE_AT + 1 ? (size_t)(LINES - TABLE_AT - 1) : 0;

	s->rows = sp_top_rows(s->top, s->view, s->figure, s->filtered ? &s->filter : NULL, &rows);
	if (s->scroll + room > s->rows)
		s->scroll = s->rows > room ? s->rows - room : 0;
	draw_columns(s);
	for (size_t i = 0; i < room && s->scroll + i < s->rows; i++)
		draw_row(s, TABLE_AT + (int)i, &rows[s->scroll + i]);
}

static void draw_help(struct screen *s)
{
	size_t room = LINES > TABLE_AT ? (size_t)(LINES - TABLE_AT) : 0, lines = 0;
	char line[SP_TOP_HELP_LINE];

	while (sp_top_help_line(lines, COLS - 2, line))
		lines++;
	if (s->help_from + room > lines)
		s->help_from = lines > room ? lines - room : 0;
	for (size_t i = 0; i < room && sp_top_help_line(s->help_from + i, COLS - 2, line); i++)
		put(s, TABLE_AT - 1 + (int)i, 2, COLS - 2, line, A_NORMAL);
}

static const char *keys_line(const struct screen *s)
{
	if (s->helping)
		return "Up Down PgUp PgDn scroll; any other key: back";
	return COLS < WIDE ? "F L T H S W views  1-4 sort  P R  / ? q"
			   : "F functions L lines T threads H heap S spans W waits  1-4 sort P R  / ? q";
}

/* What is out of the ordinary. */
static void draw_note(const struct screen *s)
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

static void draw(struct screen *s)
{
	struct sp_buffer first = {0}, second = {0};

	erase();
	sp_top_heading(&first, &second, sp_top_state(s->top), s->ascii);
	put(s, 0, 0, COLS, first.data, A_NORMAL);
	put(s, 1, 0, COLS, second.data, A_NORMAL);
	sp_buffer_free(&first);
	sp_buffer_free(&second);
	if (s->helping)
		draw_help(s);
	else
		draw_table(s);
	draw_note(s);
	put(s, LINES - 1, 0, COLS, keys_line(s), A_REVERSE);
	refresh();
}

/* --- keys --------------------------------------------------------------------------------------- */

static void drop_filter(struct screen *s)
{
	if (s->filtered)
		regfree(&s->filter);
	s->filtered = false;
	s->scroll = 0;
}

static void take_filter(struct screen *s)
{
	regex_t regex;

	s->typing = false;
	if (!*s->typed) {
		drop_filter(s);
	} else if (regcomp(&regex, s->typed, REG_EXTENDED | REG_NOSUB)) {
		s->message = "that is not a regular expression; the filter is as it was";
	} else {
		drop_filter(s);
		s->filter = regex;
		s->filtered = true;
		strcpy(s->filter_text, s->typed);
	}
}

static void take_typed(struct screen *s, bool is_key, wint_t c)
{
	size_t length = strlen(s->typed);
	char bytes[MB_LEN_MAX];
	int n = is_key || !iswprint(c) ? 0 : wctomb(bytes, (wchar_t)c);

	if (c == ESCAPE && !is_key) {
		s->typing = false;
	} else if (c == '\n' || c == '\r' || (is_key && c == KEY_ENTER)) {
		take_filter(s);
	} else if (is_key ? c == KEY_BACKSPACE : c == '\b' || c == DELETE) {
		while (length && ((unsigned char)s->typed[--length] & 0xc0) == 0x80)
			;
		s->typed[length] = '\0';
	} else if (c == CONTROL('u') && !is_key) {
		s->typed[0] = '\0';
	} else if (n > 0 && length + (size_t)n < sizeof(s->typed)) {
		memcpy(s->typed + length, bytes, (size_t)n);
		s->typed[length + (size_t)n] = '\0';
	}
}

static void scroll_by(struct screen *s, long rows)
{
	size_t *from = s->helping ? &s->help_from : &s->scroll;

	*from = rows < 0 && *from < (size_t)-rows ? 0 : *from + (size_t)rows;
}

static void take_function_key(struct screen *s, wint_t key)
{
	long page = LINES > TABLE_AT + 2 ? LINES - TABLE_AT - 2 : 1;

	switch (key) {
	case KEY_UP:
		scroll_by(s, -1);
		break;
	case KEY_DOWN:
		scroll_by(s, 1);
		break;
	case KEY_PPAGE:
		scroll_by(s, -page);
		break;
	case KEY_NPAGE:
		scroll_by(s, page);
		break;
	case KEY_HOME:
		scroll_by(s, -LONG_MAX);
		break;
	default:
		s->helping = false;
		break;
	}
}

/* The key of a view shows it, and pressed again the functions. */
static bool take_view(struct screen *s, wint_t c)
{
	for (unsigned view = 0; view < SP_TOP_VIEWS; view++) {
		if (towupper(c) != (wint_t)sp_top_kinds[view].key)
			continue;
		s->view = s->view == (enum sp_top_view)view ? SP_TOP_FUNCTIONS : (enum sp_top_view)view;
		s->scroll = 0;
		return true;
	}
	return false;
}

static void take_character(struct screen *s, wint_t c)
{
	if (take_view(s, c))
		return;
	switch (towupper(c)) {
	case '1':
	case '2':
	case '3':
	case '4':
		s->figure = (unsigned)(c - '1');
		break;
	case 'P':
		s->paused = !s->paused;
		break;
	case 'R':
		if (sp_top_has_ended(s->top))
			s->message = "nothing more will happen: the window stays";
		sp_top_reset(s->top);
		break;
	case '/':
		s->typing = true;
		s->typed[0] = '\0';
		break;
	case CONTROL('l'):
		clearok(curscr, TRUE);
		break;
	case 'Q':
		s->done = true;
		break;
	default:
		break;
	}
}

static void take_key(struct screen *s, bool is_key, wint_t c)
{
	s->message = NULL;
	if (is_key && c == KEY_RESIZE)
		return;
	if (s->typing) {
		take_typed(s, is_key, c);
	} else if (is_key) {
		take_function_key(s, c);
	} else if (s->helping || c == '?') {
		s->helping = !s->helping;
		s->help_from = 0;
	} else {
		take_character(s, c);
	}
}

/* --- the terminal ------------------------------------------------------------------------------- */

/* Whatever ends the command, the terminal is the user's again. */
static void restore(void)
{
	if (stdscr && !isendwin())
		endwin();
}

static bool open_terminal(struct screen *s)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		sp_complain("top: standard input and output are no terminal; use -b, or --json");
		return false;
	}
	setlocale(LC_CTYPE, "");
	s->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	sp_live_catch();
	s->terminal = newterm(NULL, stdout, stdin);
	if (s->terminal && !tigetstr("cup")) { /* it has no cursor that could be moved */
		endwin();
		delscreen(s->terminal);
		s->terminal = NULL;
	}
	if (!s->terminal) {
		sp_complain("top: a terminal of type '%s' (TERM) cannot be drawn on; use -b, or --json",
			term ? term : "");
		return false;
	}
	atexit(restore);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_escdelay(100);
	curs_set(0);
	s->grey = A_DIM;
	if (tigetnum("colors") >= 16 && start_color() == OK && use_default_colors() == OK && init_pair(1, 8, -1) == OK)
		s->grey = (attr_t)COLOR_PAIR(1);
	return true;
}

static void close_terminal(struct screen *s)
{
	endwin();
	delscreen(s->terminal);
	drop_filter(s);
}

/* Waits for a key, for so long at the most. false: there is none, or no terminal any more. */
static bool await_key(struct screen *s, uint64_t ns, bool *is_key, wint_t *c)
{
	int ms = ns > 3600000000000u ? 3600000 : (int)(ns / 1000000u) + 1, got;

	timeout(ms);
	got = get_wch(c);
	*is_key = got == KEY_CODE_YES;
	if (got == ERR && !isatty(STDIN_FILENO))
		s->done = true;
	return got != ERR;
}

/* --- the view ----------------------------------------------------------------------------------- */

static bool look(struct screen *s)
{
	const char *why = "";

	if (sp_top_refresh(s->top, &why))
		return true;
	close_terminal(s);
	sp_complain("top: the spool %s", why);
	return false;
}

int sp_top_show(struct sp_top *top, const struct sp_top_pace *pace)
{
	struct screen s = {.top = top};
	uint64_t period_ns = (uint64_t)(pace->seconds * 1e9), next_ns = sp_time_ns(CLOCK_MONOTONIC) + period_ns, now;
	unsigned long count = 0;

	if (!open_terminal(&s))
		return SP_EXIT_USAGE;
	while (!s.done && !sp_live_is_interrupted()) {
		bool is_key, idle = s.paused || sp_top_has_ended(top);
		wint_t c;

		draw(&s);
		now = sp_time_ns(CLOCK_MONOTONIC);
		if (await_key(&s, idle ? period_ns : next_ns > now ? next_ns - now : 0, &is_key, &c))
			take_key(&s, is_key, c);
		if (idle || s.paused || sp_time_ns(CLOCK_MONOTONIC) < next_ns)
			continue;
		if (!look(&s))
			return SP_EXIT_USAGE;
		next_ns = sp_time_ns(CLOCK_MONOTONIC) + period_ns;
		s.done = s.done || (pace->count && ++count >= pace->count);
	}
	close_terminal(&s);
	return 0;
}

/* --- choosing ----------------------------------------------------------------------------------- */

static void draw_choice(const struct screen *s, const char *title, char *const *lines, size_t count, size_t chosen)
{
	size_t room = LINES > 3 ? (size_t)LINES - 3 : 1, from = chosen >= room ? chosen - room + 1 : 0;

	erase();
	put(s, 0, 0, COLS, title, A_BOLD);
	for (size_t i = 0; i < room && from + i < count; i++)
		put(s, 1 + (int)i, 0, COLS, lines[from + i], from + i == chosen ? A_REVERSE : A_NORMAL);
	put(s, LINES - 1, 0, COLS, "Up Down choose  Enter show  q quit", A_REVERSE);
	refresh();
}

int sp_top_choose(const char *title, char *const *lines, size_t count)
{
	struct screen s = {0};
	size_t chosen = 0;
	bool is_key, taken = false;
	wint_t c;

	if (!open_terminal(&s))
		return -2;
	while (!s.done && !taken && !sp_live_is_interrupted()) {
		draw_choice(&s, title, lines, count, chosen);
		if (!await_key(&s, 3600000000000u, &is_key, &c))
			continue;
		if (is_key && c == KEY_DOWN && chosen + 1 < count)
			chosen++;
		else if (is_key && c == KEY_UP && chosen > 0)
			chosen--;
		taken = is_key ? c == KEY_ENTER : c == '\n' || c == '\r';
		s.done = !is_key && (c == 'q' || c == 'Q' || c == ESCAPE);
	}
	close_terminal(&s);
	return taken ? (int)chosen : -1;
}
