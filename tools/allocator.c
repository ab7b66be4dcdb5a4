/* `smartprof run --allocator NAME`: another malloc under the target, by LD_PRELOAD. */
#include "tools/tools.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct allocator {
	const char *name, *package;
	const char *files[2]; /* globs, the better first */
} allocators[] = {{"jemalloc", "libjemalloc2", {"libjemalloc.so.2"}},
	{"tcmalloc", "libtcmalloc-minimal4", {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4"}},
	{"mimalloc", "libmimalloc2.0", {"libmimalloc.so.2*"}}, {"system", NULL, {NULL}}};

/* Libraries that bring a malloc: what --allocator takes out of LD_PRELOAD. */
static const char *const known_files[] = {"libjemalloc*.so*", "libtcmalloc*.so*", "libmimalloc*.so*", "libhoard*.so*",
	"libsnmalloc*.so*", "libtbbmalloc*.so*", "librpmalloc*.so*", "libscudo*.so*", "libhardened_malloc*.so*"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct allocator *allocator_named(const char *name)
{
	for (size_t i = 0; i < COUNT(allocators); i++)
		if (strcmp(allocators[i].name, name) == 0)
			return &allocators[i];
	return NULL;
}

/* Looks for the file in one directory; `path` is PATH_MAX bytes. */
static int look_in(const char *directory, int bytes, const char *file, char *path)
{
	char pattern[PATH_MAX];
	glob_t found;
	int status = -ENOENT;

	if (bytes == 0 || snprintf(pattern, sizeof(pattern), "%.*s/%s", bytes, directory, file) >= (int)sizeof(pattern))
		return status;
	if (glob(pattern, 0, NULL, &found) == 0 && realpath(found.gl_pathv[0], path) && !strpbrk(path, " :"))
		status = 0;
	globfree(&found);
	return status;
}

/* In a list of directories with colons between, as LD_LIBRARY_PATH. */
static int look_along(const char *list, const char *file, char *path)
{
	for (const char *at = list; at && *at; at += strspn(at, ":")) {
		size_t bytes = strcspn(at, ":");

		if (look_in(at, (int)bytes, file, path) == 0)
			return 0;
		at += bytes;
	}
	return -ENOENT;
}

void sp_allocators_put(void)
{
	for (size_t i = 0; i < COUNT(allocators); i++)
		sp_completion_put(allocators[i].name);
}

int sp_allocator_find(const char *name, char *path)
{
	static const char usual[] = "/usr/local/lib/" SP_OWN_PLACE ":/usr/local/lib:/lib/" SP_OWN_PLACE
				    ":/usr/lib/" SP_OWN_PLACE ":/lib64:/usr/lib64:/lib:/usr/lib";
	const struct allocator *a = allocator_named(name);

	*path = '\0';
	if (!a) {
		sp_complain("run: --allocator: '%s' is not an allocator that smartprof knows; allowed: jemalloc, "
			    "tcmalloc, mimalloc, system",
			name);
		return SP_EXIT_USAGE;
	}
	for (size_t i = 0; i < COUNT(a->files) && a->files[i]; i++)
		if (look_along(getenv("LD_LIBRARY_PATH"), a->files[i], path) == 0 ||
			look_along(usual, a->files[i], path) == 0)
			return 0;
	if (!a->files[0])
		return 0;
	sp_complain("run: --allocator %s: %s is not installed; on Debian: apt-get install %s", name, a->files[0],
		a->package);
	return SP_EXIT_USAGE;
}

static int is_allocator(const char *entry, size_t bytes)
{
	char file[NAME_MAX + 1];
	const char *slash = memrchr(entry, '/', bytes);
	size_t skipped = slash ? (size_t)(slash + 1 - entry) : 0;

	snprintf(file, sizeof(file), "%.*s", (int)(bytes - skipped), entry + skipped);
	for (size_t i = 0; i < COUNT(known_files); i++)
		if (fnmatch(known_files[i], file, 0) == 0)
			return 1;
	return 0;
}

char *sp_allocator_preload(const char *list, const char *path)
{
	size_t room = (list ? strlen(list) : 0) + strlen(path) + 2, used;
	char *out = malloc(room);

	if (!out)
		return NULL;
	used = (size_t)snprintf(out, room, "%s", path);
	for (; list && *list; list += strspn(list, " :")) {
		size_t bytes = strcspn(list, " :");

		if (bytes && !is_allocator(list, bytes))
			used += (size_t)snprintf(out + used, room - used, "%s%.*s", used ? ":" : "", (int)bytes, list);
		list += bytes;
	}
	return out;
}
