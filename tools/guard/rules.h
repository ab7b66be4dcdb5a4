/* When a guardian acts: pure functions of what was seen and when.
 *
 * A rule fires when all looks of a whole window were above its threshold. Then it is quiet until the value fell below 90 %
 * of the threshold, or grew by a quarter over what it fired at. Times are of one clock that never goes back; memory is in
 * bytes, CPU use in permille of the usable cores. */
#ifndef SP_TOOLS_GUARD_RULES_H
#define SP_TOOLS_GUARD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_guard_rule_id {
	SP_GUARD_WARNING,
	SP_GUARD_CRITICAL,
	SP_GUARD_PROFILING,
	SP_GUARD_CPU,
	SP_GUARD_RULES,
	SP_GUARD_RESPONSE = SP_GUARD_RULES, /* no rule of the guardian's: the agent says that spans were slow */
	SP_GUARD_NAMES
};
#define SP_GUARD_MEMORY_RULES SP_GUARD_CPU /* those before it */
extern const char *const sp_guard_rule_names[SP_GUARD_NAMES];

struct sp_guard_threshold {
	bool given;
	uint64_t megabytes;
	unsigned percent; /* of the target's limit, in place of megabytes; 0: no */
};

/* The threshold in bytes. What nobody asked for gives way to a small limit. */
uint64_t sp_guard_threshold_bytes(const struct sp_guard_threshold *wanted, enum sp_guard_rule_id id,
	uint64_t limit_bytes);

#define SP_GUARD_SEQUENCE_CAPTURES 5u
#define SP_GUARD_SEQUENCE_NS 3600000000000u /* a new sequence does not begin sooner */
#define SP_GUARD_UNKNOWN UINT64_MAX

struct sp_guard_rule {
	uint64_t threshold; /* 0: there is no such rule */
	uint64_t last;      /* what was last seen */
	uint64_t since_ns;  /* when that went to this side of the threshold; 0: it was never looked at */
	uint64_t above_ns;  /* since when all looks were above what it needs; 0: the last was not */
	uint64_t high;      /* what it last fired at; 0: it is armed */
	uint32_t fired, unconfirmed;
};

/* Captures are limited by sequence: from the first one until all rules of the kind are armed again, and an hour at the least. */
struct sp_guard_sequence {
	uint64_t began_ns; /* 0: none is going on */
	uint32_t captures, suppressed;
};

struct sp_guard_rules {
	struct sp_guard_rule rule[SP_GUARD_RULES];
	uint64_t window_ns, looked_ns; /* when it was last looked */
	struct sp_guard_sequence memory, cpu;
};

/* What the rule fires above now. */
uint64_t sp_guard_rule_needs(const struct sp_guard_rule *rule);

/* A look; after a long while without one windows begin anew. cpu: SP_GUARD_UNKNOWN where it is not known. Returns a bit (1 << id) for each rule that is to fire, if what
 * was seen is confirmed: to be told by sp_guard_rules_fired or _not. */
unsigned sp_guard_rules_look(struct sp_guard_rules *rules, uint64_t now_ns, uint64_t memory, uint64_t cpu);
void sp_guard_rules_fired(struct sp_guard_rules *rules, unsigned which, uint64_t memory, uint64_t cpu);
void sp_guard_rules_not(struct sp_guard_rules *rules, unsigned which);

/* A bit for each rule whose threshold the last look was above. */
unsigned sp_guard_above(const struct sp_guard_rules *rules);

/* Whether the rule, which has fired, may have a capture; it is counted then, or counted as suppressed. One that fires again keeps
 * room for rules that have not fired yet. */
bool sp_guard_may_capture(struct sp_guard_rules *rules, enum sp_guard_rule_id id, bool again, uint64_t now_ns);

/* Of the memory rules the one with the next threshold above `memory`; SP_GUARD_RULES: none. */
enum sp_guard_rule_id sp_guard_next_rule(const struct sp_guard_rules *rules, uint64_t memory);

/* How long not to look: memory cannot get to the next threshold in less. */
uint64_t sp_guard_pause_ns(const struct sp_guard_rules *rules, uint64_t memory);

/* --- where it leads */

struct sp_guard_point {
	uint64_t t_ns, memory, rss, cpu; /* cpu: as above */
};

/* Bytes a second, the median of the slopes between all pairs of points (Theil and Sen), and where 95 % of such medians
 * would be if the points did not depend on each other. false: too few points, or they are all of one moment. */
struct sp_guard_trend {
	double slope, low, high;
};
#define SP_GUARD_TREND_POINTS 64u
bool sp_guard_trend(struct sp_guard_trend *trend, const struct sp_guard_point *points, size_t count);

/* Seconds until memory is `threshold`; *later: INFINITY where the trend may as well be none. false: it is not growing. */
bool sp_guard_forecast(const struct sp_guard_trend *trend, uint64_t memory, uint64_t threshold, double *sooner,
	double *later);

/* A timeline of bounded size: when it is full, of two points the one with less memory goes, and points are twice as far apart. */
#define SP_GUARD_POINTS 240u
struct sp_guard_timeline {
	struct sp_guard_point points[SP_GUARD_POINTS];
	size_t count;
	uint64_t period_ns;
};
void sp_guard_timeline_add(struct sp_guard_timeline *timeline, const struct sp_guard_point *point);

#endif
