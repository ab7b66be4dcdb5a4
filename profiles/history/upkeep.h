/* Keeping a history small and sound. */
#ifndef SP_PROFILES_HISTORY_UPKEEP_H
#define SP_PROFILES_HISTORY_UPKEEP_H

#include "profiles/history/store.h"

/* What goes: of runs older than `thin_days` all but the newest good one of each day and series; of those older than
 * `days`, or when all takes more than `bytes`, the oldest, whatever they are (0: no such limit). What is pinned stays, and so do the
 * runs of its series right before and after it. Profiles and logs that no run has go too. */
struct sp_history_limits {
	unsigned thin_days, days;
	uint64_t bytes;
	uint64_t newest_ns; /* days are counted back from there where that is before now; 0: from now */
};

#define SP_HISTORY_THIN_DAYS 30u
#define SP_HISTORY_BYTES 1000000000u

struct sp_history_cleaned {
	uint64_t runs, blobs; /* that went, or would */
	uint64_t bytes;       /* of the blobs' files */
	uint64_t kept;        /* runs */
};

/* dry: changes nothing, and tells what would go. */
int sp_history_clean(struct sp_history *store, const struct sp_history_limits *limits, bool dry,
	struct sp_history_cleaned *cleaned);

/* Reads all of it: the database's pages and references, every blob's content. `tell` gets each fault, one line. */
struct sp_history_verified {
	uint64_t runs, blobs;
	uint64_t faults;
	uint64_t orphans; /* files that no run has: no fault, `clean` removes them */
};
int sp_history_verify(struct sp_history *store, void (*tell)(const char *fault), struct sp_history_verified *verified);

struct sp_history_merged {
	uint64_t seen, added; /* runs; added: those that were not here */
	uint64_t lacking;     /* blobs that are missing or damaged there */
};

/* Adds every run of another history, with its blobs and pins; what is here already stays as it is. All or nothing, but for lacking blobs. */
int sp_history_merge(struct sp_history *store, struct sp_history *from, struct sp_history_merged *merged);

/* Writes a copy of the database to `path`, where nothing is yet, as it is at one moment. */
int sp_history_copy(struct sp_history *store, const char *path);

/* Calls `each` with the hash of every blob of the database. */
int sp_history_each_blob(struct sp_history *store, int (*each)(const char *hash, void *context), void *context);

#endif
