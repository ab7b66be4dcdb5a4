/* Comparing two sets of profiles of a program: does anything cost more than before, how sure is that, and where?
 * docs/COMPARE.md tells what the results mean; this header, how they are computed.
 *
 * Totals decide, functions and heap sites locate. A side's runs are independent values, one per profile;
 * samples only count where there are too few runs. Everything is compared on the scale it was measured on:
 * seconds and bytes, never shares. */
#ifndef SP_PROFILES_COMPARE_H
#define SP_PROFILES_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

#define SP_COMPARE_ALPHA 0.01     /* chance of any false verdict over the totals, both directions together */
#define SP_COMPARE_LISTED 0.05    /* expected share of false ones among the functions listed */
#define SP_COMPARE_LEAST 0.01     /* a total's change below this is none; so is a row's, of its total */
#define SP_COMPARE_LEAST_ROW 0.05 /* and of the row itself */
#define SP_COMPARE_SHARE 0.01     /* rows with less of the pooled cost are not tested */
#define SP_COMPARE_EFFECT 0.10    /* growth a verdict of "nothing worse" excludes, unless told otherwise */
#define SP_COMPARE_LEAST_NS 10e6  /* differences due to the kernel's clock and to how the program was loaded */
#define SP_COMPARE_LEAST_BYTES 65536.0

enum sp_side { SP_BASELINE, SP_CURRENT, SP_SIDES };

/* The first SP_GATING decide; values are nanoseconds, bytes, or a number. */
enum sp_metric {
	SP_METRIC_CPU,
	SP_METRIC_PEAK,
	SP_METRIC_ALLOCATED,
	SP_METRIC_WALL,
	SP_GATING,
	SP_METRIC_INUSE = SP_GATING,
	SP_METRIC_ALLOCATIONS,
	SP_WAITING, /* a family of their own */
	SP_METRIC_BLOCKED = SP_WAITING,
	SP_METRIC_QUEUE,
	SP_METRICS
};
enum sp_metric_unit { SP_UNIT_NS, SP_UNIT_BYTES, SP_UNIT_NUMBER };

struct sp_metric_info {
	const char *name, *key; /* for people; for programs, and in a noise file */
	enum sp_metric_unit unit;
	double floor; /* run-to-run standard deviation of the logarithm, assumed where it was never measured */
	double least; /* smaller differences are none, smaller values all the same */
	/* Its part of SP_COMPARE_ALPHA: as much as lets CPU time pass a rank test of 6 against 6 at the second strongest
	 * result (p = .0043), the heap's totals at the strongest (.0022), wall time at that of 7 against 7. */
	double part;
};
extern const struct sp_metric_info sp_metric_info[SP_METRICS];

struct sp_noise; /* profiles/compare/noise.h */

enum sp_evidence {
	SP_EVIDENCE_NONE,
	SP_EVIDENCE_CANDIDATE, /* beyond the noise floor, or in the listing's tests only */
	SP_EVIDENCE_CONFIRMED, /* by the runs themselves */
};

/* A change of a total; ratios are current over baseline. */
struct sp_total {
	bool compared;
	const char *why_not;      /* phrase, when not compared */
	double baseline, current; /* medians */
	double ratio, low, high;  /* Hodges–Lehmann on logarithms, at the level of this test in Holm's order */
	double p, corrected_p;
	double spread; /* of single runs' logarithms: measured here, learned, or assumed */
	bool exact;    /* rank test; else against the noise floor */
	bool same;     /* every run of both sides gave the same value */
	enum sp_evidence evidence;
	double factor; /* confirmed slow-down: low if there is evidence of growth, else 1 */
	double weight;
	size_t runs_needed; /* a side, to tell the gate's effect from none */
};

enum sp_row_kind { SP_ROW_CPU, SP_ROW_PEAK, SP_ROW_ALLOCATED, SP_ROW_INUSE, SP_ROW_KINDS };
enum sp_row_state { SP_ROW_STEADY, SP_ROW_REGRESSION, SP_ROW_IMPROVEMENT, SP_ROW_SHIFT };
enum sp_row_presence { SP_ROW_BOTH, SP_ROW_APPEARED, SP_ROW_DISAPPEARED, SP_ROW_RENAMED };

/* Whether machine code is the same on both sides, by build-ids or by hashes of functions. */
enum sp_code { SP_CODE_UNKNOWN, SP_CODE_SAME, SP_CODE_CHANGED };

/* A function (self time) or heap site. Cost in nanoseconds or bytes. */
struct sp_row {
	enum sp_row_kind kind;
	enum sp_row_state state;
	enum sp_row_presence presence;
	enum sp_evidence evidence;
	const char *function, *module; /* normalized */
	const char *old_function;      /* SP_ROW_RENAMED: the baseline's name */
	const char *within; /* SP_ROW_SHIFT: the function whose cost with all it calls stayed; NULL unknown */
	uint32_t node;      /* its number in the call graph */
	const char *file;   /* NULL unknown */
	unsigned line;
	uint32_t costs[SP_SIDES];  /* 1 + the index of its last cost, 0 none */
	double sum[SP_SIDES];      /* of them */
	double variance[SP_SIDES]; /* of sampling, summed over runs */
	double total[SP_SIDES];    /* CPU rows: what it called included, mean over runs */
	double baseline, current;  /* medians */
	double share[SP_SIDES];    /* of the side's total */
	double change, low, high;  /* difference; 95 % interval */
	double p, q, holm;         /* of the test; Benjamini–Hochberg; Holm. 1 when not tested */
	bool tested, gone;         /* gone: merged into another row */
	enum sp_code code;         /* CPU rows that are tested: of the function and all that it was seen to call */
};

