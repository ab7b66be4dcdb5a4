/* Where a profile goes, and putting it there. */
#ifndef SP_PROFILES_OUTPUT_H
#define SP_PROFILES_OUTPUT_H

#include <limits.h>

#include "profiles/buffer.h"
#include "profiles/model.h"

/* A place for one profile. */
struct sp_output {
	char directory[PATH_MAX]; /* exists once sp_output_open returned 0 */
	char name[NAME_MAX + 1];  /* of the profile in it */
	bool chosen;              /* the file was asked for: no index, no latest.md, any old file is replaced */
};

/* Settles the place for the snapshot's profile and makes the directory: the file asked for, else
 * <output_dir>/<environment>/, else the same below $XDG_STATE_HOME/smartprof (or
 * ~/.local/state/smartprof). Members of a tree whose root was asked to write FILE.md write
 * FILE.<program>.<pid>.md beside it. Returns 0 or a negative errno. */
int sp_output_open(struct sp_output *output, const struct sp_snapshot *snapshot);

/* Moves a place that could not be written to (a full disk) to the state directory. Returns 0, or a
 * negative errno: there is none, or the file was asked for. */
int sp_output_fall_back(struct sp_output *output, const struct sp_snapshot *snapshot);

/* Writes the profile under a temporary name and renames it; then brings the tree's index and
 * latest.md up to date. Returns 0 or a negative errno. output->name may change to keep an older
 * profile of the same name. */
int sp_output_write(struct sp_output *output, const struct sp_profile *profile, const struct sp_buffer *text);

/* $XDG_STATE_HOME/smartprof or ~/.local/state/smartprof, followed by `rest`; 0 or -ENOENT. */
int sp_output_state_path(char *path, size_t size, const char *rest);

/* Without secrets; only letters, digits, dot, dash, underscore and plus, at most 64 of them, no leading dot. */
void sp_output_safe_name(char *out, size_t size, const char *name);

/* Writes a file at once: temporary name in the same directory, then rename. replace false: returns
 * -EEXIST when `name` exists. 0 or a negative errno. */
int sp_output_put(int directory_fd, const char *name, const struct sp_buffer *text, bool replace);

/* output_tree.c: adds the process, whose profile is the file `link`, to the index of its tree, and
 * points latest.md. `directory_fd` must be locked. */
void sp_output_tree_update(int directory_fd, const struct sp_profile *profile, const char *link);

#endif
