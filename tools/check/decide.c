/* The baseline's program and the one of now, in turns: noise of the machine meets both. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/base/time.h"
#include "profiles/monitor/pairs.h"
#include "symbolize/base/memory.h"
#include "tools/check/check.h"
#include "tools/git.h"
#include "tools/history/commits.h"
#include "tools/history/scratch.h"
#include "tools/monitor/line.h"
#include "tools/monitor/monitor.h"
#include "tools/tools.h"

#define PAIRS_MOST 400u
#define BUSY_NS (60 * 1000000000ull)
#define SOMETHING_ELSE 4.0 /* times the CPU time: no load explains it */
#define LEAST_NS 2e6

/* Two jobs: the baseline's, and now's. */
struct turns {
	struct sp_check_session *s;
	struct sp_check_command *c;
	struct sp_monitor_plan plan[2];
	struct sp_monitor_series series[2];
	double grown[SP_PAIRS_METRICS]; /* as much as is allowed: a factor */
	bool allows[SP_PAIRS_METRICS];  /* no more than that; else as it likes */
	struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS], beyond[SP_PAIRS_METRICS]; /* beyond: what is allowed */
	char place[PATH_MAX]; /* in whose tree/ the baseline's files are checked out */
	int held;             /* the place; -1: there is none */
	uint64_t until_ns;
	bool busy; /* CPU time alone is to be decided */
};

/* --- the baseline's program */

#define TREE "tree"

/* The files of the baseline's commit, beside the repository's: nothing is fetched or built. */
static bool check_out(struct turns *t)
{
	const char *commit = sp_baseline_text(t->s->check.baseline, "commit");

	if (!sp_commit_is_id(commit))
		return false;
	t->held = sp_scratch_directory(t->place);
	return t->held >= 0 && sp_scratch_tree(t->place, TREE, commit);
}

static int plan_line(struct sp_monitor_plan *plan, const char *line)
{
	const char *loose[] = {line, NULL};
	struct sp_monitor_wish wish = {.loose = (char **)loose};

	return sp_monitor_plan_make(plan, &wish);
}

/* `cd DIRECTORY && COMMAND`, for both sides alike. free() it. */
static char *in_directory(const char *directory, const char *command)
{
	char *word[] = {(char *)directory, NULL}, *quoted = sp_monitor_command_line(word);
	char *line = sp_text("cd %s && %s", quoted, command);

	free(quoted);
	return line;
}

static int plan_trees(struct turns *t)
{
	char *prefix = sp_git_line((const char *const[]){"rev-parse", "--show-prefix", NULL});
	char *there = sp_text("%s/" TREE "/%s", t->place, prefix ? prefix : ""),
	     *here = in_directory(".", t->c->config->run);
	char *before = in_directory(there, t->c->config->run);
	int status = plan_line(&t->plan[0], before);

	if (!status)
		status = plan_line(&t->plan[1], here);
	free(prefix);
	free(there);
	free(here);
	free(before);
	return status;
}

static bool make_directories(char *path, size_t from)
{
	for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return true;
}

/* A program that is built in the work tree is in no commit: the copy that a check kept stands for the baseline's. False: there is none. */
static bool place_program(const struct turns *t, const struct sp_check_now *now)
{
	char *top = sp_git_line((const char *const[]){"rev-parse", "--show-toplevel", NULL}), *path;
	char real[PATH_MAX], kept[PATH_MAX];
	size_t length = top ? strlen(top) : 0;
	bool there = true;

	if (length && realpath(now->path, real) && strncmp(real, top, length) == 0 && real[length] == '/') {
		path = sp_text("%s/" TREE "%s", t->place, real + length);
		if (access(path, F_OK) < 0)
			there = sp_check_kept_program(t->s->store, sp_baseline_text(t->c->baseline, "build_id"),
					kept) &&
				make_directories(path, strlen(t->place) + 1) && symlink(kept, path) == 0;
		free(path);
	}
	free(top);
	return there;
}

