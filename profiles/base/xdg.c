/* This user's own directories. */
#include "profiles/base/xdg.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int sp_state_path(char *path, size_t size, const char *rest)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && state[0] == '/') {
		n = snprintf(path, size, "%s/smartprof/%s", state, rest);
	} else {
		if (!home || home[0] != '/') {
			struct passwd *pw = getpwuid(geteuid());

			home = pw ? pw->pw_dir : NULL;
		}
		if (!home || home[0] != '/')
			return -ENOENT;
		n = snprintf(path, size, "%s/.local/state/smartprof/%s", home, rest);
	}
	return n > 0 && (size_t)n < size ? 0 : -ENOENT;
}
