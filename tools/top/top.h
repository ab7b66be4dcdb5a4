/* smartprof top: what it shows, apart from how it is shown. The screen, -b and --json all show this.
 *
 * Everything is a difference of two looks at the spool: the last two (the interval), or the last one and the one at which
 * the window began. */
#ifndef SP_TOOLS_TOP_H
#define SP_TOOLS_TOP_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "symbolize/symbolize.h"

enum sp_top_view {
	SP_TOP_FUNCTIONS,
	SP_TOP_LINES,
	SP_TOP_THREADS,
	SP_TOP_HEAP,
	SP_TOP_SPANS,
	SP_TOP_WAITS,
	SP_TOP_VIEWS
};

/* SP_TOP_TIME: seconds that are shown as the unit that fits. */
enum sp_top_unit { SP_TOP_PERCENT, SP_TOP_SECONDS, SP_TOP_BYTES, SP_TOP_NUMBER, SP_TOP_TIME };

/* error: half of the 95 % interval; 0: it is exact. */
struct sp_top_figure {
	double value, error;
};

/* Whether there is a figure to see, and whether it is no more than its error: then it says nothing by itself. */
bool sp_top_is_none(const struct sp_top_figure *figure);
bool sp_top_is_rough(const struct sp_top_figure *figure);

#define SP_TOP_FIGURES 4u

struct sp_top_row {
	struct sp_top_figure figures[SP_TOP_FIGURES];
	const char *name; /* of the function, thread or span, "request › parse"; foreign text: see sp_top_clean */
	const char *module, *file; /* NULL: none. Of a thread, `module` is where it began */
	unsigned line;
	const char *kind, *call; /* of a wait; call NULL: all of that kind, of which `name` is the kind too */
	int tid;                 /* 0: no thread */
	uint64_t count;          /* of a span: so many have ended in the window, */
	uint32_t open;           /* and so many are open now, ... */
	double open_s;           /* ... the oldest of them for so long */
};

/* A view is a row here and a function that fills its rows (rows.c). */
struct sp_top_kind {
	const char *name; /* of its rows, also in JSON */
	char key;         /* that shows it */
	const char *what; /* what its rows are, for a heading */
	struct sp_top_column {
		const char *title, *key; /* key: in JSON; that of the error ends in _error */
		enum sp_top_unit unit;
	} columns[SP_TOP_FIGURES];
};

extern const struct sp_top_kind sp_top_kinds[SP_TOP_VIEWS];

enum sp_top_process { SP_TOP_RUNNING, SP_TOP_STOPPED, SP_TOP_EXEC, SP_TOP_ENDED, SP_TOP_DIED };

/* The process as a whole. */
struct sp_top_state {
	enum sp_top_process process;
	int pid;
	const char *program;            /* clean */
	char text[48];                  /* what became of it: "running", "ended with 3" */
	double interval_s, window_s;    /* 0: nothing to compare with yet */
	bool whole;                     /* the window is all of the run so far */
	struct sp_top_figure cores;     /* in use, in the interval */
	struct sp_top_figure cpu_s;     /* in the window */
	uint64_t samples;               /* in the interval */
	uint64_t window_samples;        /* in the window */
	uint64_t rss_bytes;             /* when the process last looked */
	struct sp_top_figure heap;      /* bytes in use */
	struct sp_top_figure allocated; /* bytes a second, in the interval */
};

struct sp_top;

/* Begins with the spool open at fd, which stays the caller's: the window begins now, or with the process if that is there
 * no more. Returns NULL and a phrase in *why when it cannot be read. */
struct sp_top *sp_top_new(int fd, const struct sp_symbolizer_options *symbols, const char **why);
void sp_top_free(struct sp_top *top);

/* Looks again. A process in which nothing happened in the first interval is shown with all that it did so far. Once it has
 * ended all is as it was at its end. false: it cannot be read any more, for the reason in *why; all is as it was. */
bool sp_top_refresh(struct sp_top *top, const char **why);

/* The window begins with the last look; not once the process has ended. */
void sp_top_reset(struct sp_top *top);

bool sp_top_has_ended(const struct sp_top *top);
const struct sp_top_state *sp_top_state(const struct sp_top *top);

/* The rows that have a figure other than 0 and match the filter (NULL: all), largest first by the figure, then by the
 * window's. They live until the next call of anything here. */
size_t sp_top_rows(struct sp_top *top, enum sp_top_view view, unsigned figure, const regex_t *filter,
	const struct sp_top_row **rows);

/* --- text (text.c) */

/* Of a figure without its unit: "12.3", "4.56", "1.2M"; empty for none. ascii: no other characters. */
struct sp_top_cell {
	char value[16], error[16];
};
void sp_top_cell(struct sp_top_cell *cell, const struct sp_top_figure *figure, enum sp_top_unit unit, bool ascii);
unsigned sp_top_value_width(enum sp_top_unit unit);
unsigned sp_top_error_width(enum sp_top_unit unit);

/* Appends foreign text without anything that a terminal would obey. */
void sp_top_clean(struct sp_buffer *out, const char *text);

/* What the row is: the function, "file.c:12 function" of a line, name and number of a thread; clean. ascii: with
 * ">" between spans. */
void sp_top_label(struct sp_buffer *out, enum sp_top_view view, const struct sp_top_row *row, bool ascii);

/* What else is known, "file.c:12, module", of a thread where it began, of a span which are open; clean. */
void sp_top_place(struct sp_buffer *out, enum sp_top_view view, const struct sp_top_row *row);

/* A line about the process, without a newline. What does not fit in so many columns loses parts, those of least worth first; the
 * last one may still be longer. */
#define SP_TOP_HEADING 2u
void sp_top_heading(struct sp_buffer *out, unsigned line, const struct sp_top_state *state, bool ascii, int columns);

/* A refresh for -b, and as a line of JSON. */
void sp_top_put_text(struct sp_buffer *out, struct sp_top *top);
void sp_top_put_json(struct sp_buffer *out, struct sp_top *top);

/* --- the screen (view.c, draw.c) */

/* That the text takes, in the locale that is set. */
int sp_top_columns(const char *text);

struct sp_top_pace {
	double seconds;      /* between refreshes */
	unsigned long count; /* of refreshes; 0: until told otherwise */
};

/* Shows it until it is told to stop. Returns 0, or SP_EXIT_USAGE after a complaint: there is no terminal that can. */
int sp_top_show(struct sp_top *top, const struct sp_top_pace *pace);

/* Lets one of `count` lines be chosen. Returns its index, -1: none, -2 after a complaint. */
int sp_top_choose(const char *title, char *const *lines, size_t count);

/* help.c: the line of that number of what `?` shows in so many columns; false: there is none. */
#define SP_TOP_HELP_LINE 256
bool sp_top_help_line(size_t number, int columns, char line[static SP_TOP_HELP_LINE]);

#endif
