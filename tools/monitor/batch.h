/* The parts of a batch. */
#ifndef SP_TOOLS_MONITOR_BATCH_H
#define SP_TOOLS_MONITOR_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/monitor/monitor.h"

struct sp_batch {
	struct sp_monitor_session *session;
	const struct sp_monitor_plan *plan;
	struct sp_monitor_series *jobs; /* the runs of each: more than one where it was tried again */
	bool *skipped;                  /* was done before */
	char **tails;                   /* of those that failed; NULL: none */
	size_t next, running, done, failed, skipped_count;
	bool stopping; /* no more are started */
	FILE *log;
	uint64_t began_ns;
	int status;
};

/* Opens the log, and takes from it what was done before where that is wanted. Returns 0, or SP_EXIT_USAGE after a complaint. */
int sp_batch_open_log(struct sp_batch *batch);

/* The line on the terminal; a sp_watches show function, with the batch as its context. */
void sp_batch_show(struct sp_watches *watches, void *context);

/* What it came to, for the terminal. */
void sp_batch_put(struct sp_buffer *out, const struct sp_batch *batch);

/* The last run of a job. */
const struct sp_monitor_run *sp_batch_last(const struct sp_batch *batch, size_t job);

#endif
