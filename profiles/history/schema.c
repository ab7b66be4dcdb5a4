/* The tables of the history, by version. */
#include "profiles/history/schema.h"

/* Of a run, what repeats from run to run stands once: texts, machines, series. Metrics lie by series and metric, so that a trend is
 * one stretch of the file. */
static const char first[] =
	"CREATE TABLE text(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE machine(id INTEGER PRIMARY KEY, class TEXT NOT NULL UNIQUE, cpu TEXT NOT NULL,"
	" millicores INTEGER NOT NULL, memory_bytes INTEGER NOT NULL, kernel TEXT NOT NULL, governor TEXT NOT NULL) "
	"STRICT;"
	"CREATE TABLE series(id INTEGER PRIMARY KEY, program TEXT NOT NULL, args_class TEXT NOT NULL,"
	" environment TEXT NOT NULL, kind TEXT NOT NULL, profiled INTEGER NOT NULL, parallel INTEGER NOT NULL,"
	" machine INTEGER NOT NULL REFERENCES machine(id),"
	" UNIQUE(program, args_class, environment, kind, profiled, parallel, machine)) STRICT;"
	"CREATE TABLE blob(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, bytes INTEGER NOT NULL, data BLOB) "
	"STRICT;"
	"CREATE TABLE run(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
	" series INTEGER NOT NULL REFERENCES series(id), started_ns INTEGER NOT NULL,"
	" command INTEGER NOT NULL REFERENCES text(id), directory INTEGER NOT NULL REFERENCES text(id),"
	" commit_id INTEGER NOT NULL REFERENCES text(id), branch INTEGER NOT NULL REFERENCES text(id),"
	" dirty INTEGER NOT NULL, build_id INTEGER NOT NULL REFERENCES text(id), jobs INTEGER NOT NULL,"
	" state TEXT NOT NULL, exit_status INTEGER NOT NULL, signal INTEGER NOT NULL, note TEXT NOT NULL,"
	" profile INTEGER REFERENCES blob(id), log INTEGER REFERENCES blob(id), timeline INTEGER REFERENCES blob(id)) "
	"STRICT;"
	"CREATE INDEX run_series ON run(series, started_ns);"
	"CREATE INDEX run_started ON run(started_ns);"
	"CREATE INDEX run_commit ON run(commit_id);"
	"CREATE INDEX run_profile ON run(profile) WHERE profile IS NOT NULL;"
	"CREATE INDEX run_log ON run(log) WHERE log IS NOT NULL;"
	"CREATE INDEX run_timeline ON run(timeline) WHERE timeline IS NOT NULL;"
	"CREATE TABLE metric(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE total(series INTEGER NOT NULL REFERENCES series(id), metric INTEGER NOT NULL REFERENCES "
	"metric(id),"
	" run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, value REAL NOT NULL, error REAL,"
	" PRIMARY KEY(series, metric, run)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX total_run ON total(run);"
	"CREATE TABLE function(run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, of INTEGER NOT NULL,"
	" name INTEGER NOT NULL REFERENCES text(id), module INTEGER NOT NULL REFERENCES text(id), self REAL NOT NULL,"
	" total REAL, error REAL, PRIMARY KEY(run, of, name, module)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tag(run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, tag TEXT NOT NULL,"
	" PRIMARY KEY(run, tag)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX tag_tag ON tag(tag);"
	"CREATE TABLE pin(run INTEGER NOT NULL REFERENCES run(number) ON DELETE RESTRICT, why TEXT NOT NULL,"
	" PRIMARY KEY(run, why)) STRICT, WITHOUT ROWID;";

static const char baselines[] =
	"CREATE TABLE baseline(id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
	" created_ns INTEGER NOT NULL, commit_id TEXT NOT NULL, branch TEXT NOT NULL, machine TEXT NOT NULL,"
	" content TEXT NOT NULL) STRICT;"
	"CREATE INDEX baseline_created ON baseline(created_ns);";

/* Groups are counted from the index alone. */
static const char counted[] = "DROP INDEX run_series; CREATE INDEX run_series ON run(series, started_ns, state);";

const char *const sp_history_migrations[] = {first, baselines, counted};
const int sp_history_version = sizeof(sp_history_migrations) / sizeof(sp_history_migrations[0]);
