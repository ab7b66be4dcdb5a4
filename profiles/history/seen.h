/* What a series of runs has shown, small enough to hold all of it, and what stands out in it. */
#ifndef SP_PROFILES_HISTORY_SEEN_H
#define SP_PROFILES_HISTORY_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/history/store.h"

/* What is looked at of each run; NAN where it is not known. */
enum sp_seen_metric {
	SP_SEEN_WALL,
	SP_SEEN_CPU, /* the sum of user and system time where it is not known itself */
	SP_SEEN_PEAK,
	SP_SEEN_QUEUE,
	SP_SEEN_MISSES,
	SP_SEEN_USER,
	SP_SEEN_SYS,
	SP_SEEN_METRICS
};
extern const char *const sp_seen_keys[SP_SEEN_METRICS]; /* metrics of the store */

struct sp_seen_run {
	char id[SP_HISTORY_ID];
	bool good;       /* its values stand for the command */
	bool failed;     /* exit status, signal or timeout: it was tried, and did not go well */
	char ending[32]; /* "exit 3", "signal 11", "timeout" */
	char build[17];  /* of the build-id; "" unknown */
	double values[SP_SEEN_METRICS];
};

/* The runs of one series, oldest first. */
struct sp_seen {
	struct sp_seen_run *runs;
	size_t count, capacity;
};

/* The newest `most` runs of the series, into an empty one. Returns 0 or a negative errno. */
int sp_seen_load(struct sp_history *store, int64_t series, size_t most, struct sp_seen *seen);
void sp_seen_free(struct sp_seen *seen);

/* The values of the good runs that have one, oldest first, and their indexes; both freed by the caller. Returns how many. */
size_t sp_seen_values(const struct sp_seen *seen, enum sp_seen_metric metric, double **values, size_t **indexes);

enum sp_finding_kind {
	SP_FINDING_FAILING, /* went well before, and does not any more */
	SP_FINDING_FLAKY,   /* fails now and then */
	SP_FINDING_MORE,    /* the newest take more than ever */
	SP_FINDING_LESS,    /* … less than ever */
	SP_FINDING_CHANGED, /* takes more, or less, since a run */
	SP_FINDING_GROWING, /* a metric grows from run to run */
	SP_FINDING_WAITING, /* it mostly waits */
	SP_FINDING_NOISY,   /* the machine disturbs it too much to tell */
	SP_FINDING_KINDS
};
extern const char *const sp_finding_names[SP_FINDING_KINDS]; /* "failing", "flaky", … */

/* A finding in words. Nothing in them is foreign text. */
struct sp_finding {
	enum sp_finding_kind kind;
	enum sp_seen_metric metric;
	char *text;             /* "slower than ever: 2.31 s" */
	char *evidence;         /* "usually 1.20 s, at most 1.34 s in 58 runs" */
	char id[SP_HISTORY_ID]; /* the run it shows in */
	double size;            /* how much: of one kind the largest matters most */
};
struct sp_findings {
	struct sp_finding *items; /* those that matter most first */
	size_t count, capacity;
};

/* All that is sure. */
void sp_findings_find(struct sp_findings *findings, const struct sp_seen *seen);

/* Only what the newest `fresh` runs show beside those before. */
void sp_findings_of_newest(struct sp_findings *findings, const struct sp_seen *seen, size_t fresh);
void sp_findings_free(struct sp_findings *findings);

#endif
