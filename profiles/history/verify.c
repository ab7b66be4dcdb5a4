/* Is all of a history there, and as it was written? */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/db.h"
#include "profiles/history/files.h"
#include "profiles/history/upkeep.h"

struct checking {
	struct sp_history *store;
	void (*tell)(const char *fault);
	struct sp_history_verified *result;
};

static void fault(const struct checking *c, const char *text)
{
	c->result->faults++;
	c->tell(text);
}

/* Each row of the answer is a fault, but for `good`. */
static int check_rows(const struct checking *c, const char *sql, const char *good, const char *what)
{
	sqlite3_stmt *s = sp_history_bind(c->store, sql, "");
	int got = s ? 1 : -EBADMSG;
	char line[512];

	while (got > 0 && (got = sp_history_step(c->store, s)) > 0) {
		const char *text = (const char *)sqlite3_column_text(s, 0);

		if (good && text && strcmp(text, good) == 0)
			continue;
		snprintf(line, sizeof(line), "%s: %s", what, text ? text : "");
		fault(c, line);
	}
	return got;
}

static int check_blob(const char *hash, void *context)
{
	const struct checking *c = context;
	size_t bytes;
	void *data;
	int err = sp_history_blob_read(c->store, hash, &data, &bytes);

	c->result->blobs++;
	if (!err)
		free(data);
	else
		fault(c, sp_history_error(c->store));
	return 0;
}

static int count_orphan(const char *hash, void *context)
{
	const struct checking *c = context;
	bool used = true;
	int err = sp_history_blob_is_used(c->store, hash, &used);

	c->result->orphans += !used;
	return err;
}

int sp_history_verify(struct sp_history *store, void (*tell)(const char *fault), struct sp_history_verified *verified)
{
	const struct checking c = {store, tell, verified};
	int64_t runs = 0;
	int err;

	*verified = (struct sp_history_verified){0};
	err = check_rows(&c, "PRAGMA integrity_check", "ok", "database");
	if (!err)
		err = check_rows(&c, "PRAGMA foreign_key_check", NULL, "a row without what it belongs to, in table");
	if (!err)
		err = sp_history_get(store, &runs, "SELECT count(*) FROM run", "");
	verified->runs = (uint64_t)runs;
	if (!err)
		err = sp_history_each_blob(store, check_blob, (void *)&c);
	return err ? err : sp_history_each_file(store, false, count_orphan, (void *)&c);
}
