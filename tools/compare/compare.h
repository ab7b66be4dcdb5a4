/* The parts of `smartprof compare`. */
#ifndef SP_TOOLS_COMPARE_H
#define SP_TOOLS_COMPARE_H

#include <stddef.h>

#include "profiles/compare/compare.h"

/* The profiles of one side. */
struct sp_side_files {
	struct sp_profile **profiles;
	const char **names;
	size_t count, profile_capacity, name_capacity;
	size_t text_bytes, frames; /* of the profiles: of their files, and of all their stacks */
	size_t skipped;            /* profiles of child processes in a directory */
};

/* Adds a profile, or all of a directory's that are of a run's first process. Complains about every file that
 * cannot be read; returns how many that were. */
int sp_side_add(struct sp_side_files *side, const char *path);

/* Complains when the side is empty or holds several programs; returns 0 or SP_EXIT_USAGE. */
int sp_side_check(const struct sp_side_files *side, const char *what);
void sp_side_free(struct sp_side_files *side);

/* What each total weighs in the score, by the settings. */
void sp_compare_weights(double weights[static SP_GATING]);

/* Where the noise of that profile's program is kept, in `directory` (PATH_MAX bytes). */
void sp_noise_path(char *path, const char *directory, const struct sp_profile *profile);

/* Runs the program so many times, learns its noise and writes the file; argv ends with NULL. Returns the exit
 * status. */
int sp_calibrate(char **argv, size_t runs);

/* What happened between two snapshots of one process. The exit status; negative: they are not both snapshots. */
int sp_compare_snapshots(const char *before, const char *after, const char *output, bool other_flags);

#endif
