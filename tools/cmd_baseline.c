/* smartprof baseline: what commands took, kept to be compared with. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/baseline/baseline.h"
#include "tools/check/check.h"
#include "tools/git.h"
#include "tools/history/history.h"
#include "tools/tools.h"

enum { FLAG_BRANCH = 1000, FLAG_COMMIT, FLAG_BECAUSE, FLAG_JSON, FLAG_OUTPUT, FLAG_STRICT };

static const struct option flags[] = {
	{"branch", required_argument, NULL, FLAG_BRANCH},
	{"commit", required_argument, NULL, FLAG_COMMIT},
	{"because", required_argument, NULL, FLAG_BECAUSE},
	{"json", no_argument, NULL, FLAG_JSON},
	{"output", required_argument, NULL, FLAG_OUTPUT},
	{"strict", no_argument, NULL, FLAG_STRICT},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct request {
	const char *branch, *commit, *because, *output;
	bool json, strict;
	const char *name; /* NULL: none was given */
};

static void print_help(void)
{
	printf("usage: smartprof baseline save [NAME] [--branch BRANCH] [--commit COMMIT] [--because TEXT]\n"
	       "       smartprof baseline list [--json]\n"
	       "       smartprof baseline show [NAME] [--json]\n"
	       "       smartprof baseline compare [NAME] [--json] [--strict]\n"
	       "       smartprof baseline export [NAME] [--output FILE]\n"
	       "       smartprof baseline import FILE\n"
	       "       smartprof baseline delete NAME\n\n"
	       "A baseline is what commands took at one commit on one class of machines, run by run. It is made of the "
	       "runs\n"
	       "that smartprof check and smartprof monitor left in the history. NAME is a name or the beginning of an "
	       "id; without\n"
	       "one it is the newest baseline of the commit where this branch left the main one, else of the main "
	       "branch.\n\n"
	       "  --branch BRANCH   of which branch it is (the one that is checked out); NAME is the same if not "
	       "given\n"
	       "  --commit COMMIT   take the runs of that commit (the one that is checked out)\n"
	       "  --because TEXT    why: it then also counts for branches that grow from here\n"
	       "  --json            print JSON\n"
	       "  --output FILE     write to FILE\n"
	       "  --strict          compare: not enough evidence is exit status 3\n"
	       "  --help            show this text\n\n"
	       "compare shows the newest runs in the history beside the baseline, and runs nothing: smartprof check "
	       "does.\n"
	       "Exit status: 0; 1 something is surely worse, or is not there; 2 bad usage or unreadable input.\n");
}

static int parse(int argc, char **argv, struct request *r)
{
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (optarg && strcmp(optarg, SP_COMPLETE_VALUES) == 0)
			return SP_EXIT_USAGE;
		switch (got) {
		case 'h':
			print_help();
			return 0;
		case FLAG_BRANCH:
			r->branch = optarg;
			break;
		case FLAG_COMMIT:
			r->commit = optarg;
			break;
		case FLAG_BECAUSE:
			r->because = optarg;
			break;
		case FLAG_JSON:
			r->json = true;
			break;
		case FLAG_OUTPUT:
			r->output = optarg;
			break;
		case FLAG_STRICT:
			r->strict = true;
			break;
		default:
			return sp_flag_error("baseline", got, argv, flags);
		}
	}
	return -1;
}

/* --- the subcommands */

/* A commit as the history has it: whole. free() it. */
static char *whole_commit(const char *commit)
{
	const char *const arguments[] = {"rev-parse", "-q", "--verify", "--end-of-options", commit, NULL};
	char *line = sp_git_line(arguments);

	if (line && *line)
		return line;
	free(line);
	return sp_copy_text(commit);
}

