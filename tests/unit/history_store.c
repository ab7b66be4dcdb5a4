/* The history's store: runs go in whole, once, and are found again. */
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
#include <unistd.h>

#include <cmocka.h>

#include "profiles/history/schema.h"
#include "tests/unit/history_place.h"

static struct sp_history_run *make_run(const char *program, uint64_t started_ns, double wall_ns)
{
	struct sp_history_run *run = sp_history_run_make();

	run->started_ns = started_ns;
	sp_history_set(&run->kind, "monitor");
	sp_history_set(&run->program, program);
	sp_history_set(&run->command, "prog -x 1");
	sp_history_set(&run->args_class, "-x *");
	sp_history_set(&run->state, "ok");
	sp_history_set(&run->commit, "0123abcd");
	sp_history_set(&run->branch, "main");
	sp_history_set(&run->machine.cpu, "A CPU");
	run->exit_status = 0;
	run->machine.millicores = 2000;
	sp_history_add_metric(run, "wall_ns", wall_ns, NAN);
	sp_history_add_metric(run, "peak_rss_bytes", 4096, 1.5);
	sp_history_add_metric(run, "cpu_percent", NAN, 1); /* not known: left out */
	return run;
}

static void add(struct sp_history *store, struct sp_history_run *run)
{
	if (sp_history_add(store, run))
		fail_msg("%s", sp_history_error(store));
}

static void add_and_free(struct sp_history *store, struct sp_history_run *run)
{
	add(store, run);
	sp_history_run_free(run);
}

static uint64_t count(struct sp_history *store, const struct sp_history_filter *filter)
{
	uint64_t n = 999;

	assert_int_equal(sp_history_count(store, filter, &n), 0);
	return n;
}

static const struct sp_history_filter all = {.limit = 0};

static void a_run_comes_back_as_it_was(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	struct sp_history_run *run = make_run("we\xffird\n<b>", 5, 7e9), *back;
	size_t bytes;
	double error;
	void *data;

	(void)state;
	sp_history_add_function(run, SP_HISTORY_CPU, "small", "prog", 1, NAN, NAN);
	sp_history_add_function(run, SP_HISTORY_CPU, "hot", "prog", 5e9, 6e9, 1e6);
	sp_history_add_tag(run, "nightly");
	sp_history_set(&run->note, "a note");
	sp_history_set_blob(run, SP_HISTORY_PROFILE, "# a profile", 11);
	add(store, run);
	assert_int_equal(sp_history_find(store, "latest", SP_HISTORY_ALL, &back), 0);
	assert_string_equal(back->id, run->id);
	assert_string_equal(back->program, "we\xffird\n<b>");
	assert_string_equal(back->machine.class, run->machine.class);
	assert_string_equal(back->note, "a note");
	assert_string_equal(back->tags[0], "nightly");
	assert_string_equal(back->environment, "");
	assert_int_equal(back->dirty, -1);
	assert_int_equal(back->metric_count, 2);
	assert_true(sp_history_value(back, "peak_rss_bytes", &error) == 4096 && error == 1.5);
	assert_true(isnan(sp_history_value(back, "none", NULL)));
	assert_string_equal(back->functions[0].name, "hot");
	assert_true(back->functions[0].total == 6e9 && isnan(back->functions[1].total));
	assert_int_equal(sp_history_blob_read(store, back->blobs[SP_HISTORY_PROFILE].hash, &data, &bytes), 0);
	assert_string_equal(data, "# a profile");
	free(data);
	sp_history_run_free(back);
	sp_history_run_free(run);
	sp_history_close(store);
}

static void the_same_run_is_kept_once(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	struct sp_history_run *first = make_run("prog", 5, 7e9), *again = make_run("prog", 5, 7e9);

	(void)state;
	add(store, first);
	sp_history_add_tag(again, "said later");
	add(store, again);
	assert_string_equal(first->id, again->id);
	assert_int_equal(first->series, again->series);
	assert_int_equal(count(store, &all), 1);
	assert_int_equal(count(store, &(struct sp_history_filter){.tag = "said later"}), 1);
	add_and_free(store, make_run("prog", 5, 7.5e9));
	assert_int_equal(count(store, &all), 2);
	sp_history_run_free(first);
	sp_history_run_free(again);
	sp_history_close(store);
}

