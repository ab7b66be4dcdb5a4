/* The history's database: statements, transactions, failures. */
#include "profiles/history/db.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

int sp_history_fail(struct sp_history *store, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(store->error, sizeof(store->error), format, args);
	va_end(args);
	return err;
}

static int error_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* other tables than ours */
	case SQLITE_CONSTRAINT:
		return -EBADMSG;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

static const char *advice(int err)
{
	switch (err) {
	case -EBUSY:
		return "another process has been writing to it for too long: try again";
	case -EBADMSG:
		return "it is damaged: move it away, and restore it with `smartprof history import`, or begin a new "
		       "one";
	case -EROFS:
	case -EACCES:
		return "it cannot be written: check its owner and the directory's, or name another with "
		       "SMARTPROF_HISTORY";
	case -ENOSPC:
		return "make room, e.g. with `smartprof history clean`";
	default:
		return "check the disk, or name another with SMARTPROF_HISTORY";
	}
}

int sp_history_check(struct sp_history *store, int result)
{
	int err;

	if (result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE)
		return 0;
	err = error_of(result);
	return sp_history_fail(store, err, "the history %s: %s; %s", store->path,
		err == -EBADMSG || err == -EIO ? sqlite3_errmsg(store->db) : sqlite3_errstr(result), advice(err));
}

const char *sp_history_error(const struct sp_history *store)
{
	return store->error;
}

const char *sp_history_path(const struct sp_history *store)
{
	return store->path;
}

/* --- statements */

static sqlite3_stmt *find_statement(struct sp_history *store, const char *sql)
{
	struct sp_history_statement *s = store->statements;

	for (size_t i = 0; i < store->statement_count; i++) {
		if (s[i].sql != sql)
			continue;
		sqlite3_reset(s[i].prepared);
		return s[i].prepared;
	}
	if (store->statement_count == SP_HISTORY_STATEMENTS) {
		sqlite3_finalize(s[0].prepared);
		memmove(s, s + 1, --store->statement_count * sizeof(*s));
	}
	s += store->statement_count;
	if (sp_history_check(store,
		    sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->prepared, NULL)))
		return NULL;
	s->sql = sql;
	store->statement_count++;
	return s->prepared;
}

static int bind_one(sqlite3_stmt *statement, int at, char kind, va_list *args)
{
	const char *text;
	const void *bytes;
	double value;

	switch (kind) {
	case 'i':
		return sqlite3_bind_int64(statement, at, va_arg(*args, int64_t));
	case 'd':
		value = va_arg(*args, double);
		return isnan(value) ? sqlite3_bind_null(statement, at) : sqlite3_bind_double(statement, at, value);
	case 't':
		text = va_arg(*args, const char *);
		return sqlite3_bind_text(statement, at, text ? text : "", -1, SQLITE_STATIC);
	default:
		bytes = va_arg(*args, const void *);
		return sqlite3_bind_blob64(statement, at, bytes, va_arg(*args, size_t), SQLITE_STATIC);
	}
}

static sqlite3_stmt *bind_list(struct sp_history *store, const char *sql, const char *format, va_list args)
{
	sqlite3_stmt *statement = find_statement(store, sql);
	va_list left;
	int rc = SQLITE_OK;

	if (!statement)
		return NULL;
	va_copy(left, args);
	for (int i = 0; format[i] && rc == SQLITE_OK; i++)
		rc = bind_one(statement, i + 1, format[i], &left);
	va_end(left);
	return sp_history_check(store, rc) ? NULL : statement;
}

sqlite3_stmt *sp_history_bind(struct sp_history *store, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;

	va_start(args, format);
	statement = bind_list(store, sql, format, args);
	va_end(args);
	return statement;
}

int sp_history_step(struct sp_history *store, sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement), err = sp_history_check(store, rc);

	if (rc == SQLITE_ROW)
		return 1;
	sqlite3_reset(statement);
	return err;
}

int sp_history_exec(struct sp_history *store, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;
	int err;

	va_start(args, format);
	statement = bind_list(store, sql, format, args);
	va_end(args);
	err = statement ? sp_history_step(store, statement) : -EBADMSG;
	if (err > 0)
		sqlite3_reset(statement);
	return err < 0 ? err : 0;
}

int sp_history_get(struct sp_history *store, int64_t *number, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;
	int got;

	va_start(args, format);
	statement = bind_list(store, sql, format, args);
	va_end(args);
	got = statement ? sp_history_step(store, statement) : -EBADMSG;
	if (got <= 0)
		return got < 0 ? got : -ENOENT;
	*number = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return 0;
}

/* --- transactions */

int sp_history_begin(struct sp_history *store)
{
	int err = sp_history_check(store, sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL));

	store->inside = !err;
	return err;
}

int sp_history_commit(struct sp_history *store)
{
	int err = sp_history_check(store, sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL));

	if (err)
		sp_history_rollback(store);
	store->inside = false;
	return err;
}

void sp_history_rollback(struct sp_history *store)
{
	if (!sqlite3_get_autocommit(store->db)) /* some failures end it by themselves */
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->inside = false;
}

/* Within the caller's transaction a savepoint: what fails is undone, and the rest is the caller's to keep or not. */
int sp_history_enter(struct sp_history *store)
{
	const char *sql = store->inside ? "SAVEPOINT one" : "BEGIN IMMEDIATE";

	return sp_history_check(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

int sp_history_leave(struct sp_history *store, int err)
{
	const char *end = store->inside ? "RELEASE one" : "COMMIT",
		   *undo = store->inside ? "ROLLBACK TO one" : "ROLLBACK";

	if (!err)
		err = sp_history_check(store, sqlite3_exec(store->db, end, NULL, NULL, NULL));
	if (!err || sqlite3_get_autocommit(store->db))
		return err;
	sqlite3_exec(store->db, undo, NULL, NULL, NULL);
	if (store->inside)
		sqlite3_exec(store->db, end, NULL, NULL, NULL);
	return err;
}

/* --- bytes */

bool sp_history_unhex(const char *hex, uint8_t *bytes, size_t count)
{
	if (strlen(hex) != 2 * count)
		return false;
	for (size_t i = 0; i < 2 * count; i++) {
		const char *digit = strchr(hex_digits, hex[i]);

		if (!digit)
			return false;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - hex_digits));
	}
	return true;
}

void sp_history_hex(const uint8_t *bytes, size_t count, char *hex)
{
	for (size_t i = 0; i < count; i++) {
		hex[2 * i] = hex_digits[bytes[i] >> 4];
		hex[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
	hex[2 * count] = '\0';
}
