/* Finding the place of a profile and writing it there. */
#include "profiles/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/facts.h"
#include "profiles/redact.h"

#define SAFE_NAME_MAX 64u
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

static int make_directories(const char *path)
{
	char copy[PATH_MAX];
	struct stat st;

	if (path[0] != '/' || snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c)
			continue;
		*p = '\0';
		if (mkdir(copy, 0777) < 0 && errno != EEXIST && stat(copy, &st) < 0)
			return -errno;
		if (!c)
			break;
		*p = c;
	}
	return access(path, W_OK | X_OK) < 0 ? -errno : 0;
}

int sp_output_state_path(char *path, size_t size, const char *rest)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && state[0] == '/') {
		n = snprintf(path, size, "%s/smartprof/%s", state, rest);
	} else {
		if (!home || home[0] != '/') {
			struct passwd *pw = getpwuid(geteuid());

			home = pw ? pw->pw_dir : NULL;
		}
		if (!home || home[0] != '/')
			return -ENOENT;
		n = snprintf(path, size, "%s/.local/state/smartprof/%s", home, rest);
	}
	return n > 0 && (size_t)n < size ? 0 : -ENOENT;
}

/* The file asked for, split into directory and name. */
static int open_chosen(struct sp_output *o, const struct sp_snapshot *s, const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	size_t length = strlen(name);
	char program[SAFE_NAME_MAX + 1];

	if (file[0] != '/' || !length || (size_t)(slash - file) >= sizeof(o->directory))
		return -EINVAL;
	o->chosen = true;
	snprintf(o->directory, sizeof(o->directory), "%.*s", (int)(slash - file), file);
	if (!o->directory[0])
		strcpy(o->directory, "/");
	if (sp_snapshot_is_root(s))
		return snprintf(o->name, sizeof(o->name), "%s", name) < (int)sizeof(o->name) ? 0 : -ENAMETOOLONG;
	if (length > 3 && strcmp(name + length - 3, ".md") == 0)
		length -= 3;
	sp_output_safe_name(program, sizeof(program), sp_snapshot_text(s, s->header.text.program));
	return snprintf(o->name, sizeof(o->name), "%.*s.%s.%d.md", (int)length, name, program, s->header.pid) <
			(int)sizeof(o->name)
		? 0
		: -ENAMETOOLONG;
}

static void write_gitignore(const char *directory)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/.gitignore", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	if (write(fd, "*\n", 2) != 2)
		unlink(path);
	close(fd);
}

/* Settles on base/environment when that can be written to. */
static int try_directory(struct sp_output *o, const char *base, const char *environment)
{
	int err;

	if (snprintf(o->directory, sizeof(o->directory), "%s/%s", base, environment) >= (int)sizeof(o->directory))
		return -ENAMETOOLONG;
	err = make_directories(o->directory);
	if (!err)
		write_gitignore(o->directory);
	return err;
}

int sp_output_open(struct sp_output *output, const struct sp_snapshot *snapshot)
{
	const struct sp_spool_header *h = &snapshot->header;
	const char *file = sp_snapshot_text(snapshot, h->text.output_file);
	const char *base = sp_snapshot_text(snapshot, h->text.output_dir);
	char program[SAFE_NAME_MAX + 1], environment[SAFE_NAME_MAX + 1], started[32];
	int err;

	*output = (struct sp_output){.chosen = false};
	if (*file) {
		err = open_chosen(output, snapshot, file);
		return err ? err : make_directories(output->directory);
	}
	sp_output_safe_name(program, sizeof(program), sp_snapshot_text(snapshot, h->text.program));
	sp_output_safe_name(environment, sizeof(environment), sp_snapshot_text(snapshot, h->text.environment));
	sp_facts_started(h, started, sizeof(started), "%Y%m%d-%H%M%S");
	snprintf(output->name, sizeof(output->name), "%s.%s.%d.md", program, started, h->pid);
	err = base[0] == '/' ? try_directory(output, base, environment) : -ENOENT;
	return err ? sp_output_fall_back(output, snapshot) : 0;
}

int sp_output_fall_back(struct sp_output *output, const struct sp_snapshot *snapshot)
{
	char environment[SAFE_NAME_MAX + 1], state[PATH_MAX];
	int err;

	if (output->chosen)
		return -ENOENT;
	sp_output_safe_name(environment, sizeof(environment),
		sp_snapshot_text(snapshot, snapshot->header.text.environment));
	err = sp_output_state_path(state, sizeof(state), "profiles");
	return err ? err : try_directory(output, state, environment);
}

int sp_output_put(int directory_fd, const char *name, const struct sp_buffer *text, bool replace)
{
	char temporary[64];
	int fd, err;

	snprintf(temporary, sizeof(temporary), ".smartprof.%d.tmp", getpid());
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
	int err, fd = open(output->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Renderers of one tree take turns; a file system without locks still gets its profiles. */
	flock(fd, LOCK_EX);
	if (output->chosen) {
		err = sp_output_put(fd, output->name, text, true);
	} else {
		err = put_new(output, fd, text);
		if (!err)
			sp_output_tree_update(fd, profile, output->name);
	}
	close(fd);
	return err;
}
