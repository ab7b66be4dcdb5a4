/* What takes time is done by processes of its own: captures, reports, the user's commands. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/guard/guard.h"
#include "tools/guard/run.h"
#include "tools/tools.h"

enum job_kind { JOB_NONE, JOB_CAPTURE, JOB_REPORT, JOB_COMMAND };

static struct job {
	enum job_kind kind;
	int pid, pipe; /* a struct sp_guard_result comes through it */
	struct sp_guard_target *target;
	size_t event;
	uint64_t deadline_ns;
	bool timed_out;
} jobs[16];

#define JOBS (sizeof(jobs) / sizeof(jobs[0]))
#define RENDER_NS 180000000000u
#define COMMAND_NS 30000000000u
#define HURRY_NS 5000000000u

static struct job *free_job(void)
{
	for (size_t i = 0; i < JOBS; i++)
		if (jobs[i].kind == JOB_NONE)
			return &jobs[i];
	return NULL;
}

/* Forks: 0 in the new process, which has a process group of its own, so that keys on the terminal are not for it, and
 * all of it can be ended. A negative errno: it could not be. */
static int start(enum job_kind kind, struct sp_guard_target *t, size_t event, int *write_fd)
{
	struct job *job = free_job();
	int ends[2], pid;

	if (!job)
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		sp_guard_signals_restore();
		close(ends[0]);
		*write_fd = ends[1];
		return 0;
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -errno;
	}
	setpgid(pid, pid);
	*job = (struct job){.kind = kind,
		.pid = pid,
		.pipe = ends[0],
		.target = t,
		.event = event,
		.deadline_ns = sp_guard_now_ns() +
			(kind != JOB_COMMAND       ? RENDER_NS
					: t->ended ? HURRY_NS
						   : COMMAND_NS)};
	*(kind == JOB_COMMAND ? &t->commands : &t->renderers) += 1;
	return pid;
}

/* Less than a pipe holds: nobody waits for the other. */
static void __attribute__((noreturn)) hand_over(int fd, const struct sp_guard_result *result)
{
	const char *at = (const char *)result;
	size_t left = sizeof(*result);
	ssize_t n;

	while (left && (n = write(fd, at, left)) > 0) {
		at += n;
		left -= (size_t)n;
	}
	_exit(left || result->err ? 1 : 0);
}

static bool take_over(int fd, struct sp_guard_result *result)
{
	char *at = (char *)result;
	size_t left = sizeof(*result);
	ssize_t n;

	while (left && (n = read(fd, at, left)) > 0) {
		at += n;
		left -= (size_t)n;
	}
	result->path[PATH_MAX - 1] = result->snapshot[PATH_MAX - 1] = result->why[sizeof(result->why) - 1] = '\0';
	return !left;
}

static void begin_rendering(void)
{
	sp_set_umask();
	sp_limit_rendering();
	sp_yield_memory();
}

void sp_guard_capture(struct sp_guard_target *t, const struct sp_guard_wish *wish, size_t event)
{
	struct sp_guard_event *e = &t->events[event];
	struct sp_guard_result result = {0};
	int fd = -1, pid = start(JOB_CAPTURE, t, event, &fd);

	if (pid == 0) {
		begin_rendering();
		sp_guard_capture_write(t, wish, event, &result);
		hand_over(fd, &result);
	}
	e->wanted = pid > 0;
	if (pid < 0)
		snprintf(e->why, sizeof(e->why), "no process for it: %s", strerror(-pid));
}

void sp_guard_report(struct sp_guard_target *t, const struct sp_guard_wish *wish)
{
	struct sp_guard_result result = {0};
	int fd = -1, pid = start(JOB_REPORT, t, 0, &fd);

	if (pid == 0) {
		begin_rendering();
		sp_guard_report_write(t, wish, &result);
		hand_over(fd, &result);
	}
	if (pid == -EBUSY)
		return; /* it is wanted still */
	t->report_wanted = false;
	t->finishing = t->ended && pid > 0;
	if (pid < 0) {
		sp_guard_tell(t, "no report: no process for it: %s", strerror(-pid));
		t->done = t->ended;
	}
}

