/* Opening directories and small files that somebody else may have prepared. */
#ifndef SP_PROFILES_DIRECTORY_H
#define SP_PROFILES_DIRECTORY_H

#include <stdbool.h>

/* faccessat(2) by the effective ids. Where they are the real ones it needs no faccessat2, which older sandboxes refuse. */
int sp_access_effective(int directory_fd, const char *name, int mode);

/* Opens the directory for writing into it, and makes it and its parents where they are missing (*made: the last one was).
 * Symbolic links on the way are followed when they are this user's or root's; others' are refused. Returns a descriptor or
 * a negative errno. */
int sp_directory_open(const char *path, bool *made);

/* Opens a regular file for reading, at once: no link, and nothing that could block or do something by being opened.
 * Returns a descriptor or a negative errno. */
int sp_regular_open(int directory_fd, const char *name);

/* The same of what stands below a directory: no link on the way, and neither . nor .. in the name. */
int sp_regular_open_below(const char *directory, const char *name);

/* Takes the turn of writing into an open directory, by a file in it that nobody else can lock; waits for it a bounded
 * time. Returns a descriptor to be closed, or negative: go on without. */
int sp_directory_lock(int directory_fd);

#endif
