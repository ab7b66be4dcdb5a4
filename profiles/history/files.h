/* Internal to the history: the files of blobs. */
#ifndef SP_PROFILES_HISTORY_FILES_H
#define SP_PROFILES_HISTORY_FILES_H

#include "profiles/history/store.h"

/* Calls `each` for every file of a blob that lies there, whether a run has it or not; `tidy`: removes what killed writers have left.
 * Returns 0, or what `each` did. */
int sp_history_each_file(struct sp_history *store, bool tidy, int (*each)(const char *hash, void *context),
	void *context);

/* Whether a run has the blob. */
int sp_history_blob_is_used(struct sp_history *store, const char *hash, bool *used);

/* Removes its file; *bytes: what that took. Young ones stay: a run may be about to have it. */
bool sp_history_file_remove(const struct sp_history *store, const char *hash, bool dry, uint64_t *bytes);

#endif
