/* What the commands that read the history share: which runs, shown how. */
#ifndef SP_TOOLS_HISTORY_ASK_H
#define SP_TOOLS_HISTORY_ASK_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"
#include "profiles/base/escape.h"
#include "profiles/history/store.h"
#include "tools/history/table.h"

enum sp_ask_format { SP_ASK_TEXT, SP_ASK_MARKDOWN, SP_ASK_JSON };

struct sp_ask {
	const char *command; /* for complaints: "history trend" */
	struct sp_history *store;
	struct sp_history_filter filter;
	enum sp_ask_format format;
	const char *run; /* --run: only runs of its series; NULL: all */
	char **words;    /* besides flags */
	size_t word_count;
};

/* Reads the flags and opens the history; `words_most`: so many words besides. Returns -1 to go on, else the exit status, after help, completion
 * or a complaint. sp_ask_end in any case. */
/* Flags of one command alone, whose `val` are SP_ASK_OWN to 999. `set` gets that and the flag's value; it returns 0, or SP_EXIT_USAGE after a
 * complaint. */
#define SP_ASK_OWN 500
struct sp_ask_own {
	const struct option *flags; /* up to one without a name */
	int (*set)(void *context, int flag, const char *value);
	bool (*needs_history)(void *context); /* after the flags; NULL: it does. Else none is opened. */
	void *context;
};
int sp_ask_begin_with(struct sp_ask *ask, const struct sp_ask_own *own, const char *command, int argc, char **argv,
	size_t words_most, void (*help)(void));

int sp_ask_begin(struct sp_ask *ask, const char *command, int argc, char **argv, size_t words_most, void (*help)(void));
void sp_ask_end(struct sp_ask *ask);

/* A date, or "7d": so long ago. */
bool sp_ask_when(const char *text, uint64_t *ns);

/* The flags, for the help of such a command. */
#define SP_ASK_HELP \
	"  --program GLOB  of this program (file name)\n" \
	"  --command GLOB  whose command line matches\n" \
	"  --branch GLOB   on this branch\n" \
	"  --commit ID     of this commit\n" \
	"  --machine CLASS on this class of machines\n" \
	"  --environment E development, ci, …\n" \
	"  --kind KIND     run, monitor or guard\n" \
	"  --state STATE   ok, failed, signal, timeout, left-running or not-started\n" \
	"  --tag TAG       with this tag\n" \
	"  --run RUN       of the series of this run: those it can be compared with\n" \
	"  --since WHEN    begun then or later: 2026-11-30, '2026-11-30 14:00', or ago: 90m, 12h, 7d, 4w\n" \
	"  --until WHEN    begun before\n" \
	"  --limit N       show N at the most\n" \
	"  --json          as JSON\n" \
	"  --markdown      as Markdown\n" \
	"  --help          show this text\n"

/* After a failure of the store: complains; the exit status. */
int sp_ask_failed(const struct sp_ask *ask);

/* Prints. Takes the JSON. Returns the exit status. */
int sp_ask_print(const struct sp_ask *ask, const struct sp_buffer *text);
int sp_ask_print_json(const struct sp_ask *ask, json_t *json);

/* A table, or `nothing` where it is empty. */
int sp_ask_print_table(const struct sp_ask *ask, const struct sp_table *table, const char *nothing);

/* --- words for what is in the store */

/* "2026-11-30 14:05", local. */
void sp_ask_put_time(struct sp_buffer *out, uint64_t ns);
json_t *sp_ask_time_json(uint64_t ns); /* nanoseconds since 1970 */

/* A value into the table: in words, and as a number. */
void sp_ask_add_value(struct sp_table *table, const char *metric, double value);
void sp_ask_add_time(struct sp_table *table, uint64_t ns);
void sp_ask_add_id(struct sp_table *table, const char *id);

/* The program and its class of arguments; what sets it apart behind it: "(profiled)", "(several at a time)". */
void sp_ask_put_series(struct sp_buffer *out, const struct sp_history_group *group);
void sp_ask_put_inert_series(struct sp_buffer *out, enum sp_escape how, const struct sp_history_group *group);

#endif
