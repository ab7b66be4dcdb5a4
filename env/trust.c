/* Whether somebody else could put something of theirs in the place of a file. */
#include "env/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "env/text.h"

#define NOBODY 65534u

/* A user namespace that has no name for somebody, root of outside as a rule, shows nobody. */
static bool is_nameless(unsigned owner, const char *root)
{
	char line[128];
	const char *at = line;
	uint64_t number = 0;

	if (owner != NOBODY || !sp_file_line(root, "/proc/self/uid_map", line, sizeof(line)))
		return false;
	for (int field = 0; field < 3; field++) {
		while (*at == ' ')
			at++;
		if (!sp_text_number(&at, &number))
			return false;
	}
	return number <= NOBODY; /* so many have names */
}

const char *sp_trust_objection(const struct stat *info)
{
	unsigned user = (unsigned)syscall(SYS_geteuid);

	if (info->st_uid && info->st_uid != user)
		return "it belongs to another user";
	/* A group with its owner's number is the owner's own, as useradd and pam_umask have it. */
	if (info->st_mode & S_IWOTH || (info->st_mode & S_IWGRP && (!info->st_uid || info->st_gid != info->st_uid)))
		return "others may write to it";
	return NULL;
}

static const char *directory_objection(const char *full, const char *root)
{
	const char *problem;
	struct stat info;

	if (syscall(SYS_newfstatat, AT_FDCWD, full, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return "a directory above it cannot be looked at";
	if (S_ISLNK(info.st_mode))
		return "a link leads there";
	if (is_nameless(info.st_uid, root))
		info.st_uid = 0;
	/* In a sticky directory nobody can replace what is somebody else's. */
	if (info.st_mode & S_ISVTX)
		info.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
	problem = sp_trust_objection(&info);
	if (!problem)
		return NULL;
	return problem[0] == 'i' ? "a directory above it belongs to another user"
				 : "others may write to a directory above it";
}

const char *sp_trust_directories(const char *root, const char *path)
{
	char full[SP_PATH_BYTES];
	const char *problem = NULL;
	size_t start = strlen(root);

	if (!sp_path_join(full, sizeof(full), root, path))
		return "its name is too long";
	for (size_t at = start; full[at] && !problem; at++) {
		if (full[at] != '/')
			continue;
		full[at + (at == start)] = '\0'; /* the root directory keeps its slash */
		problem = directory_objection(full, root);
		sp_path_join(full, sizeof(full), root, path);
	}
	return problem;
}

/* Whoever can put a link beside others' files has a shell, say, run as the program: being sticky does not help. */
static const char *link_objection(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t bytes = slash ? (size_t)(slash - path) + 1 : 0;
	char parent[SP_PATH_BYTES] = ".";
	struct stat info;

	if (syscall(SYS_newfstatat, AT_FDCWD, path, &info, AT_SYMLINK_NOFOLLOW) < 0 || bytes >= sizeof(parent))
		return "it cannot be looked at";
	if (!S_ISLNK(info.st_mode))
		return NULL;
	if (bytes) {
		memcpy(parent, path, bytes);
		parent[bytes] = '\0';
	}
	if (syscall(SYS_newfstatat, AT_FDCWD, parent, &info, 0) < 0)
		return "it cannot be looked at";
	if (is_nameless(info.st_uid, ""))
		info.st_uid = 0;
	return sp_trust_objection(&info) ? "it is a link, and others may write where it is" : NULL;
}

const char *sp_trust_program(const char *path, char *real, size_t size)
{
	const char *problem;
	struct sp_text_out link = {real, size, 0};
	struct stat info;
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0), bytes;

	if (fd < 0)
		return "it cannot be opened";
	sp_text_put(&link, "/proc/self/fd/");
	sp_text_put_number(&link, (uint64_t)fd);
	bytes = syscall(SYS_readlinkat, AT_FDCWD, real, real, size - 1);
	if (bytes > 0 && real[0] == '/') {
		real[bytes] = '\0';
	} else { /* without /proc: its own name, if there is no link in it */
		link.length = 0;
		sp_text_put(&link, path);
	}
	problem = link_objection(path);
	if (!problem)
		problem = sp_trust_directories("", real);
	if (!problem && syscall(SYS_newfstatat, AT_FDCWD, real, &info, AT_SYMLINK_NOFOLLOW) < 0)
		problem = "it cannot be looked at";
	if (!problem && !S_ISREG(info.st_mode))
		problem = "it is not a regular file";
	if (!problem && is_nameless(info.st_uid, ""))
		info.st_uid = 0;
	if (!problem)
		problem = sp_trust_objection(&info);
	syscall(SYS_close, fd);
	return problem;
}
