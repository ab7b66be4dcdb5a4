/* The loop of a guardian: looks, ends, jobs, signals. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/spool/process.h"
#include "tools/guard/guard.h"
#include "tools/guard/run.h"
#include "tools/tools.h"

#define TARGETS 64u
#define FIND_NS 1000000000u
#define TOLD_LATE_NS 500000000u /* how long to wait for the parent of another's process to hear of its end */
#define NAP_MS 20
#define MORE_SIGNALS_NS 1000000000u

struct loop {
	struct sp_guard_run *run;
	const struct sp_guard_wish *wish;
	struct sp_guard_target *targets[TARGETS];
	size_t count;
	int signals, app; /* app: while it runs */
	uint64_t next_find_ns, app_ended_ns;
	bool full;    /* there may be more than are watched */
	bool leaving; /* nobody new; reports, and out */
};

static bool is_by_name(const struct loop *l)
{
	return !l->run->pid;
}

/* --- names -------------------------------------------------------------------------------------- */

bool sp_guard_is_named(int pid, const char *glob)
{
	char path[48], text[PATH_MAX];
	const char *slash;
	ssize_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		fclose(file);
		if (fnmatch(glob, text, 0) == 0)
			return true;
	} else if (file) {
		fclose(file);
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	slash = strrchr(text, '/');
	return slash && fnmatch(glob, slash + 1, 0) == 0;
}

static bool is_own(int pid)
{
	struct sp_process_stat stat;

	return pid == getpid() || sp_process_stat(pid, &stat) < 0 || stat.ppid == getpid() || stat.state == 'Z';
}

size_t sp_guard_find(int *pids, size_t most, const char *glob)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (proc && count < most && (entry = readdir(proc))) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (pid > 0 && sp_guard_is_named(pid, glob) && !is_own(pid))
			pids[count++] = pid;
	}
	if (proc)
		closedir(proc);
	return count;
}

static struct sp_guard_target *find_target(const struct loop *l, int pid)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->targets[i]->pid == pid && !l->targets[i]->ended)
			return l->targets[i];
	return NULL;
}

static int add(struct loop *l, int pid)
{
	struct sp_guard_target *t;
	int status = sp_guard_target_open(&t, l->wish, pid, l->run->app, l->run->app || is_by_name(l));

	if (status)
		return status;
	t->with_agent = l->run->with_agent;
	t->by_name = is_by_name(l);
	if (l->run->app) /* it may not have become its program yet */
		snprintf(t->facts.name, sizeof(t->facts.name), "%s", l->run->name);
	l->targets[l->count++] = t;
	sp_guard_target_announce(t, l->wish);
	return 0;
}

static void find_new(struct loop *l, uint64_t now_ns)
{
	int pids[TARGETS];
	size_t count;

	if (!is_by_name(l) || l->leaving || now_ns < l->next_find_ns)
		return;
	l->next_find_ns = now_ns + FIND_NS;
	count = sp_guard_find(pids, TARGETS, l->run->name);
	for (size_t i = 0; i < count && l->count < TARGETS; i++)
		if (!find_target(l, pids[i]))
			add(l, pids[i]);
	if (l->count == TARGETS && !l->full)
		sp_complain("guard: %s: of more than %u processes the others are not watched", l->run->name,
			TARGETS - 1);
	l->full = l->count == TARGETS;
}

/* --- what happens ------------------------------------------------------------------------------- */

static void reap(struct loop *l)
{
	int pid, status;

	while ((pid = sp_guard_reap(&status))) {
		struct sp_guard_target *t = find_target(l, pid);

		if (pid == l->app) {
			l->run->status = status;
			l->app = 0;
			sp_tree_hold_close(l->run->hold, pid);
			l->run->ended_ns = l->app_ended_ns = sp_guard_now_ns();
		}
		if (t && t->ours) {
			t->status = status;
			t->status_known = true;
			sp_guard_target_ended(t);
		} else if (!t) {
			sp_guard_job_ended(pid, status, l->wish);
		}
	}
}

