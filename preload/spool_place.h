/* Where the spool goes. */
#ifndef SP_PRELOAD_SPOOL_PLACE_H
#define SP_PRELOAD_SPOOL_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "sampler/agent.h"

/* Field 22 of /proc/self/stat: with the pid, names this process. 0 when it cannot be read. */
uint64_t sp_start_ticks(void) SP_HIDDEN;

/* The pid namespace of this process, as its inode number; 0 when it cannot be read. */
uint64_t sp_pid_namespace(void) SP_HIDDEN;

/* Where spools go, the best first. */
enum sp_spool_place { SP_PLACE_SHM, SP_PLACE_STATE, SP_PLACES };

/* Composes the path of the directory, and makes it if need be; false when it cannot be a private one. Async-signal-safe. */
bool sp_spool_directory(char *path, size_t size, enum sp_spool_place place) SP_HIDDEN;

/* Composes the path of a new spool, a name that no reader looks at yet, in a private directory (made, mode 0700, if
 * need be): /dev/shm/smartprof-<uid>, or below the user's state directory. Returns 0, or a negative errno with *why
 * set to a phrase: -EDQUOT when there are too many spools already, for which no other place would help.
 * Async-signal-safe. */
int sp_spool_place(char *path, size_t size, enum sp_spool_place place, uint64_t start_ticks,
	const char **why) SP_HIDDEN;

/* Gives a spool that is complete the name under which readers find it; `path` becomes that one. Returns 0, or a
 * negative errno: then the file is gone. Async-signal-safe. */
int sp_spool_publish(char *path) SP_HIDDEN;

/* Removes it. Async-signal-safe. */
void sp_spool_remove(const char *path) SP_HIDDEN;

/* While this process is root and is about to become the user: makes <output_dir>/user-<uid>, theirs, where their
 * profiles go if they may not write beside it. Normal context. */
void sp_place_for_user(const char *output_dir, uint32_t uid) SP_HIDDEN;

/* Gives the spool to the user and moves it to their directory. Returns its new path, which stays until the next but one
 * call; NULL: it is as it was. Normal context. */
char *sp_spool_hand_over(const char *path, uint32_t uid) SP_HIDDEN;

/* Moves it back to where it was: the change of user was refused. */
void sp_spool_take_back(const char *path, const char *to, uint32_t uid) SP_HIDDEN;

#endif
