/* How far the machine held back what ran. */
#include "tools/monitor/machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MOST 16

/* Opened once: our control group does not change. */
static int groups[GROUPS_MOST], group_count = -1, pressure = -1;

static bool read_text(int fd, char *text, size_t size)
{
	ssize_t got = fd < 0 ? -1 : pread(fd, text, size - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static void open_group(const char *mount, const char *group)
{
	char path[PATH_MAX];
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s%s/cpu.stat", mount, group) < PATH_MAX)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		groups[group_count++] = fd;
}

/* From the innermost up to the root, or to that of the container. */
static void open_groups(const char *mount, char *group)
{
	while (group_count < GROUPS_MOST) {
		char *slash = strrchr(group, '/');

		open_group(mount, strcmp(group, "/") == 0 ? "" : group);
		if (!slash || !slash[1])
			break;
		slash[slash == group] = '\0';
	}
}

static void open_all(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 64];

	group_count = 0;
	pressure = open("/proc/pressure/cpu", O_RDONLY | O_CLOEXEC);
	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (!controllers[1])
			open_groups("/sys/fs/cgroup", group);
		else if (strstr(controllers, ":cpu,") || strcmp(controllers, ":cpu") == 0)
			open_groups("/sys/fs/cgroup/cpu", group);
	}
	if (file)
		fclose(file);
}

static void add_throttled(struct sp_held_back *held, const char *text)
{
	const char *us = strstr(text, "throttled_usec "), *ns = strstr(text, "throttled_time ");

	if (!us && !ns)
		return; /* no limit can be set there */
	held->throttled_known = true;
	held->throttled_ns += us ? 1000 * strtoull(us + 15, NULL, 10) : strtoull(ns + 15, NULL, 10);
}

void sp_held_back_read(struct sp_held_back *held)
{
	char text[2048];
	const char *total;

	if (group_count < 0)
		open_all();
	*held = (struct sp_held_back){0};
	for (int i = 0; i < group_count; i++)
		if (read_text(groups[i], text, sizeof(text)))
			add_throttled(held, text);
	held->pressure_known = read_text(pressure, text, sizeof(text)) && (total = strstr(text, "total="));
	if (held->pressure_known)
		held->pressure_ns = 1000 * strtoull(total + 6, NULL, 10);
}
