/* The files that a module's answers rest on, as they were when the answers were made: kept with
 * answers in the cache, to tell whether those still hold. A file that was looked for and was not
 * there counts too: debug information installed later makes better answers. */
#ifndef SP_SYMBOLIZE_DISK_DEPS_H
#define SP_SYMBOLIZE_DISK_DEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_deps {
	uint8_t *bytes; /* sp_deps_hold reads them */
	size_t count, capacity;
	bool unusable; /* not all could be noted, or read: the answers must not be kept */
	int error;     /* a negative errno: the first failure to read; 0: none */
};

/* Notes the file as it is now, unless it has been noted before. To be called before the file is
 * opened. */
void sp_deps_add(struct sp_deps *deps, const char *path);

/* Notes that the file, which has been added, was needed and not there, or was another one. */
void sp_deps_miss(struct sp_deps *deps, const char *path);

/* The first file that is missed, and how many are; NULL: none. Lives until the next change. */
const char *sp_deps_missed(const struct sp_deps *deps, size_t *count);

/* Notes that a file could not be opened. That it does not exist, or is no ELF file, is an answer; any other error,
 * such as want of memory, is not. error: a negative errno. */
void sp_deps_failed(struct sp_deps *deps, int error);

/* Takes over what another list holds. */
void sp_deps_merge(struct sp_deps *deps, const uint8_t *bytes, size_t count);
void sp_deps_free(struct sp_deps *deps);

/* True when all files of a list, which may be damaged, are as they were noted. */
bool sp_deps_hold(const uint8_t *bytes, size_t count);

#endif
