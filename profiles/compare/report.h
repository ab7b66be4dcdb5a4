/* A comparison, written: for people, for programs, for a code review. */
#ifndef SP_PROFILES_COMPARE_REPORT_H
#define SP_PROFILES_COMPARE_REPORT_H

#include "profiles/base/buffer.h"
#include "profiles/compare/compare.h"

void sp_compare_markdown(struct sp_buffer *out, const struct sp_comparison *c);
void sp_compare_text(struct sp_buffer *out, const struct sp_comparison *c);
void sp_compare_github(struct sp_buffer *out, const struct sp_comparison *c); /* workflow commands */
void sp_compare_json(struct sp_buffer *out, const struct sp_comparison *c);

/* --- parts of the reports --- */

/* What sp_compare_json writes (jansson's json_t), as a new reference. */
struct json_t *sp_compare_json_tree(const struct sp_comparison *comparison);

void sp_compare_verdict_text(struct sp_buffer *out, const struct sp_comparison *c); /* two sentences */
void sp_compare_score_text(struct sp_buffer *out, const struct sp_comparison *c);   /* one line */

/* What the side `more` waits more for than the other, most of all: "1.4 s ± 0.2, waiting for g_lock in put → pthread_mutex_lock (0.1 s,
 * then 1.5 s); its holder is mostly flush_log"; the names are the profile's, not clean. False: it does for nothing for sure, or by so
 * little. */
bool sp_compare_waits_put(const struct sp_comparison *c, enum sp_side more, double least_ns, struct sp_buffer *out);

const char *sp_evidence_name(enum sp_evidence evidence);
void sp_compare_put_value(struct sp_buffer *out, enum sp_metric_unit unit, double value); /* may be negative */

/* Rows in that state, largest change first; *count of them. free() the result. */
const struct sp_row **sp_compare_pick(const struct sp_comparison *c, enum sp_row_state state, size_t *count);

/* By how much of the total that it is a part of a row has grown; less than 0: shrunk; 0 of one that is gone or has only
 * moved. */
double sp_compare_row_growth(const struct sp_comparison *c, const struct sp_row *row);

/* Those for which `weight` is `least` or more, the weightiest first, at most `most` of them; how many. */
typedef double sp_row_weight_fn(const struct sp_comparison *c, const struct sp_row *row);
size_t sp_compare_weightiest(const struct sp_comparison *c, sp_row_weight_fn *weight, double least,
	const struct sp_row **rows, size_t most);

#endif
