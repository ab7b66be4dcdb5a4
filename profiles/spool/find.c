/* Finding spools. */
#include "profiles/spool/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/xdg.h"
#include "profiles/spool/process.h"
#include "profiles/spool/read.h"
#include "profiles/spool/tree_file.h"
#include "sampler/cost.h"
#include "sampler/spool.h"
#include "symbolize/base/memory.h"

#define UNPUBLISHED_SECONDS 60 /* the agent needs milliseconds */

size_t sp_spool_directories(char paths[SP_SPOOL_DIRECTORIES][PATH_MAX])
{
	snprintf(paths[0], PATH_MAX, "/dev/shm/smartprof-%u", (unsigned)geteuid());
	return sp_state_path(paths[1], PATH_MAX, "spool") == 0 ? 2 : 1;
}

bool sp_spool_file_parse(struct sp_spool_file *file, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = strlen(name);
	unsigned long long ticks;
	int pid;

	if (length < 7 || strcmp(name + length - 6, SP_SPOOL_SUFFIX) != 0)
		return false;
	if (strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz.") != length) /* it will be printed */
		return false;
	if (name[0] < '1' || name[0] > '9' || sscanf(name, "%9d.%llu.", &pid, &ticks) != 2)
		return false;
	file->pid = pid;
	file->start_ticks = ticks;
	return snprintf(file->path, sizeof(file->path), "%s", path) < (int)sizeof(file->path);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct sp_spool_file *)a)->path, ((const struct sp_spool_file *)b)->path);
}

long sp_spool_list(struct sp_spool_file **files, const char *directory)
{
	DIR *dir = opendir(directory);
	size_t count = 0, capacity = 0;
	struct dirent *entry;
	char path[PATH_MAX];

	*files = NULL;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= (int)sizeof(path))
			continue;
		sp_grow(files, &capacity, count + 1, sizeof(**files));
		count += sp_spool_file_parse(&(*files)[count], path);
	}
	closedir(dir);
	if (count)
		qsort(*files, count, sizeof(**files), by_path);
	return (long)count;
}

size_t sp_spool_list_all(struct sp_spool_file **files)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX];
	size_t n = sp_spool_directories(directories), count = 0, capacity = 0;

	*files = NULL;
	for (size_t i = 0; i < n; i++) {
		struct sp_spool_file *some;
		long found = sp_spool_list(&some, directories[i]);

		if (found < 0)
			continue;
		sp_grow(files, &capacity, count + (size_t)found, sizeof(**files));
		if (found)
			memcpy(*files + count, some, (size_t)found * sizeof(**files));
		count += (size_t)found;
		free(some);
	}
	return count;
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t length = strlen(name), n = strlen(suffix);

	return length > n && strcmp(name + length - n, suffix) == 0;
}

/* `path` with another ending; false when it does not end in `from`. */
static bool change_suffix(char out[static PATH_MAX], const char *path, const char *from, const char *to)
{
	size_t length = strlen(path), n = strlen(from);

	return length > n && strcmp(path + length - n, from) == 0 &&
		snprintf(out, PATH_MAX, "%.*s%s", (int)(length - n), path, to) < PATH_MAX;
}

bool sp_spool_place_path(char *place, const char *path)
{
	return change_suffix(place, path, SP_SPOOL_SUFFIX, SP_PLACE_SUFFIX);
}

int sp_spool_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && (errno == EACCES || errno == EROFS))
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static struct flock lock_of(off_t byte)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

