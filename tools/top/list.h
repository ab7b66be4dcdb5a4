/* Which processes `smartprof top` can show. */
#ifndef SP_TOOLS_TOP_LIST_H
#define SP_TOOLS_TOP_LIST_H

#include <limits.h>
#include <stddef.h>

#include "profiles/base/buffer.h"

struct sp_top_listed {
	char path[PATH_MAX]; /* of the spool */
	int pid;
	char *line; /* clean */
	char *program, *command;
	double cpu_s, seconds;
	int alive;
};

/* This user's profiled processes, those that used most CPU time first, and then those that died without a profile. To be freed
 * by sp_top_list_free. */
size_t sp_top_list(struct sp_top_listed **list);
void sp_top_list_free(struct sp_top_listed *list, size_t count);

extern const char sp_top_list_title[];

/* As lines, and as a line of JSON. */
void sp_top_list_put(struct sp_buffer *out, const struct sp_top_listed *list, size_t count, int json);

#endif