/* -1: the baseline's program is not at hand. */
static int make_plans(struct turns *t, size_t index)
{
	const struct sp_check_now *now = &t->s->now[index];
	char path[PATH_MAX];
	int status;

	if (t->c->config->baseline_run) {
		status = plan_line(&t->plan[0], t->c->config->baseline_run);
		return status ? status : plan_line(&t->plan[1], t->c->config->run);
	}
	if (now->several)
		return check_out(t) && place_program(t, now) ? plan_trees(t) : -1;
	if (!sp_check_kept_program(t->s->store, sp_baseline_text(t->c->baseline, "build_id"), path))
		return -1;
	status = plan_line(&t->plan[0], t->c->config->run);
	if (!status)
		status = plan_line(&t->plan[1], t->c->config->run);
	if (!status) {
		free(t->plan[0].jobs[0].argv[0]);
		t->plan[0].jobs[0].argv[0] = sp_copy_text(path);
	}
	return status;
}

/* --- turns */

/* Of the same code pairs tell nothing. */
static bool is_suspect_of_busy(const struct sp_check_command *c)
{
	for (size_t i = 0; i < c->figure_count; i++)
		if (c->figures[i].metric == SP_GATE_CPU && sp_check_is_suspect(&c->figures[i]))
			return sp_check_busy(c) > 0 && c->code != SP_CODE_SAME;
	return false;
}

static bool is_suspect(const struct sp_check_command *c, bool busy)
{
	if (!c->baseline)
		return false;
	if (busy)
		return is_suspect_of_busy(c);
	for (size_t i = 0; i < c->figure_count; i++)
		if (sp_check_is_suspect(&c->figures[i]) || c->figures[i].state == SP_FIGURE_DISTURBED)
			return true;
	return false;
}

static int pairs_metric(enum sp_gate_metric metric)
{
	return metric == SP_GATE_WALL    ? SP_PAIRS_WALL
		: metric == SP_GATE_CPU  ? SP_PAIRS_CPU
		: metric == SP_GATE_PEAK ? SP_PAIRS_PEAK
					 : -1;
}

static void find_allowed(struct turns *t)
{
	for (int m = 0; m < SP_PAIRS_METRICS; m++)
		t->grown[m] = 1;
	for (size_t i = 0; i < t->c->figure_count; i++) {
		const struct sp_check_figure *f = &t->c->figures[i];
		int metric = pairs_metric(f->metric);

		if (metric < 0 || f->allowed < 0)
			continue;
		t->allows[metric] = true;
		t->grown[metric] = 1 + f->allowed;
	}
}

/* Whether it is more than is allowed, which is all that is asked. */
static bool is_answered(const struct turns *t, enum sp_pairs_metric metric)
{
	return !t->allows[metric] || t->beyond[metric].answer != SP_PAIRS_UNDECIDED ||
		t->verdicts[metric].answer == SP_PAIRS_SAME;
}

static bool is_decided(const struct turns *t)
{
	/* It fails, whatever the others would say. */
	if (t->allows[SP_PAIRS_CPU] && t->verdicts[SP_PAIRS_CPU].answer == SP_PAIRS_MORE &&
		t->beyond[SP_PAIRS_CPU].answer == SP_PAIRS_MORE)
		return true;
	for (int m = 0; m < SP_PAIRS_METRICS; m++)
		if (!is_answered(t, m) && (m == SP_PAIRS_CPU || !t->busy))
			return false;
	return true;
}

/* A run of one side. Returns 0, or the exit status after a complaint. */
static int run_side(struct turns *t, struct sp_monitor_session *session, int side, unsigned pair)
{
	struct sp_monitor_run *run;
	char tail[2048];

	if (!sp_attempt_prepare(session))
		return session->watches.stopped ? 0 : 1;
	run = sp_attempt_one(session, &t->plan[side].jobs[0], (uint64_t)side + 1, pair, tail);
	if (run->interrupted)
		sp_monitor_run_free(run);
	else
		sp_monitor_series_add(&t->series[side], run);
	return 0;
}

