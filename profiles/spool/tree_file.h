/* The file that the processes of a tree share, beside their spools: struct sp_tree_file (sampler/spool.h). */
#ifndef SP_PROFILES_SPOOL_TREE_FILE_H
#define SP_PROFILES_SPOOL_TREE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SP_TREE_NAME_BYTES 64

/* Takes "<directory>/<tree>.tree" apart; false when it is not named so. tree: "<pid>.<ns>" of the first process. */
bool sp_tree_file_parse(const char *path, char *tree, size_t size);

/* Whether a process will render what the tree's members leave in the directory. What cannot be found out counts as no. */
bool sp_tree_file_is_held(const char *directory, const char *tree);

/* A renderer begins: what is left from now on counts anew. */
void sp_tree_file_reset(const char *path);

/* A renderer has done what there was: the next may begin. */
void sp_tree_file_done(const char *path);

/* Removes the file if nobody holds it. */
void sp_tree_file_remove_stale(int directory_fd, const char *name);

/* --- for who starts the first process of a tree, and renders for all of it */

struct sp_tree_hold {
	char directory[64], path[128];
	uint64_t born_ns;
	int fd;           /* its lock is ours until it is closed; -1: none */
	uint64_t refused; /* processes that there was no room for a spool for, when it is closed */
};

/* Makes the file, under a name that nobody looks at. The descriptor goes at exec. Returns 0 or a negative errno. */
int sp_tree_hold_make(struct sp_tree_hold *hold);

/* In the child that will be the first process: gives the file its name, and writes "<pid>.<ns>" to `tree`. */
int sp_tree_hold_name(const struct sp_tree_hold *hold, char *tree, size_t size);

/* When the first process `pid` has ended: members look after themselves from here on. */
void sp_tree_hold_close(struct sp_tree_hold *hold, pid_t pid);

#endif
