/* What a command reads, and how much it may take for it: files of unknown origin. */
#include "tools/tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/buffer.h"
#include "profiles/spool/read.h"
#include "symbolize/base/memory.h"

#define PROFILE_MAX_BYTES (64u << 20)
#define MEMORY_LEAST_BYTES (256ULL << 20)
#define MEMORY_LIMIT_BYTES (4ULL << 30)
#define CPU_LIMIT_SECONDS 120

static bool has_magic(int fd)
{
	uint64_t magic = 0;

	return pread(fd, &magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && magic == SP_SPOOL_MAGIC;
}

bool sp_input_is_spool(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool is = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && has_magic(fd);

	if (fd >= 0)
		close(fd);
	return is;
}

bool sp_input_is_meant(const char *path)
{
	static const char head[] = "---\n";
	char begin[sizeof(head)] = "";
	struct stat st;
	const char *dot = strrchr(path, '.');
	int fd;

	if (stat(path, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode) || (dot && (strcmp(dot, ".md") == 0 || strcmp(dot, ".spool") == 0)))
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || pread(fd, begin, sizeof(head) - 1, 0) < 0)
		begin[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strcmp(begin, head) == 0 || sp_input_is_spool(path);
}

int sp_input_read(const char *path, struct sp_buffer *text)
{
	char block[65536];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (has_magic(fd))
		err = SP_INPUT_SPOOL;
	else if (st.st_size > PROFILE_MAX_BYTES)
		err = -EFBIG;
	sp_buffer_puts(text, "");
	while (!err && (n = read(fd, block, sizeof(block))) != 0) {
		if (n > 0)
			sp_buffer_add(text, block, (size_t)n);
		else if (errno != EINTR)
			err = -errno;
		if (text->length > PROFILE_MAX_BYTES)
			err = -EFBIG;
	}
	close(fd);
	return err;
}

static int is_profile_name(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".md") == 0 && strcmp(entry->d_name, "latest.md") != 0 &&
		strncmp(entry->d_name, "tree.", 5) != 0;
}

long sp_input_list(const char *directory, char ***paths)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_profile_name, alphasort);

	*paths = count > 0 ? sp_alloc((size_t)count, sizeof(**paths)) : NULL;
	for (int i = 0; i < count; i++) {
		(*paths)[i] = sp_text("%s/%s", directory, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return count;
}

void sp_input_free(char **paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

void sp_input_each(const char *directory, sp_input_fn *fn, void *context)
{
	char **paths = NULL;
	long count = sp_input_list(directory, &paths);
	size_t below;

	for (long i = 0; i < count; i++)
		fn(context, paths[i], NULL);
	sp_input_free(paths, count > 0 ? (size_t)count : 0);
	if (count > 0)
		return;
	paths = NULL;
	below = count == 0 ? sp_input_below(directory, &paths) : 0;
	for (size_t i = 0; i < below; i++)
		sp_input_each(paths[i], fn, context);
	sp_input_free(paths, below);
	if (!below)
		fn(context, directory, count < 0 ? "it cannot be listed" : "there are no profiles in it");
}

const char *sp_input_error(int err)
{
	return err == -EFBIG     ? "it is larger than 64 MB, which no profile is"
		: err == -EINVAL ? "it is not a regular file"
				 : strerror(-err);
}

bool sp_can_write(const char *path)
{
	char at[PATH_MAX], *slash;
	struct statfs fs;
	struct stat info;

	snprintf(at, sizeof(at), "%s%s", *path == '/' ? "" : "./", path);
	while (stat(at, &info) < 0 && errno == ENOENT) {
		slash = strrchr(at, '/');
		if (!slash || !at[1])
			return false;
		slash[slash == at] = '\0';
	}
	if (stat(at, &info) == 0 && !S_ISDIR(info.st_mode)) {
		errno = ENOTDIR;
		return false;
	}
	if (statfs(at, &fs) == 0 && (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)) {
		errno = EROFS; /* root has the right, and yet no file can be made */
		return false;
	}
	return access(at, W_OK | X_OK) == 0;
}

void sp_limit(int resource, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(resource, &r) < 0)
		return;
	if (r.rlim_cur == RLIM_INFINITY || r.rlim_cur > most)
		r.rlim_cur = most;
	setrlimit(resource, &r);
}

static void time_is_up(int signal)
{
	static const char message[] = "smartprof: it takes more than two minutes of CPU time; the input is damaged, "
				      "or far larger than any profile\n";

	(void)signal;
	(void)!write(STDERR_FILENO, message, sizeof(message) - 1);
	_exit(SP_EXIT_USAGE);
}

void sp_limit_rendering(void)
{
	sp_memory_set_failure(1, NULL);
	sp_limit(RLIMIT_CPU, CPU_LIMIT_SECONDS);
	sp_limit(RLIMIT_CORE, 0);
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes it does not use */
	sp_limit(RLIMIT_AS, MEMORY_LIMIT_BYTES);
#endif
}

void sp_yield_memory(void)
{
	static struct sp_config config;
	uint64_t most;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1000", 4) < 0)
			perror("smartprof: oom_score_adj"); /* then it is as likely to go as others */
		close(fd);
	}
	sp_config_load(&config, sp_settings_where(), NULL);
	most = config.machine.memory_limit_bytes / 2;
	if (most < MEMORY_LEAST_BYTES)
		most = MEMORY_LEAST_BYTES;
	sp_limit(RLIMIT_DATA, most);
}

void sp_limit_memory(void)
{
	sp_memory_set_failure(SP_EXIT_USAGE,
		"out of memory, of which it takes 4 GB at most; the input is damaged, or far larger than any profile");
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes it does not use */
	sp_limit(RLIMIT_AS, MEMORY_LIMIT_BYTES);
#endif
}

void sp_limit_reading(void)
{
	signal(SIGXCPU, time_is_up);
	sp_limit(RLIMIT_CPU, CPU_LIMIT_SECONDS);
	sp_limit_memory();
}
