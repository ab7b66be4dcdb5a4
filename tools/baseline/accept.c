/* smartprof history accept: from here on it may cost that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/baseline/baseline.h"
#include "tools/history/history.h"
#include "tools/tools.h"

enum { FLAG_BECAUSE = 1000, FLAG_NAME };

static const struct option flags[] = {
	{"because", required_argument, NULL, FLAG_BECAUSE},
	{"name", required_argument, NULL, FLAG_NAME},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void print_help(void)
{
	printf("usage: smartprof history accept RUN --because TEXT [--name NAME]\n\n"
	       "Makes a baseline of the runs of RUN's commit on this machine: what they cost is accepted. smartprof "
	       "check takes\n"
	       "it from then on, on this branch and whatever grows from it. RUN is the beginning of an id, latest, or "
	       "latest~N.\n\n"
	       "  --because TEXT  why; it stands in every report that compares with it\n"
	       "  --name NAME     of the baseline (its branch)\n"
	       "  --help          show this text\n");
}

static int accept(struct sp_history *store, const char *id, const char *because, const char *name)
{
	struct sp_history_machine machine = {0};
	struct sp_history_run *run;
	char made[SP_HISTORY_BASELINE_ID];
	json_t *baseline;
	int status;

	if (sp_history_find(store, id, 0, &run))
		return sp_history_complain("history accept", sp_history_error(store));
	sp_machine_here(&machine);
	struct sp_baseline_head head = {.name = name ? name
			: *run->branch               ? run->branch
						     : "accepted",
		.commit = run->commit,
		.branch = run->branch,
		.because = because,
		.dirty = run->dirty,
		.created_ns = sp_time_ns(CLOCK_REALTIME),
		.machine = &machine};

	baseline = sp_baseline_collect("history accept", store, &head, &status);
	if (baseline && !sp_history_is_good(run) && !sp_baseline_find(baseline, run->program, run->args_class)) {
		sp_complain("history accept: run %.*s failed, and so did all of this command at its commit: there is "
			    "nothing to accept",
			SP_HISTORY_SHORT, run->id);
		status = 1;
	} else if (baseline)
		status = sp_baseline_keep("history accept", store, baseline, made);
	if (!status)
		printf("accepted: baseline %.8s of commit %.12s\n", made, *run->commit ? run->commit : "unknown");
	json_decref(baseline);
	sp_machine_drop(&machine);
	sp_history_run_free(run);
	return status;
}

int sp_history_cmd_accept(int argc, char **argv)
{
	const char *because = NULL, *name = NULL;
	struct sp_history *store;
	int got, status;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != FLAG_BECAUSE && got != FLAG_NAME)
			return sp_flag_error("history accept", got, argv, flags);
		if (strcmp(optarg, SP_COMPLETE_VALUES) == 0)
			return SP_EXIT_USAGE;
		*(got == FLAG_BECAUSE ? &because : &name) = optarg;
	}
	if (optind + 1 != argc || !because || !*because) {
		sp_complain("history accept: say which run, and why: smartprof history accept latest --because TEXT");
		return SP_EXIT_USAGE;
	}
	sp_json_init();
	status = sp_history_open_here("history accept", SP_HISTORY_WRITE, &store);
	if (status)
		return status;
	status = accept(store, argv[optind], because, name);
	sp_history_close(store);
	return status;
}
