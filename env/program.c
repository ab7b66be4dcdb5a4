/* Which programs are to be profiled at all. Every process asks this before anything else. */
#include "env/env.h"

#include <string.h>

/* Backs up to the last star instead of recursing. */
bool sp_glob_matches(const char *glob, size_t bytes, const char *name)
{
	const char *end = glob + bytes, *star = NULL, *retry = NULL;

	while (*name) {
		if (glob < end && *glob == '*') {
			star = ++glob;
			retry = name;
		} else if (glob < end && (*glob == '?' || *glob == *name)) {
			glob++;
			name++;
		} else if (star) {
			glob = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (glob < end && *glob == '*')
		glob++;
	return glob == end;
}

bool sp_program_wanted(char *const *envp, const struct sp_file *file, const char *program)
{
	struct sp_value enabled, programs;
	const char *globs;

	sp_value_load(&enabled, SP_OPT_ENABLED, envp, file);
	if (!enabled.number)
		return false;
	sp_value_load(&programs, SP_OPT_PROGRAM, envp, file);
	globs = programs.text;
	if (!globs)
		return true;
	for (;;) {
		size_t bytes;

		globs += strspn(globs, " ");
		bytes = strcspn(globs, ",");
		if (sp_glob_matches(globs, bytes, program))
			return true;
		globs += bytes;
		if (*globs++ == '\0')
			return false;
	}
}
