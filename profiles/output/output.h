/* Where a profile goes, and putting it there. */
#ifndef SP_PROFILES_OUTPUT_H
#define SP_PROFILES_OUTPUT_H

#include <limits.h>

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

#define SAFE_NAME_MAX 64u

/* What was asked for, absolute; empty: nothing was. */
struct sp_output_wish {
	const char *directory; /* profiles go to <directory>/<environment>/ */
	const char *file;
};

enum sp_output_tried { SP_TRIED_WISH, SP_TRIED_USER, SP_TRIED_STATE };

/* A place for one profile. */
struct sp_output {
	char directory[PATH_MAX]; /* open at fd */
	char name[NAME_MAX + 1];  /* of the profile in it */
	char note[3 * PATH_MAX];  /* lines about the place, for the profile's reader */
	char environment[SAFE_NAME_MAX + 1];
	struct sp_output_wish wish;
	enum sp_output_tried tried; /* the last one */
	int fd;                     /* -1: none */
	bool chosen;                /* the file was asked for: no index, no latest.md, an old profile is replaced */
	bool through;               /* and is a device or a FIFO */
};

/* Settles the place for the snapshot's profile and makes the directory: what is wished for, else
 * <directory>/user-<uid>/<environment>, else the same below $XDG_STATE_HOME/smartprof (or
 * ~/.local/state/smartprof). Members of a tree whose root was asked to write FILE.md write
 * FILE.<program>.<pid>.md beside it. Returns 0 or a negative errno; to be closed in both cases. */
int sp_output_open(struct sp_output *output, const struct sp_snapshot *snapshot, const struct sp_output_wish *wish);

/* A place for what is no run's profile: <directory>/<folder>, else the same below the state directory. The names of files
 * are the caller's. Returns 0 or a negative errno; to be closed in both cases. */
int sp_output_open_folder(struct sp_output *output, const char *directory, const char *folder);

/* Moves a place that could not be written to (err: why) to the next one. Returns 0, or a negative errno: there is none. */
int sp_output_fall_back(struct sp_output *output, const struct sp_snapshot *snapshot, int err);

void sp_output_close(struct sp_output *output);

/* Why a place did not work, a phrase. */
const char *sp_output_error(int err);

/* Writes the profile under a temporary name and renames it; then brings the tree's index and
 * latest.md up to date. Returns 0 or a negative errno. output->name may change to keep an older
 * profile of the same name. */
int sp_output_write(struct sp_output *output, const struct sp_profile *profile, const struct sp_buffer *text);

/* chosen.c: settles on the file asked for, through links, and writes to it: what is a profile or empty is
 * replaced, a device or a FIFO gets the text, anything else stays. 0 or a negative errno. */
int sp_output_choose(struct sp_output *output, const struct sp_snapshot *snapshot, const char *file);
int sp_output_write_chosen(struct sp_output *output, const struct sp_buffer *text);

/* In a directory that was made for profiles: keeps them out of git. */
void sp_output_ignore(int directory_fd);

/* Without secrets; only letters, digits, dot, dash, underscore and plus, at most 64 of them, no leading dot. */
void sp_output_safe_name(char *out, size_t size, const char *name);

/* Writes a file at once: temporary name in the same directory, then rename. replace false: returns
 * -EEXIST when `name` exists. 0 or a negative errno. */
int sp_output_put(int directory_fd, const char *name, const struct sp_buffer *text, bool replace);

/* The same by a path, in whose directory it may be written; what stands there is replaced. */
int sp_output_put_at(const char *path, const struct sp_buffer *text);

/* tree.c: adds the process, whose profile is the file `link`, to the index of its tree, and
 * points latest.md. `directory_fd` must be locked. */
void sp_output_tree_update(int directory_fd, const struct sp_profile *profile, const char *link);

#endif
