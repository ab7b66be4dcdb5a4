/* A history of many runs, and how long it takes to add to it and to ask it. Usage: history PATH RUNS
 *
 * Without runs so far it is filled; 40 programs with 5 classes of arguments on 2 machines, 20 metrics each; every tenth run is profiled, with 60 functions; 300 days. The
 * same numbers every time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "profiles/base/time.h"
#include "profiles/history/store.h"

#define DAY_NS 86400000000000ull
#define PROGRAMS 40u
#define CLASSES 5u
#define ADDS 500u

static uint64_t state = 88172645463325252u;

static double chance(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 9007199254740992.0;
}

static const char *const metrics[] = {"wall_ns", "cpu_ns", "user_ns", "sys_ns", "cpu_percent", "peak_rss_bytes",
	"peak_tree_bytes", "processes", "voluntary_switches", "involuntary_switches", "minor_faults", "major_faults",
	"read_bytes", "written_bytes", "stdout_bytes", "stderr_bytes", "queue_ns", "throttled_ns", "pressure_ns",
	"allocated_bytes"};

static void add_functions(struct sp_history_run *run)
{
	char name[64];

	run->profiled = true;
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "a_function_of_some_length_%d", (int)(chance() * 2000));
		sp_history_add_function(run, SP_HISTORY_CPU, name, "libsome.so", chance() * 1e8, chance() * 1e9, 1e6);
	}
}

static struct sp_history_run *make_run(size_t i, size_t runs)
{
	struct sp_history_run *run = sp_history_run_make();
	char text[128];

	run->started_ns = 1764500000000000000u - 300 * DAY_NS + (uint64_t)((double)i / (double)runs * 300 * DAY_NS);
	sp_history_set(&run->kind, "monitor");
	snprintf(text, sizeof(text), "program%u", (unsigned)(chance() * PROGRAMS));
	sp_history_set(&run->program, text);
	snprintf(text, sizeof(text), "--class %u *", (unsigned)(chance() * CLASSES));
	sp_history_set(&run->args_class, text);
	snprintf(text, sizeof(text), "%s --input file%u", run->program, (unsigned)(chance() * 1000));
	sp_history_set(&run->command, text);
	snprintf(text, sizeof(text), "%040zx", i / 50);
	sp_history_set(&run->commit, text);
	sp_history_set(&run->branch, chance() < 0.8 ? "main" : "feature");
	sp_history_set(&run->directory, "/home/somebody/project");
	sp_history_set(&run->environment, "development");
	sp_history_set(&run->state, chance() < 0.97 ? "ok" : "failed");
	sp_history_set(&run->machine.cpu, chance() < 0.9 ? "One CPU" : "Another CPU");
	run->machine.millicores = 8000;
	run->exit_status = 0;
	for (size_t m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++)
		sp_history_add_metric(run, metrics[m], 1e6 * (1 + chance()), NAN);
	if (i % 10 == 0)
		add_functions(run);
	return run;
}

static void check(struct sp_history *store, int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", sp_history_error(store));
	exit(1);
}

static void fill(struct sp_history *store, size_t runs)
{
	for (size_t i = 0; i < runs; i++) {
		struct sp_history_run *run = make_run(i, runs);

		if (i % 1000 == 0)
			check(store, sp_history_begin(store));
		check(store, sp_history_add(store, run));
		if (i % 1000 == 999 || i + 1 == runs)
			check(store, sp_history_commit(store));
		sp_history_run_free(run);
	}
}

static int by_size(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static void report(const char *what, double *ms, size_t count)
{
	qsort(ms, count, sizeof(*ms), by_size);
	printf("%-40s %9.2f %9.2f %9.2f %9.2f\n", what, ms[0], ms[count / 2], ms[count * 99 / 100], ms[count - 1]);
}

static double since_ms(uint64_t began_ns)
{
	return (double)(sp_time_ns(CLOCK_MONOTONIC) - began_ns) / 1e6;
}

/* As a command does it: opens, adds one, closes. */
static void time_adds(const char *path, size_t runs)
{
	double *ms = calloc(ADDS, sizeof(*ms));
	char why[SP_HISTORY_WHY];
	struct sp_history *store;

	for (size_t i = 0; i < ADDS; i++) {
		struct sp_history_run *run = make_run(runs + i, runs);
		uint64_t began = sp_time_ns(CLOCK_MONOTONIC);

		run->started_ns = sp_time_ns(CLOCK_REALTIME);
		if (sp_history_open(&store, path, SP_HISTORY_WRITE, why)) {
			fprintf(stderr, "%s\n", why);
			exit(1);
		}
		check(store, sp_history_add(store, run));
		sp_history_close(store);
		ms[i] = since_ms(began);
		sp_history_run_free(run);
	}
	report("add one (open, add, close)", ms, ADDS);
	free(ms);
}

