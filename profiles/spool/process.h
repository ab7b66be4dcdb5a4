/* Whether the process that wrote a spool still runs, and still is the same program. */
#ifndef SP_PROFILES_PROCESS_H
#define SP_PROFILES_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* True while a process `pid` that started at start_ticks (field 22 of /proc/pid/stat, proc(5))
 * exists and is no zombie. What cannot be found out counts as alive. */
bool sp_process_alive(int pid, uint64_t start_ticks);

/* True while the process has a file mapped whose path ends in `name`, of which there must be only one; after execve it
 * has not. What cannot be found out counts as mapped. */
bool sp_process_maps(int pid, const char *name);

struct sp_process_stat {
	char state; /* as in proc(5): R, S, T, Z … */
	int ppid;
	uint64_t start_ticks;
};

/* What /proc/pid/stat says of a process: 0, -EBADMSG when it cannot be understood, or a negative errno. */
int sp_process_stat(int pid, struct sp_process_stat *stat);

#endif
