/* Where spools lie and which of them are orphans. */
#ifndef SP_PROFILES_SPOOL_FIND_H
#define SP_PROFILES_SPOOL_FIND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_spool_header;

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

/* The same of all directories of this user. Returns how many. */
size_t sp_spool_list_all(struct sp_spool_file **files);

/* The path (PATH_MAX bytes) of the link beside a spool, see docs/SPOOL.md; false when `path` is no spool's. */
bool sp_spool_place_path(char *place, const char *path);

/* Opens a spool for reading and, where that is possible, for claiming it. Returns a descriptor or a negative errno. */
int sp_spool_open(const char *path);

/* Takes the right to render the open spool, which goes with the descriptor; false: another renderer has it. */
bool sp_spool_claim(int fd);

/* Whether another renderer has it now. */
bool sp_spool_is_claimed(int fd);

/* Whether the process that writes the open spool is there and still the same program, in whatever pid namespace, as
 * its lock tells. Where the file system knows no such locks the process is looked for; one that runs in another pid
 * namespace then counts as living. */
bool sp_spool_is_live(int fd, const struct sp_spool_header *header);

/* True when it is not: the process is gone or now runs another program. What is no spool counts as an orphan. */
bool sp_spool_is_orphan(const struct sp_spool_file *file);

/* Reads a spool's header, and the tree it is of ("<pid>.<ns>"). 0 or a negative errno. */
int sp_spool_peek(const char *path, struct sp_spool_header *header, char *tree, size_t size);

/* Removes what processes left behind that died while they were making their spools. */
void sp_spool_clean(const char *directory);

/* What a clock signal costs here besides its handler, in a program of narrow code, as an agent of this user
 * measured it within the last day (struct sp_cost_file); 0 when none has. */
uint64_t sp_spool_signal_cost_ns(void);

#endif
