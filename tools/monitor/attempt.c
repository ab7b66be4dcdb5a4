/* One run of a job, from its start to what is known of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/output/render.h"
#include "profiles/spool/tree_file.h"
#include "symbolize/base/memory.h"
#include "tools/history/record.h"
#include "tools/monitor/line.h"
#include "tools/monitor/monitor.h"
#include "tools/start.h"
#include "tools/tools.h"

/* Of a run that has the agent. */
struct sp_attempt_profile {
	struct sp_tree_hold hold;
	struct timespec began;
	bool on;
};

/* --- sessions */

static int set_output(struct sp_monitor_session *s)
{
	const char *output = s->wish->output;
	struct stat now;

	if (!output || strcmp(output, "null") == 0) {
		s->terms.output = SP_CAUGHT_DISCARD;
	} else if (strcmp(output, "through") == 0) {
		s->terms.output = SP_CAUGHT_THROUGH;
	} else if (strcmp(output, "inherit") == 0) {
		s->terms.output = SP_CAUGHT_INHERIT;
	} else if ((mkdir(output, 0777) < 0 && errno != EEXIST) || stat(output, &now) < 0 || !S_ISDIR(now.st_mode)) {
		sp_complain("monitor: --output: %s: %s; name a directory, or through, null or inherit", output,
			errno ? strerror(errno) : "not a directory");
		return SP_EXIT_USAGE;
	} else {
		s->terms.output = SP_CAUGHT_FILE;
		s->terms.directory = output;
	}
	return 0;
}

/* One run has ours; of several each has a file from where it began, else nothing. */
static int set_input(struct sp_monitor_session *s, bool several)
{
	struct stat now;

	s->input_at = -1;
	s->terms.input = STDIN_FILENO;
	if (!several && fcntl(STDIN_FILENO, F_GETFD) >= 0)
		return 0;
	if (!s->wish->batch && !s->wish->file && fstat(STDIN_FILENO, &now) == 0 && S_ISREG(now.st_mode)) {
		s->input_at = lseek(STDIN_FILENO, 0, SEEK_CUR);
		return 0;
	}
	s->terms.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return s->terms.input < 0 ? -errno : 0;
}

static void set_place(struct sp_monitor_session *s)
{
	static struct sp_config config;

	sp_config_load(&config, sp_settings_where(), sp_settings_file());
	s->environment = sp_copy_text(sp_environment_name(config.environment));
	s->directory = sp_copy_text(sp_settings_where()->cwd ? sp_settings_where()->cwd : "");
}

int sp_monitor_session_open(struct sp_monitor_session *s, const struct sp_monitor_wish *wish, unsigned most)
{
	bool several = most > 1 || wish->runs > 1 || wish->warmup || wish->batch || wish->file || wish->every_ns;
	int error;

	*s = (struct sp_monitor_session){
		.wish = wish, .terms = {.timeout_ns = wish->timeout_ns, .jobs = wish->jobs ? wish->jobs : 1}};
	error = sp_watches_open(&s->watches, most);
	if (!error)
		error = set_input(s, several);
	if (error) {
		sp_complain("monitor: nothing can be started: %s; %s", strerror(-error),
			error == -EFBIG ? "raise the limit on the size of files (ulimit -f)"
					: "are /proc and /dev mounted, and may files in memory be executed?");
		return 1;
	}
	if (set_output(s))
		return SP_EXIT_USAGE;
	if (wish->profile && sp_start_library("monitor", s->library))
		return 1;
	s->profiles = sp_alloc(most, sizeof(*s->profiles));
	sp_json_init();
	set_place(s);
	return 0;
}

void sp_monitor_session_close(struct sp_monitor_session *s)
{
	sp_watches_close(&s->watches);
	if (s->terms.input > STDERR_FILENO)
		close(s->terms.input);
	free(s->environment);
	free(s->directory);
	free(s->profiles);
	sp_standing_free(&s->standing);
}

/* --- starting */

/* Only for the command that is started now. */
static void start_profiled(struct sp_monitor_session *s, struct sp_monitor_run *run, uint64_t label)
{
	const char *now = getenv("LD_PRELOAD"), *tree = getenv("SMARTPROF_TREE");
	struct sp_attempt_profile profile = {.hold = {.fd = -1}, .on = true};
	char *before = now ? sp_copy_text(now) : NULL;
	struct sp_watch *watch;

	clock_gettime(CLOCK_REALTIME_COARSE, &profile.began); /* as files' times are */
	sp_tree_hold_make(&profile.hold);
	sp_start_set_preload(s->library);
	watch = sp_watch_start(&s->watches, run, &s->terms, environ, tree ? NULL : &profile.hold, label);
	s->profiles[watch - s->watches.items] = profile;
	if (before)
		setenv("LD_PRELOAD", before, 1);
	else
		unsetenv("LD_PRELOAD");
	free(before);
	run->profiled = true;
}

void sp_attempt_start(struct sp_monitor_session *s, const struct sp_monitor_job *job, uint64_t label,
	unsigned iteration, unsigned attempt)
{
	struct sp_monitor_run *run = sp_monitor_run_make(job->argv);
	struct sp_target target;
	int error = sp_target_find(&target, job->argv[0]);

	free(run->command);
	run->command = sp_copy_text(job->command);
	run->iteration = iteration;
	run->attempt = attempt;
	run->environment = sp_copy_text(s->environment);
	run->directory = sp_copy_text(s->directory);
	if (error)
		run->exec_errno = -error;
	else
		run->program_path = sp_copy_text(target.path);
	if (s->input_at >= 0)
		lseek(STDIN_FILENO, s->input_at, SEEK_SET);
	if (!error && *s->library && sp_target_preloadable(&target))
		start_profiled(s, run, label);
	else
		sp_watch_start(&s->watches, run, &s->terms, environ, NULL, label);
}

