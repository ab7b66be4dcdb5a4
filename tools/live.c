/* Finding the spool of a process that runs, and waiting beside it. */
#include "tools/live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/time.h"
#include "profiles/spool/find.h"
#include "profiles/spool/process.h"
#include "tools/report/report.h"
#include "tools/tools.h"

#define LOOK_EVERY_NS 100000000u
#define SHOW_AFTER_NS 500000000u
#define NAP_NS 20000000u

int sp_live_find(const char *command, const char *what, char path[static PATH_MAX])
{
	int found = sp_snapshot_find(command, what, path);

	if (!found)
		found = sp_spool_named(command, what, path);
	if (found)
		return found > 0 ? 0 : SP_EXIT_USAGE;
	if (access(what, F_OK) < 0 && !strchr(what, '/')) {
		sp_spool_complain_absent(command, what);
		return SP_EXIT_USAGE;
	}
	snprintf(path, PATH_MAX, "%s", what);
	return 0;
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), n = strlen(end);

	return length >= n && strcmp(text + length - n, end) == 0;
}

static int complain_of_end(const char *command, const char *what, const struct sp_spool_header *h)
{
	bool reused = !ends_in(what, SP_SPOOL_SUFFIX) && kill(h->pid, 0) == 0 && h->state != SP_STATE_EXEC &&
		!sp_process_alive(h->pid, h->start_ticks);

	if (h->snapshot_ns)
		sp_complain("%s: %s: it is a snapshot, in which nothing more happens; give it a process", command,
			what);
	else if (reused)
		sp_complain("%s: process %s: another process has this number now, and it has no spool; smartprof "
			    "report %s shows the spool of the earlier one",
			command, what, what);
	else
		sp_complain("%s: %s: it has ended; smartprof report %s shows all of it", command, what, what);
	return SP_EXIT_USAGE;
}

/* Stopped, it does nothing that could be seen; that is no reason not to look. */
static void warn_if_stopped(const char *command, int pid)
{
	struct sp_process_stat stat;

	if (sp_process_stat(pid, &stat) == 0 && (stat.state == 'T' || stat.state == 't'))
		sp_complain("%s: process %d is stopped: nothing happens in it until it goes on (kill -CONT %d)",
			command, pid, pid);
}

int sp_live_open(struct sp_live_spool *live, const char *command, const char *what)
{
	struct sp_snapshot peek = {0};
	const char *why = "";
	int err, status = sp_live_find(command, what, live->path);

	live->fd = -1;
	if (status)
		return status;
	live->fd = sp_spool_open(live->path);
	err = live->fd < 0 ? live->fd : sp_snapshot_peek(&peek, live->fd, &why);
	live->header = peek.header;
	sp_snapshot_free(&peek);
	if (err) {
		sp_complain("%s: %s: %s; give it a process, or the spool of one", command, what,
			*why ? why : strerror(-err));
		status = SP_EXIT_USAGE;
	} else if (live->header.snapshot_ns || live->header.state == SP_STATE_ENDED ||
		!sp_spool_is_live(live->fd, &live->header)) {
		status = complain_of_end(command, what, &live->header);
	} else {
		warn_if_stopped(command, live->header.pid);
	}
	if (status)
		sp_live_close(live);
	return status;
}

void sp_live_close(struct sp_live_spool *live)
{
	if (live->fd >= 0)
		close(live->fd);
	live->fd = -1;
}

/* --- waiting ------------------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

void sp_live_catch(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool sp_live_is_interrupted(void)
{
	return interrupted;
}

static bool has_ended(const struct sp_live_spool *live, enum sp_live_end *end)
{
	struct sp_spool_header h;

	if (pread(live->fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		h.state = SP_STATE_ENDED;
	*end = h.state == SP_STATE_EXEC ? SP_LIVE_EXEC : SP_LIVE_ENDED;
	return h.state == SP_STATE_ENDED || h.detach || !sp_spool_is_live(live->fd, &live->header);
}

static void show(uint64_t passed_ns, uint64_t ns)
{
	if (ns == UINT64_MAX)
		fprintf(stderr, "\rsmartprof: %.0f s; Ctrl-C ends it ", (double)passed_ns / 1e9);
	else
		fprintf(stderr, "\rsmartprof: %.0f of %.0f s; Ctrl-C ends it now ", (double)passed_ns / 1e9,
			(double)ns / 1e9);
}

enum sp_live_end sp_live_await(const struct sp_live_spool *live, uint64_t ns)
{
	uint64_t start_ns = sp_time_ns(CLOCK_MONOTONIC), passed_ns = 0, shown_ns = 0, looked_ns = 0;
	bool terminal = isatty(STDERR_FILENO);
	enum sp_live_end end = SP_LIVE_TIME;

	while (passed_ns < ns && !interrupted) {
		uint64_t left_ns = ns - passed_ns;

		if (passed_ns - looked_ns >= LOOK_EVERY_NS) {
			looked_ns = passed_ns;
			if (has_ended(live, &end))
				break;
			end = SP_LIVE_TIME;
		}
		if (terminal && passed_ns >= SHOW_AFTER_NS && passed_ns - shown_ns >= SHOW_AFTER_NS) {
			shown_ns = passed_ns;
			show(passed_ns, ns);
		}
		nanosleep(&(struct timespec){.tv_nsec = left_ns < NAP_NS ? (long)left_ns : (long)NAP_NS}, NULL);
		passed_ns = sp_time_ns(CLOCK_MONOTONIC) - start_ns;
	}
	if (shown_ns)
		fputs("\r\033[K", stderr);
	return interrupted ? SP_LIVE_INTERRUPTED : end;
}

/* --- times -------------------------------------------------------------------------------------- */

#define DURATION_MOST_MS 31536000000u

int sp_duration_parse(const char *command, const char *flag, const char *text, uint64_t *ns)
{
	const struct sp_option_row row = {.type = SP_TYPE_MS, .min = 1, .max = DURATION_MOST_MS};
	size_t digits = strspn(text, "0123456789");
	uint64_t ms = 0;

	if (digits && digits < 9 && strcmp(text + digits, "h") == 0)
		ms = strtoull(text, NULL, 10) * 3600000u;
	else if (digits && text[digits] && sp_option_parse(&row, text, &ms) < 0)
		ms = 0;
	*ns = ms * 1000000u;
	if (ms && ms <= DURATION_MOST_MS)
		return 0;
	sp_complain("%s: --%s: '%s' is not a time; give it a number with ms, s, min or h", command, flag, text);
	return SP_EXIT_USAGE;
}
