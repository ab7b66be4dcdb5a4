/* smartprof help TOPIC: what is about more than one command. */
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

#include "env/env.h"

static void print_settings(void)
{
	printf("Every setting is a variable, most are a flag of `smartprof run`, and all may stand in a file\n"
	       ".env.profiling. A flag comes before a variable, that before the file. What applies here, and where\n"
	       "from, is what smartprof config shows.\n\n");
	for (int i = 0; i < SP_OPTIONS; i++) {
		const struct sp_option_row *row = &sp_option_rows[i];
		char allowed[160];

		sp_allowed_text(row, allowed, sizeof(allowed));
		printf("  %s%s%s\n      %s\n      %s\n", row->variable, *row->flag ? ", --" : "", row->flag,
			sp_option_help(row), allowed);
	}
}

static void print_environments(void)
{
	printf("Settings come in four sets: development, ci, production and critical. Which one applies is found out\n"
	       "from what ecosystems say themselves (NODE_ENV, RAILS_ENV, ...), from a CI system's variables, and "
	       "from\n"
	       "whether this is a container or a service; SMARTPROF_ENV or run --env says it outright.\n\n"
	       "  smartprof config         which one it is here, why, and every setting\n"
	       "  smartprof help settings  the settings\n");
}

static void print_profiles(void)
{
	printf("A profile is a Markdown file in profiles/<environment>/, named <program>.<time>.<process>.md;\n"
	       "latest.md there points to the newest. Its verdict comes first, Data Quality tells how far to trust "
	       "it.\n"
	       "A process that used less than 20 ms of CPU and allocated less than 1 MB writes none.\n\n"
	       "  smartprof report latest                                  read it\n"
	       "  smartprof report --format html --output page.html latest look at it in a browser\n"
	       "  smartprof report --by line latest                        one table\n"
	       "  smartprof compare OLD NEW                                does it cost more than before?\n"
	       "  smartprof recover                                        of processes that were killed\n\n"
	       "Where a profile is asked for, its file, a directory of them, a process's id, a program's name and\n"
	       "`latest` will do.\n");
}

static void print_runs(void)
{
	printf("The processes that a program starts are profiled too, each with a profile of its own, and\n"
	       "tree.<time>.<process>.md is the index of all of them.\n\n"
	       "  smartprof report profiles/development/tree.*.md   the run as one: by process, with the critical "
	       "path\n"
	       "  smartprof report --merge --output sum.md a.md b/  any profiles as one, to be read like any other\n"
	       "  SMARTPROF_FOLLOW=none smartprof run -- app        the first process alone\n");
}

static void print_names(void)
{
	printf("Functions, lines and inlined calls come from a program's symbols and debug information: build with "
	       "-g,\n"
	       "which costs no time when running, and on Debian install the -dbgsym packages of what Data Quality\n"
	       "names. Just-in-time compilers name their code in perf maps (node --perf-basic-prof).\n\n"
	       "  smartprof report --debug-dir DIR PROFILE.md   look for separate debug files in DIR, too\n"
	       "  smartprof report --debuginfod PROFILE.md      fetch them from the servers in DEBUGINFOD_URLS\n"
	       "  smartprof cache                               what has been looked up before\n");
}

static const struct {
	const char *name, *summary;
	void (*print)(void);
} topics[] = {
	{"settings", "every setting: variable, flag, what it may be", print_settings},
	{"environments", "which set of settings applies", print_environments},
	{"profiles", "where profiles go, and what to do with them", print_profiles},
	{"runs", "programs of several processes: builds, services, shells", print_runs},
	{"names", "symbols, lines, inlined calls", print_names},
};

#define TOPICS (sizeof(topics) / sizeof(topics[0]))

bool sp_topic_print(const char *name)
{
	for (size_t i = 0; i < TOPICS; i++) {
		if (strcmp(topics[i].name, name) != 0)
			continue;
		topics[i].print();
		return true;
	}
	return false;
}

void sp_topics_list(FILE *out)
{
	for (size_t i = 0; i < TOPICS; i++)
		fprintf(out, "  %-12s %s\n", topics[i].name, topics[i].summary);
}

const char *sp_topic_name(size_t index)
{
	return index < TOPICS ? topics[index].name : NULL;
}
