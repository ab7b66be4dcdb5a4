/* Git, asked from the working directory; what it complains of is not shown. */
#ifndef SP_TOOLS_GIT_H
#define SP_TOOLS_GIT_H

#include <stdbool.h>

/* Calls `each` with every line that `git ARGUMENTS` prints, without its newline; it may change it. `arguments` ends with NULL. False: it
 * failed, or is not there. */
typedef void sp_git_line_fn(char *line, void *context);
bool sp_git_lines(const char *const *arguments, sp_git_line_fn *each, void *context);

/* The first of these lines, "" for none; NULL: it failed, or is not there. free() it. */
char *sp_git_line(const char *const *arguments);

/* 1: files differ from the commit that is checked out; 0: none; -1: not known. */
int sp_git_dirty(void);

#endif
