/* Finding the place of a profile and writing it there. */
#include "profiles/output/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/xdg.h"
#include "profiles/model/facts.h"
#include "profiles/redact/redact.h"

#define SAME_NAME_MAX 100

void sp_output_safe_name(char *out, size_t size, const char *name)
{
	struct sp_buffer shown = {0};
	const char *p;
	size_t n = 0;

	sp_redact_text(&shown, name, strlen(name));
	for (p = shown.data; *p == '.';)
		p++;
	for (; *p && n + 1 < size && n < SAFE_NAME_MAX; p++)
		out[n++] = isalnum((unsigned char)*p) || strchr(".-_+", *p) ? *p : '_';
	if (!n && size > 1)
		out[n++] = '_';
	out[n] = '\0';
	sp_buffer_free(&shown);
}

void sp_output_ignore(int directory_fd)
{
	int fd = openat(directory_fd, ".gitignore", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd < 0)
		return;
	if (write(fd, "*\n", 2) != 2)
		unlinkat(directory_fd, ".gitignore", 0);
	close(fd);
}

static bool is_trusted(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0;
}

/* The owner of the directory can change what is in it, so the reader gets a note. */
static void look_at_owner(struct sp_output *o)
{
	struct stat st;

	if (fstat(o->fd, &st) < 0 || is_trusted(&st))
		if (fstatat(o->fd, "..", &st, 0) < 0 || is_trusted(&st))
			return;
	snprintf(o->note + strlen(o->note), sizeof(o->note) - strlen(o->note),
		"%s belongs to another user (%u), who can change or remove this profile.\n", o->directory,
		(unsigned)st.st_uid);
}

/* Settles on base/environment when that can be written to. */
static int try_directory(struct sp_output *o, const char *base, const char *environment)
{
	bool made;

	if (base[0] != '/' ||
		snprintf(o->directory, sizeof(o->directory), "%s/%s", base, environment) >= (int)sizeof(o->directory))
		return -ENAMETOOLONG;
	o->fd = sp_directory_open(o->directory, &made);
	if (o->fd < 0)
		return o->fd;
	if (made)
		sp_output_ignore(o->fd);
	look_at_owner(o);
	return 0;
}

/* <output directory>/user-<uid>: made by the agent when its process gave up the rights to write beside it. */
static int try_user_directory(struct sp_output *o, const char *base, const char *environment)
{
	char own[PATH_MAX];

	if (!*base || snprintf(own, sizeof(own), "%s/user-%u", base, (unsigned)geteuid()) >= (int)sizeof(own))
		return -ENAMETOOLONG;
	if (o->chosen && access(own, W_OK) < 0)
		return -errno;
	return try_directory(o, own, environment);
}

static int try_state(struct sp_output *o, const char *environment)
{
	char state[PATH_MAX];
	int err = sp_state_path(state, sizeof(state), "profiles");

	return err ? err : try_directory(o, state, environment);
}

/* Notes what was wrong with the place before, for the profile's reader and for messages. */
static void note_failure(struct sp_output *o, int err)
{
	size_t length = strlen(o->note);

	snprintf(o->note + length, sizeof(o->note) - length, "It was to go to %s%s%s, which did not work: %s.\n",
		o->directory, o->chosen ? "/" : "", o->chosen ? o->name : "", sp_output_error(err));
}

const char *sp_output_error(int err)
{
	return err == -EEXIST ? "what is there is not a profile and is not replaced"
		: err == -EPERM
		? "a link or a FIFO of another user's is in the way, or the directory cannot be written to"
		: err == -ENXIO   ? "nobody reads from it"
		: err == -ENOTBLK ? "it is a block device"
				  : strerror(-err);
}

static void name_profile(struct sp_output *o, const struct sp_snapshot *s)
{
	char program[SAFE_NAME_MAX + 1], started[32];

	sp_output_safe_name(program, sizeof(program), sp_snapshot_text(s, s->header.text.program));
	sp_facts_started(&s->header, started, sizeof(started), "%Y%m%d-%H%M%S");
	snprintf(o->name, sizeof(o->name), "%s.%s.%d.md", program, started, s->header.pid);
}

