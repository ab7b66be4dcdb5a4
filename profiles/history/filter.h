/* Internal to the history: a filter as SQL. */
#ifndef SP_PROFILES_HISTORY_FILTER_H
#define SP_PROFILES_HISTORY_FILTER_H

#include "profiles/base/buffer.h"
#include "profiles/history/db.h"

/* What a query of runs (r) reads besides: its series (s), the machine of that (m), and texts. Of hundred thousand runs, each that is
 * not needed costs a tenth of a second. */
enum {
	SP_HISTORY_JOIN_SERIES = 1,
	SP_HISTORY_JOIN_MACHINE = 2,
	SP_HISTORY_JOIN_COMMIT = 4,     /* tc */
	SP_HISTORY_JOIN_BRANCH = 8,     /* tb */
	SP_HISTORY_JOIN_BUILD_ID = 16,  /* ti */
	SP_HISTORY_JOIN_DIRECTORY = 32, /* td */
	SP_HISTORY_JOIN_COMMAND = 64,   /* tx */
	SP_HISTORY_JOINS = 7,
	SP_HISTORY_HAS_SERIES = 128 /* `from` has s and m already */
};

/* Prepares "SELECT `columns` FROM `from`", the joins and those that the filter needs, its conditions, and `end`. *statement is the
 * caller's to finalize. `columns`, `from` and `end` may have parameters from ?31 on, which the caller binds. */
#define SP_HISTORY_RUNS "run r"
int sp_history_prepare(struct sp_history *store, const char *columns, const char *from, unsigned joins,
	const struct sp_history_filter *filter, const char *end, sqlite3_stmt **statement);

#endif
