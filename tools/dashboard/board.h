/* What the dashboard shows, between the history and the page (profiles/html/board/data.js). */
#ifndef SP_TOOLS_DASHBOARD_BOARD_H
#define SP_TOOLS_DASHBOARD_BOARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/history/changes.h"
#include "profiles/history/store.h"
#include "symbolize/base/memory.h"

#define SP_BOARD_RUNS 2000u /* on a page at the most: the newest, of every command its part */
#define SP_BOARD_SERIES 200u
#define SP_BOARD_METRICS 24u /* of a series */

struct sp_board_value {
	uint32_t metric; /* of the board's names */
	double value, error;
};

/* Numbers of texts are those of the board's names. */
struct sp_board_run {
	char id[SP_HISTORY_ID], profile[SP_HISTORY_HASH];
	uint64_t started_ns;
	uint32_t commit, branch, machine, build, state;
	unsigned jobs;
	bool good, baseline;
	size_t first, count; /* of the board's values */
};

struct sp_board_change {
	struct sp_change found; /* indexes are of the series' runs */
	uint32_t metric, branch;
	json_t *commits, *causes, *flame; /* NULL: none */
};

/* The runs of one command in one environment, oldest first, on whatever machines. */
struct sp_board_series {
	char *program, *arguments, *environment, *kind;
	bool profiled;
	struct sp_board_run *runs;
	size_t run_count, run_capacity;
	struct sp_board_change *changes;
	size_t change_count, change_capacity;
	json_t *baselines; /* made of its runs, the newest first; NULL: none */
};

struct sp_board {
	struct sp_history *store;
	struct sp_names metrics, commits, branches, builds, states, machines,
		keys;         /* machines: classes; keys: of series */
	json_t *machine_list; /* by number of the class */
	json_t *flames;
	struct sp_board_value *values;
	size_t value_count, value_capacity;
	struct sp_board_series *series;
	size_t series_count, series_capacity;
};

/* The value of a run, NAN for none. error may be NULL. */
double sp_board_value(const struct sp_board *board, const struct sp_board_run *run, uint32_t metric, double *error);

/* Reads the newest runs. Returns 0 or a negative errno, then sp_history_error(store) tells why. */
int sp_board_read(struct sp_board *board, struct sp_history *store);
void sp_board_free(struct sp_board *board);

/* Finds the change points of what costs, on each branch and machine by itself. */
void sp_board_find_changes(struct sp_board *board);

/* Finds which of the runs baselines were made of. Returns as sp_board_read. */
int sp_board_find_baselines(struct sp_board *board);

/* What the repository that the working directory is in says of the commits, by number: {hash, author, subject, when}; and those of
 * the changes. Takes in commits that no run is of. */
json_t *sp_board_commits(struct sp_board *board);

/* The runs of a level next to the change, nearest first, at most `most`: good ones of the same command on the same branch and
 * machine, of whatever series, that `wanted` takes. Runs with the agent are a series apart, and often come right after
 * those without. Returns how many. */
typedef bool sp_board_wanted_fn(const struct sp_board_series *series, const struct sp_board_run *run);
size_t sp_board_side(const struct sp_board *board, const struct sp_board_series *series, const struct sp_change *found,
	bool after, sp_board_wanted_fn *wanted, const struct sp_board_run **runs, size_t most);

/* The stacks of both sides of the changes that are sure, as far as there are profiles. */
void sp_board_add_stacks(struct sp_board *board);

/* The functions that differ between the runs before a change and those after. */
void sp_board_add_causes(struct sp_board *board);

/* What is only shown of single runs: timelines, functions, notes. */
json_t *sp_board_details(struct sp_board *board);

/* How much the history and the caches hold. */
json_t *sp_board_health(struct sp_board *board);

/* All of it as inert JSON. Returns as sp_board_read. */
int sp_board_write(struct sp_buffer *out, struct sp_history *store);

#endif
