/* Looking at a process through /proc. */
#include "profiles/spool/process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sp_process_stat(int pid, struct sp_process_stat *stat)
{
	char path[64], line[1024], *end;
	unsigned long long ticks = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
	fclose(file);
	if (!*line)
		return -ESRCH;
	end = strrchr(line, ')'); /* the name before it may hold anything */
	if (!end ||
		sscanf(end + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			&stat->state, &stat->ppid, &ticks) != 3)
		return -EBADMSG;
	stat->start_ticks = ticks;
	return 0;
}

bool sp_process_alive(int pid, uint64_t start_ticks)
{
	struct sp_process_stat stat;
	int err = pid > 0 ? sp_process_stat(pid, &stat) : -ESRCH;

	if (err)
		return err != -ENOENT && err != -ESRCH;
	return stat.start_ticks == start_ticks && stat.state != 'Z' && stat.state != 'X';
}

static bool file_mentions(const char *maps, const char *name)
{
	char *line = NULL;
	size_t size = 0, length = strlen(name);
	ssize_t n;
	bool found = false;
	FILE *file = fopen(maps, "re");

	if (!file)
		return errno != ENOENT && errno != ESRCH;
	while (!found && (n = getline(&line, &size, file)) > 0) {
		const char *at = strstr(line, name);

		found = at && at > line && (at[length] == '\n' || at[length] == ' ');
	}
	free(line);
	fclose(file);
	return found;
}

/* The first thread may have ended before the others: its own entry is empty then. */
bool sp_process_maps(int pid, const char *name)
{
	char path[300];
	bool found = false;
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return errno != ENOENT && errno != ESRCH;
	while (!found && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/maps", pid, entry->d_name);
		found = file_mentions(path, name);
	}
	closedir(tasks);
	return found;
}
