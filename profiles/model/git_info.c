/* Reading HEAD, refs and where work trees are of a git repository (gitrepository-layout(5)).
 *
 * The directory may be anybody's, and what is read goes into a profile that others may read: only regular files are
 * opened, through no link below the repository's directory, and nothing comes out but a commit's id, a branch's name, or a
 * directory that what names it may lead to. */
#include "profiles/model/git_info.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"

#define PACKED_MAX_BYTES (16u << 20)

static FILE *open_small(const char *directory, const char *name)
{
	int fd = sp_regular_open_below(directory, name);
	FILE *file = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size <= PACKED_MAX_BYTES)
		file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

/* First line of a file without its newline. */
static bool read_line(const char *directory, const char *name, char *line, size_t size)
{
	FILE *file = open_small(directory, name);
	bool ok;

	if (!file)
		return false;
	ok = fgets(line, (int)size, file) != NULL;
	fclose(file);
	if (ok)
		line[strcspn(line, "\r\n")] = '\0';
	return ok;
}

/* `name`, taken relative to `directory` unless it is absolute. */
static bool join(char *out, size_t size, const char *directory, const char *name)
{
	int n = name[0] == '/' ? snprintf(out, size, "%s", name) : snprintf(out, size, "%s/%s", directory, name);

	return n > 0 && (size_t)n < size;
}

/* A link that leads elsewhere counts only if its target has the same owner: otherwise it could show what others must
 * not see. */
static bool may_lead(const char *from, const char *to)
{
	struct stat pointer, target;

	if (lstat(from, &pointer) < 0 || stat(to, &target) < 0)
		return false;
	return pointer.st_uid == geteuid() || pointer.st_uid == 0 || pointer.st_uid == target.st_uid;
}

static bool find_git_directory(char *git, size_t size, const char *directory)
{
	char at[PATH_MAX], line[PATH_MAX], pointer[PATH_MAX];
	struct stat st;

	if (directory[0] != '/' || snprintf(at, sizeof(at), "%s", directory) >= (int)sizeof(at))
		return false;
	for (;;) {
		char *slash;

		if (join(git, size, at, ".git") && stat(git, &st) == 0) {
			if (S_ISDIR(st.st_mode))
				return may_lead(git, git);
			memcpy(pointer, git, strlen(git) + 1);
			return read_line(at, ".git", line, sizeof(line)) && strncmp(line, "gitdir: ", 8) == 0 &&
				join(git, size, at, line + 8) && may_lead(pointer, git);
		}
		slash = strrchr(at, '/');
		if (!slash || !at[1])
			return false;
		slash[slash == at] = '\0';
	}
}

/* What all work trees of a repository have in common: for a linked one it is elsewhere. */
static void find_common(const char git[static PATH_MAX], char common[static PATH_MAX])
{
	char line[PATH_MAX], pointer[PATH_MAX];

	if (!read_line(git, "commondir", line, sizeof(line)) || !join(common, PATH_MAX, git, line) ||
		!join(pointer, sizeof(pointer), git, "commondir") || !may_lead(pointer, common))
		memcpy(common, git, PATH_MAX);
}

/* The id of a commit, and nothing behind it but what `end` says. */
static bool take_commit(struct sp_git_info *info, const char *text, char end)
{
	size_t n = 0;

	while (isxdigit((unsigned char)text[n]))
		n++;
	if ((n != 40 && n != 64) || text[n] != end)
		return false;
	memcpy(info->commit, text, n);
	info->commit[n] = '\0';
	return true;
}

static void find_packed(struct sp_git_info *info, const char *common, const char *ref)
{
	FILE *file = open_small(common, "packed-refs");
	char line[PATH_MAX];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *space = strchr(line, ' ');

		line[strcspn(line, "\r\n")] = '\0';
		if (space && strcmp(space + 1, ref) == 0 && take_commit(info, line, ' '))
			break;
	}
	fclose(file);
}

/* A branch moves by a write to HEAD, to its own file, or to the packed ones. */
static void note_change(struct sp_git_info *info, const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	long long ns;

	if (!join(path, sizeof(path), directory, name) || stat(path, &st) < 0)
		return;
	ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
	if (ns > info->changed_ns)
		info->changed_ns = ns;
}

