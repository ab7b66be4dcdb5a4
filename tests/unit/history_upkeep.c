/* The history stays small and sound: what goes, what is found damaged, what another brings. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/history/upkeep.h"
#include "tests/unit/history_place.h"

#define DAY_NS 86400000000000ull

static char other_path[96], faults[4096];

static int make(void **state)
{
	int err = make_place(state);

	*faults = '\0';
	snprintf(other_path, sizeof(other_path), "%s/other.db", directory);
	return err;
}

static struct sp_history *open_at(const char *where)
{
	return open_history(where, SP_HISTORY_WRITE);
}

/* Text that does not compress below what lies in the database itself. */
static void set_profile(struct sp_history_run *run, unsigned seed)
{
	char text[8000];

	for (size_t i = 0; i < sizeof(text); i++) {
		seed = seed * 1664525u + 1013904223u;
		text[i] = (char)(33 + (seed >> 16) % 90);
	}
	sp_history_set_blob(run, SP_HISTORY_PROFILE, text, sizeof(text));
}

/* Returns its id in `id`. */
static void add(struct sp_history *store, uint64_t started_ns, const char *state, unsigned seed, char *id)
{
	struct sp_history_run *run = sp_history_run_make();

	run->started_ns = started_ns;
	sp_history_set(&run->kind, "monitor");
	sp_history_set(&run->program, "prog");
	sp_history_set(&run->state, state);
	sp_history_add_metric(run, "wall_ns", 5, NAN);
	if (seed)
		set_profile(run, seed);
	if (sp_history_add(store, run))
		fail_msg("%s", sp_history_error(store));
	if (id)
		memcpy(id, run->id, sizeof(run->id));
	sp_history_run_free(run);
}

/* Midnight (UTC) so many days ago. */
static uint64_t day(unsigned ago)
{
	return ((uint64_t)time(NULL) / 86400 - ago) * DAY_NS;
}

static uint64_t count(struct sp_history *store)
{
	uint64_t n;

	assert_int_equal(sp_history_count(store, &(struct sp_history_filter){.limit = 0}, &n), 0);
	return n;
}

static struct sp_history_cleaned clean(struct sp_history *store, struct sp_history_limits limits, bool dry)
{
	struct sp_history_cleaned cleaned;

	if (sp_history_clean(store, &limits, dry, &cleaned))
		fail_msg("%s", sp_history_error(store));
	return cleaned;
}

static bool has(struct sp_history *store, const char *id)
{
	struct sp_history_run *run;
	bool found = sp_history_find(store, id, 0, &run) == 0;

	sp_history_run_free(run);
	return found;
}

static void one_a_day_stays_of_old_runs(void **state)
{
	struct sp_history *store = open_at(path);
	const struct sp_history_limits limits = {.thin_days = 30};
	char good[SP_HISTORY_ID], bad[SP_HISTORY_ID], young[SP_HISTORY_ID];

	(void)state;
	add(store, day(40) + 1, "ok", 0, NULL);
	add(store, day(40) + 2, "ok", 0, good);
	add(store, day(40) + 3, "failed", 0, NULL);
	add(store, day(41) + 1, "failed", 0, bad);
	add(store, day(2) + 1, "ok", 0, NULL);
	add(store, day(2) + 2, "ok", 0, young);
	assert_int_equal(clean(store, limits, true).runs, 2);
	assert_int_equal(count(store), 6);
	assert_int_equal(clean(store, limits, false).runs, 2);
	assert_int_equal(count(store), 4);
	assert_true(has(store, good) && has(store, bad) && has(store, young));
	assert_int_equal(clean(store, limits, false).runs, 0);
	sp_history_close(store);
}

static void what_is_old_by_a_wrong_clock_alone_stays(void **state)
{
	struct sp_history *store = open_at(path);
	const struct sp_history_limits limits = {.thin_days = 30, .newest_ns = day(40)};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(store, day(40) + i, "ok", 0, NULL);
	assert_int_equal(clean(store, limits, false).runs, 0);
	assert_int_equal(clean(store, (struct sp_history_limits){.thin_days = 30}, false).runs, 3);
	sp_history_close(store);
}

