/* Which commit a directory has checked out, read from .git itself: no git process is started. */
#ifndef SP_PROFILES_GIT_INFO_H
#define SP_PROFILES_GIT_INFO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct sp_git_info {
	char commit[65];      /* hexadecimal; "" unknown */
	char branch[256];     /* "" unknown or detached */
	long long changed_ns; /* since 1970: when what says so was last written */
};

/* Looks in `directory` and its parents. Worktrees and packed refs are understood. */
void sp_git_info(struct sp_git_info *info, const char *directory);

/* The directory at or above `directory` that a repository's files are in; false when there is none. */
bool sp_git_root(const char *directory, char *root, size_t size);

/* A directory that is the same for all work trees of a repository: the root of the main one; where it has none (a bare repository) or nobody
 * knows which it is (--separate-git-dir), the repository's own. */
bool sp_git_home(const char *directory, char home[static PATH_MAX]);

#endif
