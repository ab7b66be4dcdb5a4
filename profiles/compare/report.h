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

const char *sp_evidence_name(enum sp_evidence evidence);
void sp_compare_put_value(struct sp_buffer *out, enum sp_metric_unit unit, double value); /* may be negative */

/* Rows in that state, largest change first; *count of them. free() the result. */
const struct sp_row **sp_compare_pick(const struct sp_comparison *c, enum sp_row_state state, size_t *count);

#endif
