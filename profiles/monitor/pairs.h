/* Whether one command takes more than another, from runs made in turns: looked at again and again while they are made, with a
 * chance of a false answer that holds over all looks together. docs/MONITOR.md tells what it means. */
#ifndef SP_PROFILES_MONITOR_PAIRS_H
#define SP_PROFILES_MONITOR_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/monitor/series.h"

#define SP_PAIRS_ALPHA 0.001 /* chance of any false difference: over all metrics, looks and tests of one comparison */
#define SP_PAIRS_ALPHA_SAME 0.01 /* chance of calling the same what differs by SP_PAIRS_EFFECT */
#define SP_PAIRS_EFFECT 0.05     /* what "no difference" rules out */
#define SP_PAIRS_LEAST 0.01      /* smaller differences are none */
#define SP_PAIRS_INTERVAL 0.01   /* 1 - the confidence of the interval that is shown */

enum sp_pairs_metric { SP_PAIRS_WALL, SP_PAIRS_CPU, SP_PAIRS_PEAK, SP_PAIRS_METRICS };
extern const char *const sp_pairs_metric_names[SP_PAIRS_METRICS]; /* "time", "CPU time", "peak memory" */

enum sp_pairs_answer { SP_PAIRS_UNDECIDED, SP_PAIRS_SAME, SP_PAIRS_LESS, SP_PAIRS_MORE };

/* The second against the first. */
struct sp_pairs_verdict {
	enum sp_pairs_answer answer;
	double ratio, low, high; /* of the second to the first, by pairs */
	size_t pairs;            /* that were looked at */
	size_t more;             /* so many more would tell, if they vary as these do; 0: nobody knows */
};

/* Whether so many pairs are a moment to look: at each other moment nothing is to be decided, or the chances do not hold. */
bool sp_pairs_is_look(size_t pairs);

/* Judges n pairs at the latest look there was; `share`: of the chance of a false difference, when several comparisons are made. */
struct sp_pairs_verdict sp_pairs_judge(enum sp_pairs_metric metric, const double *first, const double *second, size_t n,
	double share);

/* Of two series, by the runs with the same index that ended as the first of each did. */
void sp_pairs_judge_series(const struct sp_monitor_series *first, const struct sp_monitor_series *second, double share,
	struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS]);

/* Likewise, against the first times `grown`: whether it is more than that. */
void sp_pairs_judge_beyond(const struct sp_monitor_series *first, const struct sp_monitor_series *second, double share,
	const double grown[SP_PAIRS_METRICS], struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS]);

/* For the terminal: the verdicts on `second`, in sentences. */
void sp_pairs_put(struct sp_buffer *out, const struct sp_monitor_series *first, const struct sp_monitor_series *second,
	const struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS]);
json_t *sp_pairs_json(const struct sp_monitor_series *first, const struct sp_monitor_series *second,
	const struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS]);

#endif
