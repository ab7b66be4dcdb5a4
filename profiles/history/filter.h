/* Internal to the history: a filter as SQL. */
#ifndef SP_PROFILES_HISTORY_FILTER_H
#define SP_PROFILES_HISTORY_FILTER_H

#include "profiles/base/buffer.h"
#include "profiles/history/db.h"

/* What a query of runs reads from: the tables' short names are r (run), s (series), m (machine), tc, tb, ti, td, tx (texts: of the
 * commit, branch, build-id, directory, command). */
#define SP_HISTORY_FROM \
	" FROM run r JOIN series s ON s.id=r.series JOIN machine m ON m.id=s.machine JOIN text tc ON " \
	"tc.id=r.commit_id" \
	" JOIN text tb ON tb.id=r.branch JOIN text ti ON ti.id=r.build_id JOIN text td ON td.id=r.directory" \
	" JOIN text tx ON tx.id=r.command"

/* Prepares `select`, its FROM included, with the filter's WHERE behind it, then `end`. *statement is the caller's to finalize. `select` and
 * `end` may have parameters from ?31 on, which the caller binds. */
int sp_history_prepare(struct sp_history *store, const char *select, const struct sp_history_filter *filter,
	const char *end, sqlite3_stmt **statement);

#endif
