/* The parts of `smartprof check`. */
#ifndef SP_TOOLS_CHECK_CHECK_H
#define SP_TOOLS_CHECK_CHECK_H

#include <stdbool.h>

#include "profiles/gate/check.h"
#include "profiles/history/store.h"
#include "profiles/monitor/series.h"
#include "tools/baseline/baseline.h"

/* What a command's runs of now are known by, beside its figures. */
struct sp_check_now {
	char *program, *args_class, *build_id, *path; /* path: of the program's file; "" unknown */
	bool several;    /* more than one process, or a program that runs others or scripts */
	char **profiles; /* their files; "blob:HASH": in the history */
	size_t profile_count, profile_capacity;
};

struct sp_check_session {
	struct sp_check check;
	struct sp_check_now *now; /* of each command */
	struct sp_history *store; /* NULL: there is none */
	struct sp_git_here here;
	struct sp_history_machine machine;
	bool quick;
};

/* What runs other programs, or scripts: its own build tells nothing of what it does. */
bool sp_check_is_front(const char *program);

/* measure.c: runs a command and adds what it took to its figures. Returns 0, or the exit status after a
 * complaint; a signal that ended us is in *stopped. */
int sp_check_measure(struct sp_check_session *s, size_t index, int *stopped);

/* stored.c: from the history, runs of what the command is now (--quick), and the trends. */
void sp_check_take_stored(struct sp_check_session *s, size_t index);
/* Its newest runs here, without the agent and then with it; each may end its looking by 1. */
void sp_check_find_newest(struct sp_check_session *s, size_t index, sp_history_each_fn *newest,
	sp_history_each_fn *profiled);
void sp_check_take_trends(struct sp_check_session *s, size_t index);

/* Its part of the baseline, values and all. */
void sp_check_take_baseline(struct sp_check_session *s, size_t index);

/* cause.c: whether the code changed, and which functions a growth is in; with profiles of both sides. */
void sp_check_tell_code(struct sp_check_session *s, size_t index);
void sp_check_tell_cause(struct sp_check_session *s, size_t index);

/* decide.c: the baseline's program and this one in turns, for the commands with something suspicious, until sure or the time is up.
 * busy: only those whose CPU time a busy machine may have made suspicious, and for a minute at the most. Returns 0, or the exit status after a complaint. */
int sp_check_decide(struct sp_check_session *s, bool busy, int *stopped);

/* keep.c: a copy of the program's file beside the history. Those that were kept or asked for last stay. */
void sp_check_keep_program(struct sp_history *store, const char *build_id, const char *path);
bool sp_check_kept_program(struct sp_history *store, const char *build_id, char path[static PATH_MAX]);

/* init.c: writes smartprof.toml of what these command lines take, or, without any, of what the history has. Returns the exit
 * status. */
int sp_check_init(const char *path, char *const *lines, size_t count);

/* Readies it: the store, the repository, the machine. */
void sp_check_session_open(struct sp_check_session *s, const struct sp_gate_config *config, enum sp_history_how how);

/* Chooses its baseline: the default (NULL), one of that name, or the one in that file. Returns 0, or the exit status after a complaint. */
int sp_check_take(struct sp_check_session *s, const char *baseline);

/* Compares the newest runs in the history with a baseline (NULL: the default) and runs nothing. Returns the exit status. */
int sp_check_stored(const char *command, const char *name, bool json, const char *output, bool strict);

void sp_check_session_free(struct sp_check_session *s);

#endif
