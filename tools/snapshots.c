/* Snapshots in files: <state directory>/snapshots/<pid>.<start_ticks>.<name>.snapshot. */
#include "tools/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/xdg.h"
#include "profiles/spool/find.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/process.h"
#include "profiles/spool/write.h"
#include "tools/live.h"
#include "tools/tools.h"

int sp_snapshot_path(char path[static PATH_MAX], const struct sp_spool_header *h, const char *name)
{
	char directory[PATH_MAX];
	int err = sp_state_path(directory, sizeof(directory), "snapshots");

	if (err)
		return err;
	return snprintf(path, PATH_MAX, "%s/%d.%llu.%s%s", directory, h->pid, (unsigned long long)h->start_ticks, name,
		       SP_SNAPSHOT_SUFFIX) < PATH_MAX
		? 0
		: -ENAMETOOLONG;
}

/* Of several processes that had the number, the one that runs, else the one that was last taken a snapshot of. */
static bool better(const char *path, const char *than)
{
	struct stat a, b;
	const char *slash = strrchr(path, '/');
	unsigned long long ticks = 0;
	int pid = 0;

	if (slash && sscanf(slash + 1, "%9d.%llu.", &pid, &ticks) == 2 && sp_process_alive(pid, ticks))
		return true;
	return stat(path, &a) == 0 &&
		(!*than || stat(than, &b) < 0 || a.st_mtim.tv_sec > b.st_mtim.tv_sec ||
			(a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec > b.st_mtim.tv_nsec));
}

static bool find(int pid, const char *name, char path[static PATH_MAX])
{
	char directory[PATH_MAX], pattern[2 * PATH_MAX];
	glob_t found;

	path[0] = '\0';
	if (!sp_name_is_plain(name, SP_SNAPSHOT_NAME_MAX) || sp_state_path(directory, sizeof(directory), "snapshots"))
		return false;
	snprintf(pattern, sizeof(pattern), "%s/%d.*.%s%s", directory, pid, name, SP_SNAPSHOT_SUFFIX);
	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (strlen(found.gl_pathv[i]) < PATH_MAX && better(found.gl_pathv[i], path))
			strcpy(path, found.gl_pathv[i]);
	globfree(&found);
	return *path;
}

static int complain_of_none(const char *command, int pid, const char *name)
{
	sp_complain("%s: %d@%s: there is no such snapshot; smartprof snapshot --name %s %d makes one", command, pid,
		name, sp_name_is_plain(name, SP_SNAPSHOT_NAME_MAX) ? name : "NAME", pid);
	return -1;
}

int sp_snapshot_find(const char *command, const char *text, char path[static PATH_MAX])
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 9 || text[digits] != '@' || access(text, F_OK) == 0)
		return 0;
	if (find(atoi(text), text + digits + 1, path))
		return 1;
	return complain_of_none(command, atoi(text), text + digits + 1);
}

int sp_snapshot_since(const char *command, const char *text, int pid, char path[static PATH_MAX])
{
	int found = sp_snapshot_find(command, text, path);

	if (found)
		return found;
	if (access(text, F_OK) == 0 && strlen(text) < PATH_MAX) {
		strcpy(path, text);
		return 1;
	}
	return find(pid, text, path);
}

int sp_snapshot_load(const char *command, const char *path, struct sp_snapshot *snapshot)
{
	const char *why = "";
	int fd = sp_spool_open(path), err;

	*snapshot = (struct sp_snapshot){0};
	err = fd < 0 ? fd : sp_snapshot_read(snapshot, fd, &why);
	if (fd >= 0)
		close(fd);
	if (!err)
		return 0;
	sp_complain("%s: %s: %s; give it a snapshot", command, path, *why ? why : strerror(-err));
	return SP_EXIT_USAGE;
}

/* Under a name that nobody looks at until all of it is there. */
static int write_whole(const struct sp_snapshot *snapshot, const char *path)
{
	char temporary[PATH_MAX + 32];
	int fd, err;

	snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, getpid());
	unlink(temporary);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = sp_snapshot_write(snapshot, fd);
	if (close(fd) < 0 && !err)
		err = -errno;
	/* link and not rename: a snapshot of that name is not replaced. */
	if (!err && link(temporary, path) < 0)
		err = -errno;
	unlink(temporary);
	return err;
}

int sp_snapshot_save(const struct sp_snapshot *snapshot, const char *path)
{
	char directory[PATH_MAX], *slash;
	bool made;
	int fd;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash && slash > directory && *directory == '/') {
		*slash = '\0';
		fd = sp_directory_open(directory, &made);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return write_whole(snapshot, path);
}
