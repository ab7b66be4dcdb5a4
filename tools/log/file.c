/* The timing log's files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "tools/log/log.h"

#define OLDER 4
#define TRIES 8
#define PIECE_BYTES 65536u
#define LOCK_NAPS 100
#define NAP_MS 10

void sp_log_file_close(struct sp_log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* Another writer holds it for a moment; one that never lets go of it shall not stop this one. */
static int lock(int fd)
{
	for (int i = 0; i < LOCK_NAPS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		sp_nap_ms(NAP_MS);
	}
	return -EBUSY;
}

/* Whether the open file is still the one with that name. */
static bool is_current(const struct sp_log_file *file, struct stat *is)
{
	struct stat named;

	return fstat(file->fd, is) == 0 && lstat(file->path, &named) == 0 && named.st_ino == is->st_ino &&
		named.st_dev == is->st_dev;
}

static int open_locked(struct sp_log_file *file, struct stat *is)
{
	for (int i = 0; i < TRIES; i++) {
		int err;

		if (file->fd < 0) {
			file->headed = false;
			file->fd = open(file->path,
				O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0666);
		}
		if (file->fd < 0)
			return -errno;
		err = lock(file->fd);
		if (err)
			return err;
		if (is_current(file, is))
			return S_ISREG(is->st_mode) ? 0 : -EINVAL;
		sp_log_file_close(file);
	}
	return -EAGAIN;
}

static int rotate(struct sp_log_file *file)
{
	char from[PATH_MAX + 4], to[PATH_MAX + 4];

	for (int i = OLDER; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%d", file->path, i);
		snprintf(from, sizeof(from), i > 1 ? "%s.%d" : "%s", file->path, i - 1);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	sp_log_file_close(file);
	return 0;
}

/* Room for so many bytes more. */
static int prepare(struct sp_log_file *file, size_t bytes, struct stat *is)
{
	int err = open_locked(file, is);

	if (!err && is->st_size > 0 && (uint64_t)is->st_size + bytes > file->most_bytes) {
		err = rotate(file);
		if (!err)
			err = open_locked(file, is);
	}
	return err;
}

static int append(struct sp_log_file *file, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(file->fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			file->cut = true;
			return n < 0 ? -errno : -EIO;
		}
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int write_piece(struct sp_log_file *file, const struct sp_buffer *head, const char *data, size_t bytes)
{
	struct stat is;
	int err = prepare(file, bytes, &is);

	if (!err && file->cut && is.st_size > 0)
		err = append(file, "\n", 1);
	if (!err && !file->headed)
		err = append(file, head->data, head->length);
	if (!err) {
		file->headed = true;
		file->cut = false;
		err = append(file, data, bytes);
	}
	if (err)
		sp_log_file_close(file);
	else
		flock(file->fd, LOCK_UN);
	return err;
}

static uint64_t count_lines(const char *data, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += data[i] == '\n';
	return n;
}

/* As much of `bytes` as whole lines of it fit into a piece: at least one. */
static size_t piece_of(const char *data, size_t bytes)
{
	size_t n = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
	const char *end = memrchr(data, '\n', n);

	if (!end)
		end = memchr(data + n, '\n', bytes - n);
	return end ? (size_t)(end - data) + 1 : bytes;
}

int sp_log_file_write(struct sp_log_file *file, const struct sp_buffer *head, const struct sp_buffer *text,
	uint64_t *lost)
{
	int err = 0;

	*lost = 0;
	for (size_t at = 0, n; at < text->length; at += n) {
		int failed;

		n = piece_of(text->data + at, text->length - at);
		failed = write_piece(file, head, text->data + at, n);
		if (failed)
			*lost += count_lines(text->data + at, n);
		err = failed ? failed : err;
	}
	return err;
}
