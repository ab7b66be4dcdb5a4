/* What a command line would start, and whether the agent can be loaded into it. Looked at before
 * starting, because the dynamic loader says nothing where it ignores LD_PRELOAD. */
#include "tools/tools.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "profiles/base/directory.h"

#define SCRIPT_DEPTH 5        /* as the kernel: search_binary_handler() in fs/exec.c */
#define SCRIPT_LINE_BYTES 256 /* BINPRM_BUF_SIZE */
#define PROGRAM_HEADERS_MAX 1024

static int copy_path(char *to, const char *from)
{
	if (strlen(from) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

static int check_executable(const char *path)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return -errno;
	if (S_ISDIR(info.st_mode))
		return -EACCES;
	return sp_access_effective(AT_FDCWD, path, X_OK) < 0 ? -errno : 0;
}

/* As execvp(3): an unusable file does not end the search, but is what is reported at its end. */
static int search_path(char *found, const char *name)
{
	const char *dirs = getenv("PATH");
	int error = -ENOENT;

	if (strchr(name, '/'))
		return copy_path(found, name) < 0 ? -ENAMETOOLONG : check_executable(found);
	if (!*name)
		return -ENOENT;
	for (const char *at = dirs ? dirs : "/bin:/usr/bin";; at++) {
		size_t bytes = strcspn(at, ":");
		char path[PATH_MAX];

		if (bytes + strlen(name) + 3 <= sizeof(path)) {
			memcpy(path, bytes ? at : ".", bytes ? bytes : 1);
			path[bytes ? bytes : 1] = '/';
			strcpy(path + (bytes ? bytes : 1) + 1, name);
			switch (check_executable(path)) {
			case 0:
				return copy_path(found, path);
			case -EACCES:
				error = -EACCES;
				break;
			}
		}
		at += bytes;
		if (!*at)
			return error;
	}
}

/* The loader drops LD_PRELOAD where starting the program changes who it runs as. */
static bool is_privileged(int fd)
{
	struct stat info;
	struct statvfs mount;

	if (fstat(fd, &info) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	if (fstatvfs(fd, &mount) == 0 && mount.f_flag & ST_NOSUID)
		return false;
	if (info.st_mode & S_ISUID && info.st_uid != getuid())
		return true;
	if ((info.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && info.st_gid != getgid())
		return true;
	return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static enum sp_target_kind judge_loader(int fd, const Elf64_Phdr *interp)
{
	char path[PATH_MAX] = "";
	size_t bytes = interp->p_filesz < sizeof(path) ? interp->p_filesz : sizeof(path) - 1;

	if (pread(fd, path, bytes, (off_t)interp->p_offset) < 0)
		return SP_TARGET_FINE;
	return strstr(path, "ld-musl") ? SP_TARGET_OTHER_LIBC : SP_TARGET_FINE;
}

static enum sp_target_kind judge_elf(int fd, const Elf64_Ehdr *header)
{
	uint16_t narrow = SP_OWN_ELF_MACHINE == EM_X86_64 ? EM_386 : EM_ARM;

	if (header->e_machine != SP_OWN_ELF_MACHINE && header->e_machine != narrow)
		return SP_TARGET_OTHER_MACHINE;
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine == narrow)
		return SP_TARGET_32BIT;
	if (is_privileged(fd))
		return SP_TARGET_PRIVILEGED;
	for (unsigned i = 0; i < header->e_phnum && i < PROGRAM_HEADERS_MAX; i++) {
		Elf64_Phdr segment;
		off_t at = (off_t)(header->e_phoff + i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return SP_TARGET_FINE; /* not for us to judge: the kernel will */
		if (segment.p_type == PT_INTERP)
			return judge_loader(fd, &segment);
	}
	return SP_TARGET_STATIC;
}

/* `#!/usr/bin/env [-S] [-i] [NAME=VALUE] program`: the first word that is neither. */
static const char *env_program(char *argument)
{
	char *rest = NULL;

	for (char *word = strtok_r(argument, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		if (word[0] != '-' && !strchr(word, '='))
			return word;
	return NULL;
}

static int inspect(struct sp_target *target, const char *path, int depth);

static int inspect_script(struct sp_target *target, char *line, int depth)
{
	char interpreter[PATH_MAX], *name, *argument;
	const char *base;

	line[strcspn(line, "\n")] = '\0';
	name = line + strspn(line, " \t");
	argument = name + strcspn(name, " \t");
	if (*argument)
		*argument++ = '\0';
	if (check_executable(name) < 0)
		return 0; /* the kernel's to report */
	target->is_script = 1;
	base = strrchr(name, '/');
	if (base && strcmp(base, "/env") == 0) {
		const char *program = env_program(argument);

		if (program && search_path(interpreter, program) == 0)
			return inspect(target, interpreter, depth + 1);
	}
	return inspect(target, name, depth + 1);
}

static int inspect(struct sp_target *target, const char *path, int depth)
{
	char head[SCRIPT_LINE_BYTES + 1] = "";
	Elf64_Ehdr header;
	ssize_t bytes;
	int fd, error = copy_path(target->program, path);

	if (error < 0 || depth > SCRIPT_DEPTH)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0; /* executable but not readable: nothing can be told */
	bytes = pread(fd, head, sizeof(head) - 1, 0);
	if (bytes >= (ssize_t)sizeof(header) && memcmp(head, ELFMAG, SELFMAG) == 0) {
		memcpy(&header, head, sizeof(header));
		target->kind = judge_elf(fd, &header);
	} else if (bytes >= 2 && memcmp(head, "#!", 2) == 0) {
		error = inspect_script(target, head + 2, depth);
	} else if (bytes >= 0 && !memchr(head, '\0', (size_t)bytes)) {
		char shell[] = "/bin/sh"; /* execvp() and shells run a plain text so */

		error = inspect_script(target, shell, depth);
	} else {
		target->kind = SP_TARGET_NOT_ELF;
	}
	close(fd);
	return error;
}

int sp_target_find(struct sp_target *target, const char *name)
{
	int error;

	target->kind = SP_TARGET_FINE;
	target->is_script = 0;
	error = search_path(target->path, name);
	return error < 0 ? error : inspect(target, target->path, 0);
}

const char *sp_target_obstacle(const struct sp_target *target)
{
	switch (target->kind) {
	case SP_TARGET_FINE:
		return NULL;
	case SP_TARGET_STATIC:
		return "it is statically linked, so nothing loads the agent";
	case SP_TARGET_PRIVILEGED:
		return "it is setuid, setgid or has file capabilities, so the loader ignores LD_PRELOAD";
	case SP_TARGET_32BIT:
		return "it is a 32-bit program, and the agent is 64-bit";
	case SP_TARGET_OTHER_MACHINE:
		return "it is not a program for " SP_OWN_MACHINE_TEXT;
	case SP_TARGET_OTHER_LIBC:
		return "it uses musl, and the agent needs glibc";
	case SP_TARGET_NOT_ELF:
		return "it is neither an ELF program nor a script";
	}
	return NULL;
}

int sp_target_preloadable(const struct sp_target *target)
{
	return target->kind != SP_TARGET_32BIT && target->kind != SP_TARGET_OTHER_MACHINE &&
		target->kind != SP_TARGET_OTHER_LIBC;
}
