/* Which profiles are being rendered right now. */
#ifndef SP_PROFILES_UNDERWAY_H
#define SP_PROFILES_UNDERWAY_H

#include <stdbool.h>

/* Whether a spool of this user is being rendered, or is about to be, whose profile goes into the directory `path`, into
 * that of `path` when it is a latest.md, or becomes the file `path`. Goes by spools and their locks, which nobody else can
 * make or hold. With `below`, into a directory of an environment in the directory `path`, which need not be there yet. */
bool sp_output_is_under_way(const char *path, bool below);

#endif