struct sp_compare_node {
	const char *function, *module; /* normalized */
};

/* What a row cost in one run. Most functions are in few of many runs: what is not there is none. */
struct sp_row_cost {
	uint32_t run, next; /* next: as in struct sp_row */
	double value;
};

enum sp_span_metric { SP_SPAN_CPU, SP_SPAN_WALL, SP_SPAN_BYTES, SP_SPAN_METRICS };

/* What one span of a name costs; ratios are current over baseline. */
struct sp_span_change {
	bool tested, exact;    /* every run has such a span; by ranks, else against the noise floor */
	double each[SP_SIDES]; /* medians over runs of the mean of one; ns or bytes */
	double ratio, low, high, p;
	enum sp_evidence evidence;
};
struct sp_compared_span {
	const char *name; /* "request › parse" */
	bool asked;
	double count[SP_SIDES], p99[SP_SIDES]; /* means over runs */
	struct sp_span_change changes[SP_SPAN_METRICS];
	const char *function; /* that costs most more in it; NULL: nothing is sure to */
	double function_each[SP_SIDES];
};

enum sp_grade { SP_GRADE_A, SP_GRADE_B, SP_GRADE_C, SP_GRADE_D, SP_GRADE_F };

/* NAN where not asked for. Percentages as fractions; limits in the metric's unit. */
struct sp_gate {
	double fail_below, fail_on_regression;
	double most[SP_GATING];
	bool strict;
};

enum sp_verdict { SP_VERDICT_PASS, SP_VERDICT_REGRESSION, SP_VERDICT_UNKNOWN };

/* Exit statuses of a comparison that was made. */
enum { SP_STATUS_PASS = 0, SP_STATUS_REGRESSION = 1, SP_STATUS_NO_EVIDENCE = 3 };

struct sp_comparison_input {
	struct sp_profile **profiles[SP_SIDES];
	const char **names[SP_SIDES]; /* of the files */
	size_t count[SP_SIDES];       /* 1 or more */
	const struct sp_noise *noise; /* NULL: none learned */
	const char *sources;          /* directory of the sources, for annotations; NULL unknown */
	double weights[SP_GATING];
	const char *span; /* glob: what one of such spans costs decides, not the totals; NULL: none */
	struct sp_gate gate;
};

struct sp_sentences {
	const char **items;
	size_t count, capacity;
};

struct sp_comparison {
	const struct sp_comparison_input *input;
	struct sp_pool pool;
	const char *program;
	struct sp_total totals[SP_METRICS];
	struct sp_row *rows;
	size_t row_count, row_capacity;
	struct sp_row_cost *costs;
	size_t cost_count, cost_capacity;
	struct sp_compared_span *spans; /* of the first baseline run, whose they are */
	size_t span_count, span_capacity;
	struct sp_calls *calls;
	struct sp_compare_node *nodes; /* the functions of all runs, by number */
	size_t node_capacity;
	uint32_t *family; /* of a node: the first of those that only numbers in their names tell apart */
	double row_totals[SP_ROW_KINDS][SP_SIDES]; /* medians of what the rows are shares of */
	double score, worst_score;                 /* worst: were every total at the upper end of its interval */
	enum sp_grade grade;                       /* of the score; a regression's is B at the best */
	enum sp_verdict verdict;
	bool same_runs;             /* the sides are of the same runs */
	bool same_build;            /* all runs are of executables with one build-id */
	enum sp_code code;          /* of every function that was sampled, libraries' too */
	struct sp_node_code *codes; /* profiles/compare/code.h; by number */
	size_t code_count, code_capacity;
	struct sp_build_there *builds; /* likewise */
	size_t build_count, build_capacity;
	struct sp_sentences reasons;  /* of the verdict, with what would be enough */
	struct sp_sentences warnings; /* comparability */
	struct sp_sentences not_compared;
};

/* The input, with its profiles, must outlive the comparison. */
struct sp_comparison *sp_compare(const struct sp_comparison_input *input);
void sp_comparison_free(struct sp_comparison *c);

/* By the verdict, and by whether the gate is strict. */
int sp_compare_status(const struct sp_comparison *c);

/* 100 / r, where r is the geometric mean of the factors (1 or more) with their weights; negative factors are left
 * out. 100 when no weight is left. */
double sp_compare_score(const double *factors, const double *weights, size_t count);
enum sp_grade sp_compare_grade(double score);

/* The value of a profile, or a negative number when it has none. */
double sp_metric_value(const struct sp_profile *profile, enum sp_metric metric);

#endif
