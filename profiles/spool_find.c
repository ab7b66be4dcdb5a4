/* Finding spools. */
#include "profiles/spool_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/memory.h"
#include "profiles/output.h"
#include "profiles/process.h"
#include "sampler/spool.h"

size_t sp_spool_directories(char paths[SP_SPOOL_DIRECTORIES][PATH_MAX])
{
	snprintf(paths[0], PATH_MAX, "/dev/shm/smartprof-%u", (unsigned)geteuid());
	return sp_output_state_path(paths[1], PATH_MAX, "spool") == 0 ? 2 : 1;
}

bool sp_spool_file_parse(struct sp_spool_file *file, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = strlen(name);
	unsigned long long ticks;
	int pid;

	if (length < 7 || strcmp(name + length - 6, ".spool") != 0)
		return false;
	if (name[0] < '1' || name[0] > '9' || sscanf(name, "%9d.%llu.", &pid, &ticks) != 2)
		return false;
	file->pid = pid;
	file->start_ticks = ticks;
	return snprintf(file->path, sizeof(file->path), "%s", path) < (int)sizeof(file->path);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct sp_spool_file *)a)->path, ((const struct sp_spool_file *)b)->path);
}

long sp_spool_list(struct sp_spool_file **files, const char *directory)
{
	DIR *dir = opendir(directory);
	size_t count = 0, capacity = 0;
	struct dirent *entry;
	char path[PATH_MAX];

	*files = NULL;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= (int)sizeof(path))
			continue;
		sp_grow(files, &capacity, count + 1, sizeof(**files));
		count += sp_spool_file_parse(&(*files)[count], path);
	}
	closedir(dir);
	if (count)
		qsort(*files, count, sizeof(**files), by_path);
	return (long)count;
}

bool sp_spool_is_orphan(const struct sp_spool_file *file)
{
	return !sp_process_alive(file->pid, file->start_ticks) || !sp_process_maps(file->pid, file->path);
}

uint64_t sp_spool_signal_cost_ns(void)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX], path[PATH_MAX];
	size_t count = sp_spool_directories(directories);
	struct sp_cost_file file;
	struct timespec now;
	bool good = false;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < count && !good; i++) {
		int fd;

		if (snprintf(path, sizeof(path), "%s/" SP_COST_FILE, directories[i]) >= (int)sizeof(path))
			continue;
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		good = read(fd, &file, sizeof(file)) == (ssize_t)sizeof(file) &&
			sp_cost_is_good(&file, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
		close(fd);
	}
	return good ? sp_signal_cost_ns(file.signal_gap_ns, 0, 500000) : 0;
}
