/* What a command writes. A file takes it where it is not to be seen: a pipe would hold the command up whenever we are late. */
#include "tools/monitor/caught.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/monitor/line.h"

#define KEPT_BYTES (1 << 20)  /* of what is discarded */
#define TRIM_BYTES (16 << 20) /* more than that is not let grow */
#define PIPE_BYTES (1 << 20)

static bool is_regular(int fd)
{
	struct stat now;

	return fstat(fd, &now) == 0 && S_ISREG(now.st_mode);
}

/* Where the next byte goes. */
static off_t end_of(int fd)
{
	struct stat now;
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && !(flags & O_APPEND))
		return lseek(fd, 0, SEEK_CUR);
	return fstat(fd, &now) == 0 ? now.st_size : 0;
}

static int open_pipe(struct sp_caught *o)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	o->from = ends[0];
	o->theirs = ends[1];
	o->counted = true;
	return 0;
}

/* A descriptor for the command, and the same for us, to count by. */
static int open_file(struct sp_caught *o, int fd)
{
	if (fd < 0)
		return -errno;
	fcntl(fd, F_SETFL, O_APPEND);
	o->file = fd;
	o->theirs = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	o->counted = true;
	return o->theirs < 0 ? -errno : 0;
}

int sp_caught_open(struct sp_caught *o, enum sp_caught_kind kind, int ours, const char *path)
{
	*o = (struct sp_caught){.kind = kind, .ours = ours, .theirs = -1, .from = -1, .file = -1};
	if (kind == SP_CAUGHT_DISCARD)
		return open_file(o, memfd_create("smartprof-output", MFD_CLOEXEC));
	if (kind == SP_CAUGHT_FILE)
		return open_file(o, open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666));
	if (kind == SP_CAUGHT_THROUGH && !is_regular(ours))
		return open_pipe(o);
	o->theirs = fcntl(ours, F_DUPFD_CLOEXEC, 3);
	if (o->theirs < 0)
		return -errno;
	if (is_regular(ours)) {
		o->file = fcntl(ours, F_DUPFD_CLOEXEC, 3);
		o->before = end_of(ours);
		o->counted = o->file >= 0;
	}
	return 0;
}

static void close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void sp_caught_given(struct sp_caught *o)
{
	close_at(&o->theirs);
}

/* Whoever reads from us may be slower, as it may be without us between. */
static bool write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t put = write(fd, data, bytes);

		if (put < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (put < 0 && errno != EINTR)
			return false;
		data += put > 0 ? put : 0;
		bytes -= put > 0 ? (size_t)put : 0;
	}
	return true;
}

void sp_caught_relay(struct sp_caught *o)
{
	static char data[256 * 1024];
	ssize_t got;

	if (o->from < 0)
		return;
	got = read(o->from, data, sizeof(data));
	if (got > 0) {
		o->bytes += (uint64_t)got;
		sp_line_clear();
	}
	/* Without a reader the command is told so as it would be: by its own pipe. */
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
		(got > 0 && !write_all(o->ours, data, (size_t)got)))
		close_at(&o->from);
}

void sp_caught_trim(struct sp_caught *o)
{
	struct stat now;

	if (o->kind != SP_CAUGHT_DISCARD || fstat(o->file, &now) < 0 || now.st_size - o->punched < TRIM_BYTES)
		return;
	fallocate(o->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, o->punched,
		now.st_size - KEPT_BYTES - o->punched);
	o->punched = (now.st_size - KEPT_BYTES) & ~(off_t)4095;
}

void sp_caught_end(struct sp_caught *o)
{
	uint64_t before;

	do {
		before = o->bytes;
		sp_caught_relay(o);
	} while (o->bytes != before);
	close_at(&o->from);
	if (o->file >= 0)
		o->bytes = (uint64_t)(end_of(o->file) - o->before);
}

size_t sp_caught_tail(const struct sp_caught *o, char *text, size_t size)
{
	off_t end = o->kind == SP_CAUGHT_DISCARD || o->kind == SP_CAUGHT_FILE ? end_of(o->file) : 0;
	size_t bytes = end < (off_t)size ? (size_t)end : size - 1;
	ssize_t got = bytes ? pread(o->file, text, bytes, end - (off_t)bytes) : 0;

	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

void sp_caught_close(struct sp_caught *o)
{
	close_at(&o->theirs);
	close_at(&o->from);
	close_at(&o->file);
}
