/* A history that any earlier version made is brought up to date, and nothing in it is lost: tests/fixtures/history has one of each. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "profiles/history/schema.h"
#include "profiles/history/upkeep.h"
#include "tests/unit/history_place.h"

static void make_version(int version)
{
	char name[64], *sql = NULL;
	size_t room = 0;
	sqlite3 *db;
	FILE *file;

	assert_int_equal(make_place(NULL), 0);
	snprintf(name, sizeof(name), "tests/fixtures/history/v%d.sql", version);
	file = fopen(name, "re");
	if (!file)
		fail_msg("there is no %s: every version that landed needs one", name);
	assert_true(getdelim(&sql, &room, '\0', file) > 0);
	fclose(file);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL))
		fail_msg("%s: %s", name, sqlite3_errmsg(db));
	sqlite3_close(db);
	free(sql);
	assert_int_equal(chmod(path, 0600), 0);
}

static void tell(const char *fault)
{
	fail_msg("%s", fault);
}

static void look_at(struct sp_history *store)
{
	struct sp_history_verified verified;
	struct sp_history_run *run;
	size_t bytes;
	void *data;

	assert_int_equal(sp_history_find(store, "00112233", SP_HISTORY_ALL, &run), 0);
	assert_string_equal(run->program, "prog");
	assert_string_equal(run->branch, "main");
	assert_string_equal(run->note, "a note");
	assert_string_equal(run->tags[0], "nightly");
	assert_true(run->pinned && sp_history_value(run, "wall_ns", NULL) == 5e6);
	assert_string_equal(run->functions[0].name, "hot");
	assert_int_equal(sp_history_blob_read(store, run->blobs[SP_HISTORY_PROFILE].hash, &data, &bytes), 0);
	assert_string_equal(data, "hello\n");
	free(data);
	sp_history_run_free(run);
	assert_int_equal(sp_history_verify(store, tell, &verified), 0);
	assert_int_equal(verified.runs, 1);
}

static void every_version_is_brought_up_to_date(void **state)
{
	for (int version = 1; version <= sp_history_version; version++) {
		struct sp_history *store;

		make_version(version);
		for (int again = 0; again < 2; again++) {
			store = open_history(path, SP_HISTORY_WRITE);
			look_at(store);
			sp_history_close(store);
		}
		assert_int_equal(remove_place(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_version_is_brought_up_to_date)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
