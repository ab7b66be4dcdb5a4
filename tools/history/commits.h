/* What git knows of commits, where a repository is at hand. */
#ifndef SP_TOOLS_HISTORY_COMMITS_H
#define SP_TOOLS_HISTORY_COMMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_commit {
	char id[65];
	char subject[160]; /* any bytes */
	char author[64];
	int64_t when_s; /* committed, since 1970 */
};

#define SP_COMMITS_MOST 20u

/* The commits that `after` has and `before` has not, newest first: at most SP_COMMITS_MOST, and in *count how many there are. False: git
 * does not know them here. */
bool sp_commits_between(const char *before, const char *after, struct sp_commit commits[static SP_COMMITS_MOST],
	size_t *count);

/* What git knows of these, in whatever order; of those it does not know, nothing. */
typedef void sp_commit_fn(const struct sp_commit *commit, void *context);
void sp_commits_each(const char *const *ids, size_t count, sp_commit_fn *each, void *context);

/* Whether it is a commit's name as the history has them. */
bool sp_commit_is_id(const char *text);

#endif
