/* smartprof history bisect: finds the commit since which a command takes more, by git bisect, in worktrees of its own. */
#include "tools/history/bisect.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/buffer.h"
#include "symbolize/base/memory.h"
#include "tools/history/ask.h"
#include "tools/history/commits.h"
#include "tools/history/history.h"
#include "tools/history/values.h"
#include "tools/tools.h"

#define PAIRS 12u
#define LEAST_GROWTH 1.02 /* smaller ones nobody finds by a dozen pairs */

static void help(void)
{
	printf("usage: smartprof history bisect [METRIC] [--good COMMIT --bad COMMIT] [FLAGS] [-- PROGRAM "
	       "ARGUMENTS]\n\n"
	       "Finds the commit since which a command takes more: git bisect, with each commit built and run in turns "
	       "with the good one, "
	       "in\nworktrees that are made for it and removed afterwards. METRIC: wall_ns (else), user_ns or "
	       "peak_rss_bytes. Without commits: "
	       "those\nthat the last confirmed change for the worse lies between with 95 %% confidence, and the "
	       "command that it "
	       "was of.\n\n"
	       "  --good COMMIT   a commit that does not take more\n"
	       "  --bad COMMIT    a commit that does (HEAD)\n"
	       "  --build CMD     builds a commit, by /bin/sh in its worktree; those that fail are skipped\n"
	       "  --pairs N       run each commit so often in turns with the good one, at most (12)\n\n" SP_ASK_HELP
	       "\nPROGRAM is run in the worktree: a path into the repository must be relative. Exit status: 0 found; 1 "
	       "the bad commit does "
	       "not\ntake more here, or what is left cannot be told apart; 2 it could not be tried.\n");
}

struct bisect {
	struct sp_bisect_plan plan;
	const char *good, *bad;
	char *found_good, *found_bad, *command; /* of the history */
};

enum { FLAG_GOOD = SP_ASK_OWN, FLAG_BAD, FLAG_BUILD, FLAG_PAIRS };

static const struct option own_flags[] = {{"good", required_argument, NULL, FLAG_GOOD},
	{"bad", required_argument, NULL, FLAG_BAD}, {"build", required_argument, NULL, FLAG_BUILD},
	{"pairs", required_argument, NULL, FLAG_PAIRS}, {NULL, 0, NULL, 0}};

static int set_own(void *context, int flag, const char *value)
{
	struct bisect *b = context;
	char *end;
	unsigned long pairs;

	if (strcmp(value, SP_COMPLETE_VALUES) == 0)
		return SP_EXIT_USAGE;
	if (flag == FLAG_PAIRS) {
		pairs = strtoul(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || pairs < 4 || pairs > 1000) {
			sp_complain("history bisect: --pairs: '%s' is not a number from 4 to 1000", value);
			return SP_EXIT_USAGE;
		}
		b->plan.pairs = (unsigned)pairs;
	}
	if (flag != FLAG_PAIRS)
		*(flag == FLAG_GOOD ? &b->good : flag == FLAG_BAD ? &b->bad : &b->plan.build) = value;
	return 0;
}

/* What is not given is looked up. */
static bool needs_history(void *context)
{
	const struct bisect *b = context;

	return !b->good || !b->plan.command;
}

/* --- what to look for */

struct search {
	struct sp_ask *ask;
	struct bisect *b;
	const char *metric;
};

static int find_change(const struct sp_history_group *group, void *context)
{
	struct search *s = context;
	struct sp_changes changes = {0};
	struct sp_values values;
	int error;

	if (group->parallel || s->b->found_good)
		return 0;
	error = sp_values_load(s->ask, group->series, s->metric, &values);
	sp_changes_find(&changes, values.values, values.count);
	for (size_t i = changes.count; i-- > 0 && !s->b->found_good;) {
		const struct sp_change *c = &changes.items[i];
		const char *before = values.points.items[c->gradual ? c->before : c->surely_before].commit,
			   *after = values.points.items[c->gradual ? c->after : c->surely_after].commit;

		if (c->ratio <= 1 || c->state != SP_CHANGE_CONFIRMED || !sp_commit_is_id(before) ||
			!sp_commit_is_id(after) || strcmp(before, after) == 0)
			continue;
		s->b->found_good = sp_copy_text(before);
		s->b->found_bad = sp_copy_text(after);
		s->b->command = sp_copy_text(group->command);
	}
	sp_changes_free(&changes);
	sp_values_free(&values);
	return error;
}

