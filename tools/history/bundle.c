/* smartprof history archive and import: a history as one file, for another machine or another year. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/history/upkeep.h"
#include "tools/history/history.h"
#include "tools/history/scratch.h"
#include "tools/history/tidy.h"
#include "tools/tools.h"

#define DATABASE "history.db"
#define BLOBS DATABASE ".blobs/"
#define FILE_BYTES_MOST (64ll << 30)
#define CHUNK 65536

static int usage(const char *command, const char *what)
{
	sp_complain("%s: give it %s; see smartprof %s --help", command, what, command);
	return SP_EXIT_USAGE;
}

static int failed(const char *command, const char *file, const char *why)
{
	sp_complain("%s: %s: %s", command, file, why);
	return 1;
}

/* Returns the exit status. */
static int tell_lacking(const char *command, const char *file, uint64_t lacking)
{
	if (lacking)
		sp_complain("%s: %s: %llu profiles or logs are missing or damaged in it; all else is there", command,
			file, (unsigned long long)lacking);
	return lacking ? 1 : 0;
}

/* Returns -1 to go on, else the exit status. */
static int parse(const char *command, int argc, char **argv, const char *help)
{
	int status = sp_only_help(command, ":h", argc, argv, help);

	if (status >= 0)
		return status;
	return optind + 1 == argc ? -1 : usage(command, "a file");
}

/* --- archive */

struct packing {
	struct archive *archive;
	struct sp_history *store;
	const char *file;
	uint64_t files, lacking;
};

static int complain_archive(const struct packing *p, const char *command)
{
	const char *why = archive_error_string(p->archive);

	return failed(command, p->file, why ? why : "it cannot be written");
}

/* The file at `path` as `name`. */
static int put_file(struct packing *p, const char *path, const char *name)
{
	struct archive_entry *entry;
	char bytes[CHUNK];
	struct stat st;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = ARCHIVE_OK;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return failed("history archive", path, strerror(errno ? errno : EINVAL));
	}
	entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, st.st_size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_mtime(entry, st.st_mtime, 0);
	err = archive_write_header(p->archive, entry);
	while (err >= ARCHIVE_WARN && (n = read(fd, bytes, sizeof(bytes))) > 0)
		err = archive_write_data(p->archive, bytes, (size_t)n) == n ? ARCHIVE_OK : ARCHIVE_FATAL;
	archive_entry_free(entry);
	close(fd);
	if (err >= ARCHIVE_WARN && n == 0)
		return 0;
	return n < 0 ? failed("history archive", path, strerror(EIO)) : complain_archive(p, "history archive");
}

static bool lies_in_database(struct sp_history *store, const char *hash)
{
	size_t bytes;
	void *data;

	if (sp_history_blob_read(store, hash, &data, &bytes))
		return false;
	free(data);
	return true;
}

static int put_blob(const char *hash, void *context)
{
	struct packing *p = context;
	char path[PATH_MAX + 128], name[128];

	snprintf(path, sizeof(path), "%s.blobs/%.2s/%s.z", sp_history_path(p->store), hash, hash);
	snprintf(name, sizeof(name), BLOBS "%.2s/%s.z", hash, hash);
	if (access(path, F_OK) < 0) {
		p->lacking += !lies_in_database(p->store, hash);
		return 0;
	}
	p->files++;
	return put_file(p, path, name);
}

static int set_form(struct packing *p, const char *name)
{
	size_t length = strlen(name);
	bool zstd = length > 8 && strcmp(name + length - 8, ".tar.zst") == 0;

	if (!zstd && !(length > 7 && strcmp(name + length - 7, ".tar.gz") == 0)) {
		sp_complain("history archive: '%s': name it .tar.zst or .tar.gz", name);
		return SP_EXIT_USAGE;
	}
	p->archive = archive_write_new();
	if (archive_write_set_format_pax_restricted(p->archive) != ARCHIVE_OK ||
		(zstd ? archive_write_add_filter_zstd(p->archive) : archive_write_add_filter_gzip(p->archive)) <
			ARCHIVE_WARN)
		return complain_archive(p, "history archive");
	return 0;
}

/* Written beside, and renamed when it is whole. */
static int pack(struct packing *p, const char *place)
{
	char copy[PATH_MAX], temporary[PATH_MAX];
	int fd = sp_scratch_file(p->file, temporary), status;

	if (fd < 0)
		return failed("history archive", p->file, strerror(-fd));
	snprintf(copy, sizeof(copy), "%.4000s/" DATABASE, place);
	status = archive_write_open_fd(p->archive, fd) == ARCHIVE_OK ? 0 : complain_archive(p, "history archive");
	if (!status && sp_history_copy(p->store, copy))
		status = sp_history_complain("history archive", sp_history_error(p->store));
	if (!status)
		status = put_file(p, copy, DATABASE);
	if (!status)
		status = sp_history_each_blob(p->store, put_blob, p);
	if (!status && archive_write_close(p->archive) != ARCHIVE_OK)
		status = complain_archive(p, "history archive");
	if (!status && fsync(fd) < 0)
		status = failed("history archive", p->file, strerror(errno));
	if (!status && rename(temporary, p->file) < 0)
		status = failed("history archive", p->file, strerror(errno));
	if (status)
		unlink(temporary);
	close(fd);
	return status;
}

