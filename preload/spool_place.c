/* Where the spool goes. */
#include "preload/spool_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "env/env.h"
#include "preload/process.h"
#include "sampler/digits.h"
#include "sampler/sys.h"

#define ROOM_BYTES (64ull << 20)     /* what a filesystem must have left */
#define MAX_SPOOLS 4000              /* in the directory: if there are more, nobody renders what processes leave */
#define MAX_ENTRIES (2 * MAX_SPOOLS) /* root's have a link each */

/* Appends text, or a number in the given base; the result is always terminated. */
static void append(char *out, size_t size, const char *text)
{
	size_t n = strlen(out), length = strlen(text);

	if (n + length + 1 > size)
		length = size - n - 1;
	memcpy(out + n, text, length);
	out[n + length] = 0;
}

static void append_number(char *out, size_t size, uint64_t value, unsigned base)
{
	char digits[24];
	int i = sizeof digits - 1;

	digits[i] = 0;
	do
		digits[--i] = "0123456789abcdef"[value % base];
	while (value /= base);
	append(out, size, digits + i);
}

uint64_t sp_start_ticks(void)
{
	char text[1024];
	long fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC), n;
	const char *p;
	int field;

	if (fd < 0)
		return 0;
	n = sp_sys(SYS_read, fd, text, sizeof text - 1);
	sp_sys(SYS_close, fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')'); /* the name may hold anything; field 3 follows */
	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return 0;
	p++;
	return sp_take_decimal(&p);
}

/* The application's umask must not leave directories that nobody can use. */
static long make_directory(const char *path)
{
	long err = sp_sys(SYS_mkdirat, AT_FDCWD, path, 0700);

	return err ? err : sp_sys(SYS_fchmodat, AT_FDCWD, path, 0700);
}

static void make_directories(char *path)
{
	char *slash;

	if (make_directory(path) != -ENOENT)
		return;
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		make_directory(path);
		*slash = '/';
	}
	make_directory(path);
}

/* Makes `path` if it is missing, parents too; true when it then is a private directory of ours. It is there most of the
 * time, and looking takes less than trying to make it. */
