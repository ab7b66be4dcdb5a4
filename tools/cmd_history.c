/* smartprof history: what is kept of runs. A subcommand is a row of the table and a function of tools/history/. */
#include <stdio.h>
#include <string.h>

#include "tools/baseline/baseline.h"
#include "tools/history/history.h"
#include "tools/history/tidy.h"
#include "tools/tools.h"

static const struct sub {
	const char *name;
	int (*fn)(int argc, char **argv); /* its own name is argv[0] */
	const char *summary;
} subs[] = {
	{"list", sp_history_cmd_list, "what ran, a row for each command, with the times of its newest runs"},
	{"show", sp_history_cmd_show, "all that is known of a run, beside what is usual"},
	{"changes", sp_history_cmd_changes,
		"when it began to cost more or less, the commits between, and the functions"},
	{"alert", sp_history_cmd_alert, "tell when the last runs are worse than those before; exit status 1"},
	{"figures", sp_history_cmd_figures, "what the last runs came to, a line a command; for other tools"},
	{"bisect", sp_history_cmd_bisect, "find the commit since which a command takes more, by git bisect"},
	{"trend", sp_history_cmd_trend, "draw how a metric went, with its changes"},
	{"note", sp_history_cmd_note, "say something of a run"},
	{"tag", sp_history_cmd_tag, "give a run tags, by which it is found"},
	{"accept", sp_history_cmd_accept, "make a baseline of what a run's commit costs: it is meant to"},
	{"export", sp_history_cmd_export, "write runs as JSON lines or CSV"},
	{"clean", sp_history_cmd_clean, "remove what is old and nobody needs"},
	{"verify", sp_history_cmd_verify, "read all of it: is it there, and as it was written?"},
	{"archive", sp_history_cmd_archive, "write all of it into one file"},
	{"import", sp_history_cmd_import, "add what is in such a file"},
	{"where", sp_history_cmd_where, "print the history's path"},
};

#define SUBS (sizeof(subs) / sizeof(subs[0]))

static void print_help(void)
{
	printf("usage: smartprof history [SUBCOMMAND] [ARGUMENTS]\n\n"
	       "What is kept of the runs of commands. Without a subcommand: list.\n\nsubcommands:\n");
	for (size_t i = 0; i < SUBS; i++)
		printf("  %-9s %s\n", subs[i].name, subs[i].summary);
	printf("\n  --help    show this text; smartprof history SUBCOMMAND --help explains one\n");
}

int sp_cmd_history(int argc, char **argv)
{
	const char *names[SUBS], *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		print_help();
		return 0;
	}
	if (argc < 2 || *word == '-')
		return sp_history_cmd_list(argc, argv);
	for (size_t i = 0; i < SUBS; i++) {
		names[i] = subs[i].name;
		if (strcmp(word, subs[i].name) == 0)
			return subs[i].fn(argc - 1, argv + 1);
	}
	return sp_complain_unknown("unknown subcommand of history", word, "", sp_suggest(word, names, SUBS),
		"smartprof history --help");
}
