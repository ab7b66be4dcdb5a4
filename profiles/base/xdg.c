/* This user's own directories. */
#include "profiles/base/xdg.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *absolute(const char *variable)
{
	const char *path = getenv(variable);

	return path && path[0] == '/' ? path : NULL;
}

/* `below_home` where the variable does not name a directory. */
static int join(char *path, size_t size, const char *chosen, const char *home, const char *below_home, const char *rest)
{
	int n;

	if (!chosen && !home)
		return -ENOENT;
	n = snprintf(path, size, "%s%s/smartprof/%s", chosen ? chosen : home, chosen ? "" : below_home, rest);
	return n > 0 && (size_t)n < size ? 0 : -ENOENT;
}

int sp_state_path(char *path, size_t size, const char *rest)
{
	const char *state = absolute("XDG_STATE_HOME"), *home = absolute("HOME");

	if (!state && !home) {
		struct passwd *pw = getpwuid(geteuid());

		home = pw && pw->pw_dir && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
	}
	return join(path, size, state, home, "/.local/state", rest);
}

int sp_cache_path(char *path, size_t size, const char *rest)
{
	return join(path, size, absolute("XDG_CACHE_HOME"), absolute("HOME"), "/.cache", rest);
}
