/* Whether somebody else could put something of theirs in the place of a file: somebody who is neither root nor the
 * effective user. What comes back is why, a static phrase, or NULL. All are async-signal-safe. */
#ifndef SP_ENV_TRUST_H
#define SP_ENV_TRUST_H

#include <stddef.h>

struct stat;

/* By owner and mode of the file itself. */
const char *sp_trust_objection(const struct stat *info);

/* By those of all directories above root + path, which is absolute and has no links in it. */
const char *sp_trust_directories(const char *root, const char *path);

/* For a program that is to be run: by both, and the link that `path` may be. `real`: its path without links, which is the one to run. */
const char *sp_trust_program(const char *path, char *real, size_t size);

#endif
