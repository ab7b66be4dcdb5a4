/* Commands under way. */
#include "tools/monitor/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/monitor/keeper.h"
#include "tools/monitor/watch_end.h"

#define SHOW_NS 200000000ull
#define LOOK_STEP_MOST_NS 200000000ull /* however long the run is: peaks are not to be missed */
#define FDS_EACH 3
#define GIVE_UP_NS (SP_KEEPER_GRACE_MS * 1000000ull + 1000000000ull) /* the last command has ended by then */

static sigset_t mask_before, taken;

/* Each command takes some descriptors, and each of its processes one. Commands have the limit that the nursery began with. */
static void lift_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int sp_watches_open(struct sp_watches *watches, unsigned most)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int error = sp_nursery_open(&watches->nursery);

	if (error)
		return error;
	lift_limit();
	watches->items = sp_alloc(most, sizeof(*watches->items));
	watches->count = most;
	watches->give_up_ns = UINT64_MAX;
	for (unsigned i = 0; i < most; i++)
		watches->items[i].control = -1;
	sigemptyset(&taken);
	for (int number = 1; number <= SIGTERM; number++)
		if ((number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT) &&
			!(watches->nursery.signals_ignored & 1ull << (number - 1)))
			sigaddset(&taken, number);
	sigaction(SIGPIPE, &ignore, NULL);
	sigprocmask(SIG_BLOCK, &taken, &mask_before);
	watches->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	return watches->signals < 0 ? -errno : 0;
}

