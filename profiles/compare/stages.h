/* The stages of a comparison, in the order in which compare.c runs them. Private to profiles/compare. */
#ifndef SP_PROFILES_COMPARE_STAGES_H
#define SP_PROFILES_COMPARE_STAGES_H

#include "profiles/compare/compare.h"

/* check.c: warns of what makes the sides hard to compare, and sets same_runs. */
void sp_compare_check(struct sp_comparison *c);

/* totals.c: tests the totals. */
void sp_compare_totals(struct sp_comparison *c);

/* spans.c: compares what one span of each name costs; then, where spans were asked for, sets verdict, reasons and score by that.
 * effect: the growth that a pass excludes. */
void sp_compare_spans(struct sp_comparison *c);
void sp_compare_gate_spans(struct sp_comparison *c, double effect);

/* rows.c: one row for each function and heap site of either side, matched by name. This is all that learning a program's
 * noise needs, so sp_compare_rows_free frees what it made. */
void sp_compare_rows_load(struct sp_comparison *c);
void sp_compare_rows_free(struct sp_comparison *c);

/* numbered.c, then moved.c: match rows that have another name on each side. */
void sp_compare_numbered(struct sp_comparison *c);
void sp_compare_renames(struct sp_comparison *c);

/* significance.c: tests the rows; the totals must have been tested. */
void sp_compare_rows_test(struct sp_comparison *c);

/* moved.c: finds rows whose cost moved between functions, within one whose cost with all it calls stayed. */
void sp_compare_shifts(struct sp_comparison *c);

/* decide.c: the score, the verdict and its reasons. */
void sp_compare_decide(struct sp_comparison *c);

/* --- what several stages need --- */

void sp_sentences_add(struct sp_comparison *c, struct sp_sentences *lines, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The total that a row of this kind is a part of. */
enum sp_metric sp_row_metric(enum sp_row_kind kind);

/* Tells from its sums on which side the row is. */
void sp_row_set_presence(struct sp_row *row);

/* One value a run into values[]. */
void sp_row_values(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side, double *values);
double sp_row_mean(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side);
double sp_row_median(const struct sp_comparison *c, const struct sp_row *row, enum sp_side side);

/* How unlike two rows are as one function before and after, 0 to 1: by what it costs, and, where that is known, by what
 * calls it and what it calls. */
double sp_row_distance(const struct sp_comparison *c, const struct sp_row *old, const struct sp_row *new);

/* Makes `new` the row of both: it takes the old one's baseline and name. */
void sp_row_become(struct sp_row *new, const struct sp_row *old);

#endif
