/* smartprof history note, tag, where: what people say of runs, and where all of it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/history/history.h"
#include "tools/history/record.h"
#include "tools/tools.h"

static int change(const char *command, const char *id, int (*fn)(struct sp_history *, const char *, char **),
	char **words)
{
	struct sp_history *store;
	struct sp_history_run *run = NULL;
	int status = sp_history_open_here(command, SP_HISTORY_WRITE, &store), err;

	if (status)
		return status;
	err = sp_history_find(store, id, 0, &run);
	if (!err)
		err = fn(store, run->id, words);
	if (err)
		status = sp_history_complain(command, sp_history_error(store));
	sp_history_run_free(run);
	sp_history_close(store);
	return status;
}

static int set_note(struct sp_history *store, const char *id, char **words)
{
	return sp_history_note(store, id, words[0]);
}

int sp_history_cmd_note(int argc, char **argv)
{
	int status = sp_only_help("history note", "+:h", argc, argv,
		"usage: smartprof history note RUN TEXT\n\n"
		"Says something of a run: its id's first digits, latest, or latest~N. An empty TEXT removes what was "
		"said.\n");

	if (status >= 0)
		return status;
	if (argc - optind != 2) {
		sp_complain("history note: give it a run and a text; see smartprof history note --help");
		return SP_EXIT_USAGE;
	}
	return change("history note", argv[optind], set_note, argv + optind + 1);
}

/* "-TAG" takes it away. */
static int set_tags(struct sp_history *store, const char *id, char **words)
{
	int err = sp_history_begin(store);

	if (err)
		return err;
	for (; !err && *words; words++)
		err = sp_history_tag(store, id, *words + (**words == '-'), **words != '-');
	if (err)
		sp_history_rollback(store);
	return err ? err : sp_history_commit(store);
}

int sp_history_cmd_tag(int argc, char **argv)
{
	int status = sp_only_help("history tag", "+:h", argc, argv,
		"usage: smartprof history tag RUN TAG…\n\n"
		"Gives a run tags, by which runs can be chosen (--tag); -TAG takes one away. RUN: its id's first "
		"digits, latest, "
		"or\nlatest~N.\n");

	if (status >= 0)
		return status;
	if (argc - optind < 2) {
		sp_complain("history tag: give it a run and tags; see smartprof history tag --help");
		return SP_EXIT_USAGE;
	}
	for (int i = optind + 1; i < argc; i++) {
		if (*argv[i] && strcmp(argv[i], "-") != 0)
			continue;
		sp_complain("history tag: a tag is empty");
		return SP_EXIT_USAGE;
	}
	return change("history tag", argv[optind], set_tags, argv + optind + 1);
}

int sp_history_cmd_where(int argc, char **argv)
{
	char path[PATH_MAX];
	int status = sp_only_help("history where", "+:h", argc, argv,
		"usage: smartprof history where\n\n"
		"Prints the path of the history that is used here; SMARTPROF_HISTORY names another.\n");

	if (status >= 0)
		return status;
	if (sp_record_place("history where", path))
		return 1;
	printf("%s\n", path);
	return 0;
}