static int complete_plan(struct sp_ask *ask, struct bisect *b, const char *metric)
{
	struct search search = {ask, b, metric};

	if (needs_history(b)) {
		if (sp_history_groups(ask->store, &ask->filter, NULL, 0, find_change, &search))
			return sp_ask_failed(ask) ? SP_EXIT_USAGE : 0;
		if (!b->good && b->bad) {
			sp_complain("history bisect: --bad without --good; give it a commit that does not take more");
			return SP_EXIT_USAGE;
		}
	}
	if (!b->good) {
		b->good = b->found_good;
		b->bad = b->found_bad;
	}
	b->bad = b->bad ? b->bad : "HEAD";
	b->plan.command = b->plan.command ? b->plan.command : b->command;
	if (b->good && b->plan.command)
		return 0;
	sp_complain("history bisect: the history has no confirmed change for the worse between two commits; give it "
		    "--good COMMIT, "
		    "--bad COMMIT and, after --, the command");
	return SP_EXIT_USAGE;
}

/* --- worktrees */

#define GIT_WORDS 12

/* git in that tree, or NULL: here; its words up to a NULL. Hooks are for people's checkouts. */
static int git(const struct bisect *b, const char *tree, char **text, const char *const given[])
{
	char *directory = tree ? sp_text("%s/%s", b->plan.directory, tree) : sp_copy_text(".");
	char *words[GIT_WORDS] = {(char *)"git", (char *)"-c", (char *)"core.hooksPath=/dev/null"};
	int status;

	for (size_t i = 0; given[i] && i + 4 < GIT_WORDS; i++)
		words[3 + i] = (char *)given[i];
	status = sp_bisect_run(directory, words, text);
	free(directory);
	return status;
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool add_tree(const struct bisect *b, const char *tree, const char *commit)
{
	char *path = sp_text("%s/%s", b->plan.directory, tree);
	int status = git(b, NULL, NULL, WORDS("worktree", "add", "--quiet", "--detach", path, commit));

	if (status)
		sp_complain("history bisect: no worktree of %s can be made; is it a commit of the repository here?",
			commit);
	free(path);
	return status == 0;
}

static void remove_trees(const struct bisect *b)
{
	static const char *const trees[] = {"good", "now"},
				 *const files[] = {"run-good", "run-now", "plan.json", "pairs.json"};

	for (size_t i = 0; i < 2; i++) {
		char *path = sp_text("%s/%s", b->plan.directory, trees[i]);

		if (access(path, F_OK) == 0)
			git(b, NULL, NULL, WORDS("worktree", "remove", "--force", path));
		free(path);
	}
	for (size_t i = 0; i < 4; i++) {
		char *path = sp_text("%s/%s", b->plan.directory, files[i]);

		unlink(path);
		free(path);
	}
	rmdir(b->plan.directory);
}

/* --- the search */

/* How much more the bad commit takes here, which is what is looked for. */
static int measure_ends(struct bisect *b)
{
	struct sp_bisect_ratio r;

	if (!sp_bisect_build(&b->plan, "good") || !sp_bisect_build(&b->plan, "now")) {
		sp_complain("history bisect: --build fails at the good or at the bad commit; both must build");
		return SP_EXIT_USAGE;
	}
	if (!sp_bisect_measure(&b->plan, &r))
		return SP_EXIT_USAGE;
	if (!(r.ratio >= LEAST_GROWTH) || !(r.low > 1)) {
		printf("The bad commit takes %.3f times what the good one does here (%.3f to %.3f): not surely more, "
		       "so there is nothing to "
		       "find.\n--pairs N runs them more often.\n",
			r.ratio, r.low, r.high);
		return 1;
	}
	printf("The bad commit takes %.3f times what the good one does.\n", r.ratio);
	fflush(stdout);
	b->plan.middle = sqrt(r.ratio);
	return sp_bisect_save(&b->plan) ? 0 : SP_EXIT_USAGE;
}

static int search(const struct bisect *b)
{
	char self[PATH_MAX], library[PATH_MAX], *now = sp_text("%s/now", b->plan.directory), *found = NULL;
	char *const words[] = {(char *)"git", (char *)"bisect", (char *)"run", self, (char *)"history",
		(char *)"bisect-step", (char *)b->plan.directory, NULL};
	int err = sp_library_find(self, library), status = err && err != -ENOENT ? SP_EXIT_USAGE : 0;

	if (!status)
		status = git(b, "now", NULL, WORDS("bisect", "start", b->bad, b->good, "--")) ? SP_EXIT_USAGE : 0;
	if (!status)
		status = sp_bisect_run(now, words, NULL) ? 1 : 0;
	if (!status)
		git(b, "now", &found, WORDS("log", "-1", "--format=%H %an: %s", "refs/bisect/bad"));
	if (found) {
		sp_make_inert(found);
		printf("It takes more since %s\n", found);
	} else if (status == 1) {
		printf("What is left cannot be told apart: git's words are above.\n");
	}
	git(b, "now", NULL, WORDS("bisect", "reset"));
	free(found);
	free(now);
	return status;
}

static int bisect(struct bisect *b)
{
	const char *temporary = getenv("TMPDIR");
	char *directory = sp_text("%s/smartprof-bisect-XXXXXX", temporary && *temporary == '/' ? temporary : "/tmp");
	int status = SP_EXIT_USAGE;

	if (!mkdtemp(directory)) {
		sp_complain("history bisect: %s: %s", directory, strerror(errno));
		free(directory);
		return SP_EXIT_USAGE;
	}
	b->plan.directory = directory;
	signal(SIGINT, SIG_IGN); /* what runs ends by it, and then the worktrees go */
	if (add_tree(b, "good", b->good) && add_tree(b, "now", b->bad)) {
		status = measure_ends(b);
		if (!status)
			status = search(b);
	}
	remove_trees(b);
	free(directory);
	return status;
}

/* The words after --, for a shell. */
static char *join(char **words)
{
	struct sp_buffer out = {0};

	for (; *words; words++) {
		sp_buffer_puts(&out, out.length ? " '" : "'");
		for (const char *at = *words; *at; at++)
			if (*at == '\'')
				sp_buffer_puts(&out, "'\\''");
			else
				sp_buffer_add(&out, at, 1);
		sp_buffer_puts(&out, "'");
	}
	return out.data;
}

static const char *monitor_metric(const char *metric)
{
	static const struct {
		const char *history, *monitor;
	} names[] = {{"wall_ns", "wall"}, {"user_ns", "cpu"}, {"cpu_ns", "cpu"}, {"peak_rss_bytes", "peak_rss"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].history, metric) == 0)
			return names[i].monitor;
	sp_complain("history bisect: '%s' cannot be measured in turns; wall_ns, user_ns and peak_rss_bytes can",
		metric);
	return NULL;
}

