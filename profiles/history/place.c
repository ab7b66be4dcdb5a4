/* Where the history is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/xdg.h"
#include "profiles/history/store.h"
#include "profiles/model/git_info.h"

/* In a group's repository others may make names, but nothing in a directory of ours. */
static bool is_ours(const char *path, mode_t others, bool may_be_missing)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return may_be_missing && errno == ENOENT;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & others);
}

static bool place_in(char path[static PATH_MAX], const char *root, const char **note)
{
	if (snprintf(path, PATH_MAX, "%s/.smartprof", root) >= PATH_MAX - 32) {
		*note = "the repository's path is too long";
	} else if (!is_ours(root, 0, false)) {
		*note = "the repository is another user's";
	} else if (!is_ours(path, 022, true)) {
		*note = "the repository's .smartprof is no directory of this user alone";
	} else if (access(root, W_OK) < 0 && access(path, W_OK) < 0) {
		*note = "the repository cannot be written to";
	} else {
		strcat(path, "/history.db");
		*note = NULL;
		return true;
	}
	return false;
}

static bool has_history(const char *root)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/.smartprof/history.db", root) < (int)sizeof(path) &&
		lstat(path, &st) == 0;
}

/* All work trees have one history, unless this one has its own already. */
static bool place_in_repository(char path[static PATH_MAX], const char *directory, const char **note)
{
	char root[PATH_MAX], home[PATH_MAX];

	if (!directory || !sp_git_root(directory, root, sizeof(root)))
		return false;
	if (!has_history(root) && sp_git_home(directory, home) && strcmp(home, root) != 0 && place_in(path, home, note))
		return true;
	return place_in(path, root, note);
}

int sp_history_place(char path[static PATH_MAX], const char *setting, const char *directory, const char **note)
{
	*note = NULL;
	if (setting && *setting && strcmp(setting, "auto") != 0)
		return snprintf(path, PATH_MAX, "%s", setting) < PATH_MAX ? 0 : -ENAMETOOLONG;
	if (place_in_repository(path, directory, note))
		return 0;
	return sp_state_path(path, PATH_MAX, "history.db");
}