int sp_output_open(struct sp_output *output, const struct sp_snapshot *snapshot, const struct sp_output_wish *wish)
{
	int err;

	*output = (struct sp_output){.fd = -1, .wish = *wish};
	sp_output_safe_name(output->environment, sizeof(output->environment),
		sp_snapshot_text(snapshot, snapshot->header.text.environment));
	if (*wish->file) {
		output->chosen = true;
		err = sp_output_choose(output, snapshot, wish->file);
	} else {
		name_profile(output, snapshot);
		err = try_directory(output, wish->directory, output->environment);
	}
	return err ? sp_output_fall_back(output, snapshot, err) : 0;
}

int sp_output_open_folder(struct sp_output *output, const char *directory, const char *folder)
{
	*output = (struct sp_output){.fd = -1};
	return try_directory(output, directory, folder) ? try_state(output, folder) : 0;
}

int sp_output_fall_back(struct sp_output *o, const struct sp_snapshot *snapshot, int err)
{
	if (*o->wish.directory || *o->wish.file)
		note_failure(o, err);
	sp_output_close(o);
	if (o->tried == SP_TRIED_WISH) {
		o->tried = SP_TRIED_USER;
		err = try_user_directory(o, o->wish.directory, o->environment);
	}
	if (err && o->tried == SP_TRIED_USER) {
		o->tried = SP_TRIED_STATE;
		err = try_state(o, o->environment);
	}
	if (err)
		return err;
	o->chosen = o->through = false;
	name_profile(o, snapshot);
	return 0;
}

void sp_output_close(struct sp_output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

int sp_output_put(int directory_fd, const char *name, const struct sp_buffer *text, bool replace)
{
	char temporary[64];
	struct timespec now;
	int fd, err;

	/* Processes of other pid namespaces may write here, too. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(temporary, sizeof(temporary), ".smartprof.%d.%ld.tmp", getpid(), now.tv_nsec);
	unlinkat(directory_fd, temporary, 0);
	fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	err = sp_buffer_write(text, fd);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && renameat2(directory_fd, temporary, directory_fd, name, replace ? 0 : RENAME_NOREPLACE) < 0)
		err = -errno;
	if (err == -EINVAL && !replace) { /* a filesystem without RENAME_NOREPLACE */
		err = faccessat(directory_fd, name, F_OK, 0) == 0 ? -EEXIST : 0;
		if (!err && renameat(directory_fd, temporary, directory_fd, name) < 0)
			err = -errno;
	}
	if (err)
		unlinkat(directory_fd, temporary, 0);
	return err;
}

int sp_output_put_at(const char *path, const struct sp_buffer *text)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	int fd, err;

	if (snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") >=
		(int)sizeof(directory))
		return -ENAMETOOLONG;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = sp_output_put(fd, slash ? slash + 1 : path, text, true);
	close(fd);
	return err;
}

/* A process that runs the same program again by execve within a second has the same name to give. */
static int put_new(struct sp_output *o, int directory_fd, const struct sp_buffer *text)
{
	char name[NAME_MAX + 1];
	int err = sp_output_put(directory_fd, o->name, text, false);

	for (int n = 2; err == -EEXIST && n < SAME_NAME_MAX; n++) {
		if (snprintf(name, sizeof(name), "%.*s-%d.md", (int)strlen(o->name) - 3, o->name, n) >=
			(int)sizeof(name))
			return -ENAMETOOLONG;
		err = sp_output_put(directory_fd, name, text, false);
		if (!err)
			memcpy(o->name, name, sizeof(o->name));
	}
	return err;
}

int sp_output_write(struct sp_output *output, const struct sp_profile *profile, const struct sp_buffer *text)
{
	int err, lock;

	if (output->chosen)
		return sp_output_write_chosen(output, text);
	/* Renderers of one tree take turns; where that is not possible there are profiles all the same. */
	lock = sp_directory_lock(output->fd);
	err = put_new(output, output->fd, text);
	if (!err)
		sp_output_tree_update(output->fd, profile, output->name);
	if (lock >= 0)
		close(lock);
	return err;
}
