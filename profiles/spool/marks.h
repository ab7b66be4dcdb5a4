/* Marks: a spool as it was at a moment that the process has marked.
 *
 * The process itself only numbers the moment; what its sites held then, and what its stacks had used, is found here
 * from what it has written since (struct sp_marked, the log). So marks work as well after the process has died. */
#ifndef SP_PROFILES_SPOOL_MARKS_H
#define SP_PROFILES_SPOOL_MARKS_H

#include "profiles/spool/read.h"

/* Letters, digits and -_+, from 1 to `most` of them: what marks and snapshots are called by. */
bool sp_name_is_plain(const char *name, size_t most);

/* A mark's name among the others: "lap", and "lap.2" for the second one called so. */
#define SP_MARK_LABEL_BYTES (SP_MARK_NAME_BYTES + 8)
void sp_mark_label(const struct sp_snapshot *snapshot, const struct sp_mark *mark, char label[SP_MARK_LABEL_BYTES]);

/* The mark of that label, NULL when there is none. A name alone means the first one called so. */
const struct sp_mark *sp_mark_find(const struct sp_snapshot *snapshot, const char *label);

/* Makes a snapshot what it would have been at a mark of its own. The heap is that of the moment. Of threads less is
 * known: their allocations are scaled down in proportion, and their CPU time is what was sampled. */
void sp_mark_rewind(struct sp_snapshot *snapshot, const struct sp_mark *mark);

/* A copy of what a window is made of (window.h), to be rewound: it has neither text nor modules. */
void sp_snapshot_copy(struct sp_snapshot *to, const struct sp_snapshot *from);

#endif
