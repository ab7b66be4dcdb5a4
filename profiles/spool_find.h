/* Where spools lie and which of them are orphans. */
#ifndef SP_PROFILES_SPOOL_FIND_H
#define SP_PROFILES_SPOOL_FIND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_SPOOL_DIRECTORIES 2

/* The directories agents of this user put spools in; returns how many paths it filled in. */
size_t sp_spool_directories(char paths[SP_SPOOL_DIRECTORIES][PATH_MAX]);

/* A spool by its name, "<pid>.<start_ticks>.<random>.spool". */
struct sp_spool_file {
	char path[PATH_MAX];
	int pid;
	uint64_t start_ticks;
};

/* Takes a path apart; false when it is not named like a spool. */
bool sp_spool_file_parse(struct sp_spool_file *file, const char *path);

/* The spools in a directory, in the order of their names. Returns how many, *files to be freed, or
 * a negative errno. */
long sp_spool_list(struct sp_spool_file **files, const char *directory);

/* True when the process that wrote it is gone, is a zombie, or now runs another program. */
bool sp_spool_is_orphan(const struct sp_spool_file *file);

/* What a clock signal costs here besides its handler, in a program of narrow code, as an agent of this user
 * measured it within the last day (struct sp_cost_file); 0 when none has. */
uint64_t sp_spool_signal_cost_ns(void);

#endif
