/* Whether a figure is surely worse than what is allowed: pure functions of the values of runs. More is worse.
 *
 * Two sorts of noise: runs differ, and so do occasions at which runs are made (another day, another runner). The first is measured, by ranks:
 * Mann & Whitney's interval of the ratio (profiles/compare/stats.h). The second widens that interval: by what the occasions
 * before differed by, else by an assumption for each metric. */
#ifndef SP_PROFILES_GATE_JUDGE_H
#define SP_PROFILES_GATE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"

enum sp_gate_metric {
	SP_GATE_WALL,
	SP_GATE_CPU,
	SP_GATE_PEAK,
	SP_GATE_ALLOCATED,
	SP_GATE_START, /* of the program: how long a run takes that only starts it */
	SP_GATE_SPAN,  /* p99 of a span */
	SP_GATE_METRICS
};
enum sp_gate_unit { SP_GATE_NS, SP_GATE_BYTES };

struct sp_gate_metric_info {
	const char *name, *key; /* for people; in smartprof.toml and exports */
	enum sp_gate_unit unit;
	double occasions; /* standard deviation between occasions (of the logarithm), where none was learned */
	double runs;      /* of single runs, where it cannot be measured */
	double least;     /* smaller differences are none */
};
extern const struct sp_gate_metric_info sp_gate_metrics[SP_GATE_METRICS];

struct sp_gate_values {
	double *items;
	size_t count, capacity;
};
void sp_gate_add_value(struct sp_gate_values *values, double value);
double sp_gate_median(const struct sp_gate_values *values); /* 0 of none */

enum sp_gate_answer {
	SP_GATE_UNKNOWN, /* nothing to compare with */
	SP_GATE_FINE,    /* worse than allowed is excluded */
	SP_GATE_UNSURE,  /* it is not: more runs would tell */
	SP_GATE_BETTER,  /* surely less than before */
	SP_GATE_WORSE,   /* surely more than allowed */
};

struct sp_gate_terms {
	double allowed; /* growth: 0.2 */
	double chance;  /* of a false alarm, of this one figure */
	double occasions; /* standard deviation between occasions, learned; NAN: by the assumption; 0: they were the same */
	double busy; /* of the time, that threads waited for CPUs on the busier side: others then take caches from CPU time, too */
};

#define SP_GATE_MISSED 0.05 /* chance that what is called fine is worse than allowed by a little */

struct sp_gate_judgement {
	enum sp_gate_answer answer;
	double baseline, current; /* medians */
	double ratio, low, high;  /* of them; low: what it surely is, at the terms' chance; high: at SP_GATE_MISSED */
	double spread;            /* of single runs */
	double occasions;         /* that the interval has in it */
	size_t needed;            /* SP_GATE_UNSURE: so many runs a side would do; 0: no number of runs would */
};

#define SP_GATE_CONTENTION \
	0.3 /* standard deviation between occasions (of CPU time's logarithm) where threads do nothing but wait */

struct sp_gate_judgement sp_gate_judge(enum sp_gate_metric metric, const struct sp_gate_values *baseline,
	const struct sp_gate_values *current, const struct sp_gate_terms *terms);

/* Whether the median is surely above a limit. `needed` and answers as above; baseline is the limit. */
struct sp_gate_judgement sp_gate_judge_limit(enum sp_gate_metric metric, const struct sp_gate_values *current,
	double limit, double chance);

/* Standard deviation between occasions from the medians of those before, oldest first: by neighbours, so that changes in
 * between hardly matter. NAN: fewer than five. */
#define SP_GATE_OCCASIONS_LEAST 5u
double sp_gate_occasions(const double *medians, size_t count);

#endif
