/* smartprof run: whether profiles can be written to where they are to go, before the program starts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/xdg.h"
#include "tools/run/run.h"

/* A file that was asked for and cannot be written is better known before the program has run. */
static bool output_is_possible(const char *file)
{
	char directory[PATH_MAX] = ".";
	const char *slash = file ? strrchr(file, '/') : NULL;
	struct stat info;

	if (slash)
		snprintf(directory, sizeof(directory), "%.*s", slash == file ? 1 : (int)(slash - file), file);
	if (stat(file, &info) == 0 && S_ISDIR(info.st_mode))
		errno = EISDIR;
	else if (access(directory, W_OK | X_OK) == 0)
		return true;
	sp_complain("run: the profile cannot be written to %s: %s: %s; name a file in a directory you can write to",
		file, errno == EISDIR ? file : directory, strerror(errno));
	return false;
}

/* In it profiles go to a directory that is named after the environment. */
static bool can_take_profiles(const char *directory)
{
	static struct sp_config config;
	char path[PATH_MAX];
	struct statvfs fs;

	sp_config_load(&config, sp_settings_where(), NULL);
	if (snprintf(path, sizeof(path), "%s/%s", directory, sp_environment_name(config.environment)) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (!sp_can_write(path))
		return false;
	errno = ENOSPC;
	return statvfs(directory, &fs) < 0 || fs.f_bavail > 0;
}

/* So is a directory; the working directory's own gives way to the state directory. */
static bool directory_is_possible(const char *asked)
{
	char state[PATH_MAX];
	int error;

	if (can_take_profiles(asked ? asked : "profiles"))
		return true;
	error = errno;
	if (asked) {
		sp_complain("run: profiles cannot be written to %s: %s; name a directory you can write to", asked,
			strerror(error));
		return false;
	}
	if (sp_state_path(state, sizeof(state), "profiles") == 0 && can_take_profiles(state)) {
		sp_complain("run: profiles cannot be written to the working directory: %s; they go to %s",
			strerror(error), state);
		return true;
	}
	sp_complain("run: profiles cannot be written to the working directory: %s; name another by --dir",
		strerror(error));
	return false;
}

bool sp_run_place_is_possible(void)
{
	struct sp_value output, dir;

	sp_value_load(&output, SP_OPT_OUTPUT, environ, sp_settings_file());
	sp_value_load(&dir, SP_OPT_DIR, environ, sp_settings_file());
	return output.text ? output_is_possible(output.text) : directory_is_possible(dir.text);
}
