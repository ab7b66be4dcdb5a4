/* The cache as a render uses it: see cache.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "symbolize/base/memory.h"
#include "symbolize/cache/db.h"
#include "symbolize/disk/deps.h"

/* A module's last use is written at most this often: a render that finds everything should not have to write. */
#define TOUCH_EVERY_S 86400

enum query { FIND, TOUCH, ADD, RENEW, DROP_CHUNKS, READ, WRITE, QUERIES };

static const char *const texts[QUERIES] = {
	[FIND] = "SELECT id, source, deps, used FROM modules WHERE key=?1",
	[TOUCH] = "UPDATE modules SET used=?2 WHERE id=?1",
	[ADD] = "INSERT INTO modules(key, source, deps, used) VALUES(?1, ?2, ?3, ?4)",
	[RENEW] = "UPDATE modules SET source=?2, deps=?3, used=?4 WHERE id=?1",
	[DROP_CHUNKS] = "DELETE FROM chunks WHERE module=?1",
	[READ] = "SELECT answers FROM chunks WHERE module=?1 AND number=?2",
	[WRITE] = "INSERT OR REPLACE INTO chunks(module, number, answers) VALUES(?1, ?2, ?3)",
};

struct sp_cache {
	sqlite3 *db;
	sqlite3_stmt *statements[QUERIES];
	void (*warn)(const char *text);
	char path[512];
	bool off;    /* not to be used any more by this render */
	bool failed; /* the transaction is to be undone */
	bool damaged;
};

static void tell(void (*warn)(const char *text), const char *path, int error)
{
	char text[768];

	if (!warn || error == -EBUSY || error == -EBADMSG)
		return;
	snprintf(text, sizeof(text), "the cache of symbols %s: %s; it is not used: try `smartprof cache clear`", path,
		strerror(-error));
	warn(text);
}

/* After any failure this render does without the cache: at another lock it would wait again. */
static int check(struct sp_cache *cache, int result)
{
	int error = sp_cache_error(result);

	if (error && !cache->off)
		tell(cache->warn, cache->path, error);
	cache->damaged |= error == -EBADMSG;
	cache->off |= error != 0;
	cache->failed |= error != 0;
	return error;
}

struct sp_cache *sp_cache_open(const char *path, void (*warn)(const char *text))
{
	struct sp_cache *cache = sp_alloc(1, sizeof(*cache));
	int rc;

	cache->warn = warn;
	snprintf(cache->path, sizeof(cache->path), "%s", path);
	rc = sp_cache_db_open(&cache->db, path, true);
	if (rc == -EBADMSG && !sp_cache_clear(path))
		rc = sp_cache_db_open(&cache->db, path, true);
	if (!rc)
		return cache;
	tell(warn, path, rc);
	free(cache);
	return NULL;
}

void sp_cache_close(struct sp_cache *cache)
{
	if (!cache)
		return;
	for (int i = 0; i < QUERIES; i++)
		sqlite3_finalize(cache->statements[i]);
	sqlite3_close(cache->db);
	if (cache->damaged) /* the next render makes a new one */
		sp_cache_clear(cache->path);
	free(cache);
}

/* The statement, ready for its values; NULL when the cache is off. */
static sqlite3_stmt *statement(struct sp_cache *cache, enum query query)
{
	sqlite3_stmt **s = &cache->statements[query];

	if (cache->off)
		return NULL;
	if (!*s && check(cache, sqlite3_prepare_v3(cache->db, texts[query], -1, SQLITE_PREPARE_PERSISTENT, s, NULL)))
		return NULL;
	sqlite3_reset(*s);
	return *s;
}

/* Runs a statement that gives no rows. */
static int run(struct sp_cache *cache, sqlite3_stmt *s)
{
	int rc = s ? check(cache, sqlite3_step(s)) : -EIO;

	if (s)
		sqlite3_reset(s);
	return rc;
}

static void touch(struct sp_cache *cache, int64_t row, int64_t used_s)
{
	int64_t now_s = (int64_t)time(NULL);
	sqlite3_stmt *s;

	if (now_s - used_s < TOUCH_EVERY_S)
		return;
	s = statement(cache, TOUCH);
	if (!s)
		return;
	sqlite3_bind_int64(s, 1, row);
	sqlite3_bind_int64(s, 2, now_s);
	run(cache, s);
}

/* A module that has been stored. */
struct found {
	int64_t row; /* 0: none */
	int source;
	int64_t used_s;
	bool holds; /* what it rests on is as it was */
};

