/* Finds the agent's library from where the running command is. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sp_library_find(char *self, char *library)
{
	static const char *const places[] = {"", "../lib/", "../lib/smartprof/", "../lib/x86_64-linux-gnu/"};
	ssize_t bytes = readlink("/proc/self/exe", self, PATH_MAX - 1);
	int dir_bytes;

	if (bytes <= 0)
		return -errno;
	self[bytes] = '\0';
	if (self[0] != '/')
		return -ENOTDIR;
	dir_bytes = (int)(strrchr(self, '/') + 1 - self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%.*s%s" SP_LIBRARY, dir_bytes, self, places[i]) >= (int)sizeof(path))
			continue;
		if (access(path, R_OK) == 0 && realpath(path, library))
			return strpbrk(library, " :") ? -EINVAL : 0;
	}
	return -ENOENT;
}
