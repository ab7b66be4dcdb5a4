/* A profile in the file that was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/output/output.h"

#define LINKS_MAX 20
#define READER_WAIT_MS 5000 /* for one that reads slowly */

/* Splits an absolute path and opens its directory. */
static int open_parent(struct sp_output *o, const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	bool made;

	if (file[0] != '/' || !*name)
		return -EISDIR;
	if (snprintf(o->name, sizeof(o->name), "%s", name) >= (int)sizeof(o->name) ||
		(size_t)(slash - file) >= sizeof(o->directory))
		return -ENAMETOOLONG;
	snprintf(o->directory, sizeof(o->directory), "%.*s", slash == file ? 1 : (int)(slash - file), file);
	sp_output_close(o);
	o->fd = sp_directory_open(o->directory, &made);
	return o->fd < 0 ? o->fd : 0;
}

static bool is_others(const struct stat *st)
{
	return st->st_uid != geteuid() && st->st_uid != 0;
}

/* Follows a link that is this user's or root's. Returns 1 when it did, 0 when it is none. */
static int follow_link(struct sp_output *o, struct stat *st)
{
	char target[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n;
	int err;

	*st = (struct stat){.st_mode = 0};
	if (fstatat(o->fd, o->name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISLNK(st->st_mode))
		return 0;
	if (is_others(st))
		return -EPERM;
	n = readlinkat(o->fd, o->name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	snprintf(path, sizeof(path), "%s/%s", target[0] == '/' ? "" : o->directory, target);
	err = open_parent(o, path);
	return err ? err : 1;
}

/* FILE.md of a member is FILE.<program>.<pid>.md. */
static int name_member(struct sp_output *o, const struct sp_snapshot *s)
{
	char program[SAFE_NAME_MAX + 1], name[NAME_MAX + 1];
	size_t length = strlen(o->name);

	if (length > 3 && strcmp(o->name + length - 3, ".md") == 0)
		length -= 3;
	sp_output_safe_name(program, sizeof(program), sp_snapshot_text(s, s->header.text.program));
	if (snprintf(name, sizeof(name), "%.*s.%s.%d.md", (int)length, o->name, program, s->header.pid) >=
		(int)sizeof(name))
		return -ENAMETOOLONG;
	memcpy(o->name, name, sizeof(name));
	return 0;
}

int sp_output_choose(struct sp_output *output, const struct sp_snapshot *snapshot, const char *file)
{
	struct stat st = {.st_mode = 0};
	int links = 0, err = open_parent(output, file), more = err ? err : 1;

	while (more == 1 && links++ < LINKS_MAX)
		more = follow_link(output, &st);
	if (more)
		return more < 0 ? more : -ELOOP;
	if (S_ISBLK(st.st_mode))
		return -ENOTBLK;
	if (S_ISFIFO(st.st_mode) && is_others(&st)) /* whoever made it would read the profile, and nobody else */
		return -EPERM;
	output->through = S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode);
	if (output->through || sp_snapshot_is_root(snapshot))
		return 0;
	err = open_parent(output, file);
	return err ? err : name_member(output, snapshot);
}

/* A FIFO's reader may take its time, but not forever. */
static int write_slowly(int fd, const struct sp_buffer *text)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};

	for (size_t done = 0; done < text->length;) {
		ssize_t n = write(fd, text->data + done, text->length - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR && (errno != EAGAIN || poll(&ready, 1, READER_WAIT_MS) <= 0))
			return errno == EAGAIN || !errno ? -ETIMEDOUT : -errno;
	}
	return 0;
}

static int write_through(const struct sp_output *o, const struct sp_buffer *text)
{
	int fd = openat(o->fd, o->name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC), err;
	struct stat st;

	if (fd < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	err = fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || (S_ISFIFO(st.st_mode) && !is_others(&st)))
		? write_slowly(fd, text)
		: -EINVAL;
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

static bool is_replaceable(int directory_fd, const char *name)
{
	static const char ours[] = "---\nschema: smartprof";
	char head[sizeof(ours) - 1];
	int fd = sp_regular_open(directory_fd, name);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	return n == 0 || (n == (ssize_t)sizeof(head) && memcmp(head, ours, sizeof(head)) == 0);
}

int sp_output_write_chosen(struct sp_output *output, const struct sp_buffer *text)
{
	int err;

	if (output->through)
		return write_through(output, text);
	err = sp_output_put(output->fd, output->name, text, false);
	if (err == -EEXIST && is_replaceable(output->fd, output->name))
		err = sp_output_put(output->fd, output->name, text, true);
	return err;
}