static void what_is_pinned_stays_with_its_neighbours(void **state)
{
	struct sp_history *store = open_at(path);
	char ids[6][SP_HISTORY_ID];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		add(store, day(100) + i, "ok", 0, ids[i]);
	assert_int_equal(sp_history_pin(store, ids[2], "baseline main", true), 0);
	assert_int_equal(clean(store, (struct sp_history_limits){.days = 50}, false).runs, 3);
	assert_true(has(store, ids[1]) && has(store, ids[2]) && has(store, ids[3]));
	assert_false(has(store, ids[0]) || has(store, ids[4]) || has(store, ids[5]));
	assert_int_equal(sp_history_pin(store, ids[2], "baseline main", false), 0);
	assert_int_equal(clean(store, (struct sp_history_limits){.days = 50}, false).runs, 3);
	sp_history_close(store);
}

static void the_oldest_go_when_all_is_too_large(void **state)
{
	struct sp_history *store = open_at(path);
	char last[SP_HISTORY_ID];
	uint64_t left;

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		add(store, day(3) + i, "ok", 0, last);
	left = count(store);
	assert_int_equal(clean(store, (struct sp_history_limits){.bytes = 1ull << 30}, false).runs, 0);
	assert_true(clean(store, (struct sp_history_limits){.bytes = 120000}, false).runs > 100);
	assert_true(count(store) < left && has(store, last));
	sp_history_close(store);
}

static void file_of(struct sp_history *store, const char *id, char *file, size_t size)
{
	struct sp_history_run *run;

	assert_int_equal(sp_history_find(store, id, 0, &run), 0);
	snprintf(file, size, "%s.blobs/%.2s/%s.z", sp_history_path(store), run->blobs[SP_HISTORY_PROFILE].hash,
		run->blobs[SP_HISTORY_PROFILE].hash);
	sp_history_run_free(run);
}

static void make_old(const char *file)
{
	const struct timespec times[2] = {{1000000, 0}, {1000000, 0}};

	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}

static void files_go_with_the_last_run_that_has_them(void **state)
{
	struct sp_history *store = open_at(path);
	char shared[SP_HISTORY_ID], alone[SP_HISTORY_ID], file[2][512];
	struct sp_history_cleaned cleaned;

	(void)state;
	add(store, day(100), "ok", 7, shared);
	add(store, day(1), "ok", 7, NULL);
	add(store, day(100) + 1, "ok", 8, alone);
	file_of(store, shared, file[0], sizeof(file[0]));
	file_of(store, alone, file[1], sizeof(file[1]));
	make_old(file[0]);
	assert_int_equal(clean(store, (struct sp_history_limits){.days = 50}, false).blobs, 0);
	assert_int_equal(access(file[1], F_OK), 0); /* young: a run may be about to have it */
	make_old(file[1]);
	cleaned = clean(store, (struct sp_history_limits){.days = 50}, true);
	assert_int_equal(cleaned.blobs, 1);
	assert_int_equal(access(file[1], F_OK), 0);
	cleaned = clean(store, (struct sp_history_limits){.days = 50}, false);
	assert_true(cleaned.blobs == 1 && cleaned.bytes > 0);
	assert_int_equal(access(file[0], F_OK), 0);
	assert_int_equal(access(file[1], F_OK), -1);
	sp_history_close(store);
}

static void note_fault(const char *fault)
{
	strncat(faults, fault, sizeof(faults) - strlen(faults) - 2);
	strcat(faults, "\n");
}

static struct sp_history_verified verify(struct sp_history *store)
{
	struct sp_history_verified verified;

	*faults = '\0';
	if (sp_history_verify(store, note_fault, &verified))
		fail_msg("%s", sp_history_error(store));
	return verified;
}

