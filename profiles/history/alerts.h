/* What of the last runs of a series people should be told: pure. docs/HISTORY.md tells what it means. */
#ifndef SP_PROFILES_HISTORY_ALERTS_H
#define SP_PROFILES_HISTORY_ALERTS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/history/changes.h"

enum sp_alert_kind {
	SP_ALERT_NONE,
	SP_ALERT_CHANGE, /* a confirmed change for the worse, which still holds */
	SP_ALERT_LIMIT,  /* the last SP_ALERT_RUNS are all beyond what noise reaches, and the threshold */
	SP_ALERT_DRIFT,  /* by steps that each are below the threshold */
	SP_ALERT_ONCE,   /* fewer than these are beyond: more runs tell */
	SP_ALERT_TREND,  /* the last five rose, each above the one before: nothing by itself */
};
#define SP_ALERT_RUNS 3u
#define SP_ALERT_NEW 50u /* runs after which a change is history */

/* For machines: "change", "limit", "drift", "once", "trend". */
extern const char *const sp_alert_names[];

/* The gravest thing there is to say of the newest runs. The first two and drift are sure. Values all of one machine, oldest first,
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

#endif