/* Whose runs do not end well, so that they tell nothing; NULL: nobody's. Pairs are judged by the runs that ended as the first of each
 * did. */
static const char *failing(const struct turns *t)
{
	static const char *const names[] = {"the baseline's program", "the program"};

	for (int side = 0; side < 2; side++)
		if (t->series[side].count && !sp_monitor_run_is_good(t->series[side].runs[0]))
			return names[side];
	return NULL;
}

static int run_turns(struct turns *t, int *stopped)
{
	struct sp_monitor_wish wish = {
		.runs = 2, .prepare = t->c->config->prepare, .timeout_ns = t->c->config->timeout_ns};
	struct sp_monitor_session session;
	int status = sp_monitor_session_open(&session, &wish, 1);
	uint64_t chance = sp_time_ns(CLOCK_REALTIME);
	bool backwards = false;

	if (status)
		return status;
	find_allowed(t);
	for (unsigned pair = 1; pair <= PAIRS_MOST && !status && !session.watches.stopped; pair++) {
		chance = chance * 6364136223846793005u + 1442695040888963407u;
		backwards = pair % 2 ? chance >> 63 : !backwards;
		for (int k = 0; k < 2 && !status && !session.watches.stopped; k++)
			status = run_side(t, &session, backwards ? 1 - k : k, pair);
		if (failing(t))
			break;
		if (status || !sp_pairs_is_look(pair))
			continue;
		sp_pairs_judge_series(&t->series[0], &t->series[1], 1, t->verdicts);
		sp_pairs_judge_beyond(&t->series[0], &t->series[1], 1, t->grown, t->beyond);
		if (is_decided(t) || sp_time_ns(CLOCK_MONOTONIC) > t->until_ns)
			break;
	}
	*stopped = session.watches.stopped;
	sp_monitor_session_close(&session);
	return status;
}

/* In another directory a program may not find what it worked on, and end well all the same. */
static bool is_as_before(const struct turns *t)
{
	struct sp_gate_values now = {0};
	double before = NAN, factor;

	for (size_t i = 0; i < t->c->figure_count; i++) {
		const struct sp_check_figure *f = &t->c->figures[i];

		if (f->metric == SP_GATE_CPU && f->baseline.count)
			before = sp_gate_median(&f->baseline);
	}
	if (isnan(before))
		return true; /* it is not known, or is another machine's */
	for (size_t i = 0; i < t->series[0].count; i++)
		sp_gate_add_value(&now, sp_monitor_value(t->series[0].runs[i], SP_MONITOR_CPU));
	factor = fmax(sp_gate_median(&now), LEAST_NS) / fmax(before, LEAST_NS);
	free(now.items);
	return factor > 1 / SOMETHING_ELSE && factor < SOMETHING_ELSE;
}

/* What pairs say is said of the figure. */
static void settle(struct turns *t)
{
	for (size_t i = 0; i < t->c->figure_count; i++) {
		struct sp_check_figure *f = &t->c->figures[i];
		int metric = pairs_metric(f->metric);
		const struct sp_pairs_verdict *v = metric < 0 ? NULL : &t->verdicts[metric];

		if (!v || !v->pairs || f->allowed < 0 || f->state == SP_FIGURE_ABOVE ||
			(t->busy && metric != SP_PAIRS_CPU))
			continue;
		f->judgement.ratio = v->ratio;
		f->judgement.low = v->low;
		f->judgement.high = v->high;
		if (v->answer == SP_PAIRS_MORE && v->low > 1 + f->allowed)
			f->state = SP_FIGURE_WORSE;
		else if (v->answer == SP_PAIRS_LESS)
			f->state = SP_FIGURE_BETTER;
		else if (v->high <= 1 + f->allowed || v->answer == SP_PAIRS_SAME ||
			t->beyond[metric].answer == SP_PAIRS_LESS)
			f->state = SP_FIGURE_FINE;
		else
			f->state = SP_FIGURE_UNSURE;
		if (f->state < SP_FIGURE_UNSURE && f->against_limit.answer == SP_GATE_UNSURE)
			f->state = SP_FIGURE_UNSURE; /* pairs tell of growth, not of limits */
		if (f->state < SP_FIGURE_UNSURE && f->against_limit.answer == SP_GATE_WORSE)
			f->state = SP_FIGURE_DISTURBED;
	}
}

