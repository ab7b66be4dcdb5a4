/* Finds written profiles: by process id, by program, or the latest. */
#include "tools/tools.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/xdg.h"
#include "symbolize/base/memory.h"

#define BASES 3
#define HEAD_BYTES 4096

struct search {
	const char *what;      /* a program, or "latest"; NULL: `pid` */
	int pid;               /* of a profile's process, or of its parent */
	bool parent;           /* look for the latter */
	bool index;            /* look for the index of its run alone */
	struct timespec since; /* nothing older */
	char *path;            /* PATH_MAX: the newest so far */
	struct timespec newest;
	bool found;
};

/* The directories that have one for each environment. */
static int find_bases(char bases[BASES][PATH_MAX])
{
	struct sp_value dir;
	char state[PATH_MAX];
	const char *first;
	int count = 0;

	sp_value_load(&dir, SP_OPT_DIR, environ, sp_settings_file());
	first = dir.text && *dir.text ? dir.text : "profiles";
	snprintf(bases[count++], PATH_MAX, "%s", first);
	if (snprintf(bases[count], PATH_MAX, "%.4000s/user-%u", first, (unsigned)geteuid()) < PATH_MAX)
		count++;
	if (sp_state_path(state, sizeof(state), "profiles") == 0)
		snprintf(bases[count++], PATH_MAX, "%s", state);
	return count;
}

static bool has_parent(const char *path, int pid)
{
	char head[HEAD_BYTES], line[40];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);

	if (fd >= 0)
		close(fd);
	head[n > 0 ? n : 0] = '\0';
	snprintf(line, sizeof(line), "\nppid: %d\n", pid);
	return strstr(head, line) != NULL;
}

/* "<program>.<time>.<pid>.md" */
static bool is_of_program(const char *name, const char *program)
{
	size_t length = strlen(program);
	const char *rest = name + length;

	if (strncmp(name, program, length) != 0 || *rest++ != '.')
		return false;
	rest += strspn(rest, "0123456789-");
	return *rest == '.' && strspn(rest + 1, "0123456789") + 4 == strlen(rest);
}

/* "….<pid>.md", or with "-2" and the like behind the pid: of a whole run, not of a moment or a window of it. */
static bool is_of_run(const char *name)
{
	size_t length = strlen(name), at = length > 3 ? length - 3 : 0;

	while (at && strchr("0123456789-", name[at - 1]))
		at--;
	return at && at + 3 < length && name[at - 1] == '.';
}

static bool is_wanted(const struct search *s, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char end[32];
	size_t length = strlen(name);

	if (s->what && strcmp(s->what, "latest") == 0)
		return strcmp(name, "latest.md") == 0;
	if (strcmp(name, "latest.md") == 0)
		return false;
	if (s->what)
		return is_of_program(name, s->what);
	if (s->parent)
		return is_of_run(name) && has_parent(path, s->pid);
	snprintf(end, sizeof(end), ".%d.md", s->pid);
	if (strncmp(name, "tree.", 5) == 0 ? !s->index : s->index)
		return false;
	return length > strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void look_at(struct search *s, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || is_older(&st.st_mtim, &s->since) || !is_wanted(s, path) ||

		(s->found && !is_older(&s->newest, &st.st_mtim)))
		return;
	s->newest = st.st_mtim;
	s->found = snprintf(s->path, PATH_MAX, "%s", path) < PATH_MAX;
}

static void search(struct search *s, const char *pattern, const char *base)
{
	char full[PATH_MAX + 16];
	glob_t found;

	snprintf(full, sizeof(full), "%s%s", base, pattern);
	if (glob(full, GLOB_NOESCAPE, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		look_at(s, found.gl_pathv[i]);
	globfree(&found);
}

static bool search_all(struct search *s)
{
	static char bases[BASES][PATH_MAX];
	int count = find_bases(bases);

	for (int i = 0; i < count; i++)
		search(s, "/*/*.md", bases[i]);
	return s->found;
}

bool sp_profile_of_pid(int pid, const struct timespec *since, char path[static PATH_MAX])
{
	struct search s = {.pid = pid, .since = *since, .path = path};

	if (search_all(&s))
		return true;
	s.parent = true;
	if (search_all(&s))
		return true;
	s.parent = false;
	s.index = true;
	return search_all(&s);
}

bool sp_profile_index(const char *directory, int pid, char path[static PATH_MAX])
{
	struct search s = {.pid = pid, .index = true, .path = path};

	search(&s, "/tree.*.md", directory);
	return s.found;
}

bool sp_profile_latest(const char *directory, char path[static PATH_MAX])
{
	struct search s = {.what = "latest", .path = path};

	if (!directory)
		return search_all(&s);
	search(&s, "/latest.md", directory);
	if (!s.found)
		search(&s, "/*/latest.md", directory);
	return s.found;
}

static const char *find_named(const char *what, char path[static PATH_MAX])
{
	struct search s = {.what = what, .path = path};
	const struct timespec ever = {0, 0};

	if (what[strspn(what, "0123456789")] == '\0')
		return sp_profile_of_pid(atoi(what), &ever, path) ? path : what;
	return search_all(&s) ? path : what;
}

const char *sp_input_named(const char *command, const char *what, char path[static PATH_MAX])
{
	static char bases[BASES][PATH_MAX];
	int count;

	if (!*what || strchr(what, '/') || sp_input_is_meant(what)) {
		sp_await_profiles(command, what, what, false);
		return what;
	}
	count = find_bases(bases);
	for (int i = 0; i < count; i++)
		sp_await_profiles(command, what, bases[i], true);
	return find_named(what, path);
}

size_t sp_input_below(const char *directory, char ***directories)
{
	char pattern[PATH_MAX + 16];
	glob_t found;
	size_t count = 0;

	*directories = NULL;
	snprintf(pattern, sizeof(pattern), "%s/*/latest.md", directory);
	if (glob(pattern, GLOB_NOESCAPE, NULL, &found) != 0)
		return 0;
	*directories = sp_alloc(found.gl_pathc, sizeof(**directories));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		*strrchr(found.gl_pathv[i], '/') = '\0';
		(*directories)[count++] = strdup(found.gl_pathv[i]);
	}
	globfree(&found);
	return count;
}