static int save(const struct request *r)
{
	struct sp_history_machine machine = {0};
	struct sp_git_here here;
	struct sp_history *store;
	char id[SP_HISTORY_BASELINE_ID], *commit;
	json_t *baseline;
	int status = sp_history_open_here("baseline", SP_HISTORY_WRITE, &store);

	if (status)
		return status;
	sp_git_here(&here, NULL);
	sp_machine_here(&machine);
	commit = r->commit ? whole_commit(r->commit) : sp_copy_text(here.commit);
	struct sp_baseline_head head = {.name = r->name ? r->name
			: r->branch                     ? r->branch
			: *here.branch                  ? here.branch
							: "baseline",
		.commit = commit,
		.branch = r->branch ? r->branch : here.branch,
		.because = r->because,
		.dirty = here.dirty < 0 ? -1 : 0,
		.created_ns = sp_time_ns(CLOCK_REALTIME),
		.machine = &machine};

	baseline = sp_baseline_collect("baseline", store, &head, &status);
	if (baseline)
		status = sp_baseline_keep("baseline", store, baseline, id);
	if (!status) {
		struct sp_buffer text = {0};

		sp_baseline_put(&text, baseline);
		printf("saved %.8s\n%s", id, text.data);
		sp_buffer_free(&text);
		if (json_is_true(json_object_get(baseline, "dirty")))
			sp_complain("baseline: warning: files differed from the commit when these runs were made");
	}
	json_decref(baseline);
	free(commit);
	sp_machine_drop(&machine);
	sp_git_here_free(&here);
	sp_history_close(store);
	return status;
}

struct listing {
	bool json;
	json_t *array;
	size_t count;
};

static int list_one(const struct sp_history_baseline *row, void *context)
{
	struct listing *l = context;
	struct sp_buffer text = {0};
	const char *why;
	json_t *baseline = sp_baseline_parse(row->content, strlen(row->content), &why);

	l->count++;
	if (l->json) {
		json_array_append_new(l->array,
			json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "id", row->id, "name",
				sp_json_text(row->name), "created", sp_json_text(sp_baseline_text(baseline, "created")),
				"commit", sp_json_text(row->commit), "branch", sp_json_text(row->branch), "machine",
				sp_json_text(row->machine), "because",
				sp_json_text(*sp_baseline_text(baseline, "because")
						? sp_baseline_text(baseline, "because")
						: NULL),
				"commands", (json_int_t)json_array_size(json_object_get(baseline, "commands"))));
	} else {
		sp_buffer_printf(&text, "%.8s  %.19s  %-12.12s  %.8s  %zu command%s  ", row->id,
			sp_baseline_text(baseline, "created"), *row->commit ? row->commit : "-", row->machine,
			json_array_size(json_object_get(baseline, "commands")),
			json_array_size(json_object_get(baseline, "commands")) == 1 ? "" : "s");
		sp_escape(&text, SP_ESCAPE_PLAIN, row->name, strlen(row->name));
		if (*sp_baseline_text(baseline, "because")) {
			sp_buffer_puts(&text, ": ");
			sp_escape(&text, SP_ESCAPE_PLAIN, sp_baseline_text(baseline, "because"),
				strlen(sp_baseline_text(baseline, "because")));
		}
		sp_make_inert(text.data);
		printf("%s\n", text.data);
	}
	sp_buffer_free(&text);
	json_decref(baseline);
	return 0;
}

static int list(const struct request *r)
{
	struct sp_history_baseline_filter all = {0};
	struct listing listing = {.json = r->json};
	struct sp_buffer text = {0};
	struct sp_history *store;
	int status = sp_history_open_here("baseline", SP_HISTORY_READ, &store), err;

	if (status)
		return status;
	listing.array = json_array();
	err = sp_history_baselines(store, &all, list_one, &listing);
	status = err ? sp_history_complain("baseline", sp_history_error(store)) : 0;
	if (r->json)
		sp_json_put(&text, listing.array, false);
	else
		json_decref(listing.array);
	if (!status && r->json)
		status = sp_write_output("baseline", r->output, &text, O_TRUNC) ? SP_EXIT_USAGE : 0;
	else if (!status && !listing.count)
		printf("no baselines; smartprof baseline save makes one of the runs in the history\n");
	sp_buffer_free(&text);
	sp_history_close(store);
	return status;
}

/* The one that is meant. NULL after a complaint. */
static json_t *find(struct sp_history *store, const struct request *r)
{
	struct sp_history_machine machine = {0};
	struct sp_git_here here;
	char *text;
	json_t *baseline;

	sp_git_here(&here, NULL);
	sp_machine_here(&machine);
	baseline = sp_baseline_choose(store, r->name, &here, machine.class, &text);
	if (!baseline)
		sp_complain("baseline: %s", text);
	free(text);
	sp_machine_drop(&machine);
	sp_git_here_free(&here);
	return baseline;
}

