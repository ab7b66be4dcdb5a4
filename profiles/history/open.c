/* Opening a history: its files are this user's alone, its tables are brought up to date. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/history/db.h"
#include "profiles/history/schema.h"
#include "symbolize/base/memory.h"

#define BUSY_MS 10000

/* A power failure may take the last runs, a kill none. */
static const char settings[] =
	"PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
	"PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY;";

/* --- files */

/* Nobody else can change what is in it. */
static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & 022);
}

/* A directory whose files nobody else can put others in the place of. */
static bool is_safe_directory(const struct stat *st)
{
	return S_ISDIR(st->st_mode) && (st->st_uid == geteuid() || st->st_uid == 0) &&
		(!(st->st_mode & 022) || (st->st_mode & S_ISVTX));
}

static int refuse(struct sp_history *store, const char *what)
{
	return sp_history_fail(store, -EPERM,
		"the history %s: %s; name another place with SMARTPROF_HISTORY, or turn it off with "
		"SMARTPROF_HISTORY=off",
		store->path, what);
}

/* Opens the directory of the database, `make`: makes it. Its real name goes into store->path. Returns a descriptor or a negative
 * errno. */
static int open_directory(struct sp_history *store, bool make)
{
	char copy[PATH_MAX], name[NAME_MAX + 1], real[PATH_MAX], *directory;
	mode_t before;
	struct stat st;
	bool made;
	int fd;

	memcpy(copy, store->path, sizeof(copy));
	if (strlen(basename(copy)) > NAME_MAX - 16)
		return -ENAMETOOLONG;
	strcpy(name, basename(copy));
	memcpy(copy, store->path, sizeof(copy));
	directory = dirname(copy);
	before = umask(077);
	fd = make ? sp_directory_open(directory, &made) : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	umask(before);
	if (fd < 0)
		return make ? fd : -errno;
	if (fstat(fd, &st) < 0 || !is_safe_directory(&st) || !realpath(directory, real) ||
		snprintf(store->path, sizeof(store->path), "%.*s/%s", PATH_MAX - NAME_MAX - 2,
			strcmp(real, "/") == 0 ? "" : real, name) >= PATH_MAX - 32) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* A history in a repository is nothing to commit. */
static int keep_from_git(const struct sp_history *store, int directory)
{
	static const char ending[] = "/.smartprof/", all[] = "*\n";
	const char *name = strrchr(store->path, '/') + 1;
	size_t length = (size_t)(name - store->path), n = sizeof(ending) - 1;
	int fd;

	if (length < n || memcmp(name - n, ending, n) != 0)
		return 0;
	fd = openat(directory, ".gitignore", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	length = (size_t)write(fd, all, sizeof(all) - 1);
	close(fd);
	return length == sizeof(all) - 1 ? 0 : -ENOSPC;
}

/* The database must be a file of ours, or none, to be made. */
static int look_at_file(struct sp_history *store, int directory, bool make)
{
	const char *name = strrchr(store->path, '/') + 1;
	struct stat st;
	int fd;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(st.st_mode) && (is_ours(&st) || !make) && (st.st_uid == geteuid() || st.st_uid == 0)
			? 0
			: refuse(store, "it is a link, or others could write to it");
	if (errno != ENOENT)
		return -errno;
	if (!make)
		return -ENOENT;
	fd = keep_from_git(store, directory);
	if (fd < 0)
		return fd;
	fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int prepare_files(struct sp_history *store, enum sp_history_how how)
{
	bool make = how == SP_HISTORY_WRITE;
	int directory = open_directory(store, make), err;

	if (directory == -EPERM)
		return refuse(store, "others could change what is in its directory");
	err = directory < 0 ? directory : look_at_file(store, directory, make);
	if (directory >= 0)
		close(directory);
	if (err && !*store->error)
		sp_history_fail(store, err, "the history %s: %s%s", store->path, strerror(-err),
			err == -ENOENT ? "; nothing has been kept yet: `smartprof monitor` and `smartprof run` do"
				       : "; name another place with SMARTPROF_HISTORY");
	return err;
}

/* --- tables */

static int pragma(struct sp_history *store, const char *sql, int *value)
{
	int64_t number = 0;
	int err = sp_history_get(store, &number, sql, "");

	*value = (int)number;
	return err;
}

static int migrate(struct sp_history *store, int version)
{
	char end[96];
	int err = 0;

	for (; !err && version < sp_history_version; version++)
		err = sp_history_check(store,
			sqlite3_exec(store->db, sp_history_migrations[version], NULL, NULL, NULL));
	snprintf(end, sizeof(end), "PRAGMA user_version=%d; PRAGMA application_id=%d;", version,
		SP_HISTORY_APPLICATION);
	return err ? err : sp_history_check(store, sqlite3_exec(store->db, end, NULL, NULL, NULL));
}

static int look_at_version(struct sp_history *store, int *version)
{
	int application, tables, err = pragma(store, "PRAGMA application_id", &application);

	if (!err)
		err = pragma(store, "PRAGMA user_version", version);
	if (!err)
		err = pragma(store, "SELECT count(*) FROM sqlite_schema", &tables);
	if (err)
		return err;
	if (application != SP_HISTORY_APPLICATION && (tables || *version))
		return sp_history_fail(store, -EBADMSG,
			"%s is no history of smartprof; name another file with SMARTPROF_HISTORY", store->path);
	if (*version > sp_history_version)
		return sp_history_fail(store, -EPROTO,
			"the history %s is of a newer smartprof (version %d, this one knows %d); use that one, or "
			"name another history with SMARTPROF_HISTORY",
			store->path, *version, sp_history_version);
	return 0;
}

static int set_up(struct sp_history *store)
{
	sqlite3_busy_timeout(store->db, BUSY_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_extended_result_codes(store->db, 1);
	return sp_history_check(store, sqlite3_exec(store->db, settings, NULL, NULL, NULL));
}

/* What cannot be changed where it is, is as a copy that is gone with us. */
static int take_copy(struct sp_history *store)
{
	sqlite3 *file = store->db, *copy = NULL;
	sqlite3_backup *backup = NULL;
	int rc = sqlite3_open(":memory:", &copy);

	if (rc == SQLITE_OK)
		backup = sqlite3_backup_init(copy, "main", file, "main");
	if (backup)
		sqlite3_backup_step(backup, -1);
	if (rc == SQLITE_OK)
		rc = backup ? sqlite3_backup_finish(backup) : sqlite3_errcode(copy);
	store->db = copy;
	for (size_t i = 0; i < store->statement_count; i++)
		sqlite3_finalize(store->statements[i].prepared);
	store->statement_count = 0;
	sqlite3_close(file);
	return rc == SQLITE_OK ? set_up(store) : sp_history_check(store, rc);
}

/* Of several that come at once, one does it. */
static int bring_up_to_date(struct sp_history *store, enum sp_history_how how)
{
	int version, err = look_at_version(store, &version);

	if (err || version == sp_history_version)
		return err;
	if (how == SP_HISTORY_READ && sqlite3_db_readonly(store->db, "main") == 1)
		err = take_copy(store);
	if (!err)
		err = sp_history_enter(store);
	if (err)
		return err;
	err = look_at_version(store, &version);
	if (!err)
		err = migrate(store, version);
	return sp_history_leave(store, err);
}

/* Where nothing can be written nobody else writes either, and SQLite need not make the files for that. What was not yet
 * taken from the log (-wal) would be missing. */
static bool is_frozen(const struct sp_history *store)
{
	char directory[PATH_MAX], log[PATH_MAX + 8];
	struct stat st;

	memcpy(directory, store->path, sizeof(directory));
	snprintf(log, sizeof(log), "%s-wal", store->path);
	return access(dirname(directory), W_OK) < 0 && (lstat(log, &st) < 0 || !st.st_size);
}

/* The path as a URI (RFC 3986). */
static void put_uri(struct sp_buffer *uri, const char *path, const char *end)
{
	sp_buffer_puts(uri, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path))
			sp_buffer_printf(uri, "%%%02X", (unsigned char)*path);
		else
			sp_buffer_add(uri, path, 1);
	}
	sp_buffer_puts(uri, end);
}

static int connect_to(struct sp_history *store, enum sp_history_how how)
{
	bool writable = how == SP_HISTORY_WRITE || access(store->path, W_OK) == 0;
	int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_URI | (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	struct sp_buffer uri = {0};
	int err;

	put_uri(&uri, store->path, how == SP_HISTORY_READ && is_frozen(store) ? "?immutable=1" : "");
	err = sp_history_check(store, sqlite3_open_v2(uri.data, &store->db, flags, NULL));
	sp_buffer_free(&uri);
	return err ? err : set_up(store);
}

int sp_history_open(struct sp_history **store, const char *path, enum sp_history_how how,
	char why[static SP_HISTORY_WHY])
{
	struct sp_history *opened = sp_alloc(1, sizeof(*opened));
	int err;

	*store = NULL;
	if (snprintf(opened->path, sizeof(opened->path), "%s", path) >= PATH_MAX)
		err = sp_history_fail(opened, -ENAMETOOLONG, "the history's path is too long: set SMARTPROF_HISTORY");
	else
		err = prepare_files(opened, how);
	if (!err)
		err = connect_to(opened, how);
	if (!err && how == SP_HISTORY_WRITE)
		err = sp_history_check(opened, sqlite3_exec(opened->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL));
	if (!err)
		err = bring_up_to_date(opened, how);
	if (!err) {
		*store = opened;
		return 0;
	}
	memcpy(why, opened->error, SP_HISTORY_WHY);
	sp_history_close(opened);
	return err;
}

void sp_history_close(struct sp_history *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->statement_count; i++)
		sqlite3_finalize(store->statements[i].prepared);
	sqlite3_close(store->db);
	free(store);
}
