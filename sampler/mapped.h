/* Which file is mapped at an address of this process. */
#ifndef SP_SAMPLER_MAPPED_H
#define SP_SAMPLER_MAPPED_H

#include "sampler/agent.h"

#define SP_MAPPED_PATH_BYTES 4096u

struct sp_mapped {
	uint64_t device, inode;          /* as stat(2) gives them, but on file systems that make up devices */
	char path[SP_MAPPED_PATH_BYTES]; /* as the kernel knows it now: " (deleted)" may stand behind it */
};

struct sp_mapping {
	uint64_t low, high;
	bool executable;
	uint64_t device, inode; /* inode 0: no file is mapped there */
	const char *path;
};

/* Calls fn for each mapping until it returns true; false when there is no /proc. Takes 9 KB of stack. Any context. */
bool sp_mapped_each(bool (*fn)(const struct sp_mapping *mapping, void *arg), void *arg) SP_HIDDEN;

/* Looks the address up in /proc/self/maps (proc_pid_maps(5)): a microsecond for each mapping before it, and a
 * descriptor while it lasts. False when no file is mapped there, there is no /proc, or there are very many mappings.
 * Takes 13 KB of stack. Any context. */
bool sp_mapped_find(uint64_t address, struct sp_mapped *out) SP_HIDDEN;

#endif
