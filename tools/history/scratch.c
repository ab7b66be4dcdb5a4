/* What is on its way, and what is left of it. */
#include "tools/history/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/git.h"

#define DIRECTORY "smartprof-history."
#define UNIQUE "XXXXXX"
#define NEW ".new"
#define ATTEMPTS 100 /* a sweeper may take what is not locked yet */

/* False: a sweeper was there before. Where nothing can be locked no sweeper takes it. */
static bool hold(int fd)
{
	struct stat st;

	flock(fd, LOCK_EX);
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* Locks what is ours, is still there, and nobody holds. */
static bool take(int fd)
{
	struct stat st;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 && st.st_uid == geteuid();
}

/* Calls `remove_one` for each entry that `is_ours` takes and nobody has locked. */
static void sweep(const char *directory, int flags, bool (*is_ours)(const char *name),
	void (*remove_one)(const char *directory, const char *name))
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = is_ours(entry->d_name)
			? openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags)
			: -1;

		if (fd >= 0 && take(fd))
			remove_one(directory, entry->d_name);
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* --- directories */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

/* The repository of a work tree in it forgets that. */
static void remove_trees(const char *place)
{
	DIR *dir = opendir(place);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char file[PATH_MAX], tree[PATH_MAX];

		if (*entry->d_name != '.' && snprintf(tree, PATH_MAX, "%s/%s", place, entry->d_name) < PATH_MAX &&
			snprintf(file, PATH_MAX, "%s/.git", tree) < PATH_MAX && access(file, F_OK) == 0)
			free(sp_git_line((const char *const[]){
				"--git-dir", file, "worktree", "remove", "--force", "--force", tree, NULL}));
	}
	if (dir)
		closedir(dir);
}

static void remove_place(const char *place)
{
	remove_trees(place);
	nftw(place, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void remove_directory(const char *directory, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path))
		remove_place(path);
}

static bool is_our_directory(const char *name)
{
	return strncmp(name, DIRECTORY, strlen(DIRECTORY)) == 0 && strlen(name) == strlen(DIRECTORY UNIQUE);
}

int sp_scratch_directory(char place[static PATH_MAX])
{
	const char *base = getenv("TMPDIR");

	base = base && *base == '/' ? base : "/tmp";
	sweep(base, O_DIRECTORY, is_our_directory, remove_directory);
	for (int i = 0; i < ATTEMPTS; i++) {
		int fd;

		if (snprintf(place, PATH_MAX, "%s/" DIRECTORY UNIQUE, base) >= PATH_MAX - 200)
			return -ENAMETOOLONG;
		if (!mkdtemp(place))
			return -errno;
		fd = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && hold(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -EAGAIN;
}

void sp_scratch_remove(const char *place, int held)
{
	remove_place(place);
	close(held);
}

bool sp_scratch_tree(const char *place, const char *name, const char *commit)
{
	char tree[PATH_MAX], *line = NULL;

	if (snprintf(tree, PATH_MAX, "%s/%s", place, name) < PATH_MAX)
		line = sp_git_line((const char *const[]){"-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet",
			"--detach", "--", tree, commit, NULL});
	free(line);
	return line != NULL;
}

/* --- files */

static bool ends_in(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length > n && memcmp(text + length - n, end, n) == 0;
}

/* "<name>.tar.zst.<pid>.new" */
static bool is_our_file(const char *name)
{
	size_t length = strlen(name), digits = 0;

	if (!ends_in(name, length, NEW))
		return false;
	length -= strlen(NEW);
	while (digits < length && name[length - digits - 1] >= '0' && name[length - digits - 1] <= '9')
		digits++;
	length -= digits;
	return digits && (ends_in(name, length, ".tar.zst.") || ends_in(name, length, ".tar.gz."));
}

static void remove_file(const char *directory, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path))
		unlink(path);
}

int sp_scratch_file(const char *file, char temporary[static PATH_MAX])
{
	char copy[PATH_MAX];

	if (snprintf(temporary, PATH_MAX, "%s.%ld" NEW, file, (long)getpid()) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(copy, temporary, sizeof(copy));
	sweep(dirname(copy), 0, is_our_file, remove_file);
	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (hold(fd))
			return fd;
		close(fd);
	}
	return -EAGAIN;
}
