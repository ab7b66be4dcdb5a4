/* Where the spool goes. */
#include "preload/spool_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "env/env.h"
#include "preload/agent.h"
#include "sampler/sys.h"

#define ROOM_BYTES (64ull << 20) /* what a filesystem must have left */
#define MAX_SPOOLS 1000          /* files in the directory: more are orphans nobody recovers */

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
	uint64_t value = 0;
	char *p;
	int field;

	if (fd < 0)
		return 0;
	n = sp_sys(SYS_read, fd, text, sizeof text - 1);
	sp_sys(SYS_close, fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')'); /* the name may hold anything; field 3 follows */
	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	for (p = p ? p + 1 : text + strlen(text); *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	return value;
}

/* The application's umask must not leave directories that nobody can use. */
static long make_directory(const char *path)
{
	long err = sp_sys(SYS_mkdir, path, 0700);

	return err ? err : sp_sys(SYS_chmod, path, 0700);
}

/* Makes `path` if it is missing, parents too; true when it then is a private directory of ours. */
static bool private_directory(char *path)
{
	struct stat st;
	char *slash;

	if (make_directory(path) == -ENOENT) {
		for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
			*slash = 0;
			make_directory(path);
			*slash = '/';
		}
		make_directory(path);
	}
	if (sp_sys(SYS_lstat, path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != (uid_t)sp_sys(SYS_geteuid) ||
		st.st_mode & 077)
		return false;
	return (st.st_mode & 0700) == 0700 || sp_sys(SYS_chmod, path, 0700) == 0;
}

static bool has_room(const char *path)
{
	struct statfs fs;

	return sp_sys(SYS_statfs, path, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= ROOM_BYTES;
}

static bool is_crowded(const char *path)
{
	char entries[4096];
	long fd = sp_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;
	unsigned count = 0;

	while (fd >= 0 && count <= MAX_SPOOLS && (n = sp_sys(SYS_getdents64, fd, entries, sizeof entries)) > 0) {
		long at;
		for (at = 0; at < n; at += *(unsigned short *)(entries + at + 16)) /* d_reclen */
			count++;
	}
	if (fd >= 0)
		sp_sys(SYS_close, fd);
	return count > MAX_SPOOLS;
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

static bool place_directory(char *path, size_t size, enum sp_spool_place place)
{
	if (place == SP_PLACE_STATE)
		return state_directory(path, size);
	path[0] = 0;
	append(path, size, "/dev/shm/smartprof-");
	append_number(path, size, (uint64_t)sp_sys(SYS_geteuid), 10);
	return true;
}

int sp_spool_place(char *path, size_t size, enum sp_spool_place place, uint64_t start_ticks, const char **why)
{
	uint64_t random = sp_tsc() * 0x9e3779b97f4a7c15ULL;

	if (!place_directory(path, size, place) || !private_directory(path) || !has_room(path)) {
		*why = "no private directory with 64 MB of room in /dev/shm or the state directory";
		return -ENOSPC;
	}
	if (is_crowded(path)) {
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

int sp_spool_publish(char *path)
{
	size_t length = strlen(path) - strlen(SP_SPOOL_NEW_SUFFIX);
	char final[SP_PATH_MAX];
	long err;

	memcpy(final, path, length);
	final[length] = 0;
	err = sp_sys(SYS_rename, path, final);
	if (err)
		sp_sys(SYS_unlink, path);
	else
		path[length] = 0;
	return (int)err;
}

uint64_t sp_pid_namespace(void)
{
	char text[64];
	long n = sp_sys(SYS_readlink, "/proc/self/ns/pid", text, sizeof text - 1);
	const char *p;
	uint64_t value = 0;

	text[n > 0 ? n : 0] = 0;
	p = strchr(text, '[');
	for (p = p ? p + 1 : ""; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	return value;
}
