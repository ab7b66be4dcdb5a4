/* The cache's database: opening, limits, and what `smartprof cache` does. */
#include "symbolize/cache/db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "symbolize/base/memory.h"
#include "symbolize/cache/chunk.h"
#include "symbolize/disk/deps.h"

/* The version of the tables; those of another version are dropped. */
#define SCHEMA_VERSION 1
#define DAY_S 86400

/* No fsync: a power failure may damage the cache, but the damage is found. */
static const char settings[] = "PRAGMA synchronous=OFF;";

/* Settings that the file remembers, for a new file. A chunk of answers takes some 10 to 100 KB. */
static const char file_settings[] = "PRAGMA page_size=16384; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;";

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"DROP TABLE IF EXISTS chunks; DROP TABLE IF EXISTS modules;"
	"CREATE TABLE modules(id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, source INTEGER NOT NULL,"
	" deps BLOB NOT NULL, used INTEGER NOT NULL);"
	"CREATE TABLE chunks(id INTEGER PRIMARY KEY, module INTEGER NOT NULL, number INTEGER NOT NULL,"
	" answers BLOB NOT NULL, UNIQUE(module, number));"
	"PRAGMA user_version=1; COMMIT;";

int sp_cache_error(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* other tables than ours */
		return -EBADMSG;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

/* Root makes no directory in a user's place, such as a HOME that sudo left as it was: the user could not use it. */
static int make_in(const char *parent, const char *directory)
{
	struct stat status;

	if (!lstat(directory, &status))
		return 0;
	if (stat(parent, &status))
		return -errno;
	if (status.st_uid != geteuid() && status.st_uid != 0 && !(status.st_mode & S_IWOTH))
		return -EPERM;
	return mkdir(directory, 0700) && errno != EEXIST ? -errno : 0;
}

/* Makes the directory of the path, and those above it; it must be ours alone. */
static int make_directory(const char *path)
{
	char directory[PATH_MAX], parent[PATH_MAX] = "/";
	struct stat status;
	int err;

	if (snprintf(directory, sizeof(directory), "%s", path) >= (int)sizeof(directory))
		return -ENAMETOOLONG;
	for (char *slash = strchr(directory + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		err = make_in(parent, directory);
		if (err)
			return err;
		memcpy(parent, directory, strlen(directory) + 1);
		if (!strchr(slash + 1, '/'))
			break;
		*slash = '/';
	}
	if (lstat(directory, &status))
		return -errno;
	return S_ISDIR(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 022) ? 0 : -EPERM;
}

/* A write beyond the limit on files would be a signal that ends us. */
static bool may_write(void)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur >= 8 * SP_CACHE_BYTES;
}

static int user_version(sqlite3 *db, int *version)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int sp_cache_db_open(sqlite3 **db, const char *path, bool create)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
	int version = 0, rc;

	*db = NULL;
	if (create) {
		rc = may_write() ? make_directory(path) : -EFBIG;
		if (rc)
			return rc;
	} else if (access(path, F_OK)) {
		return -errno;
	}
	rc = sqlite3_open_v2(path, db, create ? flags | SQLITE_OPEN_CREATE : flags, NULL);
	if (rc == SQLITE_OK)
		sqlite3_busy_timeout(*db, SP_CACHE_BUSY_MS);
	if (rc == SQLITE_OK && sqlite3_db_readonly(*db, "main"))
		rc = SQLITE_READONLY;
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(*db, settings, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = user_version(*db, &version);
	if (rc == SQLITE_OK && version != SCHEMA_VERSION)
		rc = sqlite3_exec(*db, file_settings, NULL, NULL, NULL);
	if (rc == SQLITE_OK && version != SCHEMA_VERSION)
		rc = sqlite3_exec(*db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return 0;
	sqlite3_close(*db);
	*db = NULL;
	return sp_cache_error(rc);
}

/* Runs a statement with one number in it. */
static int run(sqlite3 *db, const char *sql, int64_t number)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(statement, 1, number);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int get_number(sqlite3 *db, const char *sql, uint64_t *number)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*number = (uint64_t)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Bytes of the pages that hold something. */
static int used_bytes(sqlite3 *db, uint64_t *bytes)
{
	uint64_t pages = 0, free_pages = 0, page = 0;
	int rc = get_number(db, "PRAGMA page_count", &pages);

	if (rc == SQLITE_OK)
		rc = get_number(db, "PRAGMA freelist_count", &free_pages);
	if (rc == SQLITE_OK)
		rc = get_number(db, "PRAGMA page_size", &page);
	*bytes = (pages - free_pages) * page;
	return rc;
}

static int drop_module(sqlite3 *db, int64_t id)
{
	int rc = run(db, "DELETE FROM chunks WHERE module=?1", id);

	return rc == SQLITE_OK ? run(db, "DELETE FROM modules WHERE id=?1", id) : rc;
}

int sp_cache_db_trim(sqlite3 *db, uint64_t bytes, unsigned days)
{
	int64_t oldest = (int64_t)time(NULL) - (int64_t)days * DAY_S;
	uint64_t used = 0, id = 0;
	int rc = run(db, "DELETE FROM chunks WHERE module IN (SELECT id FROM modules WHERE used < ?1)", oldest);

	if (rc == SQLITE_OK)
		rc = run(db, "DELETE FROM modules WHERE used < ?1", oldest);
	while (rc == SQLITE_OK && (rc = used_bytes(db, &used)) == SQLITE_OK && used > bytes) {
		rc = get_number(db, "SELECT id FROM modules ORDER BY used, id LIMIT 1", &id);
		if (rc == SQLITE_DONE)
			return SQLITE_OK; /* what is left is the empty tables */
		if (rc == SQLITE_OK)
			rc = drop_module(db, (int64_t)id);
	}
	return rc;
}

static int count_chunks(sqlite3 *db, struct sp_cache_stats *stats)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, "SELECT answers FROM chunks", -1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		struct sp_chunk chunk;
		size_t bytes;
		void *copy;

		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		bytes = (size_t)sqlite3_column_bytes(statement, 0);
		copy = sp_alloc_bytes(bytes);
		if (bytes)
			memcpy(copy, sqlite3_column_blob(statement, 0), bytes);
		stats->chunks++;
		if (sp_chunk_open(&chunk, copy, bytes))
			stats->damaged++;
		else
			stats->answers += sp_chunk_count(&chunk);
		free(copy);
	}
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int count_modules(sqlite3 *db, struct sp_cache_stats *stats)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, "SELECT deps, used FROM modules ORDER BY used", -1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		uint64_t used;

		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		used = (uint64_t)sqlite3_column_int64(statement, 1);
		stats->oldest_use_s = stats->modules++ ? stats->oldest_use_s : used;
		stats->last_use_s = used;
		stats->stale +=
			!sp_deps_hold(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
	}
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int check_integrity(sqlite3 *db)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	const char *text;

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(statement);
	text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	rc = rc != SQLITE_ROW ? rc : text && !strcmp(text, "ok") ? SQLITE_OK : SQLITE_CORRUPT;
	sqlite3_finalize(statement);
	return rc;
}

int sp_cache_stats(const char *path, struct sp_cache_stats *stats)
{
	sqlite3 *db;
	int rc = sp_cache_db_open(&db, path, false);

	*stats = (struct sp_cache_stats){0};
	if (rc)
		return rc;
	rc = check_integrity(db);
	if (rc == SQLITE_OK)
		rc = used_bytes(db, &stats->bytes);
	if (rc == SQLITE_OK)
		rc = count_modules(db, stats);
	if (rc == SQLITE_OK)
		rc = count_chunks(db, stats);
	sqlite3_close(db);
	return sp_cache_error(rc);
}

int sp_cache_trim(const char *path, uint64_t bytes, unsigned days)
{
	sqlite3 *db;
	int rc = sp_cache_db_open(&db, path, false);

	if (rc)
		return rc;
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sp_cache_db_trim(db, bytes, days);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT; PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);", NULL, NULL,
			NULL);
	sqlite3_close(db);
	return sp_cache_error(rc);
}

int sp_cache_clear(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char file[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
		if (unlink(file) && (errno != ENOENT || !i))
			rc = -errno;
	}
	return rc;
}
