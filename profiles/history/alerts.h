/* What of the last runs of a series people should be told: pure. docs/HISTORY.md tells what it means. */
#ifndef SP_PROFILES_HISTORY_ALERTS_H
#define SP_PROFILES_HISTORY_ALERTS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/history/changes.h"

enum sp_alert_kind {
	SP_ALERT_NONE,
	SP_ALERT_CHANGE,   /* a confirmed change for the worse, which still holds */
	SP_ALERT_LIMIT,    /* the last SP_ALERT_RUNS or more are all beyond what noise reaches, and the threshold */
	SP_ALERT_DRIFT,    /* by steps that each are below the threshold */
	SP_ALERT_ONCE,     /* fewer than these are beyond: more runs tell */
	SP_ALERT_TREND,    /* the last five rose, each above the one before: nothing by itself */
	SP_ALERT_BASELINE, /* the last five are worse than the runs of the baseline that is kept */
};
#define SP_ALERT_RUNS 3u
#define SP_ALERT_RUNS_MOST 20u /* from then on a change is told by itself */
#define SP_ALERT_NEW 50u       /* runs after which a change is history */

/* For machines: "change", "limit", "drift", "once", "trend", "baseline". */
extern const char *const sp_alert_names[];

/* The gravest thing there is to say of the newest runs. The first two, drift and the baseline are sure. Values all of one machine, oldest first,
 * all above 0. */
struct sp_alert {
	enum sp_alert_kind kind;
	bool sure;
	size_t since;      /* index of the first run that is worse */
	double usual, now; /* medians; of a limit, what was expected */
	double limit;      /* of limits: what was passed; else NAN */
	double p;          /* of changes and trends; else NAN */
};
struct sp_alert sp_alert_of(const struct sp_history_value *values, size_t n, double threshold);

/* What people said of these runs by the baselines they kept. */
struct sp_alert_kept {
	size_t from;        /* the first run of those that were accepted: no run before is compared with; else 0 */
	size_t end;         /* one behind the last of them: what was worse by then is meant to be; else 0 */
	const bool *pinned; /* of each run, whether it is the newest baseline's; NULL: there is none */
};

/* The same with all that people said. */
struct sp_alert sp_alert_beside(const struct sp_history_value *values, size_t n, double threshold,
	const struct sp_alert_kept *kept);

#endif
