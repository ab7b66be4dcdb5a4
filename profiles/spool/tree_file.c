/* The file that the processes of a tree share. */
#include "profiles/spool/tree_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "sampler/spool.h"

static struct flock writer_lock(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_WRITER, .l_len = 1};
}

bool sp_tree_file_parse(const char *path, char *tree, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = strlen(name), end = strlen(SP_TREE_SUFFIX);

	if (!slash || length <= end || length - end >= size || strcmp(name + length - end, SP_TREE_SUFFIX) != 0)
		return false;
	snprintf(tree, size, "%.*s", (int)(length - end), name);
	return strspn(tree, "0123456789.") == strlen(tree);
}

bool sp_tree_file_is_held(const char *directory, const char *tree)
{
	struct flock lock = writer_lock();
	char path[PATH_MAX];
	int fd = -1;
	bool held;

	if (snprintf(path, sizeof(path), "%s/%s" SP_TREE_SUFFIX, directory, tree) < (int)sizeof(path))
		fd = sp_regular_open(AT_FDCWD, path);
	if (fd < 0)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held;
}

static void write_counts(const char *path, const uint64_t *counts, size_t bytes, off_t at)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == SP_TREE_FILE_BYTES &&
		pwrite(fd, counts, bytes, at) < 0)
		perror("smartprof: tree file"); /* then the next member has all rendered again */
	close(fd);
}

void sp_tree_file_reset(const char *path)
{
	/* `waiting`, `waiting_bytes` and `waiting_ns`. Who counts one in meanwhile goes uncounted, and is rendered all the same. */
	const uint64_t none[3] = {0};

	write_counts(path, none, sizeof(none), offsetof(struct sp_tree_file, waiting));
}

void sp_tree_file_done(const char *path)
{
	const uint64_t none = 0;

	write_counts(path, &none, sizeof(none), offsetof(struct sp_tree_file, renderer_ns));
}

void sp_tree_file_remove_stale(int directory_fd, const char *name)
{
	struct flock lock = writer_lock();
	int fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		unlinkat(directory_fd, name, 0);
	close(fd);
}

static int private_directory(char *path, size_t size)
{
	struct stat st;

	snprintf(path, size, "/dev/shm/smartprof-%u", (unsigned)geteuid());
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0777) == 0700 ? 0 : -EPERM;
}

static int fill(int fd)
{
	struct flock lock = writer_lock();
	struct sp_tree_file file = {.magic = SP_TREE_MAGIC, .holder = getpid()};
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) == 0)
		file.pid_namespace = st.st_ino;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || ftruncate(fd, SP_TREE_FILE_BYTES) < 0)
		return -errno;
	return pwrite(fd, &file, sizeof(file), 0) == (ssize_t)sizeof(file) ? 0 : -ENOSPC;
}

int sp_tree_hold_make(struct sp_tree_hold *hold)
{
	char directory[64];
	struct timespec now;
	int err = private_directory(directory, sizeof(directory));

	hold->fd = -1;
	if (err)
		return err;
	clock_gettime(CLOCK_REALTIME, &now);
	hold->born_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	snprintf(hold->directory, sizeof(hold->directory), "%s", directory);
	snprintf(hold->path, sizeof(hold->path), "%s/.%d.%llu" SP_TREE_SUFFIX, directory, (int)getpid(),
		(unsigned long long)hold->born_ns);
	hold->fd = open(hold->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (hold->fd < 0)
		return -errno;
	err = fill(hold->fd);
	if (!err)
		return 0;
	unlink(hold->path);
	close(hold->fd);
	hold->fd = -1;
	return err;
}

static void name_for(const struct sp_tree_hold *hold, pid_t pid, char *tree, size_t size, char path[static PATH_MAX])
{
	snprintf(tree, size, "%d.%llu", (int)pid, (unsigned long long)hold->born_ns);
	snprintf(path, PATH_MAX, "%s/%s" SP_TREE_SUFFIX, hold->directory, tree);
}

int sp_tree_hold_name(const struct sp_tree_hold *hold, char *tree, size_t size)
{
	char path[PATH_MAX];

	if (hold->fd < 0)
		return -EBADF;
	name_for(hold, getpid(), tree, size, path);
	return rename(hold->path, path) < 0 ? -errno : 0;
}

void sp_tree_hold_close(struct sp_tree_hold *hold, pid_t pid)
{
	const uint32_t closed = 1;
	char tree[SP_TREE_NAME_BYTES], path[PATH_MAX];

	if (hold->fd < 0)
		return;
	if (pwrite(hold->fd, &closed, sizeof(closed), offsetof(struct sp_tree_file, closed)) < 0)
		perror("smartprof: tree file"); /* its lock goes in a moment */
	if (pread(hold->fd, &hold->refused, sizeof(hold->refused), offsetof(struct sp_tree_file, refused)) !=
		sizeof(hold->refused))
		hold->refused = 0;
	name_for(hold, pid, tree, sizeof(tree), path);
	unlink(path);
	unlink(hold->path);
	close(hold->fd);
	hold->fd = -1;
}