static void large_blobs_are_files_of_this_user_alone(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	struct sp_history_run *run = make_run("prog", 1, 1);
	char file[256], *text = calloc(1, 100001);
	struct stat st;
	size_t bytes;
	void *data;

	(void)state;
	for (int i = 0; i < 100000; i++)
		text[i] = (char)(32 + (i * 2654435761u >> 13) % 95);
	sp_history_set_blob(run, SP_HISTORY_LOG, text, 100000);
	add(store, run);
	snprintf(file, sizeof(file), "%s.blobs/%.2s/%s.z", path, run->blobs[SP_HISTORY_LOG].hash,
		run->blobs[SP_HISTORY_LOG].hash);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(sp_history_blob_read(store, run->blobs[SP_HISTORY_LOG].hash, &data, &bytes), 0);
	assert_int_equal(bytes, 100000);
	assert_memory_equal(data, text, bytes);
	free(data);
	assert_int_equal(truncate(file, st.st_size / 100), 0);
	assert_int_equal(sp_history_blob_read(store, run->blobs[SP_HISTORY_LOG].hash, &data, &bytes), -EBADMSG);
	assert_non_null(strstr(sp_history_error(store), "damaged"));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(sp_history_blob_read(store, run->blobs[SP_HISTORY_LOG].hash, &data, &bytes), -ENOENT);
	free(text);
	sp_history_run_free(run);
	sp_history_close(store);
}

static void filters_find_what_they_say(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	struct sp_history_run *other = make_run("sqlite3", 100, 3e9), *parallel = make_run("prog", 300, 9e9);
	struct sp_history_run *failed = make_run("prog", 400, 1e9), *back;
	struct sp_history_points points;
	char start[8];

	(void)state;
	sp_history_set(&other->branch, "feature/[x]");
	sp_history_set(&other->commit, "fedcba98");
	sp_history_add_metric(other, "span.q.p99_ns", 5, NAN);
	parallel->jobs = 4;
	sp_history_set(&failed->state, "failed");
	add_and_free(store, make_run("prog", 200, 7e9));
	add_and_free(store, parallel);
	add_and_free(store, failed);
	add(store, other);
#define FOUND(...) count(store, &(struct sp_history_filter){__VA_ARGS__})
	assert_int_equal(FOUND(.program = "sql*"), 1);
	assert_int_equal(FOUND(.program = "' OR 1=1 --"), 0);
	assert_int_equal(FOUND(.branch = "main"), 3);
	assert_int_equal(FOUND(.commit = "fedc"), 1);
	assert_int_equal(FOUND(.commit = "0123abcd"), 3);
	assert_int_equal(FOUND(.machine = other->machine.class), 4);
	assert_int_equal(FOUND(.metric = "span.q.p99_ns"), 1);
	assert_int_equal(FOUND(.since_ns = 200, .until_ns = 400), 2);
	assert_int_equal(FOUND(.good = true), 2);
	assert_int_equal(FOUND(.state = "failed", .kind = "monitor"), 1);
	assert_int_equal(FOUND(.series = other->series), 1);
	assert_int_equal(FOUND(.id = "zz"), 0);
	assert_int_equal(FOUND(.id = other->id), 1);
	snprintf(start, sizeof(start), "%.5s", other->id);
	assert_int_equal(sp_history_find(store, start, 0, &back), 0);
	assert_string_equal(back->program, "sqlite3");
	sp_history_run_free(back);
	assert_int_equal(sp_history_find(store, "latest~3", 0, &back), 0);
	assert_string_equal(back->program, "sqlite3");
	sp_history_run_free(back);
	assert_int_equal(sp_history_find(store, "latest~4", 0, &back), -ENOENT);
	assert_int_equal(sp_history_find(store, "0", 0, &back), -ENOENT);
	assert_int_equal(sp_history_find(store, "latest~x", 0, &back), -ENOENT);
	assert_null(back);
	assert_int_equal(sp_history_series(store, &(struct sp_history_filter){.good = true, .oldest_first = true},
				 "wall_ns", &points),
		0);
	assert_int_equal(points.count, 2);
	assert_true(points.items[0].value == 3e9 && points.items[1].value == 7e9 && isnan(points.items[0].error));
	assert_string_equal(points.items[0].branch, "feature/[x]");
	sp_history_points_free(&points);
	sp_history_run_free(other);
	sp_history_close(store);
}

static int look_at_group(const struct sp_history_group *group, void *context)
{
	int *seen = context;

	if ((*seen)++ == 0) {
		assert_string_equal(group->program, "b");
		assert_int_equal(group->runs, 3);
		assert_int_equal(group->value_count, 2);
		assert_true(group->values[0] == 101 && group->values[1] == 102);
	} else {
		assert_string_equal(group->program, "a");
		assert_int_equal(group->first_ns, 1);
	}
	return 0;
}