/* --- the user's commands ------------------------------------------------------------------------ */

static void set_number(const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	setenv(name, text, 1);
}

static void set_facts(const struct sp_guard_target *t, const struct sp_guard_event *e)
{
	char name[SP_GUARD_NAME_BYTES];

	memcpy(name, t->facts.name, sizeof(name));
	sp_make_inert(name);
	set_number("SMARTPROF_GUARD_PID", (uint64_t)t->pid);
	setenv("SMARTPROF_GUARD_NAME", name, 1);
	setenv("SMARTPROF_GUARD_RULE", sp_guard_rule_names[e->rule], 1);
	set_number("SMARTPROF_GUARD_MEMORY", e->memory);
	set_number("SMARTPROF_GUARD_RSS", e->rss);
	set_number("SMARTPROF_GUARD_THRESHOLD", t->rules.rule[e->rule].threshold);
	set_number("SMARTPROF_GUARD_LIMIT", t->bounds.bytes);
	set_number("SMARTPROF_GUARD_TIME", (uint64_t)e->at.tv_sec);
	setenv("SMARTPROF_GUARD_CAPTURE", e->capture ? e->capture : "", 1);
}

/* Its output goes where ours goes: standard output is the program's. */
static void __attribute__((noreturn))
run_command(const struct sp_guard_target *t, const struct sp_guard_event *e, char **words)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	set_facts(t, e);
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	umask(sp_umask_given());
	execvp(words[0], words);
	sp_complain("guard: --on-%s: %s: %s", sp_guard_rule_names[e->rule], words[0], strerror(errno));
	_exit(127);
}

static bool is_running(const struct sp_guard_target *t, enum sp_guard_rule_id rule)
{
	for (size_t i = 0; i < JOBS; i++)
		if (jobs[i].kind == JOB_COMMAND && jobs[i].target == t && t->events[jobs[i].event].rule == rule)
			return true;
	return false;
}

void sp_guard_command(struct sp_guard_target *t, const struct sp_guard_wish *wish, size_t event)
{
	const struct sp_guard_event *e = &t->events[event];
	char **words = e->rule < SP_GUARD_MEMORY_RULES ? wish->commands[e->rule] : NULL;
	int fd = -1, pid;

	if (!words)
		return;
	if (is_running(t, e->rule)) {
		sp_guard_tell(t, "--on-%s: the one before still runs; it is not run again",
			sp_guard_rule_names[e->rule]);
		return;
	}
	pid = start(JOB_COMMAND, t, event, &fd);
	if (pid == 0)
		run_command(t, e, words);
	if (pid < 0)
		sp_guard_tell(t, "--on-%s: not run: %s", sp_guard_rule_names[e->rule], strerror(-pid));
}

/* --- their ends --------------------------------------------------------------------------------- */

static void end_capture(struct sp_guard_target *t, size_t event, const struct sp_guard_result *result)
{
	struct sp_guard_event *e = &t->events[event];

	e->wanted = false;
	if (*result->snapshot)
		e->snapshot = strdup(result->snapshot);
	if (result->at.tv_sec) {
		e->at = result->at;
		e->memory = result->memory;
		e->rss = result->rss;
	}
	if (*result->path) {
		e->capture = strdup(result->path);
		sp_guard_tell(t, "%s: profile: %s", sp_guard_rule_names[e->rule], result->path);
	}
	if (*result->why) {
		memcpy(e->why, result->why, sizeof(e->why));
		sp_guard_tell(t, "%s: no profile: %s", sp_guard_rule_names[e->rule], result->why);
	}
}