/* As git-check-ref-format(1) has it, roughly: nothing that could be anything else. */
static bool is_ref(const char *ref)
{
	if (strncmp(ref, "refs/", 5) != 0 || strstr(ref, "..") || strstr(ref, "//"))
		return false;
	for (; *ref; ref++)
		if ((unsigned char)*ref <= ' ' || *ref == 0x7f || strchr("~^:?*[\\", *ref))
			return false;
	return true;
}

void sp_git_info(struct sp_git_info *info, const char *directory)
{
	char git[PATH_MAX], common[PATH_MAX], line[PATH_MAX], head[PATH_MAX];

	*info = (struct sp_git_info){{0}, {0}, 0};
	if (!find_git_directory(git, sizeof(git), directory) || !read_line(git, "HEAD", head, sizeof(head)))
		return;
	note_change(info, git, "HEAD");
	if (strncmp(head, "ref: ", 5) != 0) {
		take_commit(info, head, '\0');
		return;
	}
	if (!is_ref(head + 5))
		return;
	if (strncmp(head, "ref: refs/heads/", 16) == 0 && strlen(head + 16) < sizeof(info->branch))
		strcpy(info->branch, head + 16);
	find_common(git, common);
	if (read_line(common, head + 5, line, sizeof(line)) && take_commit(info, line, '\0')) {
		note_change(info, common, head + 5);
	} else {
		find_packed(info, common, head + 5);
		note_change(info, common, "packed-refs");
	}
}

bool sp_git_root(const char *directory, char *root, size_t size)
{
	char git[PATH_MAX];
	struct stat st;

	if (directory[0] != '/' || snprintf(root, size, "%s", directory) >= (int)size)
		return false;
	while (root[1]) {
		char *slash;

		if (join(git, sizeof(git), root, ".git") && lstat(git, &st) == 0 &&
			(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
			return true;
		slash = strrchr(root, '/');
		slash[slash == root] = '\0';
	}
	return false;
}

/* The value of a line of git's configuration that sets this name, without quotes around it; NULL: it does not. */
static char *value_of(char *line, const char *name)
{
	char *value = line + strspn(line, " \t");
	size_t length = strlen(name);

	if (strncasecmp(value, name, length) != 0)
		return NULL;
	value += length;
	value += strspn(value, " \t");
	if (*value != '=')
		return NULL;
	value += 1 + strspn(value + 1, " \t");
	value[strcspn(value, "\r\n")] = '\0';
	length = strlen(value);
	if (length > 1 && *value == '"' && value[length - 1] == '"') {
		value[length - 1] = '\0';
		value++;
	}
	return value;
}

/* The work tree that a submodule's repository names (core.worktree). */
static bool find_work_tree(const char *common, char tree[static PATH_MAX])
{
	FILE *file = open_small(common, "config");
	char line[PATH_MAX], named[PATH_MAX], pointer[PATH_MAX], *value;
	bool core = false, found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (line[strspn(line, " \t")] == '[')
			core = strncasecmp(line + strspn(line, " \t"), "[core]", 6) == 0;
		value = core ? value_of(line, "worktree") : NULL;
		found = value && *value && join(named, sizeof(named), common, value);
	}
	if (file)
		fclose(file);
	return found && realpath(named, tree) && join(pointer, sizeof(pointer), common, "config") &&
		may_lead(pointer, tree) && join(named, sizeof(named), tree, ".git") && access(named, F_OK) == 0;
}

bool sp_git_home(const char *directory, char home[static PATH_MAX])
{
	char git[PATH_MAX], common[PATH_MAX], real[PATH_MAX], *name;

	if (!find_git_directory(git, sizeof(git), directory))
		return false;
	find_common(git, common);
	if (!realpath(common, real))
		return false;
	name = strrchr(real, '/');
	if (strcmp(name, "/.git") != 0)
		return find_work_tree(real, home) || snprintf(home, PATH_MAX, "%s", real) < PATH_MAX;
	name[name == real] = '\0';
	return snprintf(home, PATH_MAX, "%s", real) < PATH_MAX;
}
