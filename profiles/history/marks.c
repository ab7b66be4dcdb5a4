/* What people and other commands say of runs that are in the history. */
#include <errno.h>

#include "profiles/history/db.h"

int sp_history_number(struct sp_history *store, const char *id, int64_t *number)
{
	uint8_t bytes[16];
	int err = -ENOENT;

	if (sp_history_unhex(id, bytes, sizeof(bytes)))
		err = sp_history_get(store, number, "SELECT number FROM run WHERE id=?1", "b", bytes, sizeof(bytes));
	return err == -ENOENT ? sp_history_fail(store, err, "the history %s has no run %.32s", store->path, id) : err;
}

int sp_history_tag(struct sp_history *store, const char *id, const char *tag, bool on)
{
	int64_t number;
	int err = sp_history_number(store, id, &number);

	if (err)
		return err;
	return on ? sp_history_exec(store, "INSERT OR IGNORE INTO tag(run, tag) VALUES(?1, ?2)", "it", number, tag)
		  : sp_history_exec(store, "DELETE FROM tag WHERE run=?1 AND tag=?2", "it", number, tag);
}

int sp_history_note(struct sp_history *store, const char *id, const char *text)
{
	int64_t number;
	int err = sp_history_number(store, id, &number);

	return err ? err : sp_history_exec(store, "UPDATE run SET note=?2 WHERE number=?1", "it", number, text);
}

bool sp_history_is_pinned(struct sp_history *store, const char *id, const char *why)
{
	int64_t number, pin;

	return sp_history_number(store, id, &number) == 0 &&
		sp_history_get(store, &pin, "SELECT 1 FROM pin WHERE run=?1 AND why=?2", "it", number, why) == 0;
}

int sp_history_pin(struct sp_history *store, const char *id, const char *why, bool on)
{
	int64_t number;
	int err = sp_history_number(store, id, &number);

	if (err)
		return err;
	return on ? sp_history_exec(store, "INSERT OR IGNORE INTO pin(run, why) VALUES(?1, ?2)", "it", number, why)
		  : sp_history_exec(store, "DELETE FROM pin WHERE run=?1 AND why=?2", "it", number, why);
}
