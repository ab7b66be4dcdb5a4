/* Perf maps: the files /tmp/perf-PID.map in which just-in-time compilers tell what they generated,
 * one "START SIZE name" a line, numbers in hexadecimal (linux/tools/perf/Documentation/jit-interface.txt).
 * Anybody can write to /tmp, so a map is untrusted. */
#ifndef SP_SYMBOLIZE_PERFMAP_H
#define SP_SYMBOLIZE_PERFMAP_H

#include <stddef.h>
#include <stdint.h>

struct sp_perfmap_entry {
	uint64_t low, high; /* [low, high) */
	const char *name;   /* as in the map */
};

struct sp_perfmap {
	char *text;                    /* the names are in here */
	struct sp_perfmap_entry *list; /* by address, without overlap */
	size_t count;
};

/* Reads /tmp/perf-<pid>.map as it is below the directory `root`, if it is a regular file that
 * belongs to `uid` or to root and was written to at or after `since_ns` (wall clock; an older one is
 * some earlier process's). Of a map beyond the limits on bytes and lines the rest is left out; what a
 * line overlaps of earlier ones it replaces. Returns 0 or a negative errno. */
int sp_perfmap_read(struct sp_perfmap *map, const char *root, int pid, unsigned uid, uint64_t since_ns);
void sp_perfmap_free(struct sp_perfmap *map);

/* The entry that holds the address, or NULL. */
const struct sp_perfmap_entry *sp_perfmap_find(const struct sp_perfmap *map, uint64_t address);

#endif
