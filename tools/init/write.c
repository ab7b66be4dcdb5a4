/* Files are written to where they belong, and nothing is written over. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "tools/git.h"
#include "tools/init/init.h"
#include "tools/tools.h"

#define KEPT ".before-smartprof"
#define OURS "Made by `smartprof init"

/* Where git looks for hooks: core.hooksPath, worktrees and all. */
static bool hooks_directory(char path[static PATH_MAX])
{
	char *line = sp_git_line((const char *const[]){"rev-parse", "--git-path", "hooks", NULL});
	bool got = line && *line && strlen(line) < PATH_MAX;

	if (got)
		strcpy(path, line);
	else
		sp_complain("init: this is no git repository, or git is not installed; hooks are git's");
	free(line);
	return got;
}

static bool failed(const char *path, int err)
{
	sp_complain("init: %s: %s", path, strerror(err));
	return false;
}

/* Whether the file is this text; or, where text is NULL, one that this command made. */
static bool is_file(const char *path, const char *text)
{
	struct sp_buffer there = {0};
	bool same = sp_input_read(path, &there) == 0 && there.data &&
		(text ? strcmp(there.data, text) == 0 : strstr(there.data, OURS) != NULL);

	sp_buffer_free(&there);
	return same;
}

static bool create(const char *path, const struct sp_buffer *text, mode_t mode)
{
	char directory[PATH_MAX], *slash;
	bool made;
	int fd, err;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash) {
		*slash = '\0';
		fd = sp_directory_open(directory, &made);
		if (fd < 0)
			return failed(directory, -fd);
		close(fd);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return failed(path, errno);
	err = sp_buffer_write(text, fd);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err)
		unlink(path);
	return err ? failed(path, -err) : true;
}

static void tell(const char *what, const char *path)
{
	char *shown = strdup(path);

	if (shown) {
		sp_make_inert(shown);
		printf("%s %s\n", what, shown);
	}
	free(shown);
}

/* Moves somebody else's hook aside: ours calls it. */
static bool keep_hook(const char *path, char kept[static PATH_MAX])
{
	if (snprintf(kept, PATH_MAX, "%s%s", path, KEPT) >= PATH_MAX)
		return failed(path, ENAMETOOLONG);
	if (renameat2(AT_FDCWD, path, AT_FDCWD, kept, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EEXIST)
		return failed(path, errno);
	sp_complain("init: %s: there is one already, and %s too; put them together yourself (--print shows ours)", path,
		kept);
	return false;
}

static bool write_hook(const struct sp_init_file *file, const struct sp_buffer *text)
{
	char path[PATH_MAX], kept[PATH_MAX] = "";
	struct stat st;

	if (!hooks_directory(path))
		return false;
	if (strlen(path) + strlen(file->path) + 2 > sizeof(path))
		return failed(path, ENAMETOOLONG);
	strcat(strcat(path, "/"), file->path);
	if (is_file(path, text->data)) {
		tell("is there already:", path);
		return true;
	}
	if (is_file(path, NULL)) {
		sp_complain("init: %s: made by this command, and changed since; remove it first", path);
		return false;
	}
	if (lstat(path, &st) == 0 && !keep_hook(path, kept))
		return false;
	if (!create(path, text, 0777)) {
		if (*kept)
			renameat2(AT_FDCWD, kept, AT_FDCWD, path, RENAME_NOREPLACE);
		return false;
	}
	tell("wrote", path);
	if (*kept)
		tell("  it calls the hook that was there first:", kept);
	return true;
}

bool sp_init_write(const struct sp_init_file *file, const struct sp_buffer *text)
{
	struct stat st;

	if (file->hook)
		return write_hook(file, text);
	if (is_file(file->path, text->data)) {
		tell("is there already:", file->path);
		return true;
	}
	if (lstat(file->path, &st) == 0 && file->unless) {
		printf("left as it is: %s; %s\n", file->path, file->unless);
		return true;
	}
	if (lstat(file->path, &st) == 0) {
		sp_complain("init: %s: there is one already; remove it, or take over what you want of ours (--print)",
			file->path);
		return false;
	}
	if (!create(file->path, text, 0666))
		return false;
	tell("wrote", file->path);
	return true;
}
