/* What is kept beside the database: profiles and logs, by the hash of their content. */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "profiles/base/directory.h"
#include "profiles/history/db.h"
#include "symbolize/base/memory.h"

#define HASH_BYTES 32
#define INLINE_MOST 2048u /* compressed: smaller ones lie in the database */
#define BLOB_MOST (1ull << 30)

/* Opens the directory of a blob, "PATH.blobs/ab"; a negative errno. */
static int open_place(const struct sp_history *store, const char *hash, bool make)
{
	char path[PATH_MAX + 16];
	mode_t before;
	struct stat st;
	bool made;
	int fd;

	if (snprintf(path, sizeof(path), "%s.blobs/%.2s", store->path, hash) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (make) {
		before = umask(077);
		fd = sp_directory_open(path, &made);
		umask(before);
	} else {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd >= 0 && make && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static int write_file(int directory, const char *hash, const struct sp_buffer *packed)
{
	char name[SP_HISTORY_HASH + 8], temporary[SP_HISTORY_HASH + 40];
	int fd, err;

	snprintf(name, sizeof(name), "%s.z", hash);
	snprintf(temporary, sizeof(temporary), ".%s.%ld.new", hash, (long)getpid());
	/* It may be about to be removed because no run had it. */
	if (faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
		utimensat(directory, name, NULL, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = sp_buffer_write(packed, fd);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && renameat(directory, temporary, directory, name) < 0)
		err = -errno;
	if (!err && fsync(directory) < 0)
		err = -errno;
	if (err)
		unlinkat(directory, temporary, 0);
	return err;
}

static int pack(struct sp_buffer *packed, const void *data, size_t bytes)
{
	uLongf room = compressBound(bytes);

	if (compress2((Bytef *)sp_buffer_room(packed, room), &room, data, bytes, 6) != Z_OK)
		return -ENOMEM;
	packed->length += room;
	return 0;
}

/* Small ones go into the row, also where that was made for one that was lacking. */
static int keep_inline(struct sp_history *store, const struct sp_history_blob *blob, const struct sp_buffer *packed)
{
	uint8_t hash[HASH_BYTES];

	sp_history_unhex(blob->hash, hash, sizeof(hash));
	return sp_history_exec(store,
		"INSERT INTO blob(hash, bytes, data) VALUES(?1, ?2, ?3)"
		" ON CONFLICT(hash) DO UPDATE SET bytes=excluded.bytes, data=excluded.data WHERE data IS NULL",
		"bib", hash, sizeof(hash), (int64_t)blob->bytes, packed->data, packed->length);
}

int sp_history_blob_write(struct sp_history *store, struct sp_history_blob *blob)
{
	struct sp_buffer packed = {0};
	int directory, err;

	if (!blob->data)
		return 0;
	if (blob->bytes > BLOB_MOST)
		return sp_history_fail(store, -EFBIG, "a profile or log of %llu bytes is too large to be kept",
			(unsigned long long)blob->bytes);
	SHA256Data(blob->data, blob->bytes, blob->hash);
	err = pack(&packed, blob->data, blob->bytes);
	if (!err && packed.length <= INLINE_MOST) {
		err = keep_inline(store, blob, &packed);
		sp_buffer_free(&packed);
		return err;
	}
	directory = err ? err : open_place(store, blob->hash, true);
	err = directory < 0 ? directory : write_file(directory, blob->hash, &packed);
	if (directory >= 0)
		close(directory);
	sp_buffer_free(&packed);
	return err ? sp_history_fail(store, err, "the history's files %s.blobs: %s; make room or look at their owner",
			     store->path, strerror(-err))
		   : 0;
}

int sp_history_blob_row(struct sp_history *store, const struct sp_history_blob *blob, int64_t *row)
{
	uint8_t hash[HASH_BYTES];
	int err;

	*row = 0;
	if (!sp_history_unhex(blob->hash, hash, sizeof(hash)))
		return 0;
	err = sp_history_get(store, row, "SELECT id FROM blob WHERE hash=?1", "b", hash, sizeof(hash));
	return err != -ENOENT ? err
			      : sp_history_get(store, row, "INSERT INTO blob(hash, bytes) VALUES(?1, ?2) RETURNING id",
					"bi", hash, sizeof(hash), (int64_t)blob->bytes);
}

/* --- reading */

static int read_file(const struct sp_history *store, const char *hash, struct sp_buffer *packed)
{
	int directory = open_place(store, hash, false), fd;
	char name[SP_HISTORY_HASH + 8];
	struct stat st;
	ssize_t got = 0;

	if (directory < 0)
		return directory;
	snprintf(name, sizeof(name), "%s.z", hash);
	fd = sp_regular_open(directory, name);
	close(directory);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_size <= BLOB_MOST) {
		char *room = sp_buffer_room(packed, (size_t)st.st_size);

		while (packed->length < (size_t)st.st_size &&
			(got = read(fd, room + packed->length, (size_t)st.st_size - packed->length)) > 0)
			packed->length += (size_t)got;
	}
	close(fd);
	return got < 0 ? -EIO : 0;
}

static int unpack(const struct sp_buffer *packed, const char *hash, void **data, size_t bytes)
{
	char is[SHA256_DIGEST_STRING_LENGTH];
	uLongf length = bytes;
	char *out = sp_alloc_bytes(bytes + 1);

	if (uncompress((Bytef *)out, &length, (const Bytef *)packed->data, packed->length) != Z_OK || length != bytes) {
		free(out);
		return -EBADMSG;
	}
	SHA256Data((const uint8_t *)out, bytes, is);
	if (strcmp(is, hash) != 0) {
		free(out);
		return -EBADMSG;
	}
	out[bytes] = '\0';
	*data = out;
	return 0;
}

int sp_history_blob_read(struct sp_history *store, const char *hash, void **data, size_t *bytes)
{
	struct sp_buffer packed = {0};
	uint8_t key[HASH_BYTES];
	sqlite3_stmt *s;
	int got, err = 0;

	if (!sp_history_unhex(hash, key, sizeof(key)))
		return sp_history_fail(store, -ENOENT, "'%.64s' is no name of a profile or log", hash);
	s = sp_history_bind(store, "SELECT bytes, data FROM blob WHERE hash=?1", "b", key, sizeof(key));
	got = s ? sp_history_step(store, s) : -EBADMSG;
	if (got <= 0)
		return got < 0 ? got : sp_history_fail(store, -ENOENT, "the history %s has no %s", store->path, hash);
	*bytes = (size_t)sqlite3_column_int64(s, 0);
	if (*bytes > BLOB_MOST)
		err = -EBADMSG;
	else if (sqlite3_column_type(s, 1) == SQLITE_NULL)
		err = read_file(store, hash, &packed);
	else
		sp_buffer_add(&packed, sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1));
	sqlite3_reset(s);
	if (!err)
		err = unpack(&packed, hash, data, *bytes);
	sp_buffer_free(&packed);
	return err ? sp_history_fail(store, err,
			     "the history's file %s.blobs/%.2s/%s.z is %s; see `smartprof history verify`", store->path,
			     hash, hash, err == -ENOENT ? "missing" : "damaged")
		   : 0;
}
