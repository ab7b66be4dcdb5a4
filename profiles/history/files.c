/* The files of blobs that lie beside a history. */
#include "profiles/history/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/history/db.h"

#define HASH_BYTES 32
#define YOUNG_S 3600

/* "<hash>.z". */
static bool take_hash(const char *name, char hash[static SP_HISTORY_HASH])
{
	uint8_t bytes[HASH_BYTES];

	snprintf(hash, SP_HISTORY_HASH, "%.*s", SP_HISTORY_HASH - 1, name);
	return sp_history_unhex(hash, bytes, sizeof(bytes)) && strlen(name) >= SP_HISTORY_HASH - 1 &&
		strcmp(name + SP_HISTORY_HASH - 1, ".z") == 0;
}

static bool is_old(const struct stat *st)
{
	return st->st_mtime < time(NULL) - YOUNG_S;
}

/* What a writer that was killed has left: ".<hash>.<pid>.new". */
static void remove_left_over(int directory, const char *name)
{
	size_t length = strlen(name);
	struct stat st;

	if (*name == '.' && length > 4 && strcmp(name + length - 4, ".new") == 0 &&
		fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_old(&st))
		unlinkat(directory, name, 0);
}

static int each_in(const char *path, bool tidy, int (*each)(const char *hash, void *context), void *context)
{
	DIR *directory = opendir(path);
	char hash[SP_HISTORY_HASH];
	struct dirent *entry;
	int err = 0;

	while (directory && !err && (entry = readdir(directory))) {
		if (take_hash(entry->d_name, hash))
			err = each(hash, context);
		else if (tidy)
			remove_left_over(dirfd(directory), entry->d_name);
	}
	if (directory)
		closedir(directory);
	return err;
}

int sp_history_each_file(struct sp_history *store, bool tidy, int (*each)(const char *hash, void *context),
	void *context)
{
	char path[PATH_MAX + 16];
	int err = 0;

	for (unsigned i = 0; i < 256 && !err; i++) {
		snprintf(path, sizeof(path), "%s.blobs/%02x", store->path, i);
		err = each_in(path, tidy, each, context);
	}
	return err;
}

int sp_history_blob_is_used(struct sp_history *store, const char *hash, bool *used)
{
	uint8_t key[HASH_BYTES];
	int64_t row;
	int err;

	sp_history_unhex(hash, key, sizeof(key));
	err = sp_history_get(store, &row, "SELECT id FROM blob WHERE hash=?1", "b", key, sizeof(key));
	*used = !err;
	return err == -ENOENT ? 0 : err;
}

bool sp_history_file_remove(const struct sp_history *store, const char *hash, bool dry, uint64_t *bytes)
{
	char path[PATH_MAX + SP_HISTORY_HASH + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s.blobs/%.2s/%s.z", store->path, hash, hash);
	if (lstat(path, &st) < 0 || !is_old(&st))
		return false;
	*bytes = (uint64_t)st.st_blocks * 512;
	return dry || unlink(path) == 0;
}