/* --- ending */

static void end_profile(struct sp_monitor_session *s, struct sp_watch *w)
{
	struct sp_attempt_profile *profile = &s->profiles[w - s->watches.items];
	char path[PATH_MAX];
	const struct sp_ending ending = {
		.wait_status = w->run->signal ? w->run->signal : (w->run->exit_status & 0xff) << 8};

	if (!profile->on)
		return;
	profile->on = false;
	sp_tree_hold_close(&profile->hold, w->pid);
	if (!w->started)
		return;
	sp_recover_tree(w->pid, &ending, sp_setting_is_on(SP_OPT_VERBOSE));
	if (sp_profile_of_pid(w->pid, &profile->began, path))
		w->run->profile_path = sp_copy_text(path);
}

struct sp_watch *sp_attempt_next(struct sp_monitor_session *s, struct sp_monitor_run **run)
{
	struct sp_watch *w = sp_watches_next(&s->watches);

	sp_line_clear();
	if (!w)
		return NULL;
	end_profile(s, w);
	*run = w->run;
	return w;
}

struct sp_monitor_run *sp_attempt_one(struct sp_monitor_session *s, const struct sp_monitor_job *job, uint64_t label,
	unsigned iteration, char tail[static 2048])
{
	struct sp_monitor_run *run = NULL;
	struct sp_watch *w;

	sp_attempt_start(s, job, label, iteration, 1);
	w = sp_attempt_next(s, &run);
	memcpy(tail, w->tail, sizeof(w->tail));
	sp_watch_release(w);
	return run;
}

bool sp_attempt_prepare(struct sp_monitor_session *s)
{
	char shell[] = "/bin/sh", dash[] = "-c", *argv[] = {shell, dash, (char *)s->wish->prepare, NULL};
	const struct sp_watch_terms terms = {.output = SP_CAUGHT_DISCARD, .jobs = 1, .input = s->terms.input};
	struct sp_monitor_run *run;
	struct sp_watch *w;
	struct sp_buffer how = {0};
	bool good;

	if (!s->wish->prepare)
		return true;
	run = sp_monitor_run_make(argv);
	run->program_path = sp_copy_text(shell);
	w = sp_watch_start(&s->watches, run, &terms, environ, NULL, 0);
	sp_watch_await(&s->watches, w);
	good = sp_monitor_run_is_good(run);
	if (!good && !s->watches.stopped) {
		sp_line_clear();
		sp_monitor_put_ending(&how, run);
		sp_complain("monitor: --prepare: '%s' failed: %s; nothing more is run", s->wish->prepare, how.data);
		sp_buffer_free(&how);
	}
	sp_watch_release(w);
	sp_monitor_run_free(run);
	return good;
}

/* --- what becomes of it */

/* "-" is standard output. */
static int write_to(const char *path, const struct sp_buffer *text, int how)
{
	return sp_write_output("monitor", strcmp(path, "-") == 0 ? NULL : path, text, how);
}

static void keep_in_history(struct sp_monitor_session *s, const struct sp_monitor_run *run)
{
	struct sp_history_run *kept;

	if (run->interrupted || !sp_record_is_on())
		return;
	kept = sp_record_from_monitor(run);
	if (sp_record_add("monitor", kept))
		sp_standing_note(&s->standing, kept);
	sp_history_run_free(kept);
}

int sp_monitor_keep(struct sp_monitor_session *s, const struct sp_monitor_run *run)
{
	struct sp_buffer text = {0};

	keep_in_history(s, run);
	if (!s->wish->json_log)
		return 0;
	if (!s->json_log_cut) {
		sp_json_put(&text, sp_monitor_run_json(run), false);
		if (!text.length || text.data[text.length - 1] != '\n')
			sp_buffer_puts(&text, "\n");
		s->json_log_cut = write_to(s->wish->json_log, &text, O_APPEND) != 0;
		sp_buffer_free(&text);
	}
	return s->json_log_cut ? SP_EXIT_USAGE : 0;
}

int sp_monitor_export(const struct sp_monitor_wish *wish, const struct sp_monitor_series *series, size_t count,
	json_t *verdicts)
{
	struct sp_buffer text = {0};
	int status = 0;

	if (wish->json) {
		sp_monitor_put_json(&text, series, count, json_incref(verdicts));
		status |= write_to(wish->json, &text, O_TRUNC);
		sp_buffer_clear(&text);
	}
	if (wish->markdown) {
		sp_monitor_put_markdown(&text, series, count);
		status |= write_to(wish->markdown, &text, O_TRUNC);
		sp_buffer_clear(&text);
	}
	if (wish->csv) {
		sp_monitor_put_csv(&text, series, count);
		status |= write_to(wish->csv, &text, O_TRUNC);
	}
	sp_buffer_free(&text);
	json_decref(verdicts);
	return status ? SP_EXIT_USAGE : 0;
}

void sp_monitor_put_tail(struct sp_buffer *out, const char *tail)
{
	static const size_t lines_most = 5;
	size_t end = strlen(tail), lines = 0;
	const char *at;

	while (end && tail[end - 1] == '\n')
		end--;
	for (at = tail + end; at > tail; at--)
		if (at[-1] == '\n' && ++lines == lines_most)
			break;
	while (at < tail + end) {
		size_t bytes = strcspn(at, "\n");

		if (bytes > (size_t)(tail + end - at))
			bytes = (size_t)(tail + end - at);
		sp_buffer_puts(out, "    ");
		sp_escape(out, SP_ESCAPE_PLAIN, at, bytes);
		sp_buffer_puts(out, "\n");
		at += bytes + 1;
	}
}
