/* Asking git. */
#include "tools/git.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/model/git_info.h"
#include "symbolize/base/memory.h"

extern char **environ;

/* A hook's git names the hook's own repository to whatever it starts (GIT_DIR); here the one counts that the working directory is in.
 * The environment without that name, to be freed; NULL: the working directory is in none. */
static char **make_environment(void)
{
	static const char *const of_hooks[] = {"GIT_DIR=", "GIT_WORK_TREE=", "GIT_COMMON_DIR=", "GIT_INDEX_FILE="};
	char cwd[PATH_MAX], root[PATH_MAX], **made;
	size_t count = 0, kept = 0;

	if (!getcwd(cwd, sizeof(cwd)) || !sp_git_root(cwd, root, sizeof(root)))
		return NULL;
	while (environ[count])
		count++;
	made = sp_alloc(count + 1, sizeof(*made));
	for (size_t i = 0; i < count; i++) {
		bool of_hook = false;

		for (size_t k = 0; k < sizeof(of_hooks) / sizeof(of_hooks[0]); k++)
			of_hook |= strncmp(environ[i], of_hooks[k], strlen(of_hooks[k])) == 0;
		if (!of_hook)
			made[kept++] = environ[i];
	}
	return made;
}

static pid_t start(const char *const *arguments, int out)
{
	posix_spawn_file_actions_t files;
	char **argv, **environment = make_environment();
	size_t count = 0;
	pid_t pid;

	while (arguments[count])
		count++;
	argv = sp_alloc(count + 2, sizeof(*argv));
	argv[0] = (char *)"git";
	memcpy(argv + 1, arguments, (count + 1) * sizeof(*argv));
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "git", &files, NULL, argv, environment ? environment : environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&files);
	free(argv);
	free(environment);
	return pid;
}

bool sp_git_lines(const char *const *arguments, sp_git_line_fn *each, void *context)
{
	int ends[2], status = -1;
	char *line = NULL;
	size_t room = 0;
	FILE *from;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	pid = start(arguments, ends[1]);
	close(ends[1]);
	from = fdopen(ends[0], "r");
	while (pid > 0 && from && getline(&line, &room, from) > 0) {
		line[strcspn(line, "\n")] = '\0';
		each(line, context);
	}
	free(line);
	if (from)
		fclose(from);
	else
		close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void keep_first(char *line, void *context)
{
	char **first = context;

	if (!*first)
		*first = sp_copy_text(line);
}

char *sp_git_line(const char *const *arguments)
{
	char *first = NULL;

	if (sp_git_lines(arguments, keep_first, &first))
		return first ? first : sp_copy_text("");
	free(first);
	return NULL;
}

int sp_git_dirty(void)
{
	const char *const arguments[] = {"--no-optional-locks", "status", "--porcelain", "--untracked-files=no", NULL};
	char *line = sp_git_line(arguments);
	int dirty = line ? *line != '\0' : -1;

	free(line);
	return dirty;
}
