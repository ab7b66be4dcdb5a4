/* smartprof history bisect: finds the commit since which a command takes more, by git bisect, in worktrees of its own. */
#include "tools/history/bisect.h"

#include <errno.h>
#include <limits.h>
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
#include "tools/history/scratch.h"
#include "tools/history/values.h"
#include "tools/start.h"
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

/* What runs ends by the same signal, and then the worktrees go. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

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
	struct sp_changes changes;
	struct sp_values values;
	int error;

	if (group->parallel || s->b->found_good)
		return 0;
	error = sp_values_changes(s->ask, group->series, s->metric, &values, &changes);
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

/* --- git */

#define GIT_WORDS 12

/* git in now/; its words up to a NULL. Hooks are for people's checkouts. */
static int git(const struct bisect *b, char **text, const char *const given[])
{
	char *directory = sp_text("%s/now", b->plan.directory);
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
	bool added = sp_scratch_tree(b->plan.directory, tree, commit);

	if (!added)
		sp_complain("history bisect: no worktree of %s can be made; is it a commit of the repository here?",
			commit);
	return added;
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
	return 0;
}

/* What git says is the first that is bad; NULL: it goes on. */
static char *find_first_bad(const struct bisect *b)
{
	static const char script[] = "git bisect log | sed -n 's/^# first bad commit: .\\([0-9a-f]*\\).*/\\1/p'";
	char *directory = sp_text("%s/now", b->plan.directory), *commit = NULL, *found = NULL;

	sp_bisect_run(directory, (char *[]){(char *)"sh", (char *)"-c", (char *)script, NULL}, &commit);
	if (commit && *commit)
		git(b, &found, WORDS("log", "-1", "--format=%H %an: %s", commit));
	free(commit);
	free(directory);
	return found;
}

static int search(const struct bisect *b)
{
	char *found = NULL;
	int status = 1;

	if (git(b, NULL, WORDS("bisect", "start", b->bad, b->good, "--")))
		return SP_EXIT_USAGE;
	while (!interrupted && !(found = find_first_bad(b)))
		if (git(b, NULL, WORDS("bisect", sp_bisect_step(&b->plan))))
			break;
	if (found) {
		sp_make_inert(found);
		printf("It takes more since %s\n", found);
		status = 0;
	} else if (!interrupted) {
		printf("What is left cannot be told apart: git's words are above.\n");
	}
	free(found);
	return status;
}

static int bisect(struct bisect *b)
{
	char place[PATH_MAX];
	int held = sp_scratch_directory(place), status = SP_EXIT_USAGE;

	if (held < 0) {
		sp_complain("history bisect: no directory can be made in TMPDIR: %s", strerror(-held));
		return SP_EXIT_USAGE;
	}
	b->plan.directory = place;
	signal(SIGINT, interrupt);
	if (add_tree(b, "good", b->good) && add_tree(b, "now", b->bad)) {
		status = measure_ends(b);
		if (!status)
			status = search(b);
	}
	sp_scratch_remove(place, held);
	return interrupted ? sp_end_like(SIGINT) : status;
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
