/* What is written again and again is bounded. */
#ifndef SP_PROFILES_KEEP_H
#define SP_PROFILES_KEEP_H

#include <stdint.h>

/* Of the files in the open directory whose names begin and end so, the oldest are removed until there are at most so many files
 * and bytes; the newest stays in any case. */
void sp_keep_newest(const char *directory, int directory_fd, const char *begin, const char *end, uint64_t files_most,
	uint64_t bytes_most);

#endif