int sp_history_cmd_bisect(int argc, char **argv)
{
	struct sp_ask ask;
	struct bisect b = {.plan = {.build = "", .pairs = PAIRS}};
	const struct sp_ask_own own = {own_flags, set_own, needs_history, &b};
	char *given = NULL;
	const char *metric;
	int flags = 1, status;

	while (flags < argc && strcmp(argv[flags], "--") != 0)
		flags++;
	if (flags < argc)
		b.plan.command = given = join(argv + flags + 1);
	status = sp_ask_begin_with(&ask, &own, "history bisect", flags, argv, 1, help);
	if (status < 0) {
		metric = ask.word_count ? ask.words[0] : "wall_ns";
		b.plan.metric = monitor_metric(metric);
		status = b.plan.metric ? complete_plan(&ask, &b, metric) : SP_EXIT_USAGE;
	} else if (status > 0) {
		status = SP_EXIT_USAGE;
	}
	if (!status && b.plan.metric)
		status = bisect(&b);
	sp_ask_end(&ask);
	free(given);
	free(b.found_good);
	free(b.found_bad);
	free(b.command);
	return status;
}

int sp_history_cmd_bisect_step(int argc, char **argv)
{
	return argc == 2 ? sp_bisect_step(argv[1]) : SP_EXIT_USAGE;
}
