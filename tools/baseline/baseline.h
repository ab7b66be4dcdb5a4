/* Baselines for commands: made of runs in the history, found there, chosen. */
#ifndef SP_TOOLS_BASELINE_BASELINE_H
#define SP_TOOLS_BASELINE_BASELINE_H

#include <jansson.h>
#include <stdbool.h>

#include "profiles/gate/baseline.h"
#include "profiles/history/baselines.h"
#include "profiles/history/store.h"

#define SP_BASELINE_RUNS_MOST 40u /* of each command */

/* What git says here; "" unknown. */
struct sp_git_here {
	char *commit, *branch;
	int dirty;         /* 1: files differ from the commit; 0: none; -1 unknown */
	char *main_branch; /* "main", "origin/main", … */
	char *merge_base;  /* of HEAD and that */
};

/* git.c: main_branch: NULL: what origin's HEAD is, else main or master. */
void sp_git_here(struct sp_git_here *here, const char *main_branch);
void sp_git_here_free(struct sp_git_here *here);

/* Whether the first commit is the other one or comes before it. */
bool sp_git_is_before(const char *commit, const char *other);

/* collect.c: a baseline of the runs of that commit (NULL: of the newest runs) on this class of machines. NULL after a
 * complaint for `command`; *status is then the exit status. */
json_t *sp_baseline_collect(const char *command, struct sp_history *store, const struct sp_baseline_head *head,
	int *status);

/* Pins or unpins its runs. */
void sp_baseline_pin(struct sp_history *store, const json_t *baseline, bool on);

/* Puts it into the store, pins its runs, and gives its id. Returns 0, or the exit status after a complaint. */
int sp_baseline_keep(const char *command, struct sp_history *store, const json_t *baseline,
	char id[static SP_HISTORY_BASELINE_ID]);

/* choose.c: the baseline `name` (NULL: the default), or NULL; *text tells which and why, or why none: a sentence, to be
 * freed. */
json_t *sp_baseline_choose(struct sp_history *store, const char *name, const struct sp_git_here *here,
	const char *machine, char **text);

/* The newest with that name or id. NULL: there is none. */
json_t *sp_baseline_named(struct sp_history *store, const char *name, char id[static SP_HISTORY_BASELINE_ID]);

/* This machine with its class; its texts are freed by sp_machine_drop. */
void sp_machine_here(struct sp_history_machine *machine);
void sp_machine_drop(struct sp_history_machine *machine);

/* accept.c: `smartprof history accept`. */
int sp_history_cmd_accept(int argc, char **argv);

#endif
