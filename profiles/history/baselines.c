/* Baselines in the history: see baselines.h. */
#include "profiles/history/baselines.h"

#include <stdio.h>
#include <string.h>

#include "profiles/history/db.h"
#include "symbolize/base/memory.h"

static const char *text_of(const char *text)
{
	return text ? text : "";
}

int sp_history_baseline_add(struct sp_history *store, struct sp_history_baseline *b)
{
	snprintf(b->id, sizeof(b->id), "%016llx", (unsigned long long)sp_hash_bytes(b->content, strlen(b->content)));
	return sp_history_exec(store,
		"INSERT OR IGNORE INTO baseline(hash, name, created_ns, commit_id, branch, machine, content)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		"ttitttt", b->id, text_of(b->name), (int64_t)b->created_ns, text_of(b->commit), text_of(b->branch),
		text_of(b->machine), b->content);
}

static const char *column(sqlite3_stmt *statement, int index)
{
	return text_of((const char *)sqlite3_column_text(statement, index));
}

int sp_history_baselines(struct sp_history *store, const struct sp_history_baseline_filter *filter,
	sp_history_baseline_fn *each, void *context)
{
	sqlite3_stmt *statement = sp_history_bind(store,
		"SELECT hash, name, commit_id, branch, machine, created_ns, content FROM baseline"
		" WHERE (?1='' OR substr(hash, 1, length(?1))=?1) AND (?2='' OR name=?2) AND (?3='' OR commit_id=?3)"
		" AND (?4='' OR branch=?4) AND (?5='' OR machine=?5) ORDER BY created_ns DESC, id DESC",
		"ttttt", text_of(filter->id), text_of(filter->name), text_of(filter->commit), text_of(filter->branch),
		text_of(filter->machine));
	int result = 0, row = -1;

	while (statement && !result && (row = sp_history_step(store, statement)) > 0) {
		struct sp_history_baseline b = {.name = column(statement, 1),
			.commit = column(statement, 2),
			.branch = column(statement, 3),
			.machine = column(statement, 4),
			.created_ns = (uint64_t)sqlite3_column_int64(statement, 5),
			.content = column(statement, 6)};

		snprintf(b.id, sizeof(b.id), "%s", column(statement, 0));
		result = each(&b, context);
	}
	if (statement)
		sqlite3_reset(statement);
	return !statement ? sp_history_check(store, sqlite3_errcode(store->db)) : result ? result : row < 0 ? row : 0;
}

int sp_history_baseline_remove(struct sp_history *store, const char *id)
{
	return sp_history_exec(store, "DELETE FROM baseline WHERE hash=?1", "t", id);
}
