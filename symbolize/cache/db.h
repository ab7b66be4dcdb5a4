/* Internal to the cache: the database, below what renders and `smartprof cache` do with it. */
#ifndef SP_SYMBOLIZE_CACHE_DB_H
#define SP_SYMBOLIZE_CACHE_DB_H

#include <sqlite3.h>

#include "symbolize/cache/cache.h"

/* Waits at most so long for a lock. */
#define SP_CACHE_BUSY_MS 200

/* Opens the database and makes its tables; `create`: also the file. Returns 0 or a negative errno
 * (cache.h), with *db NULL. */
int sp_cache_db_open(sqlite3 **db, const char *path, bool create);

/* The negative errno (cache.h) for an SQLite result. */
int sp_cache_error(int result);

/* Drops modules that were not used for `days`, then the least recently used ones until the rest takes at
 * most `bytes`. Within a transaction. Returns an SQLite result. */
int sp_cache_db_trim(sqlite3 *db, uint64_t bytes, unsigned days);

#endif
