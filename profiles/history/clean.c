/* What is old goes, as far as nobody needs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "profiles/history/db.h"
#include "profiles/history/files.h"
#include "profiles/history/upkeep.h"

#define NS_PER_S 1000000000ull
#define DAY_S 86400

/* Tables of this connection alone: what must stay, and what goes. */
static const char prepare[] =
	"CREATE TEMP TABLE IF NOT EXISTS stays(run INTEGER PRIMARY KEY); DELETE FROM stays;"
	"CREATE TEMP TABLE IF NOT EXISTS goes(run INTEGER PRIMARY KEY); DELETE FROM goes;"
	"INSERT OR IGNORE INTO stays SELECT run FROM pin;"
	"INSERT OR IGNORE INTO stays SELECT (SELECT number FROM run b WHERE b.series=r.series AND"
	" b.started_ns<r.started_ns ORDER BY b.started_ns DESC LIMIT 1) FROM pin p JOIN run r ON r.number=p.run;"
	"INSERT OR IGNORE INTO stays SELECT (SELECT number FROM run b WHERE b.series=r.series AND"
	" b.started_ns>r.started_ns ORDER BY b.started_ns LIMIT 1) FROM pin p JOIN run r ON r.number=p.run;";

/* The newest good one of a day stays, of a day without one the newest. */
static const char thin[] =
	"INSERT OR IGNORE INTO goes SELECT number FROM (SELECT number, row_number() OVER (PARTITION BY series,"
	" started_ns/86400000000000 ORDER BY state='ok' DESC, started_ns DESC, number DESC) AS place FROM run"
	" WHERE started_ns<?1) WHERE place>1 AND number NOT IN (SELECT run FROM stays)";

static const char age[] = "INSERT OR IGNORE INTO goes SELECT number FROM run WHERE started_ns<?1 AND number NOT IN "
			  "(SELECT run FROM stays)";

/* So many of the oldest that still stay. */
static const char oldest[] =
	"INSERT OR IGNORE INTO goes SELECT number FROM run WHERE number NOT IN (SELECT run FROM stays) AND"
	" number NOT IN (SELECT run FROM goes) ORDER BY started_ns LIMIT ?1";

static const char remove_runs[] = "DELETE FROM run WHERE number IN (SELECT run FROM goes)";

static const char remove_blobs[] =
	"DELETE FROM blob WHERE NOT EXISTS(SELECT 1 FROM run WHERE profile=blob.id) AND"
	" NOT EXISTS(SELECT 1 FROM run WHERE log=blob.id) AND NOT EXISTS(SELECT 1 FROM run WHERE timeline=blob.id)";

static int64_t days_ago_ns(const struct sp_history_limits *limits, unsigned days)
{
	int64_t now_s = (int64_t)time(NULL), newest_s = (int64_t)(limits->newest_ns / NS_PER_S);

	if (newest_s && newest_s < now_s)
		now_s = newest_s;
	return (now_s - (int64_t)days * DAY_S) * (int64_t)NS_PER_S;
}

struct sizing {
	struct sp_history *store;
	struct sp_history_cleaned *cleaned;
	bool dry;
};

static int remove_unused(const char *hash, void *context)
{
	const struct sizing *s = context;
	bool used = true;
	uint64_t bytes = 0;
	int err = sp_history_blob_is_used(s->store, hash, &used);

	if (err || used || !sp_history_file_remove(s->store, hash, s->dry, &bytes))
		return err;
	s->cleaned->blobs++;
	s->cleaned->bytes += bytes;
	return 0;
}

/* What runs take on the average, and how many fewer there must be. */
static int choose_by_size(struct sp_history *store, uint64_t bytes)
{
	int64_t pages = 0, page = 0, files = 0, runs = 0;
	int err = sp_history_get(store, &pages,
		"SELECT page_count-freelist_count FROM pragma_page_count, pragma_freelist_count", "");
	uint64_t takes;

	if (!err)
		err = sp_history_get(store, &page, "PRAGMA page_size", "");
	if (!err)
		err = sp_history_get(store, &files, "SELECT ifnull(sum(bytes), 0)/5 FROM blob WHERE data IS NULL", "");
	if (!err)
		err = sp_history_get(store, &runs, "SELECT count(*) FROM run", "");
	takes = (uint64_t)(pages * page + files);
	if (err || takes <= bytes || !runs)
		return err;
	return sp_history_exec(store, oldest, "i",
		(int64_t)((double)(takes - bytes) / (double)takes * (double)runs) + 1);
}

static int choose(struct sp_history *store, const struct sp_history_limits *limits)
{
	int err = sp_history_check(store, sqlite3_exec(store->db, prepare, NULL, NULL, NULL));

	if (!err && limits->thin_days)
		err = sp_history_exec(store, thin, "i", days_ago_ns(limits, limits->thin_days));
	if (!err && limits->days)
		err = sp_history_exec(store, age, "i", days_ago_ns(limits, limits->days));
	return !err && limits->bytes ? choose_by_size(store, limits->bytes) : err;
}

static int count(struct sp_history *store, struct sp_history_cleaned *cleaned)
{
	int64_t goes = 0, all = 0;
	int err = sp_history_get(store, &goes, "SELECT count(*) FROM goes", "");

	if (!err)
		err = sp_history_get(store, &all, "SELECT count(*) FROM run", "");
	if (err)
		return err;
	cleaned->runs = (uint64_t)goes;
	cleaned->kept = (uint64_t)(all - goes);
	return 0;
}

/* Within a transaction, which a dry run undoes. */
static int clean(struct sp_history *store, const struct sp_history_limits *limits, bool dry,
	struct sp_history_cleaned *cleaned)
{
	const struct sizing sizing = {store, cleaned, dry};
	int err = choose(store, limits);

	if (!err)
		err = count(store, cleaned);
	if (!err)
		err = sp_history_exec(store, remove_runs, "");
	if (!err)
		err = sp_history_exec(store, remove_blobs, "");
	/* While nobody else can add a run that has one of them. */
	return err || !dry ? err : sp_history_each_file(store, false, remove_unused, (void *)&sizing);
}

int sp_history_clean(struct sp_history *store, const struct sp_history_limits *limits, bool dry,
	struct sp_history_cleaned *cleaned)
{
	const struct sizing sizing = {store, cleaned, false};
	int err;

	*cleaned = (struct sp_history_cleaned){0};
	err = sp_history_begin(store);
	if (err)
		return err;
	err = clean(store, limits, dry, cleaned);
	if (err || dry) {
		sp_history_rollback(store);
		return err;
	}
	err = sp_history_commit(store);
	/* Rows first: a file without a row is nothing lost. */
	if (!err)
		err = sp_history_begin(store);
	if (err)
		return err;
	err = sp_history_each_file(store, true, remove_unused, (void *)&sizing);
	sp_history_rollback(store);
	return err ? err : sp_history_check(store, sqlite3_exec(store->db, "PRAGMA optimize", NULL, NULL, NULL));
}
