/* Internal to the history: the database, below what the rest of this stage does with it. */
#ifndef SP_PROFILES_HISTORY_DB_H
#define SP_PROFILES_HISTORY_DB_H

#include <sqlite3.h>

#include "profiles/base/buffer.h"
#include "profiles/history/store.h"

#define SP_HISTORY_STATEMENTS 48

struct sp_history {
	sqlite3 *db;
	bool inside; /* of the caller's transaction */
	struct sp_history_statement {
		const char *sql; /* the caller's static text: found by its address */
		sqlite3_stmt *prepared;
	} statements[SP_HISTORY_STATEMENTS];
	size_t statement_count;
	char path[PATH_MAX];
	char error[SP_HISTORY_WHY];
};

/* Notes what went wrong, a line; returns err. */
int sp_history_fail(struct sp_history *store, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* An SQLite result as 0 or a negative errno, with the line of sp_history_error. */
int sp_history_check(struct sp_history *store, int result);

/* A statement ready to be stepped through, with values bound as `format` has them: i an int64_t, d a double (NAN: NULL), t a text
 * (NULL: ""), b and B bytes and their size_t (b of NULL: NULL); texts and bytes must live until it is reset. It is kept, and reset by the
 * next use: `sql` is a static text, and not in use further up. NULL after a failure. */
sqlite3_stmt *sp_history_bind(struct sp_history *store, const char *sql, const char *format, ...);

/* 1: a row; 0: the end, and it is reset; or a negative errno. */
int sp_history_step(struct sp_history *store, sqlite3_stmt *statement);

/* Both, of what gives no rows. */
int sp_history_exec(struct sp_history *store, const char *sql, const char *format, ...);

/* The number in the first column of the first row. 0, -ENOENT (no row; not noted), or a negative errno. */
int sp_history_get(struct sp_history *store, int64_t *number, const char *sql, const char *format, ...);

/* A transaction unless the caller has one; `end` commits it where err is 0, and returns what came of it. */
int sp_history_enter(struct sp_history *store);
int sp_history_leave(struct sp_history *store, int err);

/* Ids and hashes are bytes in the database. `hex` has 2 * bytes digits. false: it is none. */
bool sp_history_unhex(const char *hex, uint8_t *bytes, size_t count);
void sp_history_hex(const uint8_t *bytes, size_t count, char *hex);

/* The text of a column; "" where there is none. Lives until the statement goes on. */
static inline const char *sp_history_text(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? text : "";
}

/* The digits of a run's id; "" where it is none. */
static inline void sp_history_id(sqlite3_stmt *s, int column, char id[static SP_HISTORY_ID])
{
	*id = '\0';
	if (sqlite3_column_bytes(s, column) == (SP_HISTORY_ID - 1) / 2)
		sp_history_hex(sqlite3_column_blob(s, column), (SP_HISTORY_ID - 1) / 2, id);
}

/* blobs.c: puts a run's blob there, within the transaction that makes it the run's; sets its hash. */
int sp_history_blob_write(struct sp_history *store, struct sp_history_blob *blob);

/* Its row, made where missing; within a transaction. A blob without hash: 0. */
int sp_history_blob_row(struct sp_history *store, const struct sp_history_blob *blob, int64_t *row);

#endif
