/* The copy of the agent's library that a process is to load: with the request in it, and where the process can reach and read
 * it, whoever it is and whatever it has mounted. */
#include "tools/attach/attach.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "tools/tools.h"

#define VARIABLE_BYTES_MAX 1024u
#define FAILED 1
#define OLD_SECONDS 60

/* --- the request */

/* false: no room. */
static bool put(struct sp_attach *asked, size_t *used, const char *text, size_t length)
{
	if (*used + length + 1 > sizeof(asked->text))
		return false;
	memcpy(asked->text + *used, text, length);
	asked->text[*used + length] = '\0';
	*used += length + 1;
	return true;
}

/* Some kilobytes of /proc/PID/<name>: strings, each with its NUL. */
static size_t read_strings(int pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t bytes = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && bytes < size - 1 && (got = read(fd, text + bytes, size - 1 - bytes)) > 0)
		bytes += (size_t)got;
	if (fd >= 0)
		close(fd);
	text[bytes] = '\0';
	return bytes;
}

/* Those that were overwritten end in many NULs. */
static void put_arguments(struct sp_attach *asked, size_t *used, int pid)
{
	char text[8192];
	size_t bytes = read_strings(pid, "cmdline", text, sizeof(text));

	while (bytes && !text[bytes - 1])
		bytes--;
	for (size_t at = 0; at < bytes; at += strlen(text + at) + 1)
		asked->arguments += put(asked, used, text + at, strlen(text + at));
}

static void put_setting(struct sp_attach *asked, size_t *used, const char *name, const char *value)
{
	char text[PATH_MAX + 64];
	int length = snprintf(text, sizeof(text), "%s=%s", name, value);

	if (length > 0 && (size_t)length < sizeof(text))
		asked->variables += put(asked, used, text, (size_t)length);
}

static bool is_settings(const char *variable)
{
	return strncmp(variable, SP_VARIABLE_PREFIX, strlen(SP_VARIABLE_PREFIX)) == 0;
}

/* The settings are this command's, as for smartprof run; what tells in which environment it runs is the process's. */
static void put_variables(struct sp_attach *asked, size_t *used, int pid)
{
	static char text[131072];
	size_t bytes = read_strings(pid, "environ", text, sizeof(text)), length;

	for (char **e = environ; *e; e++)
		if (is_settings(*e) && strchr(*e, '='))
			asked->variables += put(asked, used, *e, strlen(*e));
	for (size_t at = 0; at < bytes; at += length + 1) {
		length = strlen(text + at);
		if (length && length <= VARIABLE_BYTES_MAX && !is_settings(text + at))
			asked->variables += put(asked, used, text + at, length);
	}
}

static int compose(struct sp_attach *asked, const struct sp_attach_target *target, const char *output)
{
	static struct sp_config config;
	static struct sp_facts own;
	struct sp_value directory;
	char path[PATH_MAX];
	size_t used = 0;

	*asked = (struct sp_attach){.magic = SP_ATTACH_MAGIC, .asked = 1, .run_ns = target->run_ns};
	sp_config_load_shared(&config, sp_settings_where(), sp_settings_file(), &own, &asked->facts);
	put_arguments(asked, &used, target->pid);
	put_setting(asked, &used, "SMARTPROF_MODE", "cpu");
	put_setting(asked, &used, "SMARTPROF_FOLLOW", "none");
	put_setting(asked, &used, "SMARTPROF_ENABLED", "on");
	put_setting(asked, &used, "SMARTPROF_START", "on");
	put_setting(asked, &used, "SMARTPROF_VERBOSE", "off");
	put_setting(asked, &used, "SMARTPROF_SIGNAL", target->signal);
	put_setting(asked, &used, "SMARTPROF_CONFIG",
		*sp_settings_file()->path ? sp_settings_file()->path : "/dev/null");
	sp_value_load(&directory, SP_OPT_DIR, environ, sp_settings_file());
	if (!sp_absolute(path, directory.text ? directory.text : "profiles"))
		return -ENAMETOOLONG;
	put_setting(asked, &used, "SMARTPROF_DIR", path);
	if (output && !sp_absolute(path, output))
		return -ENAMETOOLONG;
	put_setting(asked, &used, "SMARTPROF_OUTPUT", output ? path : "");
	put_variables(asked, &used, target->pid);
	return 0;
}

/* --- the copy */

/* The place in the file of what is mapped at `value`; 0: it is not in the file. */
static uint64_t place_of(const uint8_t *file, size_t size, uint64_t value, size_t bytes)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;

	memcpy(&header, file, sizeof(header));
	for (unsigned i = 0; i < header.e_phnum; i++) {
		uint64_t at = header.e_phoff + (uint64_t)i * sizeof(part);

		if (at + sizeof(part) > size)
			return 0;
		memcpy(&part, file + at, sizeof(part));
		if (part.p_type == PT_LOAD && value >= part.p_vaddr && value - part.p_vaddr + bytes <= part.p_filesz &&
			part.p_offset + part.p_filesz <= size)
			return part.p_offset + (value - part.p_vaddr);
	}
	return 0;
}

