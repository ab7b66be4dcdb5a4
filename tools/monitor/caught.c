/* What a command writes. A file takes it where it is not to be seen: a pipe would hold the command up whenever we are late. */
#include "tools/monitor/caught.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolize/base/memory.h"
#include "tools/monitor/line.h"

#define KEPT_BYTES (1 << 20)  /* of what is discarded */
#define TRIM_BYTES (16 << 20) /* more than that is not let grow */
#define PIPE_BYTES (1 << 20)
#define HELD_BYTES (256u * 1024)

static bool is_regular(int fd)
{
	struct stat now;

	return fstat(fd, &now) == 0 && S_ISREG(now.st_mode);
}

/* What was closed when we were started is not; a command finds that out as it would without us. */
static bool is_for_writing(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
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

/* Writing to it shall not wait, and the descriptor that others share with us stays as it is. */
static int open_again(int fd, bool *waits)
{
	char path[32];
	struct stat is;
	int again = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &is) == 0 && (S_ISFIFO(is.st_mode) || S_ISCHR(is.st_mode)))
		again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	*waits = again < 0;
	return again < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : again;
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
	o->to = open_again(o->ours, &o->waits);
	o->counted = true;
	return o->to < 0 ? -errno : 0;
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
	*o = (struct sp_caught){
		.kind = kind, .ours = ours, .theirs = -1, .from = -1, .to = -1, .file = -1, .most = UINT64_MAX};
	if (kind == SP_CAUGHT_DISCARD)
		return open_file(o, memfd_create("smartprof-output", MFD_CLOEXEC));
	if (kind == SP_CAUGHT_FILE)
		return open_file(o, open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666));
	if (kind == SP_CAUGHT_THROUGH && !is_regular(ours) && is_for_writing(ours))
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

struct pollfd sp_caught_awaits(const struct sp_caught *o)
{
	if (sp_caught_is_empty(o))
		return (struct pollfd){.fd = -1};
	return o->held_at < o->held_end ? (struct pollfd){.fd = o->to, .events = POLLOUT}
					: (struct pollfd){.fd = o->from, .events = POLLIN};
}

static void stop(struct sp_caught *o)
{
	close_at(&o->from);
	o->held_at = o->held_end = 0;
}

/* A pipe that can be written to has room for PIPE_BUF, also where its descriptor waits. */
static void write_held(struct sp_caught *o)
{
	while (o->held_at < o->held_end) {
		struct pollfd room = {.fd = o->to, .events = POLLOUT};
		size_t left = o->held_end - o->held_at;
		ssize_t put;

		if (poll(&room, 1, 0) <= 0)
			return;
		put = write(o->to, o->held + o->held_at, o->waits && left > PIPE_BUF ? PIPE_BUF : left);
		if (put >= 0)
			o->held_at += (size_t)put;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR) /* without a reader the command is told so as it would be: by its own pipe */
			stop(o);
	}
}

static void read_more(struct sp_caught *o)
{
	size_t most = o->most < HELD_BYTES ? (size_t)o->most : HELD_BYTES;
	ssize_t got;

	if (!o->held)
		o->held = sp_alloc_bytes(HELD_BYTES);
	got = most ? read(o->from, o->held, most) : 0;
	if (got > 0) {
		o->bytes += (uint64_t)got;
		o->most -= o->most < UINT64_MAX ? (uint64_t)got : 0;
		o->held_at = 0;
		o->held_end = (size_t)got;
		sp_line_clear();
	} else if (most && (got == 0 || (errno != EAGAIN && errno != EINTR))) {
		stop(o);
	}
}

void sp_caught_relay(struct sp_caught *o)
{
	if (o->from >= 0 && o->held_at == o->held_end)
		read_more(o);
	write_held(o);
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

void sp_caught_no_more(struct sp_caught *o)
{
	int bytes = 0;

	if (o->from >= 0)
		o->most = ioctl(o->from, FIONREAD, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

bool sp_caught_is_empty(const struct sp_caught *o)
{
	return o->from < 0 || (!o->most && o->held_at == o->held_end);
}

void sp_caught_end(struct sp_caught *o)
{
	if (o->file >= 0)
		o->bytes = (uint64_t)(end_of(o->file) - o->before);
}

static bool write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t put = write(fd, data, bytes);

		if (put < 0 && errno != EINTR)
			return false;
		data += put > 0 ? put : 0;
		bytes -= put > 0 ? (size_t)put : 0;
	}
	return true;
}

/* Keys on the terminal are not for it. */
static _Noreturn void pass_on(struct sp_caught *o)
{
	sigset_t none;
	ssize_t got;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(o->from, STDIN_FILENO) < 0 || dup2(o->ours, STDOUT_FILENO) < 0)
		_exit(1);
	close_range(STDERR_FILENO, ~0u, 0);
	fcntl(STDIN_FILENO, F_SETFL, 0);
	if (!write_all(STDOUT_FILENO, o->held + o->held_at, o->held_end - o->held_at))
		_exit(0);
	do
		got = read(STDIN_FILENO, o->held, HELD_BYTES);
	while ((got < 0 && errno == EINTR) || (got > 0 && write_all(STDOUT_FILENO, o->held, (size_t)got)));
	_exit(0);
}

void sp_caught_leave(struct sp_caught *o)
{
	pid_t pid;

	if (o->from < 0)
		return;
	if (!o->held)
		o->held = sp_alloc_bytes(HELD_BYTES);
	pid = fork();
	if (pid == 0) { /* a child of nobody who would have to wait for it */
		if (fork() == 0)
			pass_on(o);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
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
	close_at(&o->to);
	free(o->held);
	o->held = NULL;
	close_at(&o->file);
}