static int print_one(const struct request *r, bool json)
{
	struct sp_buffer text = {0};
	struct sp_history *store;
	json_t *baseline;
	int status = sp_history_open_here("baseline", SP_HISTORY_READ, &store);

	if (status)
		return status;
	baseline = find(store, r);
	if (baseline && json) {
		char *all = json_dumps(baseline, JSON_INDENT(1) | JSON_REAL_PRECISION(12));

		sp_buffer_puts(&text, all);
		sp_buffer_puts(&text, "\n");
		free(all);
	} else if (baseline) {
		sp_baseline_put(&text, baseline);
	}
	status = !baseline ? 1 : sp_write_output("baseline", r->output, &text, O_TRUNC) ? SP_EXIT_USAGE : 0;
	sp_buffer_free(&text);
	json_decref(baseline);
	sp_history_close(store);
	return status;
}

static int show(const struct request *r)
{
	return print_one(r, r->json);
}

static int export(const struct request *r)
{
	return print_one(r, true);
}

static int import(const struct request *r)
{
	struct sp_buffer text = {0};
	char id[SP_HISTORY_BASELINE_ID];
	struct sp_history *store;
	const char *why = NULL;
	json_t *baseline;
	int status, error;

	if (!r->name) {
		sp_complain("baseline: import: name the file that smartprof baseline export wrote");
		return SP_EXIT_USAGE;
	}
	error = sp_input_read(r->name, &text);
	baseline = error ? NULL : sp_baseline_parse(text.data ? text.data : "", text.length, &why);
	sp_buffer_free(&text);
	if (!baseline) {
		sp_complain("baseline: %s: %s; it takes what smartprof baseline export wrote", r->name,
			error < 0       ? sp_input_error(error)
				: error ? "it is a spool"
					: why);
		return SP_EXIT_USAGE;
	}
	status = sp_history_open_here("baseline", SP_HISTORY_WRITE, &store);
	if (!status) {
		status = sp_baseline_keep("baseline", store, baseline, id);
		if (!status)
			printf("imported %.8s\n", id);
		sp_history_close(store);
	}
	json_decref(baseline);
	return status;
}

static int delete (const struct request *r)
{
	char id[SP_HISTORY_BASELINE_ID];
	struct sp_history *store;
	json_t *baseline, *other;
	int status, err;

	if (!r->name) {
		sp_complain("baseline: delete: name the baseline; smartprof baseline list shows them");
		return SP_EXIT_USAGE;
	}
	status = sp_history_open_here("baseline", SP_HISTORY_WRITE, &store);
	if (status)
		return status;
	baseline = sp_baseline_named(store, r->name, id);
	if (!baseline) {
		sp_complain("baseline: there is no '%s'; smartprof baseline list shows them", r->name);
		sp_history_close(store);
		return 1;
	}
	sp_baseline_pin(store, baseline, false);
	err = sp_history_baseline_remove(store, id);
	status = err ? sp_history_complain("baseline", sp_history_error(store)) : 0;
	other = err ? NULL : sp_baseline_named(store, sp_baseline_text(baseline, "name"), id);
	if (other) /* its runs may be the same ones */
		sp_baseline_pin(store, other, true);
	json_decref(other);
	json_decref(baseline);
	sp_history_close(store);
	return status;
}

static int compare(const struct request *r)
{
	return sp_check_stored("baseline", r->name, r->json, r->output, r->strict);
}

static const struct {
	const char *name;
	int (*fn)(const struct request *);
} parts[] = {{"save", save}, {"list", list}, {"show", show}, {"compare", compare}, {"export", export},
	{"import", import}, {"delete", delete}};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

int sp_cmd_baseline(int argc, char **argv)
{
	const char *names[PARTS];
	struct request r = {0};
	int index, status;

	for (size_t i = 0; i < PARTS; i++)
		names[i] = parts[i].name;
	if (argc < 2 || argv[1][0] == '-') {
		status = parse(argc, argv, &r);
		if (status >= 0)
			return status;
		sp_complain("baseline: say what to do: save, list, show, compare, export, import or delete");
		return SP_EXIT_USAGE;
	}
	if (sp_word_parse("baseline: unknown subcommand", argv[1], names, PARTS, &index))
		return SP_EXIT_USAGE;
	status = parse(argc - 1, argv + 1, &r);
	if (status >= 0)
		return status;
	if (optind < argc - 1)
		r.name = argv[1 + optind];
	if (optind + 1 < argc - 1) {
		sp_complain("baseline: %s: one name is enough", argv[2 + optind]);
		return SP_EXIT_USAGE;
	}
	sp_json_init();
	return sp_settings_check() > 0 ? SP_EXIT_USAGE : parts[index].fn(&r);
}