static bool private_directory(char *path, struct stat *st)
{
	long err = sp_sys(SYS_newfstatat, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);

	if (err) {
		make_directories(path);
		err = sp_sys(SYS_newfstatat, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
	}
	if (err || !S_ISDIR(st->st_mode) || st->st_uid != (uid_t)sp_sys(SYS_geteuid) || st->st_mode & 077)
		return false;
	return (st->st_mode & 0700) == 0700 || sp_sys(SYS_fchmodat, AT_FDCWD, path, 0700) == 0;
}

static bool has_room(const char *path, struct statfs *fs)
{
	return sp_sys(SYS_statfs, path, fs) == 0 && (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize >= ROOM_BYTES;
}

/* A directory of tmpfs has 20 bytes for each entry: no need to read them all, for each of a build's processes. 0: not told. */
#define TMPFS_ENTRY_BYTES 20

static uint64_t entries_of_tmpfs(const struct stat *st, const struct statfs *fs)
{
	return fs->f_type == TMPFS_MAGIC ? (uint64_t)st->st_size / TMPFS_ENTRY_BYTES : 0;
}

static bool is_crowded(const char *path, const struct stat *st, const struct statfs *fs)
{
	char entries[4096];
	long fd, n;
	uint64_t count = entries_of_tmpfs(st, fs), most = st->st_uid ? MAX_SPOOLS : MAX_ENTRIES;

	if (count)
		return count > most;
	fd = sp_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && count <= most && (n = sp_sys(SYS_getdents64, fd, entries, sizeof entries)) > 0) {
		long at;
		for (at = 0; at < n; at += *(unsigned short *)(entries + at + 16)) /* d_reclen */
			count++;
	}
	if (fd >= 0)
		sp_sys(SYS_close, fd);
	return count > most;
}

/* $XDG_STATE_HOME/smartprof/spool, or below the home directory. */
static bool state_directory(char *path, size_t size)
{
	const char *state = sp_environ_get(sp_process.envp, "XDG_STATE_HOME");
	const char *home = sp_environ_get(sp_process.envp, "HOME");

	path[0] = 0;
	if (state && *state == '/') {
		append(path, size, state);
	} else if (home && *home == '/') {
		append(path, size, home);
		append(path, size, "/.local/state");
	} else {
		return false;
	}
	append(path, size, "/smartprof/spool");
	return true;
}

static void shm_directory(char *path, size_t size, uint32_t uid)
{
	path[0] = 0;
	append(path, size, "/dev/shm/smartprof-");
	append_number(path, size, uid, 10);
}

static bool place_directory(char *path, size_t size, enum sp_spool_place place)
{
	if (place == SP_PLACE_STATE)
		return state_directory(path, size);
	shm_directory(path, size, (uint32_t)sp_sys(SYS_geteuid));
	return true;
}

static bool find_directory(char *path, size_t size, enum sp_spool_place place, struct stat *st)
{
	return place_directory(path, size, place) && private_directory(path, st);
}

bool sp_spool_directory(char *path, size_t size, enum sp_spool_place place)
{
	struct stat st;

	return find_directory(path, size, place, &st);
}

int sp_spool_place(char *path, size_t size, enum sp_spool_place place, uint64_t start_ticks, const char **why)
{
	uint64_t random = sp_clock_read_ns(CLOCK_MONOTONIC) * 0x9e3779b97f4a7c15ULL;
	struct statfs fs;
	struct stat st;

	if (!find_directory(path, size, place, &st) || !has_room(path, &fs)) {
		*why = "no private directory with 64 MB of room in /dev/shm or the state directory";
		return -ENOSPC;
	}
	if (is_crowded(path, &st, &fs)) {
		*why = "too many spools of dead processes: run `smartprof recover`";
		return -EDQUOT;
	}
	sp_sys(SYS_getrandom, &random, sizeof random, 1 /* GRND_NONBLOCK */);
	append(path, size, "/");
	append_number(path, size, (uint64_t)sp_agent.pid, 10);
	append(path, size, ".");
	append_number(path, size, start_ticks, 10);
	append(path, size, ".");
	append_number(path, size, random, 16);
	append(path, size, SP_SPOOL_SUFFIX SP_SPOOL_NEW_SUFFIX);
	return 0;
}

/* `path` without the ending `suffix`, with `more` behind it. */
static void change_suffix(char *out, const char *path, const char *suffix, const char *more)
{
	size_t length = strlen(path) - strlen(suffix);

	memcpy(out, path, length);
	out[length] = 0;
	append(out, SP_PATH_MAX, more);
}

/* Only root can write there, which this process may not be for long. */
static void leave_place(const char *path, const char *suffix)
{
	const char kind[] = {*sp_process.output_file ? SP_PLACE_FILE : SP_PLACE_DIRECTORY, 0};
	char link[SP_PATH_MAX], text[SP_PATH_MAX];

	text[0] = 0;
	append(text, sizeof text, kind);
	append(text, sizeof text, *sp_process.output_file ? sp_process.output_file : sp_process.output_dir);
	change_suffix(link, path, suffix, SP_PLACE_SUFFIX);
	sp_sys(SYS_symlinkat, text, AT_FDCWD, link);
}

int sp_spool_publish(char *path)
{
	size_t length = strlen(path) - strlen(SP_SPOOL_NEW_SUFFIX);
	char final[SP_PATH_MAX];
	long err;

	change_suffix(final, path, SP_SPOOL_NEW_SUFFIX, "");
	if (sp_sys(SYS_geteuid) == 0)
		leave_place(path, SP_SPOOL_SUFFIX SP_SPOOL_NEW_SUFFIX);
	err = sp_sys(SYS_renameat, AT_FDCWD, path, AT_FDCWD, final);
	if (err)
		sp_sys(SYS_unlinkat, AT_FDCWD, path, 0);
	else
		path[length] = 0;
	return (int)err;
}

void sp_spool_remove(const char *path)
{
	char link[SP_PATH_MAX];

	change_suffix(link, path, SP_SPOOL_SUFFIX, SP_PLACE_SUFFIX);
	sp_sys(SYS_unlinkat, AT_FDCWD, path, 0);
	if (sp_sys(SYS_geteuid) == 0)
		sp_sys(SYS_unlinkat, AT_FDCWD, link, 0);
}

/* Opens a directory that is, or is made to be, that user's; a new one is given to them. Negative errno else. */
static long user_directory(long at, const char *name, uint32_t uid, uint32_t mode)
{
	bool made = sp_sys(SYS_mkdirat, at, name, mode) == 0;
	long fd = sp_sys(SYS_openat, at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || sp_sys(SYS_fstat, fd, &st) != 0)
		return fd;
	if (made && st.st_uid == (uid_t)sp_sys(SYS_geteuid)) {
		sp_sys(SYS_fchmod, fd, 0700 | (st.st_mode & mode));
		sp_sys(SYS_fchown, fd, uid, sp_sys(SYS_getegid));
		return fd;
	}
	if (st.st_uid == uid && !(st.st_mode & 0777 & ~mode))
		return fd;
	sp_sys(SYS_close, fd);
	return -EPERM;
}

/* Opens a directory in which nobody but root can put anything. */
static long root_directory(long at, const char *name)
{
	long fd = sp_sys(SYS_openat, at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && sp_sys(SYS_fstat, fd, &st) == 0 && st.st_uid == 0 && !(st.st_mode & 022))
		return fd;
	if (fd >= 0)
		sp_sys(SYS_close, fd);
	return fd < 0 ? fd : -EPERM;
}

/* Users who can write there need no help from us, and others could put something of their own in the way. */
static long open_output(const char *path)
{
	const char *name = strrchr(path, '/');
	char parent[SP_PATH_MAX];
	long fd = root_directory(AT_FDCWD, path), at;

	if (fd != -ENOENT || !name)
		return fd;
	change_suffix(parent, path, name, name == path ? "/" : "");
	at = root_directory(AT_FDCWD, parent);
	if (at < 0)
		return at;
	fd = user_directory(at, name + 1, 0, 0755);
	sp_sys(SYS_close, at);
	return fd;
}

void sp_place_for_user(const char *output_dir, uint32_t uid)
{
	char name[32];
	long fd = open_output(output_dir), made;

	if (fd < 0)
		return;
	name[0] = 0;
	append(name, sizeof name, "user-");
	append_number(name, sizeof name, uid, 10);
	made = user_directory(fd, name, uid, 0755);
	if (made >= 0)
		sp_sys(SYS_close, made);
	sp_sys(SYS_close, fd);
}

char *sp_spool_hand_over(const char *path, uint32_t uid)
{
	static char SP_BIG paths[2][SP_PATH_MAX]; /* a reader that has it open must not see it change */
	char *to = path == paths[0] ? paths[1] : paths[0], link[SP_PATH_MAX];
	const char *name = strrchr(path, '/');
	long directory, err;

	shm_directory(to, SP_PATH_MAX, (uint32_t)sp_sys(SYS_geteuid));
	if (strncmp(path, to, strlen(to)) != 0 || path + strlen(to) != name)
		return NULL; /* in the state directory, where the new user has no business */
	shm_directory(to, SP_PATH_MAX, uid);
	directory = user_directory(AT_FDCWD, to, uid, 0700);
	if (directory < 0)
		return NULL;
	append(to, SP_PATH_MAX, name);
	err = sp_sys(SYS_fchownat, AT_FDCWD, path, uid, sp_sys(SYS_getegid), 0);
	if (!err)
		err = sp_sys(SYS_renameat, AT_FDCWD, path, directory, name + 1);
	sp_sys(SYS_close, directory);
	if (err) {
		sp_sys(SYS_fchownat, AT_FDCWD, path, sp_sys(SYS_geteuid), sp_sys(SYS_getegid), 0);
		return NULL;
	}
	change_suffix(link, path, SP_SPOOL_SUFFIX, SP_PLACE_SUFFIX);
	sp_sys(SYS_unlinkat, AT_FDCWD, link, 0);
	return to;
}

void sp_spool_take_back(const char *path, const char *to, uint32_t uid)
{
	if (sp_sys(SYS_renameat, AT_FDCWD, path, AT_FDCWD, to) != 0)
		return;
	sp_sys(SYS_fchownat, AT_FDCWD, to, uid, sp_sys(SYS_getegid), 0);
	if (uid == 0)
		leave_place(to, SP_SPOOL_SUFFIX);
}

uint64_t sp_pid_namespace(void)
{
	char text[64];
	long n = sp_sys(SYS_readlinkat, AT_FDCWD, "/proc/self/ns/pid", text, sizeof text - 1);
	const char *p;

	text[n > 0 ? n : 0] = 0;
	p = strchr(text, '[');
	if (!p)
		return 0;
	p++;
	return sp_take_decimal(&p);
}
