/* smartprof top: the terminal, its keys, and when it is drawn. */
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "profiles/base/time.h"
#include "tools/live.h"
#include "tools/tools.h"
#include "tools/top/screen.h"

#define CONTROL(key) ((key)&0x1f)
#define ESCAPE 27
#define DELETE 127

/* --- keys --------------------------------------------------------------------------------------- */

static void drop_filter(struct sp_top_screen *s)
{
	if (s->filtered)
		regfree(&s->filter);
	s->filtered = false;
	s->scroll = 0;
}

static void take_filter(struct sp_top_screen *s)
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

static void take_typed(struct sp_top_screen *s, bool is_key, wint_t c)
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

static void scroll_by(struct sp_top_screen *s, long rows)
{
	size_t *from = s->helping ? &s->help_from : &s->scroll;

	*from = rows < 0 && *from < (size_t)-rows ? 0 : *from + (size_t)rows;
}

static void take_function_key(struct sp_top_screen *s, wint_t key)
{
	long page = LINES > SP_TOP_TABLE_AT + 2 ? LINES - SP_TOP_TABLE_AT - 2 : 1;

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
static bool take_view(struct sp_top_screen *s, wint_t c)
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

static void take_character(struct sp_top_screen *s, wint_t c)
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

static void take_key(struct sp_top_screen *s, bool is_key, wint_t c)
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

static bool open_terminal(struct sp_top_screen *s)
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

static void close_terminal(struct sp_top_screen *s)
{
	endwin();
	delscreen(s->terminal);
	drop_filter(s);
}

/* Waits for a key, for so long at the most. false: there is none, or no terminal any more. */
static bool await_key(struct sp_top_screen *s, uint64_t ns, bool *is_key, wint_t *c)
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

static bool look(struct sp_top_screen *s)
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
	struct sp_top_screen s = {.top = top};
	uint64_t period_ns = (uint64_t)(pace->seconds * 1e9), next_ns = sp_time_ns(CLOCK_MONOTONIC) + period_ns, now;
	unsigned long count = 0;

	if (!open_terminal(&s))
		return SP_EXIT_USAGE;
	while (!s.done && !sp_live_is_interrupted()) {
		bool is_key, idle = s.paused || sp_top_has_ended(top);
		wint_t c;

		sp_top_draw(&s);
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

int sp_top_choose(const char *title, char *const *lines, size_t count)
{
	struct sp_top_screen s = {0};
	size_t chosen = 0;
	bool is_key, taken = false;
	wint_t c;

	if (!open_terminal(&s))
		return -2;
	while (!s.done && !taken && !sp_live_is_interrupted()) {
		sp_top_draw_choice(&s, title, lines, count, chosen);
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
