/* A check: what commands take now, beside a baseline and limits. docs/CHECK.md tells what the answers mean. */
#ifndef SP_PROFILES_GATE_CHECK_H
#define SP_PROFILES_GATE_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/compare/compare.h"
#include "profiles/gate/config.h"
#include "profiles/gate/judge.h"

/* What is said of a figure; from SP_FIGURE_WORSE on it fails. */
enum sp_figure_state {
	SP_FIGURE_ALONE, /* no baseline, no limit */
	SP_FIGURE_FINE,
	SP_FIGURE_BETTER,
	SP_FIGURE_UNSURE,    /* more runs would tell */
	SP_FIGURE_DISTURBED, /* threads waited for CPUs: time says nothing */
	SP_FIGURE_NOISE,     /* it looked worse, and did not when it was measured again */
	SP_FIGURE_NOT_CODE,  /* worse, and the code did not change */
	SP_FIGURE_WORSE,
	SP_FIGURE_ABOVE, /* a limit */
	SP_FIGURE_STATES
};
extern const char *const sp_figure_words[SP_FIGURE_STATES]; /* "worse", "not sure", … */

struct sp_check_figure {
	char *name; /* "cpu", "p99 request" */
	enum sp_gate_metric metric;
	struct sp_gate_values current, baseline;
	struct sp_gate_values trend; /* medians of occasions before, oldest first */
	double allowed;              /* growth; negative: any */
	double limit;                /* 0: none */
	bool alarmed;                /* by the first batch of runs alone */
	struct sp_gate_judgement judgement, against_limit;
	enum sp_figure_state state;
};

struct sp_check_command {
	const struct sp_gate_command *config;
	const json_t *baseline; /* its part of it; NULL: it has none */
	size_t runs, failed;
	char *failure; /* how the first failed; NULL: none did */
	bool too_many_failed;
	double waited[2];  /* for CPUs, of the time: current; baseline (negative: unknown) */
	enum sp_code code; /* whether it is that of the baseline */
	char *code_text;   /* why that is known, a sentence; NULL: nothing to say */
	char *cause;       /* what grew, by functions: a sentence; NULL: nothing is known */
	char *decided;     /* what pairs of runs said, sentences; NULL: there were none */
	struct sp_check_figure *figures;
	size_t figure_count, figure_capacity;
	double score;
};

enum sp_check_verdict { SP_CHECK_PASS, SP_CHECK_UNSURE, SP_CHECK_FAIL };

struct sp_check {
	const struct sp_gate_config *config;
	json_t *baseline;    /* NULL: none */
	char *baseline_text; /* what was taken and why, or why none: a sentence */
	struct sp_check_command *commands;
	size_t command_count;
	char *commit, *branch, *machine; /* of now; "" unknown */
	uint64_t started_ns;
	const char *mode;
	size_t alarms, persisted; /* figures that looked worse; those of them that did again */
	bool repeated;            /* alarms were measured again */

	enum sp_check_verdict verdict;
	double score;
	enum sp_grade grade;
};

/* The figure, a new one where it is missing. */
struct sp_check_figure *sp_check_figure(struct sp_check_command *command, const char *name, enum sp_gate_metric metric);

/* Judges all figures by the values they have. `first`: it is the first batch, whose alarms are noted to be looked at again. Then
 * sets states, verdict, score and grade. May be called again when there are more values. */
void sp_check_judge(struct sp_check *check, bool first);

/* Verdict, score and grade of the states that the figures have. */
void sp_check_sum_up(struct sp_check *check);

/* Whether a figure looks worse than allowed, surely or not: worth another look. */
bool sp_check_is_suspect(const struct sp_check_figure *figure);

/* The part of the time that threads waited for CPUs, on the busier side; 0 where that is little. */
double sp_check_busy(const struct sp_check_command *command);

/* Whether no run went well, so that nothing is known, even where failures are allowed. */
bool sp_check_all_failed(const struct sp_check_command *command);

/* Whether one of its figures does, or is above its limit: its code and causes are worth telling. */
bool sp_check_has_suspects(const struct sp_check_command *command);

/* Exit statuses are those of comparisons (profiles/compare/compare.h). */
int sp_check_status(const struct sp_check *check, bool strict);
void sp_check_free(struct sp_check *check);

/* --- reports */

void sp_check_markdown(struct sp_buffer *out, const struct sp_check *check);
void sp_check_text(struct sp_buffer *out, const struct sp_check *check);
void sp_check_json(struct sp_buffer *out, const struct sp_check *check);
void sp_check_junit(struct sp_buffer *out, const struct sp_check *check);
void sp_check_github(struct sp_buffer *out, const struct sp_check *check);      /* workflow commands */
void sp_check_openmetrics(struct sp_buffer *out, const struct sp_check *check); /* for GitLab */

/* Parts of them: "Pass: 3 commands, 12 figures; …". */
void sp_check_put_summary(struct sp_buffer *out, const struct sp_check *check);

/* How many figures have a state in that range. */
size_t sp_check_count(const struct sp_check *check, enum sp_figure_state from, enum sp_figure_state to);

void sp_check_put_value(struct sp_buffer *out, enum sp_gate_metric metric, double value);
/* "CPU time grew by 31 % (26 to 36), 20 % are allowed". Of a figure that has nothing to say: nothing. */
void sp_check_put_finding(struct sp_buffer *out, const struct sp_check_command *command,
	const struct sp_check_figure *figure);
void sp_check_put_figure_name(struct sp_buffer *out, const struct sp_check_figure *figure);

#endif
