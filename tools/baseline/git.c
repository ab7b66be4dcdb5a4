/* What git says of the working directory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/model/git_info.h"
#include "env/env.h"
#include "symbolize/base/memory.h"
#include "tools/baseline/baseline.h"
#include "tools/tools.h"

#define WORDS_MAX 12u
#define LINE_MAX_BYTES 4096u

extern char **environ;

static pid_t start(const char *const *arguments, int out)
{
	char *argv[WORDS_MAX + 2] = {(char *)"git"};
	posix_spawn_file_actions_t files;
	pid_t pid = -1;
	size_t n = 1;

	while (*arguments && n <= WORDS_MAX)
		argv[n++] = (char *)*arguments++;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "git", &files, NULL, argv, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&files);
	return pid;
}

char *sp_git_line(const char *const *arguments)
{
	char line[LINE_MAX_BYTES];
	int ends[2], status = -1;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return NULL;
	pid = start(arguments, ends[1]);
	close(ends[1]);
	while (pid > 0 &&
		((got = read(ends[0], line + used, sizeof(line) - 1 - used)) > 0 || (got < 0 && errno == EINTR)))
		used += got > 0 ? (size_t)got : 0;
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return NULL;
	line[used] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return sp_copy_text(line);
}

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

static int is_dirty(void)
{
	const char *const arguments[] = {"status", "--porcelain", "--untracked-files=no", NULL};
	char *line = sp_git_line(arguments);
	int dirty = line ? *line != '\0' : -1;

	free(line);
	return dirty;
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
	here->dirty = is_dirty();
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
	char *line = sp_git_line((const char *const[]){"merge-base", "--is-ancestor", commit, other, NULL});
	bool before = line != NULL;

	free(line);
	return before;
}
