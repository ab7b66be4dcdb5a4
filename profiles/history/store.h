/* The history: a store of runs, in one SQLite database with the large parts beside it.
 *
 * PATH is the database; PATH.blobs/ has profiles and logs, compressed, by the SHA-256 of their content. Whoever can be
 * killed at any moment: a run is in the store as a whole or not at all. Several processes may use it at once.
 *
 * Functions return 0 or a negative errno unless they say otherwise, and then sp_history_error() tells why:
 * -ENOENT no such run, blob or store; -ENOTUNIQ several runs' ids begin so; -EBUSY others write; -ENOSPC; -EROFS, -EACCES it
 * cannot be written; -EBADMSG damaged, or no history at all; -EPROTO written by a newer smartprof. */
#ifndef SP_PROFILES_HISTORY_STORE_H
#define SP_PROFILES_HISTORY_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/history/run.h"

struct sp_history;

enum sp_history_how {
	SP_HISTORY_READ,  /* -ENOENT where there is none; works in a place that cannot be written to */
	SP_HISTORY_WRITE, /* made where missing, with its directory */
};

/* Where the history is: `setting` (of SMARTPROF_HISTORY: a path; NULL, "" or "auto": to be found) else
 * <repository>/.smartprof/history.db where `directory` is in a git work tree of this user's, else the state directory.
 * *note: why a repository was passed over, static text, else NULL. Nothing is made. Returns 0 or -ENOENT (no HOME). */
int sp_history_place(char path[static PATH_MAX], const char *setting, const char *directory, const char **note);

/* *store is NULL after a failure; `why` then has a line that says what and what to do, without "smartprof: ". Files are made for
 * this user alone; what others could have prepared or could change is refused (-EPERM). Older schemas are brought up to date
 * (READ too; where it cannot be written, a copy of it in memory is). */
#define SP_HISTORY_WHY 512
int sp_history_open(struct sp_history **store, const char *path, enum sp_history_how how,
	char why[static SP_HISTORY_WHY]);
void sp_history_close(struct sp_history *store); /* NULL: nothing */

/* What went wrong last, a line that says what to do, without "smartprof: "; until the next call. */
const char *sp_history_error(const struct sp_history *store);
const char *sp_history_path(const struct sp_history *store);

/* Adds a run with its blobs, tags and note, and sets its id, series, machine.class and the blobs' hashes. A run that is there
 * already is kept once. */
int sp_history_add(struct sp_history *store, struct sp_history_run *run);

/* Several writes as one (much faster): all or nothing. Not nested. */
int sp_history_begin(struct sp_history *store);
int sp_history_commit(struct sp_history *store);
void sp_history_rollback(struct sp_history *store);

/* Which runs. A zero one: all. Globs: `*`, `?` and [a-z], upper and lower case differ. */
struct sp_history_filter {
	const char *program;     /* glob */
	const char *args_class;  /* glob */
	const char *command;     /* glob, of the whole line */
	const char *environment; /* glob */
	const char *branch;      /* glob */
	const char *commit;      /* its beginning, hexadecimal */
	const char *build_id;    /* its beginning, hexadecimal */
	const char *machine;     /* class, its beginning */
	const char *kind;
	const char *state;
	const char *tag;
	const char *metric;          /* that have it */
	const char *id;              /* its beginning */
	int64_t series;              /* 0: any */
	uint64_t since_ns, until_ns; /* started then or later, before then; 0: no bound */
	bool good;                   /* only those of sp_history_is_good */
	bool profile;                /* only those with a profile */
	bool pinned;                 /* only those */
	bool oldest_first;           /* else the newest */
	size_t limit, offset;        /* limit 0: all */
};

/* What is read of each run besides its head and the hashes of its blobs. */
#define SP_HISTORY_METRICS 1u
#define SP_HISTORY_FUNCTIONS 2u
#define SP_HISTORY_TAGS 4u /* and the note, and whether it is pinned */
#define SP_HISTORY_ALL 7u

/* `run` lives during the call. Another result than 0 ends it and is what sp_history_each returns. It may read from the store,
 * not change it. */
typedef int sp_history_each_fn(const struct sp_history_run *run, void *context);
int sp_history_each(struct sp_history *store, const struct sp_history_filter *filter, unsigned parts,
	sp_history_each_fn *each, void *context);

/* How many there are; limit and offset do not count. */
int sp_history_count(struct sp_history *store, const struct sp_history_filter *filter, uint64_t *count);

/* One run by the beginning of its id (4 digits at least), by "latest", or "latest~N": the Nth before. The caller's to free. */
int sp_history_find(struct sp_history *store, const char *id, unsigned parts, struct sp_history_run **run);

/* A metric over the runs that have it: text lives until sp_history_points_free. */
struct sp_history_point {
	char id[SP_HISTORY_ID];
	uint64_t started_ns;
	double value, error; /* error: NAN unknown */
	const char *commit, *branch, *build_id;
};
struct sp_history_points {
	struct sp_history_point *items;
	size_t count, capacity;
	void *texts;
};
int sp_history_series(struct sp_history *store, const struct sp_history_filter *filter, const char *metric,
	struct sp_history_points *points);
void sp_history_points_free(struct sp_history_points *points);

/* What can be compared with each other: a program with its class of arguments, in one environment, on one class of machines, run in
 * one way. */
struct sp_history_group {
	int64_t series;
	const char *program, *args_class, *environment, *kind, *machine; /* machine: its class */
	bool profiled, parallel;
	uint64_t runs, good;        /* of the filter's */
	uint64_t first_ns, last_ns; /* when they started */
	const char *command;        /* the newest one's */
	const double *values;       /* the metric's of the newest good ones that have it, oldest first */
	size_t value_count;
};
typedef int sp_history_group_fn(const struct sp_history_group *group, void *context);

/* Each group with a run of the filter, the one that ran last first; filter->limit is of groups. `metric` with at most
 * `values_most` values each; NULL: none. */
int sp_history_groups(struct sp_history *store, const struct sp_history_filter *filter, const char *metric,
	size_t values_most, sp_history_group_fn *each, void *context);

/* The names of the metrics there are, for completion and complaints; free each and the array. */
int sp_history_metric_names(struct sp_history *store, char ***names, size_t *count);

/* The content of a blob, checked against its hash: *data is malloc'ed, with a NUL behind it. -EBADMSG: damaged. */
int sp_history_blob_read(struct sp_history *store, const char *hash, void **data, size_t *bytes);

/* What people say of a run, named by its whole id. Adding what is there and removing what is not is no failure. */
int sp_history_tag(struct sp_history *store, const char *id, const char *tag, bool on);
int sp_history_note(struct sp_history *store, const char *id, const char *text);

/* Keeps the run and its neighbours in its series for ever, `why`: "baseline NAME", "change of METRIC", …; off: no longer for that. A
 * run may be pinned for several reasons. */
int sp_history_pin(struct sp_history *store, const char *id, const char *why, bool on);

bool sp_history_is_pinned(struct sp_history *store, const char *id, const char *why);

/* The database's number of a run, for foreign keys to run(number). */
int sp_history_number(struct sp_history *store, const char *id, int64_t *number);

#endif