bool sp_spool_claim(int fd)
{
	struct flock lock = lock_of(SP_LOCK_RENDERER);

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* What cannot be found out counts as locked. */
static bool writer_has_lock(int fd)
{
	struct flock lock = lock_of(SP_LOCK_WRITER);

	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

bool sp_spool_is_claimed(int fd)
{
	struct flock lock = lock_of(SP_LOCK_RENDERER);

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Its pid means something only in the pid namespace that it counts in. */
static bool is_our_namespace(uint64_t namespace)
{
	struct stat st;

	return namespace && stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == namespace;
}

static const char *name_of(int fd, char path[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	return strrchr(path, '/') ? strrchr(path, '/') : path;
}

bool sp_spool_is_live(int fd, const struct sp_spool_header *h)
{
	bool near = h->pid > 0 && is_our_namespace(h->pid_namespace);
	char path[PATH_MAX];

	if ((h->state == SP_STATE_ENDED && h->left) || (h->locked && !writer_has_lock(fd)))
		return false;
	/* A child that was forked behind the agent's back keeps its parent's mapping, and so the lock. */
	if (near && kill(h->pid, 0) < 0 && errno == ESRCH)
		return false;
	return h->locked || !near || sp_process_maps(h->pid, name_of(fd, path));
}

bool sp_spool_is_orphan(const struct sp_spool_file *file)
{
	struct sp_spool_header header;
	int fd = sp_spool_open(file->path);
	bool live = false;

	if (fd < 0)
		return fd != -ENOENT;
	if (pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) && header.magic == SP_SPOOL_MAGIC)
		live = header.version == SP_SPOOL_VERSION ? sp_spool_is_live(fd, &header)
							  : sp_process_maps(file->pid, strrchr(file->path, '/'));
	close(fd);
	return !live;
}

int sp_spool_peek(const char *path, struct sp_spool_header *header, char *tree, size_t size)
{
	struct sp_snapshot snapshot;
	const char *why;
	int fd = sp_spool_open(path), err;

	if (fd < 0)
		return fd;
	err = sp_snapshot_peek(&snapshot, fd, &why);
	*header = snapshot.header;
	snprintf(tree, size, "%s", err ? "" : sp_snapshot_text(&snapshot, snapshot.header.text.tree));
	sp_snapshot_free(&snapshot);
	close(fd);
	return err;
}

/* A spool whose process died while it was making it. */
static bool is_stillborn(int directory, const char *name)
{
	char other[PATH_MAX];
	int fd = -1;
	bool gone;

	if (change_suffix(other, name, SP_SPOOL_SUFFIX SP_SPOOL_NEW_SUFFIX, ""))
		fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	gone = fd >= 0 && !writer_has_lock(fd);
	if (fd >= 0)
		close(fd);
	return gone;
}

/* The link beside a spool that no longer exists. */
static bool is_widowed(int directory, const char *name)
{
	char other[PATH_MAX];
	struct stat st;

	return change_suffix(other, name, SP_PLACE_SUFFIX, SP_SPOOL_SUFFIX) &&
		fstatat(directory, other, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

void sp_spool_clean(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		int at = dirfd(dir);

		if (fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid != geteuid())
			continue;
		if (S_ISREG(st.st_mode) && ends_in(entry->d_name, SP_TREE_SUFFIX))
			sp_tree_file_remove_stale(at, entry->d_name);
		if (time(NULL) - st.st_mtime < UNPUBLISHED_SECONDS)
			continue;
		if (S_ISLNK(st.st_mode) ? is_widowed(at, entry->d_name)
					: S_ISREG(st.st_mode) && is_stillborn(at, entry->d_name))
			unlinkat(at, entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

uint64_t sp_spool_signal_cost_ns(void)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX], path[PATH_MAX];
	size_t count = sp_spool_directories(directories);
	struct sp_cost_file file;
	struct timespec now;
	struct stat st;
	bool good = false;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < count && !good; i++) {
		int fd;

		if (snprintf(path, sizeof(path), "%s/" SP_COST_FILE, directories[i]) >= (int)sizeof(path))
			continue;
		fd = sp_regular_open(AT_FDCWD, path);
		if (fd < 0)
			continue;
		good = fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
			read(fd, &file, sizeof(file)) == (ssize_t)sizeof(file) &&
			sp_cost_is_good(&file, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
		close(fd);
	}
	return good ? sp_signal_cost_ns(file.signal_gap_ns, 0, 500000) : 0;
}
