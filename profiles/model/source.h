/* Source text beside the lines of a profile. It goes into what others may read, and a program's debug information says where it
 * is: nothing is read but source files below the directories the program belongs to, through no link, that are not newer than
 * the module they were built into; and lines that look like secrets are left out. */
#ifndef SP_PROFILES_MODEL_SOURCE_H
#define SP_PROFILES_MODEL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/model/model.h"

#define SP_SOURCE_LINES_MAX 400u /* of one function */

struct sp_sources;

/* The directories are `directory`, which is absolute, and the git repositories that hold it and the executable. NULL where none is to be
 * shown: in production. The profile must outlive it. */
struct sp_sources *sp_source_open(const struct sp_profile *profile, const char *directory);
void sp_source_free(struct sp_sources *source); /* NULL: nothing */

/* A line, counted from 1, without its newline, as far as it is shown; the file's, built into the module. NULL when there is none: *why, when
 * it is not NULL, is then a phrase. Lives as long as the source. Not escaped. */
const char *sp_source_line(struct sp_sources *source, uint32_t module, const char *file, unsigned line,
	const char **why);

/* Of a function that begins at `first` and has code at `last`: its last line, as far as its text tells. */
unsigned sp_source_end(struct sp_sources *source, uint32_t module, const char *file, unsigned first, unsigned last);

/* Where the lines stand that a function was sampled in. */
struct sp_source_hit {
	const char *file;
	unsigned line;
	uint64_t self_ns, total_ns; /* a line counts once a stack */
};

/* By file, the one with most time first, and line. The caller's to free. */
struct sp_source_hit *sp_source_hits(const struct sp_profile *profile, uint32_t function, size_t *count);

/* The lines of a function in the file of its first hits: first and last one. */
struct sp_source_range {
	unsigned first, last;
};
struct sp_source_range sp_source_range(struct sp_sources *source, const struct sp_profile *profile, uint32_t function,
	const struct sp_source_hit *hits, size_t count);

#endif
