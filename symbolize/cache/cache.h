/* The cache of answers on disk: one SQLite database, shared by all renders of a user.
 *
 * A module's answers stand under its path, its build-id, the debug directories, whether only names are wanted, and the
 * version of the symbolizer; they hold for as long as the files they rest on (symbolize/disk/deps.h) are as they were.
 *
 * A cache never makes a render wait or fail: another process's lock is waited for some tenths of a
 * second at most, once; a damaged one is removed, and one that cannot be used is done without, with one warning. */
#ifndef SP_SYMBOLIZE_CACHE_CACHE_H
#define SP_SYMBOLIZE_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To be raised whenever other answers are given for the same files. */
#define SP_SYMBOLIZER_VERSION 7u

#define SP_CACHE_FILE "symbols.db"
#define SP_CACHE_BYTES (256ull << 20)
#define SP_CACHE_DAYS 90u

struct sp_cache;
struct sp_deps;

/* Opens the database, making it and its directory where missing. NULL when it cannot be used; warn (may
 * be NULL) is told why, then or later, once. The directory must belong to this user alone. */
struct sp_cache *sp_cache_open(const char *path, void (*warn)(const char *text));
void sp_cache_close(struct sp_cache *cache); /* NULL: nothing */

/* Looks a module up. Returns its row, or 0: unknown, or a file it rests on is not as it was. *source: as
 * it was stored. deps: takes over the files it rests on. */
int64_t sp_cache_find(struct sp_cache *cache, const void *key, size_t key_bytes, int *source, struct sp_deps *deps);

/* A chunk (symbolize/cache/chunk.h) of a module, malloc'ed, or NULL. */
void *sp_cache_read(struct sp_cache *cache, int64_t row, uint64_t chunk, size_t *bytes);

/* Storing: begin; for each chunk read again, add to it, write; end, which also keeps the limits on
 * size and age. Begin returns the module's row, or 0 when it cannot be done now: then no more calls. What
 * was stored under other files is dropped; what it rests on besides is added to *deps. Write returns 0 or a negative errno; end undoes all after a
 * failure. */
int64_t sp_cache_begin(struct sp_cache *cache, const void *key, size_t key_bytes, int source, struct sp_deps *deps);
int sp_cache_write(struct sp_cache *cache, int64_t row, uint64_t chunk, const void *data, size_t bytes);
void sp_cache_end(struct sp_cache *cache);

/* --- for `smartprof cache` -------------------------------------------------------------------- */

struct sp_cache_stats {
	uint64_t bytes, modules, chunks, answers;
	uint64_t stale;                    /* modules whose files are not as they were */
	uint64_t damaged;                  /* chunks that cannot be read */
	uint64_t oldest_use_s, last_use_s; /* Unix time; 0: no module */
};

/* These open the database at `path` by themselves and return 0 or a negative errno: -ENOENT when there is
 * none, -EBADMSG when it is no sound database, -EBUSY, -EACCES. */
int sp_cache_stats(const char *path, struct sp_cache_stats *stats);
int sp_cache_trim(const char *path, uint64_t bytes, unsigned days);
int sp_cache_clear(const char *path); /* removes the files */

#endif
