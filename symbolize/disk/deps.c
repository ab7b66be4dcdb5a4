/* What answers rest on: see deps.h. */
#include "symbolize/disk/deps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbolize/base/memory.h"
#include "symbolize/disk/patience.h"

/* A list is a row of these, each followed by the path and its NUL. */
struct dep {
	uint64_t size, mtime_ns, ctime_ns, inode; /* all 0: there is no such file */
	uint64_t missed;                          /* 1: there should be one, with debug information */
};

static uint64_t to_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

struct look {
	const char *path;
	struct dep dep;
};

static int stat_file(void *arg)
{
	struct look *look = arg;
	struct stat status;

	if (stat(look->path, &status))
		return -errno;
	look->dep = (struct dep){.size = (uint64_t)status.st_size,
		.mtime_ns = to_ns(&status.st_mtim),
		.ctime_ns = to_ns(&status.st_ctim),
		.inode = status.st_ino};
	return 0;
}

/* Returns 0 or a negative errno. */
static int look_at(const char *path, struct dep *dep)
{
	struct look look = {.path = path};
	int rc = sp_patiently(stat_file, &look, path);

	*dep = look.dep;
	return rc;
}

/* Reads the entry at *at and goes on to the next; returns its path, or NULL at the end and at damage. */
static const char *next_dep(const uint8_t *bytes, size_t count, size_t *at, struct dep *dep)
{
	const char *path;
	size_t length;

	if (count - *at <= sizeof(*dep))
		return NULL;
	path = (const char *)bytes + *at + sizeof(*dep);
	memcpy(dep, bytes + *at, sizeof(*dep));
	length = strnlen(path, count - *at - sizeof(*dep));
	if (length == count - *at - sizeof(*dep))
		return NULL;
	*at += sizeof(*dep) + length + 1;
	return path;
}

/* Where the path's entry begins; SIZE_MAX: there is none. */
static size_t find(const struct sp_deps *deps, const char *wanted, struct dep *dep)
{
	const char *path;
	size_t at = 0, from;

	while (from = at, (path = next_dep(deps->bytes, deps->count, &at, dep)))
		if (!strcmp(path, wanted))
			return from;
	return SIZE_MAX;
}

static bool has_path(const struct sp_deps *deps, const char *wanted)
{
	struct dep dep;

	return find(deps, wanted, &dep) != SIZE_MAX;
}

static void append(struct sp_deps *deps, const char *path, const struct dep *dep)
{
	size_t path_bytes = strlen(path) + 1, wanted = deps->count + sizeof(*dep) + path_bytes;

	sp_grow(&deps->bytes, &deps->capacity, wanted, 1);
	memcpy(deps->bytes + deps->count, dep, sizeof(*dep));
	memcpy(deps->bytes + deps->count + sizeof(*dep), path, path_bytes);
	deps->count = wanted;
}

void sp_deps_add(struct sp_deps *deps, const char *path)
{
	struct dep dep;

	if (has_path(deps, path))
		return;
	sp_deps_failed(deps, look_at(path, &dep));
	append(deps, path, &dep);
}

void sp_deps_miss(struct sp_deps *deps, const char *path)
{
	struct dep dep;
	size_t at = find(deps, path, &dep);

	if (at == SIZE_MAX)
		return;
	dep.missed = 1;
	memcpy(deps->bytes + at, &dep, sizeof(dep));
}

const char *sp_deps_missed(const struct sp_deps *deps, size_t *count)
{
	const char *path, *first = NULL;
	struct dep dep;
	size_t at = 0;

	*count = 0;
	while ((path = next_dep(deps->bytes, deps->count, &at, &dep))) {
		*count += dep.missed != 0;
		if (!first && dep.missed)
			first = path;
	}
	return first;
}

void sp_deps_failed(struct sp_deps *deps, int error)
{
	if (!error || error == -ENOENT || error == -ENOTDIR || error == -ENOEXEC || error == -ESTALE)
		return;
	deps->unusable = true;
	deps->error = deps->error ? deps->error : error;
}

void sp_deps_merge(struct sp_deps *deps, const uint8_t *bytes, size_t count)
{
	const char *path;
	struct dep dep;
	size_t at = 0;

	while ((path = next_dep(bytes, count, &at, &dep)))
		if (!has_path(deps, path))
			append(deps, path, &dep);
}

void sp_deps_free(struct sp_deps *deps)
{
	free(deps->bytes);
	*deps = (struct sp_deps){0};
}

bool sp_deps_hold(const uint8_t *bytes, size_t count)
{
	const char *path;
	struct dep then, now;
	size_t at = 0;

	while ((path = next_dep(bytes, count, &at, &then))) {
		look_at(path, &now);
		now.missed = then.missed;
		if (memcmp(&then, &now, sizeof(now)) != 0)
			return false;
	}
	return at == count;
}
