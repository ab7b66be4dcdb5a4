/* How source files are named to people: below the profiled program's working directory from there, else from where the
 * paths of a module's sources differ (of modules whose sources are below each other's, the outermost, so that a file has one name); without "./" and "a/..". */
#ifndef SP_PROFILES_MODEL_PLACES_H
#define SP_PROFILES_MODEL_PLACES_H

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

/* Finds out what the sources of each module have in common, once functions and frames are complete. */
void sp_places_find(struct sp_profile *profile);

/* The path as it is shown: a part of what is added to *clean. Not escaped. */
const char *sp_place_shown(struct sp_buffer *clean, const struct sp_profile *profile, const char *path);

/* The part of the path below the working directory of the profiled program, or NULL. */
const char *sp_place_below_cwd(const struct sp_profile *profile, const char *path);

#endif
