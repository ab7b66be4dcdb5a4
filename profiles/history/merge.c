/* One history into another, and copies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/db.h"
#include "profiles/history/upkeep.h"

struct merging {
	struct sp_history *to, *from;
	struct sp_history_merged *merged;
};

/* Of what is missing or damaged there the run keeps the name, by which `verify` tells of it here as it did there. */
static void read_blobs(const struct merging *m, struct sp_history_run *run)
{
	for (int i = 0; i < SP_HISTORY_PARTS; i++) {
		struct sp_history_blob *blob = &run->blobs[i];
		size_t bytes = 0;

		if (!*blob->hash)
			continue;
		if (sp_history_blob_read(m->from, blob->hash, &blob->data, &bytes))
			m->merged->lacking++;
		blob->bytes = bytes;
	}
}

static int copy_pins(const struct merging *m, const char *id)
{
	int64_t number;
	int err = sp_history_number(m->from, id, &number), got;
	sqlite3_stmt *s = err ? NULL : sp_history_bind(m->from, "SELECT why FROM pin WHERE run=?1", "i", number);

	got = s ? 1 : -EBADMSG;
	while (!err && got > 0 && (got = sp_history_step(m->from, s)) > 0)
		err = sp_history_pin(m->to, id, (const char *)sqlite3_column_text(s, 0), true);
	return err ? err : got;
}

static int merge_run(const struct sp_history_run *read, void *context)
{
	const struct merging *m = context;
	struct sp_history_run *run = (struct sp_history_run *)read; /* ours for the time of the call */
	int64_t number;
	char id[SP_HISTORY_ID];
	bool known;
	int err;

	memcpy(id, run->id, sizeof(id));
	known = sp_history_number(m->to, id, &number) == 0;
	*m->to->error = '\0'; /* a run that is not there is no failure */
	read_blobs(m, run);
	err = sp_history_add(m->to, run);
	if (!err && strcmp(id, run->id) != 0)
		err = sp_history_fail(m->to, -EBADMSG, "run %.8s of %s is not what its id says; nothing was taken over",
			id, sp_history_path(m->from));
	m->merged->seen++;
	m->merged->added += !err && !known;
	return err || !run->pinned ? err : copy_pins(m, id);
}

int sp_history_merge(struct sp_history *store, struct sp_history *from, struct sp_history_merged *merged)
{
	const struct sp_history_filter all = {.oldest_first = true};
	const struct merging merging = {store, from, merged};
	int err = sp_history_begin(store);

	*merged = (struct sp_history_merged){0};
	if (err)
		return err;
	err = sp_history_each(from, &all, SP_HISTORY_ALL, merge_run, (void *)&merging);
	if (!err)
		return sp_history_commit(store);
	sp_history_rollback(store);
	if (!*store->error)
		sp_history_fail(store, err, "%s", sp_history_error(from));
	merged->added = 0;
	return err;
}

int sp_history_copy(struct sp_history *store, const char *path)
{
	return sp_history_exec(store, "VACUUM INTO ?1", "t", path);
}

int sp_history_each_blob(struct sp_history *store, int (*each)(const char *hash, void *context), void *context)
{
	sqlite3_stmt *s;
	char hash[SP_HISTORY_HASH];
	int err = sp_history_check(store,
		sqlite3_prepare_v2(store->db, "SELECT hash FROM blob ORDER BY hash", -1, &s, NULL));
	int got = 1;

	while (!err && (got = sp_history_step(store, s)) > 0) {
		if (sqlite3_column_bytes(s, 0) != (SP_HISTORY_HASH - 1) / 2)
			continue;
		sp_history_hex(sqlite3_column_blob(s, 0), (SP_HISTORY_HASH - 1) / 2, hash);
		err = each(hash, context);
	}
	sqlite3_finalize(s);
	return err ? err : got;
}
