/* Copies of programs beside the history, so that a baseline's can be run again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/check/check.h"

#define PROGRAM_BYTES_MAX (64u << 20)
#define PROGRAMS_MOST 12u
#define NEW ".new."
#define NEW_S 3600 /* a copy that is older will never be whole */

static bool is_build_id(const char *text)
{
	size_t length = strlen(text);

	return length >= 16 && length <= 128 && strspn(text, "0123456789abcdef") == length;
}

static bool is_installed(const char *path)
{
	return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/bin/", 5) == 0 || strncmp(path, "/sbin/", 6) == 0;
}

/* The directory of copies, which is this user's alone. Returns a descriptor or a negative errno. */
static int open_directory(const struct sp_history *store, bool make, char name[static PATH_MAX])
{
	char copy[PATH_MAX];
	struct stat st;
	int fd;

	snprintf(copy, sizeof(copy), "%s", sp_history_path(store));
	if (snprintf(name, PATH_MAX, "%s/programs", dirname(copy)) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (make && mkdir(name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	close(fd);
	return -EPERM;
}

static bool copy_file(int from, int to)
{
	char block[65536];
	ssize_t got;

	while ((got = read(from, block, sizeof(block))) > 0)
		if (write(to, block, (size_t)got) != got)
			return false;
	return !got && fsync(to) == 0;
}

/* What a check that was killed has left. */
static void remove_left_over(int directory, const char *name)
{
	struct stat st;

	if (strncmp(name, NEW, strlen(NEW)) == 0 && fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_mtime < time(NULL) - NEW_S)
		unlinkat(directory, name, 0);
}

/* Those that nobody used for the longest time go. */
static void trim(int directory)
{
	for (;;) {
		char oldest[NAME_MAX + 1] = "";
		struct timespec least = {0};
		size_t count = 0;
		struct dirent *entry;
		DIR *dir = fdopendir(dup(directory));

		if (!dir)
			return;
		rewinddir(dir);
		while ((entry = readdir(dir))) {
			struct stat st;

			remove_left_over(directory, entry->d_name);
			if (!is_build_id(entry->d_name) || fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
				continue;
			if (!count++ || st.st_mtim.tv_sec < least.tv_sec) {
				least = st.st_mtim;
				snprintf(oldest, sizeof(oldest), "%s", entry->d_name);
			}
		}
		closedir(dir);
		if (count <= PROGRAMS_MOST || unlinkat(directory, oldest, 0))
			return;
	}
}

/* Its time says when it was used. */
static bool is_there(int directory, const char *build_id)
{
	struct stat st;

	if (fstatat(directory, build_id, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
		st.st_uid != geteuid())
		return false;
	utimensat(directory, build_id, NULL, AT_SYMLINK_NOFOLLOW);
	return true;
}

void sp_check_keep_program(struct sp_history *store, const char *build_id, const char *path)
{
	char name[PATH_MAX], new[32];
	struct stat st;
	int from, to, directory;

	if (!is_build_id(build_id) || is_installed(path))
		return;
	directory = open_directory(store, true, name);
	if (directory < 0)
		return;
	from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	snprintf(new, sizeof(new), NEW "%d", (int)getpid());
	if (from >= 0 && fstat(from, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= PROGRAM_BYTES_MAX &&
		!is_there(directory, build_id)) {
		to = openat(directory, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
		if (to >= 0 && (!copy_file(from, to) || renameat(directory, new, directory, build_id)))
			unlinkat(directory, new, 0);
		if (to >= 0)
			close(to);
		trim(directory);
	}
	if (from >= 0)
		close(from);
	close(directory);
}

bool sp_check_kept_program(struct sp_history *store, const char *build_id, char path[static PATH_MAX])
{
	char name[PATH_MAX];
	bool there;
	int directory = store && is_build_id(build_id) ? open_directory(store, false, name) : -EINVAL;

	if (directory < 0)
		return false;
	there = is_there(directory, build_id) && snprintf(path, PATH_MAX, "%s/%s", name, build_id) < PATH_MAX;
	close(directory);
	return there;
}