/* A directory as the process sees it, whatever links stand in it. */
static int open_directory(int pid, const char *name)
{
	struct open_how how = {.flags = O_DIRECTORY | O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char path[64];
	struct statvfs fs;
	int root, fd;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	close(root);
	if (fd >= 0 && (fstatvfs(fd, &fs) < 0 || fs.f_flag & ST_NOEXEC)) {
		close(fd);
		return -EACCES;
	}
	return fd < 0 ? -errno : fd;
}

/* For the process alone: its variables are in it. */
static bool write_copy(int directory, const char *name, const struct sp_attach_target *target, const uint8_t *file,
	size_t bytes)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool good = fd >= 0;
	ssize_t put_bytes;

	for (size_t at = 0; good && at < bytes; at += (size_t)put_bytes) {
		put_bytes = write(fd, file + at, bytes - at);
		good = put_bytes > 0;
	}
	good = good && (target->uid == geteuid() || fchown(fd, target->uid, target->gid) == 0) && fchmod(fd, 0500) == 0;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !good)
		unlinkat(directory, name, 0);
	return good;
}

/* Those that commands have left which were killed. */
static void remove_old(int directory)
{
	DIR *list = fdopendir(dup(directory));
	struct dirent *e;
	struct stat st;

	while (list && (e = readdir(list)))
		if (strncmp(e->d_name, SP_ATTACH_LIBRARY, strlen(SP_ATTACH_LIBRARY)) == 0 &&
			fstatat(directory, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
			(geteuid() == 0 || st.st_uid == geteuid()) && time(NULL) - st.st_mtime > OLD_SECONDS)
			unlinkat(directory, e->d_name, 0);
	if (list)
		closedir(list);
}

static int place_copy(struct sp_attach_library *library, const struct sp_attach_target *target, const uint8_t *file,
	size_t bytes)
{
	static const char *const places[] = {"/dev/shm", "/tmp", "/var/tmp"};
	uint64_t random = 0;
	char name[64];

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return FAILED;
	snprintf(name, sizeof(name), SP_ATTACH_LIBRARY "%016llx", (unsigned long long)random);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		library->directory = open_directory(target->pid, places[i]);
		if (library->directory < 0)
			continue;
		remove_old(library->directory);
		snprintf(library->path, sizeof(library->path), "%s/%s", places[i], name);
		if (write_copy(library->directory, name, target, file, bytes))
			return 0;
		close(library->directory);
	}
	library->directory = -1;
	library->path[0] = '\0';
	sp_complain("attach: process %d has no place where a library for it can be put: /dev/shm, /tmp and /var/tmp "
		    "are full, "
		    "missing, or mounted noexec there; make room, or mount one without",
		target->pid);
	return FAILED;
}

static uint8_t *read_library(struct sp_attach_library *library, size_t *bytes)
{
	char self[PATH_MAX], path[PATH_MAX];
	uint8_t *file = NULL;
	int err = sp_library_find(self, path);

	if (!err || err == -EINVAL)
		file = sp_attach_file(path, bytes);
	if (file) {
		library->request = sp_attach_symbol(file, *bytes, SP_ATTACH_REQUEST);
		library->call = sp_attach_symbol(file, *bytes, SP_ATTACH_CALL);
	}
	if (file && library->request && library->call)
		return file;
	free(file);
	sp_complain("attach: there is no " SP_LIBRARY " of this version beside the command; reinstall smartprof");
	return NULL;
}

/* Whether what was put into the process before is this very build, as its first page tells, in which its build-id is: else
 * what is asked of it would be written to a wrong place. */
static bool is_loaded_build(const struct sp_attach_target *target, const uint8_t *file, size_t bytes)
{
	uint8_t page[4096];

	return bytes >= sizeof(page) && sp_attach_read(target->pid, target->agent, page, sizeof(page)) &&
		memcmp(page, file, sizeof(page)) == 0;
}

int sp_attach_library_make(struct sp_attach_library *library, const struct sp_attach_target *target, const char *output)
{
	size_t bytes = 0;
	uint64_t place;
	uint8_t *file;
	int status = 0;

	*library = (struct sp_attach_library){.directory = -1};
	if (compose(&library->asked, target, output) != 0) {
		sp_complain("attach: the path of the profiles is too long; use another directory");
		return FAILED;
	}
	file = read_library(library, &bytes);
	if (!file)
		return FAILED;
	if (target->agent && !is_loaded_build(target, file, bytes)) {
		sp_complain(
			"attach: process %d has the agent of another build of smartprof from an attach before, which "
			"only that build wakes; use that one, or start the process anew",
			target->pid);
		free(file);
		return FAILED;
	}
	place = place_of(file, bytes, library->request, sizeof(library->asked));
	if (!target->agent && place) {
		memcpy(file + place, &library->asked, sizeof(library->asked));
		status = place_copy(library, target, file, bytes);
	}
	free(file);
	return place ? status : FAILED;
}

void sp_attach_library_remove(struct sp_attach_library *library)
{
	if (library->directory < 0)
		return;
	unlinkat(library->directory, strrchr(library->path, '/') + 1, 0);
	close(library->directory);
	library->directory = -1;
}
