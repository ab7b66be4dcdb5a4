/* What git knows of commits, where a repository is at hand. */
#ifndef SP_TOOLS_HISTORY_COMMITS_H
#define SP_TOOLS_HISTORY_COMMITS_H

#include <stdbool.h>
#include <stddef.h>

struct sp_commit {
	char id[65];
	char subject[160]; /* any bytes */
	char author[64];
};

#define SP_COMMITS_MOST 20u

/* The commits that `after` has and `before` has not, newest first: at most SP_COMMITS_MOST, and in *count how many there are. False: git
 * does not know them here. */
bool sp_commits_between(const char *before, const char *after, struct sp_commit commits[static SP_COMMITS_MOST],
	size_t *count);

/* Whether it is a commit's name as the history has them. */
bool sp_commit_is_id(const char *text);

#endif