static void verify_finds_what_is_damaged(void **state)
{
	struct sp_history *store = open_at(path);
	struct sp_history_verified found;
	char id[SP_HISTORY_ID], file[512];
	sqlite3 *db;
	int fd;

	(void)state;
	add(store, day(1), "ok", 7, id);
	add(store, day(1) + 1, "ok", 0, NULL);
	found = verify(store);
	assert_true(found.runs == 2 && found.blobs == 1 && !found.faults && !found.orphans);
	file_of(store, id, file, sizeof(file));
	fd = open(file, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 1000), 1);
	close(fd);
	assert_int_equal(verify(store).faults, 1);
	assert_non_null(strstr(faults, "damaged"));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM series; UPDATE run SET profile=NULL; DELETE FROM blob", NULL,
				 NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	found = verify(store);
	assert_true(found.faults > 0 && found.orphans == 1);
	assert_non_null(strstr(faults, "in table: run"));
	sp_history_close(store);
}

static void another_history_is_taken_over_once(void **state)
{
	struct sp_history *store = open_at(path), *other = open_at(other_path);
	struct sp_history_merged merged;
	struct sp_history_run *run;
	char id[SP_HISTORY_ID];
	size_t bytes;
	void *data;

	(void)state;
	add(store, day(1), "ok", 1, NULL);
	add(other, day(1), "ok", 1, NULL);
	add(other, day(2), "ok", 2, id);
	assert_int_equal(sp_history_pin(other, id, "baseline main", true), 0);
	assert_int_equal(sp_history_note(other, id, "said"), 0);
	assert_int_equal(sp_history_merge(store, other, &merged), 0);
	assert_true(merged.added == 1 && merged.seen == 2 && !merged.lacking && count(store) == 2);
	assert_int_equal(sp_history_find(store, id, SP_HISTORY_ALL, &run), 0);
	assert_true(run->pinned);
	assert_string_equal(run->note, "said");
	assert_int_equal(sp_history_blob_read(store, run->blobs[SP_HISTORY_PROFILE].hash, &data, &bytes), 0);
	free(data);
	sp_history_run_free(run);
	assert_int_equal(sp_history_merge(store, other, &merged), 0);
	assert_true(merged.added == 0 && count(store) == 2);
	sp_history_close(store);
	sp_history_close(other);
}

static void what_another_lacks_is_told_and_its_runs_are_taken_over(void **state)
{
	struct sp_history *store = open_at(path), *other = open_at(other_path);
	struct sp_history_verified verified;
	struct sp_history_merged merged;
	char id[SP_HISTORY_ID], file[512];

	(void)state;
	add(other, day(3), "ok", 1, NULL);
	add(other, day(2), "ok", 2, id);
	file_of(other, id, file, sizeof(file));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(sp_history_merge(store, other, &merged), 0);
	assert_true(merged.seen == 2 && merged.added == 2 && merged.lacking == 1 && count(store) == 2);
	verified = verify(store);
	assert_true(verified.runs == 2 && verified.blobs == 2 && verified.faults == 1);
	sp_history_close(store);
	sp_history_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_a_day_stays_of_old_runs, make, remove_place),
		cmocka_unit_test_setup_teardown(what_is_old_by_a_wrong_clock_alone_stays, make, remove_place),
		cmocka_unit_test_setup_teardown(what_is_pinned_stays_with_its_neighbours, make, remove_place),
		cmocka_unit_test_setup_teardown(the_oldest_go_when_all_is_too_large, make, remove_place),
		cmocka_unit_test_setup_teardown(files_go_with_the_last_run_that_has_them, make, remove_place),
		cmocka_unit_test_setup_teardown(verify_finds_what_is_damaged, make, remove_place),
		cmocka_unit_test_setup_teardown(another_history_is_taken_over_once, make, remove_place),
		cmocka_unit_test_setup_teardown(what_another_lacks_is_told_and_its_runs_are_taken_over, make,
			remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
