/* Opening directories and small files that somebody else may have prepared. */
#include "profiles/base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 20
#define LOCK_FILE ".smartprof.lock"
#define LOCK_TRIES 200
#define LOCK_NAP_NS 10000000

/* A walk along a path. */
struct walk {
	char rest[2 * PATH_MAX]; /* still to go */
	int at;                  /* O_PATH descriptor of where it is */
	int links;
	bool made;
};

static int move_to(struct walk *w, int fd)
{
	if (fd < 0)
		return -errno;
	close(w->at);
	w->at = fd;
	return 0;
}

/* Puts the link's target in front of what is left. */
static int follow(struct walk *w, int link, const struct stat *st)
{
	char target[PATH_MAX], rest[sizeof(w->rest)];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return -EPERM;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(w->rest, rest);
	return target[0] == '/' ? move_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int step(struct walk *w, const char *name)
{
	struct stat st;
	int fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err;

	w->made = false;
	if (fd < 0 && errno == ENOENT) {
		w->made = mkdirat(w->at, name, 0777) == 0;
		if (!w->made && errno != EEXIST)
			return -errno;
		fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return move_to(w, fd);
	err = S_ISLNK(st.st_mode) ? follow(w, fd, &st) : -ENOTDIR;
	close(fd);
	return err;
}

/* Takes the next name off the rest; false when there is none. */
static bool next_name(struct walk *w, char name[static NAME_MAX + 1], int *err)
{
	size_t slashes = strspn(w->rest, "/"), n = strcspn(w->rest + slashes, "/");

	if (n > NAME_MAX)
		*err = -ENAMETOOLONG;
	if (!n || n > NAME_MAX)
		return false;
	memcpy(name, w->rest + slashes, n);
	name[n] = '\0';
	memmove(w->rest, w->rest + slashes + n, strlen(w->rest + slashes + n) + 1);
	return true;
}

int sp_access_effective(int directory_fd, const char *name, int mode)
{
	if (geteuid() == getuid() && getegid() == getgid())
		return (int)syscall(SYS_faccessat, directory_fd, name, mode);
	return faccessat(directory_fd, name, mode, AT_EACCESS);
}

int sp_directory_open(const char *path, bool *made)
{
	struct walk w = {.at = -1};
	char name[NAME_MAX + 1];
	int err = 0, fd;

	*made = false;
	if (!*path || strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(w.rest, path);
	w.at = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.at < 0)
		return -errno;
	while (!err && next_name(&w, name, &err))
		err = step(&w, name);
	fd = err ? err : openat(w.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err && fd < 0)
		fd = -errno;
	if (fd >= 0 && sp_access_effective(fd, ".", W_OK | X_OK) < 0) {
		err = -errno;
		close(fd);
		fd = err;
	}
	close(w.at);
	*made = w.made;
	return fd;
}

int sp_regular_open(int directory_fd, const char *name)
{
	struct stat st;
	int fd = -EINVAL;

	/* Opening a device can be enough to start something. */
	if (fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode)) {
		fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			return -errno;
	}
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -EINVAL;
	}
	return fd;
}

int sp_regular_open_below(const char *directory, const char *name)
{
	int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	char part[NAME_MAX + 1];

	for (;;) {
		size_t n = strcspn(name, "/");
		int next;

		if (at < 0 || n > NAME_MAX)
			break;
		memcpy(part, name, n);
		part[n] = '\0';
		if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
			break;
		if (!name[n]) {
			fd = sp_regular_open(at, part);
			close(at);
			return fd;
		}
		next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
		name += n + 1;
	}
	if (at >= 0)
		close(at);
	return -ENOENT;
}

int sp_directory_lock(int directory_fd)
{
	struct timespec nap = {0, LOCK_NAP_NS};
	int fd = openat(directory_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	/* Anybody who can open the file can lock it. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077)) {
		for (int i = 0; i < LOCK_TRIES; i++) {
			if (flock(fd, LOCK_EX | LOCK_NB) == 0)
				return fd;
			if (errno != EWOULDBLOCK)
				break;
			nanosleep(&nap, NULL);
		}
	}
	close(fd);
	return -EWOULDBLOCK;
}