void sp_watches_close(struct sp_watches *watches)
{
	struct sigaction ordinary = {.sa_handler = SIG_DFL};

	sp_nursery_close(&watches->nursery);
	if (watches->signals >= 0)
		close(watches->signals);
	free(watches->items);
	watches->items = NULL;
	watches->count = 0;
	if (!(watches->nursery.signals_ignored & 1ull << (SIGPIPE - 1)))
		sigaction(SIGPIPE, &ordinary, NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

void sp_watches_let_signals_end_us(bool yes)
{
	sigprocmask(yes ? SIG_UNBLOCK : SIG_BLOCK, &taken, NULL);
}

bool sp_watch_is_free(const struct sp_watch *watch)
{
	return !watch->run;
}

/* --- starting */

static int open_output(struct sp_caught *output, const struct sp_watch *w, const struct sp_watch_terms *terms, int ours,
	const char *end)
{
	char *path = NULL;
	int error;

	if (terms->output == SP_CAUGHT_FILE)
		path = w->run->attempt > 1
			? sp_text("%s/%04llu.%u.%s", terms->directory, (unsigned long long)w->label, w->run->attempt,
				  end)
			: sp_text("%s/%04llu.%s", terms->directory, (unsigned long long)w->label, end);
	error = sp_caught_open(output, terms->output, ours, path);
	free(path);
	return error;
}

static int start(struct sp_watches *watches, struct sp_watch *w, const struct sp_watch_terms *terms,
	char *const *variables, const struct sp_tree_hold *hold)
{
	int fds[3] = {terms->input, -1, -1}, error;

	if (!w->run->program_path)
		return -w->run->exec_errno;
	error = open_output(&w->output, w, terms, STDOUT_FILENO, "out");
	if (!error)
		error = open_output(&w->errors, w, terms, STDERR_FILENO, "err");
	if (error)
		return error;
	fds[1] = w->output.theirs;
	fds[2] = w->errors.theirs;
	w->control = sp_nursery_start(&watches->nursery, w->run->program_path, w->run->argv, variables, hold, fds);
	sp_caught_given(&w->output);
	sp_caught_given(&w->errors);
	return w->control < 0 ? w->control : 0;
}

static void set_over(struct sp_watch *w)
{
	w->over = true;
	sp_caught_no_more(&w->output);
	sp_caught_no_more(&w->errors);
}

struct sp_watch *sp_watch_start(struct sp_watches *watches, struct sp_monitor_run *run,
	const struct sp_watch_terms *terms, char *const *variables, const struct sp_tree_hold *hold, uint64_t label)
{
	struct sp_watch *w = watches->items;
	int error;

	while (!sp_watch_is_free(w))
		w++;
	*w = (struct sp_watch){.run = run,
		.label = label,
		.control = -1,
		.look_ns = UINT64_MAX,
		.output = {.theirs = -1, .from = -1, .file = -1},
		.errors = {.theirs = -1, .from = -1, .file = -1}};
	run->jobs = terms->jobs;
	run->timeline.step_ns = SP_LOOK_FIRST_NS;
	run->timeout_ns = terms->timeout_ns;
	run->started_ns = sp_time_ns(CLOCK_REALTIME);
	sp_held_back_read(&w->before);
	error = start(watches, w, terms, variables, hold);
	if (error) {
		run->exec_errno = -error;
		set_over(w);
	}
	return w;
}

/* --- ending */

static void order(struct sp_watch *w, char what)
{
	w->ordered_to_end = true;
	if (w->control >= 0)
		send(w->control, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void end_timed_out(struct sp_watch *w, uint64_t now)
{
	const struct sp_monitor_run *run = w->run;

	if (!run->timeout_ns || !w->started || w->ended || w->ordered_to_end || now - w->began_ns < run->timeout_ns)
		return;
	w->run->state = SP_MONITOR_TIMEOUT;
	order(w, SP_KEEPER_END);
}

static void take_signals(struct sp_watches *watches)
{
	struct signalfd_siginfo info;

	while (read(watches->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		char what = watches->stopped ? SP_KEEPER_KILL : SP_KEEPER_END;

		watches->give_up_ns = sp_time_ns(CLOCK_MONOTONIC) + (watches->stopped ? 0 : GIVE_UP_NS);
		watches->stopped = (int)info.ssi_signo;
		for (unsigned i = 0; i < watches->count; i++) {
			struct sp_watch *w = &watches->items[i];

			if (sp_watch_is_free(w) || w->over)
				continue;
			w->run->interrupted = !w->ended && w->run->state != SP_MONITOR_TIMEOUT;
			order(w, what);
		}
	}
}

/* --- looking */

static void look(struct sp_watch *w, uint64_t now)
{
	uint64_t step = w->run->timeline.step_ns;

	sp_look_at(&w->look, now - w->began_ns);
	sp_monitor_timeline_add(&w->run->timeline, &w->look.last);
	sp_caught_trim(&w->output);
	sp_caught_trim(&w->errors);
	step = step < LOOK_STEP_MOST_NS ? step : LOOK_STEP_MOST_NS;
	w->look_ns = now + (w->look.interval_ns > step ? w->look.interval_ns : step);
}

static void take_started(struct sp_watch *w, const struct sp_keeper_told *told)
{
	if (told->error) {
		w->run->exec_errno = told->error;
		set_over(w);
		return;
	}
	w->started = true;
	w->pid = told->pid;
	w->keeper = told->keeper;
	w->began_ns = told->at_ns;
	sp_look_begin(&w->look, w->keeper);
	w->look_ns = w->began_ns + SP_LOOK_FIRST_NS;
}

static void take_told(struct sp_watch *w)
{
	struct sp_keeper_told told;
	ssize_t got = recv(w->control, &told, sizeof(told), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got != (ssize_t)sizeof(told)) { /* it is gone, and the command with it or not */
		w->run->complete = false;
		w->run->exec_errno = w->started ? 0 : ECHILD;
		set_over(w);
	} else if (told.news == SP_KEEPER_STARTED) {
		take_started(w, &told);
	} else if (told.news == SP_KEEPER_ENDED) {
		w->ended = true;
		w->look_ns = UINT64_MAX;
		sp_watch_take_ended(w, &told);
	} else {
		set_over(w);
		sp_watch_take_over(w, &told);
	}
}

/* --- the loop */

static uint64_t next_moment(const struct sp_watches *watches, uint64_t until_ns)
{
	for (unsigned i = 0; i < watches->count; i++) {
		const struct sp_watch *w = &watches->items[i];
		uint64_t timeout = w->run ? w->run->timeout_ns : 0;

		if (!sp_watch_is_free(w) && w->over && watches->give_up_ns < until_ns)
			until_ns = watches->give_up_ns;
		if (sp_watch_is_free(w) || w->over)
			continue;
		until_ns = w->look_ns < until_ns ? w->look_ns : until_ns;
		if (timeout && w->started && !w->ended && !w->ordered_to_end && w->began_ns + timeout < until_ns)
			until_ns = w->began_ns + timeout;
	}
	if (watches->show && watches->show_ns < until_ns)
		until_ns = watches->show_ns;
	return until_ns;
}

/* Serves everybody once, until something happens or that moment comes. */
static void serve(struct sp_watches *watches, uint64_t until_ns)
{
	struct pollfd *polled = sp_alloc(1 + FDS_EACH * (size_t)watches->count, sizeof(*polled));
	uint64_t now = sp_time_ns(CLOCK_MONOTONIC), then = next_moment(watches, until_ns),
		 left = then > now ? then - now : 0;
	struct timespec wait = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
	const struct pollfd nothing = {.fd = -1};

	polled[0] = (struct pollfd){.fd = watches->signals, .events = POLLIN};
	for (unsigned i = 0; i < watches->count; i++) {
		const struct sp_watch *w = &watches->items[i];
		bool active = !sp_watch_is_free(w) && !w->over;

		polled[1 + FDS_EACH * i] = (struct pollfd){.fd = active ? w->control : -1, .events = POLLIN};
		polled[2 + FDS_EACH * i] = sp_watch_is_free(w) ? nothing : sp_caught_awaits(&w->output);
		polled[3 + FDS_EACH * i] = sp_watch_is_free(w) ? nothing : sp_caught_awaits(&w->errors);
	}
	ppoll(polled, 1 + FDS_EACH * watches->count, then == UINT64_MAX ? NULL : &wait, NULL);
	now = sp_time_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < watches->count; i++) {
		struct sp_watch *w = &watches->items[i];

		if (polled[1 + FDS_EACH * i].revents)
			take_told(w);
		if (polled[2 + FDS_EACH * i].revents)
			sp_caught_relay(&w->output);
		if (polled[3 + FDS_EACH * i].revents)
			sp_caught_relay(&w->errors);
		if (!sp_watch_is_free(w) && !w->over) {
			if (now >= w->look_ns)
				look(w, now);
			end_timed_out(w, now);
		}
	}
	if (polled[0].revents)
		take_signals(watches);
	free(polled);
	if (watches->show && now >= watches->show_ns) {
		watches->show(watches, watches->context);
		watches->show_ns = now + SHOW_NS;
	}
}

/* Also what it wrote has gone where it belongs. */
static bool is_done(const struct sp_watches *watches, const struct sp_watch *w)
{
	if (!w->over)
		return false;
	return (sp_caught_is_empty(&w->output) && sp_caught_is_empty(&w->errors)) ||
		sp_time_ns(CLOCK_MONOTONIC) >= watches->give_up_ns;
}

struct sp_watch *sp_watches_next(struct sp_watches *watches)
{
	for (;;) {
		bool any = false;

		for (unsigned i = 0; i < watches->count; i++) {
			struct sp_watch *w = &watches->items[i];

			any = any || !sp_watch_is_free(w);
			if (sp_watch_is_free(w) || !is_done(watches, w))
				continue;
			sp_watch_complete(w);
			return w;
		}
		if (!any)
			return NULL;
		serve(watches, UINT64_MAX);
	}
}

void sp_watch_await(struct sp_watches *watches, struct sp_watch *w)
{
	while (!is_done(watches, w))
		serve(watches, UINT64_MAX);
	sp_watch_complete(w);
}

bool sp_watches_sleep(struct sp_watches *watches, uint64_t until_ns)
{
	while (!watches->stopped && sp_time_ns(CLOCK_MONOTONIC) < until_ns)
		serve(watches, until_ns);
	return !watches->stopped;
}

void sp_watch_release(struct sp_watch *w)
{
	if (w->run->left) {
		sp_caught_leave(&w->output);
		sp_caught_leave(&w->errors);
	}
	sp_look_end(&w->look);
	sp_caught_close(&w->output);
	sp_caught_close(&w->errors);
	if (w->control >= 0)
		close(w->control);
	*w = (struct sp_watch){.control = -1};
}