/* Who is not our child has ended when its descriptor says so; its parent may not have heard yet. */
static void look_for_end(struct sp_guard_target *t)
{
	uint64_t until_ns = sp_guard_now_ns() + TOLD_LATE_NS;

	while (!(t->status_known = sp_guard_exit_status(&t->status, t->pidfd)) && errno == 0 &&
		sp_guard_now_ns() < until_ns)
		sp_nap_ms(NAP_MS);
	sp_guard_target_ended(t);
}

static void leave(struct loop *l)
{
	l->leaving = true;
	for (size_t i = 0; i < l->count; i++)
		l->targets[i]->report_wanted |= !l->targets[i]->by_name || l->targets[i]->event_count;
}

/* A key on the terminal that ended the program was not meant for us as well. */
static void take_signals(struct loop *l)
{
	int number;

	while ((number = sp_guard_signal(l->signals, l->app))) {
		if (number == SIGCHLD)
			continue;
		if (l->run->app && sp_guard_now_ns() - l->app_ended_ns < MORE_SIGNALS_NS)
			continue;
		if (l->run->app || l->leaving) {
			sp_complain("guard: ended before its report was written");
			l->count = 0; /* at once */
		} else {
			leave(l);
		}
	}
}

static void report_and_forget(struct loop *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct sp_guard_target *t = l->targets[i];

		if (t->report_wanted && !t->renderers)
			sp_guard_report(t, l->wish);
		else if (l->leaving && !t->renderers)
			t->done = true;
		if (!t->done || t->renderers || t->commands)
			continue;
		sp_guard_target_free(t);
		l->targets[i--] = l->targets[--l->count];
	}
}

/* --- waiting ------------------------------------------------------------------------------------ */

static uint64_t look_at_all(struct loop *l)
{
	uint64_t now_ns = sp_guard_now_ns(), next_ns = sp_guard_jobs_look(now_ns);

	find_new(l, now_ns);
	if (is_by_name(l) && !l->leaving && l->next_find_ns < next_ns)
		next_ns = l->next_find_ns;
	for (size_t i = 0; i < l->count; i++) {
		struct sp_guard_target *t = l->targets[i];

		if (t->ended || l->leaving)
			continue;
		if (now_ns >= t->next_look_ns)
			sp_guard_target_look(t, l->wish);
		next_ns = t->next_look_ns < next_ns ? t->next_look_ns : next_ns;
	}
	return next_ns;
}

static void await(struct loop *l, uint64_t until_ns)
{
	struct pollfd polled[TARGETS + 1] = {{.fd = l->signals, .events = POLLIN}};
	uint64_t now_ns = sp_guard_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000u), .tv_nsec = (long)(left_ns % 1000000000u)};
	size_t count = l->count;

	for (size_t i = 0; i < count; i++)
		polled[i + 1] =
			(struct pollfd){.fd = l->targets[i]->ended || l->targets[i]->ours ? -1 : l->targets[i]->pidfd,
				.events = POLLIN};
	if (ppoll(polled, count + 1, until_ns == UINT64_MAX ? NULL : &left, NULL) <= 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (polled[i + 1].revents)
			look_for_end(l->targets[i]);
}

static bool has_work(const struct loop *l)
{
	return l->count || l->app || (is_by_name(l) && !l->leaving);
}

int sp_guard_loop(struct sp_guard_run *run, const struct sp_guard_wish *wish, int signals)
{
	static struct loop l;
	int status;

	l = (struct loop){.run = run, .wish = wish, .signals = signals, .app = run->app ? run->pid : 0};
	if (run->pid && (status = add(&l, run->pid)) > 0)
		return status;
	if (is_by_name(&l))
		sp_complain("guard: watching what goes by the name %s, until Ctrl-C", run->name);
	while (has_work(&l)) {
		uint64_t next_ns = look_at_all(&l);

		report_and_forget(&l);
		if (!has_work(&l))
			break;
		await(&l, next_ns);
		take_signals(&l);
		reap(&l);
	}
	return 0;
}