int sp_history_cmd_archive(int argc, char **argv)
{
	struct packing p = {.archive = NULL};
	char place[PATH_MAX];
	int held,
		status = parse("history archive", argc, argv,
			"usage: smartprof history archive FILE.tar.zst|FILE.tar.gz\n\n"
			"Writes all of the history, profiles and logs too, into one file, as it is at this moment. "
			"smartprof "
			"history import "
			"FILE\nputs it into another.\n");

	if (status >= 0)
		return status;
	p.file = argv[optind];
	status = set_form(&p, p.file);
	if (!status)
		status = sp_history_open_here("history archive", SP_HISTORY_READ, &p.store);
	held = status ? -1 : sp_scratch_directory(place);
	if (!status)
		status = held < 0 ? failed("history archive", p.file, "there is no room for a copy in TMPDIR")
				  : pack(&p, place);
	if (!status)
		printf("%s: the history and %llu files of profiles and logs\n", p.file, (unsigned long long)p.files);
	if (!status)
		status = tell_lacking("history archive", p.file, p.lacking);
	if (held >= 0)
		sp_scratch_remove(place, held);
	archive_write_free(p.archive);
	sp_history_close(p.store);
	return status;
}

/* --- import */

static bool is_hash(const char *text, size_t digits)
{
	return strspn(text, "0123456789abcdef") == digits;
}

/* What an archive of ours has, and nothing else: "history.db", "history.db.blobs/ab/<hash>.z". */
static bool is_ours(const char *name)
{
	const char *blob = name + sizeof(BLOBS) - 1;

	if (strcmp(name, DATABASE) == 0)
		return true;
	return strncmp(name, BLOBS, sizeof(BLOBS) - 1) == 0 && is_hash(blob, 2) && blob[2] == '/' &&
		is_hash(blob + 3, SP_HISTORY_HASH - 1) && strcmp(blob + 3 + SP_HISTORY_HASH - 1, ".z") == 0;
}

static void make_directories(const char *place, const char *name)
{
	char path[PATH_MAX];

	if (strcmp(name, DATABASE) == 0)
		return;
	snprintf(path, sizeof(path), "%.3900s/" DATABASE ".blobs", place);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%.3900s/" BLOBS "%.2s", place, name + sizeof(BLOBS) - 1);
	mkdir(path, 0700);
}

static int unpack_one(struct packing *p, const char *place, const char *name, int64_t *left)
{
	char path[PATH_MAX], bytes[CHUNK];
	ssize_t n;
	int fd, status = 0;

	make_directories(place, name);
	snprintf(path, sizeof(path), "%.3900s/%s", place, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed("history import", p->file, errno == EEXIST ? "a name is twice in it" : strerror(errno));
	while (!status && (n = archive_read_data(p->archive, bytes, sizeof(bytes))) != 0) {
		*left -= n;
		if (n < 0)
			status = complain_archive(p, "history import");
		else if (*left < 0)
			status = failed("history import", p->file, "it is larger than any history");
		else if (write(fd, bytes, (size_t)n) != n)
			status = failed("history import", path, "there is no room for it in TMPDIR");
	}
	close(fd);
	return status;
}

static int unpack(struct packing *p, const char *place)
{
	struct archive_entry *entry;
	int64_t left = FILE_BYTES_MOST;
	int got, status = 0;

	p->archive = archive_read_new();
	archive_read_support_format_tar(p->archive);
	archive_read_support_filter_gzip(p->archive);
	archive_read_support_filter_zstd(p->archive);
	if (archive_read_open_filename(p->archive, p->file, CHUNK) != ARCHIVE_OK)
		return complain_archive(p, "history import");
	while (!status && (got = archive_read_next_header(p->archive, &entry)) != ARCHIVE_EOF) {
		const char *name = got >= ARCHIVE_WARN ? archive_entry_pathname(entry) : NULL;

		if (got < ARCHIVE_WARN)
			status = complain_archive(p, "history import");
		else if (!name || archive_entry_filetype(entry) != AE_IFREG || !is_ours(name))
			status = failed("history import", p->file, "it is no archive of `smartprof history archive`");
		else
			status = unpack_one(p, place, name, &left);
	}
	return status;
}

static int merge(const char *place, const char *file)
{
	char path[PATH_MAX], why[SP_HISTORY_WHY];
	struct sp_history_merged merged;
	struct sp_history *store, *from;
	int status;

	snprintf(path, sizeof(path), "%.4000s/" DATABASE, place);
	if (sp_history_open(&from, path, SP_HISTORY_READ, why))
		return access(path, F_OK) < 0 ? failed("history import", file, "there is no history in it")
					      : sp_history_complain("history import", why);
	status = sp_history_open_here("history import", SP_HISTORY_WRITE, &store);
	if (!status && sp_history_merge(store, from, &merged))
		status = sp_history_complain("history import", sp_history_error(store));
	if (!status)
		printf("%llu runs, %llu of them new\n", (unsigned long long)merged.seen,
			(unsigned long long)merged.added);
	if (!status)
		status = tell_lacking("history import", file, merged.lacking);
	sp_history_close(store);
	sp_history_close(from);
	return status;
}

int sp_history_cmd_import(int argc, char **argv)
{
	struct packing p = {.archive = NULL};
	char place[PATH_MAX];
	int held,
		status = parse("history import", argc, argv,
			"usage: smartprof history import FILE\n\n"
			"Adds the runs of an archive (smartprof history archive), with their profiles, logs, tags and "
			"notes. "
			"What is in the "
			"history\nalready stays as it is. All of it or nothing.\n");

	if (status >= 0)
		return status;
	p.file = argv[optind];
	held = sp_scratch_directory(place);
	status = held < 0 ? failed("history import", p.file, "there is no room for it in TMPDIR") : unpack(&p, place);
	if (!status)
		status = merge(place, p.file);
	if (held >= 0)
		sp_scratch_remove(place, held);
	archive_read_free(p.archive);
	return status;
}