static void groups_have_their_newest_values(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	int seen = 0;

	(void)state;
	add_and_free(store, make_run("a", 1, 1));
	for (uint64_t i = 0; i < 3; i++)
		add_and_free(store, make_run("b", 10 + i, 100 + (double)i));
	assert_int_equal(sp_history_groups(store, &all, "wall_ns", 2, look_at_group, &seen), 0);
	assert_int_equal(seen, 2);
	sp_history_close(store);
}

static void a_transaction_is_all_or_nothing(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);

	(void)state;
	assert_int_equal(sp_history_begin(store), 0);
	add_and_free(store, make_run("a", 1, 1));
	add_and_free(store, make_run("a", 2, 1));
	sp_history_rollback(store);
	assert_int_equal(count(store, &all), 0);
	assert_int_equal(sp_history_begin(store), 0);
	add_and_free(store, make_run("a", 1, 1));
	assert_int_equal(sp_history_commit(store), 0);
	assert_int_equal(count(store, &all), 1);
	sp_history_close(store);
}

static void marks_stay(void **state)
{
	struct sp_history *store = open_history(path, SP_HISTORY_WRITE);
	struct sp_history_run *run = make_run("a", 1, 1), *back;

	(void)state;
	add(store, run);
	assert_int_equal(sp_history_tag(store, run->id, "x", true), 0);
	assert_int_equal(sp_history_tag(store, run->id, "x", true), 0);
	assert_int_equal(sp_history_tag(store, run->id, "y", false), 0);
	assert_int_equal(sp_history_note(store, run->id, "said"), 0);
	assert_int_equal(sp_history_pin(store, run->id, "baseline main", true), 0);
	assert_int_equal(sp_history_tag(store, "00000000000000000000000000000000", "x", true), -ENOENT);
	sp_history_close(store);
	store = open_history(path, SP_HISTORY_READ);
	assert_int_equal(sp_history_find(store, run->id, SP_HISTORY_TAGS, &back), 0);
	assert_true(back->pinned);
	assert_int_equal(back->tag_count, 1);
	assert_string_equal(back->note, "said");
	sp_history_run_free(back);
	sp_history_run_free(run);
	sp_history_close(store);
}

static void execute(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void refused(int err, const char *words)
{
	struct sp_history *store;
	int got = sp_history_open(&store, path, SP_HISTORY_WRITE, why);

	assert_int_equal(got, err);
	assert_null(store);
	if (!strstr(why, words) || strchr(why, '\n'))
		fail_msg("'%s' has no '%s'", why, words);
}

static void what_is_no_history_is_refused(void **state)
{
	struct sp_history *store;
	FILE *file;

	(void)state;
	assert_int_equal(sp_history_open(&store, path, SP_HISTORY_READ, why), -ENOENT);
	assert_non_null(strstr(why, "nothing has been kept"));
	execute("CREATE TABLE bookmarks(url)");
	refused(-EBADMSG, "no history of smartprof");
	assert_int_equal(unlink(path), 0);
	file = fopen(path, "w");
	fprintf(file, "This is a text and no database at all, but long enough to have been one: %0200d", 1);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
	refused(-EBADMSG, "damaged");
	assert_int_equal(unlink(path), 0);
	sp_history_close(open_history(path, SP_HISTORY_WRITE));
	execute("PRAGMA user_version=99");
	refused(-EPROTO, "newer smartprof");
}

static void what_others_could_change_is_refused(void **state)
{
	char other[96];

	(void)state;
	sp_history_close(open_history(path, SP_HISTORY_WRITE));
	assert_int_equal(chmod(path, 0666), 0);
	refused(-EPERM, "others could write");
	snprintf(other, sizeof(other), "%s/other.db", directory);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(chmod(other, 0600), 0);
	assert_int_equal(symlink(other, path), 0);
	refused(-EPERM, "link");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	refused(-EPERM, "directory");
	assert_int_equal(chmod(directory, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_run_comes_back_as_it_was, make_place, remove_place),
		cmocka_unit_test_setup_teardown(the_same_run_is_kept_once, make_place, remove_place),
		cmocka_unit_test_setup_teardown(large_blobs_are_files_of_this_user_alone, make_place, remove_place),
		cmocka_unit_test_setup_teardown(filters_find_what_they_say, make_place, remove_place),
		cmocka_unit_test_setup_teardown(groups_have_their_newest_values, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_transaction_is_all_or_nothing, make_place, remove_place),
		cmocka_unit_test_setup_teardown(marks_stay, make_place, remove_place),
		cmocka_unit_test_setup_teardown(what_is_no_history_is_refused, make_place, remove_place),
		cmocka_unit_test_setup_teardown(what_others_could_change_is_refused, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
