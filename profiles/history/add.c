/* Adding a run to the history. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "profiles/history/db.h"

/* The row that the unique columns name, made where missing. */
static int text_row(struct sp_history *store, const char *text, int64_t *row)
{
	int err = sp_history_get(store, row, "SELECT id FROM text WHERE text=?1", "t", text);

	return err != -ENOENT ? err
			      : sp_history_get(store, row, "INSERT INTO text(text) VALUES(?1) RETURNING id", "t", text);
}

static int metric_row(struct sp_history *store, const char *name, int64_t *row)
{
	int err = sp_history_get(store, row, "SELECT id FROM metric WHERE name=?1", "t", name);

	return err != -ENOENT
		? err
		: sp_history_get(store, row, "INSERT INTO metric(name) VALUES(?1) RETURNING id", "t", name);
}

static int machine_row(struct sp_history *store, const struct sp_history_machine *m, int64_t *row)
{
	int err = sp_history_get(store, row, "SELECT id FROM machine WHERE class=?1", "t", m->class);

	return err != -ENOENT ? err
			      : sp_history_get(store, row,
					"INSERT INTO machine(class, cpu, millicores, memory_bytes, kernel, governor)"
					" VALUES(?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
					"ttiitt", m->class, m->cpu, (int64_t)m->millicores, (int64_t)m->memory_bytes,
					m->kernel, m->governor);
}

static int series_row(struct sp_history *store, const struct sp_history_run *run, int64_t *row)
{
	int64_t machine, profiled = run->profiled, parallel = run->jobs > 1;
	int err = machine_row(store, &run->machine, &machine);

	if (!err)
		err = sp_history_get(store, row,
			"SELECT id FROM series WHERE program=?1 AND args_class=?2 AND environment=?3 AND kind=?4 AND"
			" profiled=?5 AND parallel=?6 AND machine=?7",
			"ttttiii", run->program, run->args_class, run->environment, run->kind, profiled, parallel,
			machine);
	return err != -ENOENT ? err
			      : sp_history_get(store, row,
					"INSERT INTO series(program, args_class, environment, kind, profiled, parallel,"
					" machine) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
					"ttttiii", run->program, run->args_class, run->environment, run->kind, profiled,
					parallel, machine);
}

static int add_metrics(struct sp_history *store, const struct sp_history_run *run, int64_t number)
{
	int64_t metric;
	int err = 0;

	for (size_t i = 0; !err && i < run->metric_count; i++) {
		err = metric_row(store, run->metrics[i].name, &metric);
		if (!err)
			err = sp_history_exec(store,
				"INSERT INTO total(series, metric, run, value, error) VALUES(?1, ?2, ?3, ?4, ?5)",
				"iiidd", run->series, metric, number, run->metrics[i].value, run->metrics[i].error);
	}
	return err;
}

static int add_functions(struct sp_history *store, const struct sp_history_run *run, int64_t number)
{
	int64_t name, module;
	int err = 0;

	for (size_t i = 0; !err && i < run->function_count; i++) {
		const struct sp_history_function *f = &run->functions[i];

		err = text_row(store, f->name, &name);
		if (!err)
			err = text_row(store, f->module, &module);
		if (!err)
			err = sp_history_exec(store,
				"INSERT OR IGNORE INTO function(run, of, name, module, self, total, error)"
				" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
				"iiiiddd", number, (int64_t)f->of, name, module, f->self, f->total, f->error);
	}
	return err;
}

static int add_tags(struct sp_history *store, const struct sp_history_run *run, int64_t number)
{
	int err = 0;

	for (size_t i = 0; !err && i < run->tag_count; i++)
		err = sp_history_exec(store, "INSERT OR IGNORE INTO tag(run, tag) VALUES(?1, ?2)", "it", number,
			run->tags[i]);
	if (!err && run->note && *run->note)
		err = sp_history_exec(store, "UPDATE run SET note=?2 WHERE number=?1 AND note=''", "it", number,
			run->note);
	return err;
}

static const char insert_run[] =
	"INSERT INTO run(id, series, started_ns, command, directory, commit_id, branch, dirty, build_id, jobs, state,"
	" exit_status, signal, note, profile, log, timeline) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
	"?13,"
	" '', nullif(?14, 0), nullif(?15, 0), nullif(?16, 0)) RETURNING number";

static int add_head(struct sp_history *store, struct sp_history_run *run, const uint8_t *id, int64_t *number)
{
	const char *const texts[] = {run->command, run->directory, run->commit, run->branch, run->build_id};
	int64_t rows[sizeof(texts) / sizeof(texts[0])], blobs[SP_HISTORY_PARTS] = {0};
	int err = series_row(store, run, &run->series);

	for (size_t i = 0; !err && i < sizeof(texts) / sizeof(texts[0]); i++)
		err = text_row(store, texts[i], &rows[i]);
	for (size_t i = 0; !err && i < SP_HISTORY_PARTS; i++)
		err = sp_history_blob_row(store, &run->blobs[i], &blobs[i]);
	return err ? err
		   : sp_history_get(store, number, insert_run, "biiiiiiiiitiiiii", id, (size_t)16, run->series,
			     (int64_t)run->started_ns, rows[0], rows[1], rows[2], rows[3], (int64_t)run->dirty, rows[4],
			     (int64_t)run->jobs, run->state, (int64_t)run->exit_status, (int64_t)run->signal, blobs[0],
			     blobs[1], blobs[2]);
}

/* Within a transaction. */
static int add_all(struct sp_history *store, struct sp_history_run *run)
{
	uint8_t id[16];
	int64_t number;
	int err;

	sp_history_unhex(run->id, id, sizeof(id));
	err = sp_history_get(store, &number, "SELECT number FROM run WHERE id=?1", "b", id, sizeof(id));
	if (!err)
		err = sp_history_get(store, &run->series, "SELECT series FROM run WHERE number=?1", "i", number);
	else if (err == -ENOENT) {
		err = add_head(store, run, id, &number);
		if (!err)
			err = add_metrics(store, run, number);
		if (!err)
			err = add_functions(store, run, number);
	}
	return err ? err : add_tags(store, run, number);
}

int sp_history_add(struct sp_history *store, struct sp_history_run *run)
{
	int err = sp_history_enter(store);

	if (err)
		return err;
	sp_history_machine_class(&run->machine);
	for (size_t i = 0; !err && i < SP_HISTORY_PARTS; i++)
		err = sp_history_blob_write(store, &run->blobs[i]);
	sp_history_run_id(run, run->id);
	return sp_history_leave(store, err ? err : add_all(store, run));
}
