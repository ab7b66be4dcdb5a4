/* Files and directories on their way, which hold a lock while somebody works on them: what a killed command has left is known by
 * that, and the next one removes it. */
#ifndef SP_TOOLS_HISTORY_SCRATCH_H
#define SP_TOOLS_HISTORY_SCRATCH_H

#include <limits.h>
#include <stdbool.h>

/* A directory in TMPDIR; its name goes into `place`. Returns a descriptor that holds it, which programs that are started do not get, or a
 * negative errno. */
int sp_scratch_directory(char place[static PATH_MAX]);
void sp_scratch_remove(const char *place, int held);

/* A work tree of the repository here in such a directory, of that commit: git's hooks are for people's. False: git does not know it. */
bool sp_scratch_tree(const char *place, const char *name, const char *commit);

/* A file beside the archive `file`, to be renamed to it; its name goes into `temporary`. Removes those that are left in that directory,
 * whatever archive they were to be. Returns a descriptor to write to, or a negative errno. */
int sp_scratch_file(const char *file, char temporary[static PATH_MAX]);

#endif