static void end_report(struct sp_guard_target *t, const struct sp_guard_result *result)
{
	if (t->finishing && *result->snapshot) /* of one that has ended: its own profile */
		sp_guard_tell(t, "profile: %s", result->snapshot);
	if (*result->path && (t->finishing || !*t->report))
		sp_guard_tell(t, "report: %s", result->path);
	if (*result->path)
		memcpy(t->report, result->path, sizeof(t->report));
	if (*result->why)
		sp_guard_tell(t, "%s", result->why);
	t->done = t->finishing;
}

static void end_command(const struct sp_guard_target *t, const struct job *job, int status)
{
	const char *name = sp_guard_rule_names[t->events[job->event].rule];

	if (job->timed_out)
		sp_guard_tell(t, "--on-%s: it took too long and was ended", name);
	else if (WIFSIGNALED(status))
		sp_guard_tell(t, "--on-%s: it was ended by signal %d", name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		sp_guard_tell(t, "--on-%s: it ended with status %d", name, WEXITSTATUS(status));
}

/* A renderer is the first to go when memory is short. What it had kept by then is rendered later. */
static void explain_death(const struct job *job, int status, struct sp_guard_result *result)
{
	struct sp_guard_target *t = job->target;
	bool killed = !job->timed_out && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	memset(result, 0, sizeof(*result));
	if (job->kind == JOB_CAPTURE)
		sp_guard_snapshot_path(t, job->event, result->snapshot);
	if (access(result->snapshot, F_OK) < 0)
		*result->snapshot = '\0';
	snprintf(result->why, sizeof(result->why), "%s%s",
		job->timed_out   ? "it took too long to render"
			: killed ? "there was no memory left to render it"
				 : "its renderer died",
		*result->snapshot ? "; that follows when the program has ended" : "");
	if (killed) /* this was not the target */
		sp_memory_kills(&t->bounds, sp_settings_where(), &t->kills_before);
}

bool sp_guard_job_ended(int pid, int status, const struct sp_guard_wish *wish)
{
	struct sp_guard_result result = {0};
	struct job job = {0};

	for (size_t i = 0; i < JOBS && !job.kind; i++)
		if (jobs[i].kind && jobs[i].pid == pid) {
			job = jobs[i];
			jobs[i].kind = JOB_NONE;
		}
	if (!job.kind)
		return false;
	*(job.kind == JOB_COMMAND ? &job.target->commands : &job.target->renderers) -= 1;
	if (job.kind != JOB_COMMAND && !take_over(job.pipe, &result))
		explain_death(&job, status, &result);
	close(job.pipe);
	if (job.kind == JOB_CAPTURE) {
		end_capture(job.target, job.event, &result);
		job.target->report_wanted = true;
		sp_guard_command(job.target, wish, job.event);
	} else if (job.kind == JOB_REPORT) {
		end_report(job.target, &result);
	} else {
		end_command(job.target, &job, status);
	}
	return true;
}

bool sp_guard_job_is_about(const struct sp_guard_target *t, size_t event)
{
	for (size_t i = 0; i < JOBS; i++)
		if ((jobs[i].kind == JOB_CAPTURE || jobs[i].kind == JOB_COMMAND) && jobs[i].target == t &&
			jobs[i].event == event)
			return true;
	return false;
}

void sp_guard_jobs_hurry(const struct sp_guard_target *t)
{
	uint64_t by_ns = sp_guard_now_ns() + HURRY_NS;

	for (size_t i = 0; i < JOBS; i++)
		if (jobs[i].kind == JOB_COMMAND && jobs[i].target == t && jobs[i].deadline_ns > by_ns)
			jobs[i].deadline_ns = by_ns;
}

uint64_t sp_guard_jobs_look(uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < JOBS; i++) {
		if (!jobs[i].kind || jobs[i].timed_out)
			continue;
		if (now_ns >= jobs[i].deadline_ns) {
			jobs[i].timed_out = true;
			kill(-jobs[i].pid, SIGKILL);
		} else if (jobs[i].deadline_ns < next_ns) {
			next_ns = jobs[i].deadline_ns;
		}
	}
	return next_ns;
}