/* Looks the key up; where it holds, *deps takes over what it rests on. */
static struct found find_module(struct sp_cache *cache, const void *key, size_t key_bytes, struct sp_deps *deps)
{
	sqlite3_stmt *s = statement(cache, FIND);
	struct found found = {0};
	int rc;

	if (!s)
		return found;
	sqlite3_bind_blob64(s, 1, key, key_bytes, SQLITE_STATIC);
	rc = sqlite3_step(s);
	check(cache, rc);
	if (rc == SQLITE_ROW) {
		const uint8_t *bytes = sqlite3_column_blob(s, 2);
		size_t count = (size_t)sqlite3_column_bytes(s, 2);

		/* Every module rests on its own file at least: an empty list is damage. */
		found = (struct found){.row = sqlite3_column_int64(s, 0),
			.source = sqlite3_column_int(s, 1),
			.used_s = sqlite3_column_int64(s, 3),
			.holds = count && sp_deps_hold(bytes, count)};
		if (found.holds)
			sp_deps_merge(deps, bytes, count);
	}
	sqlite3_reset(s);
	return found;
}

int64_t sp_cache_find(struct sp_cache *cache, const void *key, size_t key_bytes, int *source, struct sp_deps *deps)
{
	struct found found = find_module(cache, key, key_bytes, deps);

	if (!found.row || !found.holds)
		return 0;
	*source = found.source;
	touch(cache, found.row, found.used_s);
	return found.row;
}

void *sp_cache_read(struct sp_cache *cache, int64_t row, uint64_t chunk, size_t *bytes)
{
	sqlite3_stmt *s = statement(cache, READ);
	void *data = NULL;
	int rc;

	if (!s)
		return NULL;
	sqlite3_bind_int64(s, 1, row);
	sqlite3_bind_int64(s, 2, (int64_t)chunk);
	rc = sqlite3_step(s);
	check(cache, rc);
	if (rc == SQLITE_ROW) {
		*bytes = (size_t)sqlite3_column_bytes(s, 0);
		data = sp_alloc_bytes(*bytes);
		if (*bytes)
			memcpy(data, sqlite3_column_blob(s, 0), *bytes);
	}
	sqlite3_reset(s);
	return data;
}

static int put_module(struct sp_cache *cache, enum query query, int64_t row, const void *key, size_t key_bytes,
	int source, const struct sp_deps *deps)
{
	sqlite3_stmt *s = statement(cache, query);

	if (!s)
		return -EIO;
	if (query == ADD)
		sqlite3_bind_blob64(s, 1, key, key_bytes, SQLITE_STATIC);
	else
		sqlite3_bind_int64(s, 1, row);
	sqlite3_bind_int(s, 2, source);
	sqlite3_bind_blob64(s, 3, deps->bytes, deps->count, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, (int64_t)time(NULL));
	return run(cache, s);
}

int64_t sp_cache_begin(struct sp_cache *cache, const void *key, size_t key_bytes, int source, struct sp_deps *deps)
{
	struct found found;
	int64_t row;

	cache->failed = false;
	if (cache->off || check(cache, sqlite3_exec(cache->db, "BEGIN IMMEDIATE", NULL, NULL, NULL)))
		return 0;
	found = find_module(cache, key, key_bytes, deps);
	row = found.row;
	if (row && !found.holds) {
		sqlite3_stmt *s = statement(cache, DROP_CHUNKS);

		if (s)
			sqlite3_bind_int64(s, 1, row);
		run(cache, s);
	}
	put_module(cache, row ? RENEW : ADD, row, key, key_bytes, source, deps);
	if (!row)
		row = sqlite3_last_insert_rowid(cache->db);
	if (!cache->failed)
		return row;
	sp_cache_end(cache);
	return 0;
}

int sp_cache_write(struct sp_cache *cache, int64_t row, uint64_t chunk, const void *data, size_t bytes)
{
	sqlite3_stmt *s = statement(cache, WRITE);

	if (!s)
		return -EIO;
	sqlite3_bind_int64(s, 1, row);
	sqlite3_bind_int64(s, 2, (int64_t)chunk);
	sqlite3_bind_blob64(s, 3, data, bytes, SQLITE_STATIC);
	return run(cache, s);
}

void sp_cache_end(struct sp_cache *cache)
{
	if (!cache->failed)
		check(cache, sp_cache_db_trim(cache->db, SP_CACHE_BYTES, SP_CACHE_DAYS));
	if (cache->failed || check(cache, sqlite3_exec(cache->db, "COMMIT", NULL, NULL, NULL)))
		sqlite3_exec(cache->db, "ROLLBACK", NULL, NULL, NULL);
}