static const char *answer_of(const struct turns *t, enum sp_pairs_metric metric)
{
	static const char *const answers[] = {"not sure", "no difference", "surely less", "surely more"};
	enum sp_pairs_answer answer = t->verdicts[metric].answer;
	bool fits = t->allows[metric] && t->beyond[metric].answer == SP_PAIRS_LESS;

	if (fits && answer == SP_PAIRS_UNDECIDED)
		return "surely not more than is allowed";
	return fits && answer == SP_PAIRS_MORE ? "surely more, but not more than is allowed" : answers[answer];
}

static void tell(struct turns *t)
{
	struct sp_buffer text = {0};

	for (int m = 0; m < SP_PAIRS_METRICS; m++) {
		const struct sp_pairs_verdict *v = &t->verdicts[m];

		if (v->pairs)
			sp_buffer_printf(&text, "%s%s %+.1f %% (%+.1f to %+.1f), %s", m ? "; " : "",
				sp_pairs_metric_names[m], 100 * (v->ratio - 1), 100 * (v->low - 1), 100 * (v->high - 1),
				answer_of(t, m));
	}
	sp_buffer_printf(&text, "; by %zu pairs of runs in turns", t->verdicts[SP_PAIRS_CPU].pairs);
	free(t->c->decided);
	t->c->decided = sp_copy_text(text.data);
	sp_buffer_free(&text);
}

static int decide_one(struct sp_check_session *s, size_t index, uint64_t until_ns, bool busy, int *stopped)
{
	struct turns t = {.s = s, .c = &s->check.commands[index], .until_ns = until_ns, .busy = busy, .held = -1};
	int status = make_plans(&t, index);

	if (status < 0) {
		free(t.c->decided);
		t.c->decided = sp_text("the baseline's program is not at hand; name a command that runs it: "
				       "baseline_run in smartprof.toml");
		status = 0;
	} else if (!status) {
		status = run_turns(&t, stopped);
		if (!status && failing(&t)) {
			free(t.c->decided);
			t.c->decided = sp_text("%s fails here, so nothing is decided", failing(&t));
		} else if (!status && !t.c->config->baseline_run && !is_as_before(&t)) {
			free(t.c->decided);
			t.c->decided = sp_copy_text(
				"the baseline's program does something else where it runs now, so nothing is "
				"decided; name a command that runs it: baseline_run in smartprof.toml");
		} else if (!status && t.verdicts[SP_PAIRS_CPU].pairs) {
			settle(&t);
			tell(&t);
		}
	}
	for (int side = 0; side < 2; side++) {
		sp_monitor_series_free(&t.series[side]);
		sp_monitor_plan_free(&t.plan[side]);
	}
	if (t.held >= 0)
		sp_scratch_remove(t.place, t.held);
	return status;
}

int sp_check_decide(struct sp_check_session *s, bool busy, int *stopped)
{
	uint64_t now = sp_time_ns(CLOCK_MONOTONIC), left = s->check.config->decide_ns;
	size_t suspects = 0, turn = 0;
	int status = 0;

	for (size_t i = 0; i < s->check.command_count; i++)
		suspects += is_suspect(&s->check.commands[i], busy);
	if (busy && left > BUSY_NS)
		left = BUSY_NS;
	for (size_t i = 0; i < s->check.command_count && !status && !*stopped; i++)
		if (is_suspect(&s->check.commands[i], busy))
			status = decide_one(s, i, now + left / suspects * ++turn, busy, stopped);
	sp_line_clear();
	return status;
}
