/* Finds the agent's library from where the running command is. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* Without /proc: by the name that it was started by. */
static int find_self(char *self)
{
	ssize_t bytes = readlink("/proc/self/exe", self, PATH_MAX - 1);
	const char *name = (const char *)getauxval(AT_EXECFN);

	if (bytes > 0)
		self[bytes] = '\0';
	else if (!name || !realpath(name, self))
		self[0] = '\0';
	return self[0] == '/' ? 0 : -ENOTDIR;
}

int sp_library_find(char *self, char *library)
{
	static const char *const places[] = {"", "../lib/", "../lib/smartprof/", "../lib/" SP_OWN_PLACE "/"};
	int dir_bytes, err = find_self(self);

	if (err)
		return err;
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
