/* Reading files: see disk.h. */
#include "symbolize/disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int sp_disk_open(struct sp_disk_file *file, const char *path)
{
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file->fd < 0)
		return -errno;
	if (!fstat(file->fd, &file->status) && S_ISREG(file->status.st_mode))
		return 0;
	close(file->fd);
	return -ENOENT;
}

void sp_disk_close(struct sp_disk_file *file)
{
	close(file->fd);
}

int sp_disk_read(const struct sp_disk_file *file, void *to, size_t bytes, uint64_t at)
{
	while (bytes) {
		ssize_t got = pread(file->fd, to, bytes, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -ENODATA;
		to = (char *)to + got;
		bytes -= (size_t)got;
		at += (uint64_t)got;
	}
	return 0;
}

static int differ(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec || a->tv_nsec != b->tv_nsec;
}

int sp_disk_check(const struct sp_disk_file *file)
{
	const struct stat *then = &file->status;
	struct stat now;

	if (fstat(file->fd, &now))
		return -errno;
	return now.st_size != then->st_size || differ(&now.st_mtim, &then->st_mtim) ? -EAGAIN : 0;
}
