/* What git says of the working directory. */
#include <stdlib.h>

#include "env/env.h"
#include "profiles/model/git_info.h"
#include "symbolize/base/memory.h"
#include "tools/baseline/baseline.h"
#include "tools/git.h"
#include "tools/history/commits.h"
#include "tools/tools.h"

static bool is_ref(const char *name)
{
	const char *const arguments[] = {"rev-parse", "-q", "--verify", "--end-of-options", name, NULL};
	char *line = sp_git_line(arguments);
	bool there = line && *line;

	free(line);
	return there;
}

static char *find_main(const char *asked)
{
	static const char *const known[] = {"main", "master", "origin/main", "origin/master"};
	const char *const arguments[] = {"symbolic-ref", "-q", "--short", "refs/remotes/origin/HEAD", NULL};
	char *line;

	if (asked)
		return sp_copy_text(is_ref(asked) ? asked : "");
	line = sp_git_line(arguments);
	if (line && *line && is_ref(line))
		return line;
	free(line);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is_ref(known[i]))
			return sp_copy_text(known[i]);
	return sp_copy_text("");
}

static char *or_nothing(char *text)
{
	return text ? text : sp_copy_text("");
}

void sp_git_here(struct sp_git_here *here, const char *main_branch)
{
	struct sp_git_info info;
	const char *cwd = sp_settings_where()->cwd;

	sp_git_info(&info, cwd ? cwd : "/");
	*here = (struct sp_git_here){
		.commit = sp_copy_text(info.commit), .branch = sp_copy_text(info.branch), .dirty = -1};
	if (!*here->commit) {
		here->main_branch = sp_copy_text("");
		here->merge_base = sp_copy_text("");
		return;
	}
	here->dirty = sp_git_dirty();
	here->main_branch = find_main(main_branch);
	here->merge_base = *here->main_branch
		? or_nothing(sp_git_line((const char *const[]){"merge-base", "HEAD", here->main_branch, NULL}))
		: sp_copy_text("");
}

void sp_git_here_free(struct sp_git_here *here)
{
	free(here->commit);
	free(here->branch);
	free(here->main_branch);
	free(here->merge_base);
}

bool sp_git_is_before(const char *commit, const char *other)
{
	char *line = sp_commit_is_id(commit)
		? sp_git_line((const char *const[]){"merge-base", "--is-ancestor", commit, other, NULL})
		: NULL;
	bool before = line != NULL;

	free(line);
	return before;
}
