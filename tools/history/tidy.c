/* smartprof history clean and verify. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"
#include "profiles/base/figures.h"
#include "profiles/history/upkeep.h"
#include "tools/history/history.h"
#include "tools/history/tidy.h"
#include "tools/tools.h"

#define MB 1000000u

static void print_clean_help(void)
{
	printf("usage: smartprof history clean [--dry-run] [--thin DAYS] [--days N] [--size MB]\n\n"
	       "Removes what is old: of runs older than %u days all but the newest good one of each day and series, "
	       "and the "
	       "profiles\nand logs that no run has. Runs of baselines and change points stay for ever, with the ones "
	       "before and "
	       "after.\n\n"
	       "  --dry-run       tell what would go, and change nothing\n"
	       "  --thin DAYS     keep one a day of runs older than DAYS (%u); 0: keep all\n"
	       "  --days N        remove runs older than N days\n"
	       "  --size MB       remove the oldest until all takes at most MB megabytes\n"
	       "  --help          show this text\n",
		SP_HISTORY_THIN_DAYS, SP_HISTORY_THIN_DAYS);
}

static int set_number(const char *flag, const char *text, unsigned least, unsigned most, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = (unsigned)value;
	if (*text >= '0' && *text <= '9' && !*end && value >= least && value <= most)
		return 0;
	sp_complain("history clean: --%s: '%s' is not a number from %u to %u", flag, text, least, most);
	return SP_EXIT_USAGE;
}

/* Returns -1 to go on, else the exit status. */
static int parse_clean(int argc, char **argv, struct sp_history_limits *limits, bool *dry)
{
	static const struct option flags[] = {{"dry-run", no_argument, NULL, 'n'},
		{"thin", required_argument, NULL, 't'}, {"days", required_argument, NULL, 'd'},
		{"size", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	unsigned mb = 0;
	int got, status = 0;

	opterr = 0;
	optind = 0;
	while (!status && (got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_clean_help();
			return 0;
		}
		if (got == '?' || got == ':')
			return sp_flag_error("history clean", got, argv, flags);
		if (optarg && strcmp(optarg, SP_COMPLETE_VALUES) == 0)
			return SP_EXIT_USAGE;
		if (got == 'n')
			*dry = true;
		else if (got == 't')
			status = set_number("thin", optarg, 0, 36500, &limits->thin_days);
		else if (got == 'd')
			status = set_number("days", optarg, 1, 36500, &limits->days);
		else
			status = set_number("size", optarg, 1, 100000000, &mb);
	}
	limits->bytes = (uint64_t)mb * MB;
	if (!status && optind < argc) {
		sp_complain("history clean: '%s' is not understood; see smartprof history clean --help", argv[optind]);
		status = SP_EXIT_USAGE;
	}
	return status ? status : -1;
}

int sp_history_cmd_clean(int argc, char **argv)
{
	struct sp_history_limits limits = {.thin_days = SP_HISTORY_THIN_DAYS};
	struct sp_history_cleaned cleaned;
	struct sp_buffer size = {0};
	struct sp_history *store;
	bool dry = false;
	int status = parse_clean(argc, argv, &limits, &dry);

	if (status >= 0)
		return status;
	status = sp_history_open_here("history clean", SP_HISTORY_WRITE, &store);
	if (status)
		return status;
	if (sp_history_clean(store, &limits, dry, &cleaned)) {
		status = sp_history_complain("history clean", sp_history_error(store));
	} else {
		sp_put_size(&size, cleaned.bytes);
		printf("%s %llu runs and %llu profiles and logs (%s); %llu runs stay\n",
			dry ? "would remove" : "removed", (unsigned long long)cleaned.runs,
			(unsigned long long)cleaned.blobs, size.data, (unsigned long long)cleaned.kept);
		sp_buffer_free(&size);
	}
	sp_history_close(store);
	return status;
}

static void tell_fault(const char *fault)
{
	sp_history_complain("history verify", fault);
}

int sp_history_cmd_verify(int argc, char **argv)
{
	struct sp_history_verified found;
	struct sp_history *store;
	int status = sp_only_help("history verify", ":h", argc, argv,
		"usage: smartprof history verify\n\n"
		"Reads all of the history: the database, what its rows refer to, and every profile and log, whose "
		"content "
		"must\nhave the hash that it is named by. Exit status 1 when something is damaged.\n");

	if (status >= 0)
		return status;
	status = sp_history_open_here("history verify", SP_HISTORY_READ, &store);
	if (status)
		return status;
	if (sp_history_verify(store, tell_fault, &found)) {
		status = sp_history_complain("history verify", sp_history_error(store));
	} else {
		printf("%llu runs, %llu profiles, logs and timelines, %llu damaged; %llu files that no run has\n",
			(unsigned long long)found.runs, (unsigned long long)found.blobs,
			(unsigned long long)found.faults, (unsigned long long)found.orphans);
		status = found.faults ? 1 : 0;
	}
	sp_history_close(store);
	return status;
}
