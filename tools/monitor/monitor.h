/* The parts of `smartprof monitor`. */
#ifndef SP_TOOLS_MONITOR_MONITOR_H
#define SP_TOOLS_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/monitor/series.h"
#include "tools/monitor/standing.h"
#include "tools/monitor/watch.h"

#define SP_EXIT_TIMEOUT 124 /* as timeout(1) has it */

/* A parameter and what it may be. */
struct sp_monitor_list {
	char *name;
	char **values; /* ends with NULL */
};

/* What was asked for. */
struct sp_monitor_wish {
	unsigned runs; /* 0: not told */
	unsigned warmup;
	const char *prepare; /* for /bin/sh, before each run */
	uint64_t timeout_ns;
	bool profile;
	const char *output; /* "through", "null", "inherit", or a directory; NULL: not told */

	const char *json, *markdown, *csv; /* files; NULL: none */
	const char *json_log;
	uint64_t every_ns, for_ns;

	bool batch;
	const char *file; /* of lines; "-": standard input */
	unsigned jobs;
	unsigned retries;
	bool fail_fast, resume;
	const char *joblog;

	struct sp_monitor_list *lists;
	size_t list_count;

	char **loose;    /* what was given before "--"; ends with NULL */
	char **template; /* what was given behind it; NULL: there was no "--" */
};

/* Something to run. */
struct sp_monitor_job {
	char **argv; /* with what they point to one allocation each */
	char *command;
	struct sp_monitor_parameter *parameters;
	size_t parameter_count;
};
struct sp_monitor_plan {
	struct sp_monitor_job *jobs;
	size_t count, capacity;
};

/* plan.c: makes jobs of the wish. Returns 0, or SP_EXIT_USAGE after a complaint. */
int sp_monitor_plan_make(struct sp_monitor_plan *plan, const struct sp_monitor_wish *wish);
void sp_monitor_plan_free(struct sp_monitor_plan *plan);

/* The name and the parameters of the job, for the series of its runs. */
void sp_monitor_take_names(struct sp_monitor_series *series, const struct sp_monitor_job *job);

/* attempt.c: a run of a job begins, and is complete. The run is the caller's to free. */
struct sp_monitor_session {
	const struct sp_monitor_wish *wish;
	struct sp_watches watches;
	struct sp_watch_terms terms;
	char *environment, *directory;
	char library[4096];                  /* of the agent; empty: runs are not profiled */
	struct sp_attempt_profile *profiles; /* a place for each watch */
	struct sp_standing standing;
	bool json_log_cut; /* it could not be written to its end, which has been said: nothing is added to half a line */
	off_t input_at;    /* where a regular standard input began; -1: it is none */
};
int sp_monitor_session_open(struct sp_monitor_session *session, const struct sp_monitor_wish *wish, unsigned most);
void sp_monitor_session_close(struct sp_monitor_session *session);
void sp_attempt_start(struct sp_monitor_session *session, const struct sp_monitor_job *job, uint64_t label,
	unsigned iteration, unsigned attempt);

/* The next that is over; *run is the caller's then. NULL: nothing runs. */
struct sp_watch *sp_attempt_next(struct sp_monitor_session *session, struct sp_monitor_run **run);

/* Both at once, for who runs one at a time; and the tail of standard error. */
struct sp_monitor_run *sp_attempt_one(struct sp_monitor_session *session, const struct sp_monitor_job *job,
	uint64_t label, unsigned iteration, char tail[static 2048]);

/* Runs the wish's --prepare, not measured. false: it failed, after a complaint, or we are to end. */
bool sp_attempt_prepare(struct sp_monitor_session *session);

/* Every measured run passes through here once, when it is complete, whichever way of running it was: to the JSON log, and
 * whatever keeps runs. Returns 0, or SP_EXIT_USAGE: the log could not be written, which is said once. */
int sp_monitor_keep(struct sp_monitor_session *session, const struct sp_monitor_run *run);

/* Writes the exports. Takes `verdicts` (NULL: none). Returns 0 or SP_EXIT_USAGE. */
int sp_monitor_export(const struct sp_monitor_wish *wish, const struct sp_monitor_series *series, size_t count,
	json_t *verdicts);

/* The last lines of what a command wrote to standard error, indented. */
void sp_monitor_put_tail(struct sp_buffer *out, const char *tail);

/* once.c, pairs.c, batch.c: the exit status. A signal that ended us is in session->watches.stopped. */
int sp_monitor_once(struct sp_monitor_session *session, const struct sp_monitor_job *job);
int sp_monitor_pairs(struct sp_monitor_session *session, const struct sp_monitor_plan *plan);
int sp_monitor_batch(struct sp_monitor_session *session, const struct sp_monitor_plan *plan);

#endif