static int count_run(const struct sp_history_run *run, void *context)
{
	(void)run;
	++*(size_t *)context;
	return 0;
}

static int count_group(const struct sp_history_group *group, void *context)
{
	(void)group;
	++*(size_t *)context;
	return 0;
}

#define TIMES 11
#define TIME(what, call) \
	do { \
		double ms[TIMES]; \
		for (int i_ = 0; i_ < TIMES; i_++) { \
			uint64_t began_ = sp_time_ns(CLOCK_MONOTONIC); \
			check(store, call); \
			ms[i_] = since_ms(began_); \
		} \
		report(what, ms, TIMES); \
	} while (0)

static int ask_series(struct sp_history *store, const struct sp_history_filter *filter)
{
	struct sp_history_points points;
	int err = sp_history_series(store, filter, "wall_ns", &points);

	sp_history_points_free(&points);
	return err;
}

static int ask_one(struct sp_history *store)
{
	struct sp_history_run *run;
	int err = sp_history_find(store, "latest", SP_HISTORY_ALL, &run);

	sp_history_run_free(run);
	return err;
}

static void time_questions(struct sp_history *store)
{
	size_t n = 0;
	uint64_t count;

	TIME("list the newest 50 runs",
		sp_history_each(store, &(struct sp_history_filter){.limit = 50}, SP_HISTORY_ALL, count_run, &n));
	TIME("all groups, 20 values each",
		sp_history_groups(store, &(struct sp_history_filter){.limit = 0}, "wall_ns", 20, count_group, &n));
	TIME("groups of a branch, 20 values each",
		sp_history_groups(store, &(struct sp_history_filter){.branch = "feature"}, "wall_ns", 20, count_group,
			&n));
	TIME("newest 50 of a program",
		sp_history_each(store, &(struct sp_history_filter){.program = "program7", .limit = 50},
			SP_HISTORY_METRICS, count_run, &n));
	TIME("newest 50 that failed",
		sp_history_each(store, &(struct sp_history_filter){.state = "failed", .limit = 50}, SP_HISTORY_METRICS,
			count_run, &n));
	TIME("a metric of a program's series", ask_series(store, &(struct sp_history_filter){.program = "program7"}));
	TIME("a metric of all runs", ask_series(store, &(struct sp_history_filter){.limit = 0}));
	TIME("one run with all of it", ask_one(store));
	TIME("count the runs of a commit",
		sp_history_count(store,
			&(struct sp_history_filter){.commit = "0000000000000000000000000000000000000050"}, &count));
}

int main(int argc, char **argv)
{
	char why[SP_HISTORY_WHY];
	struct sp_history *store;
	struct stat st;
	uint64_t count;
	size_t runs = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (!runs || sp_history_open(&store, argv[1], SP_HISTORY_WRITE, why)) {
		fprintf(stderr, "%s\n", runs ? why : "usage: history PATH RUNS");
		return 2;
	}
	check(store, sp_history_count(store, &(struct sp_history_filter){.limit = 0}, &count));
	if (!count)
		fill(store, runs);
	sp_history_close(store);
	if (stat(argv[1], &st) < 0 || sp_history_open(&store, argv[1], SP_HISTORY_WRITE, why))
		return 1;
	printf("%zu runs: %.0f bytes each\n%-40s %9s %9s %9s  ms\n", runs, (double)st.st_size / (double)runs, "",
		"median", "99 %", "most");
	time_questions(store);
	sp_history_close(store);
	time_adds(argv[1], runs);
	return 0;
}
