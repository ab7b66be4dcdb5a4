/* report --for and --since: what happened in a window. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/buffer.h"
#include "profiles/spool/find.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/window.h"
#include "tools/live.h"
#include "tools/tools.h"

int sp_window_check_wish(const struct sp_window_wish *w)
{
	uint64_t ns;

	if (w->at && (w->lasts || w->loop)) {
		sp_complain("report: --at: a mark is in the past; leave --%s out", w->loop ? "loop" : "for");
		return SP_EXIT_USAGE;
	}
	if (!!w->lasts + !!w->since + !!w->loop > 1) {
		sp_complain("report: --for, --since and --loop: each begins the window at another moment; leave all "
			    "but one out");
		return SP_EXIT_USAGE;
	}
	if (!w->loop && (w->keep || w->keep_bytes)) {
		sp_complain("report: --%s: it is for --loop; leave it out", w->keep ? "keep" : "keep-bytes");
		return SP_EXIT_USAGE;
	}
	return w->lasts ? sp_duration_parse("report", "for", w->lasts, &ns) : 0;
}

static int read_at_once(int fd, const char *what, struct sp_snapshot *snapshot)
{
	const char *why = "";

	if (sp_snapshot_read(snapshot, fd, &why) == 0)
		return 0;
	sp_complain("report: %s: %s", what, why);
	return SP_EXIT_USAGE;
}

static int open_for(const struct sp_window_wish *wish, const char *what, struct sp_snapshot *earlier)
{
	struct sp_live_spool live;
	uint64_t ns;

	if (sp_duration_parse("report", "for", wish->lasts, &ns) || sp_live_open(&live, "report", what))
		return -1;
	if (read_at_once(live.fd, what, earlier)) {
		sp_live_close(&live);
		return -1;
	}
	sp_live_catch();
	switch (sp_live_await(&live, ns)) {
	case SP_LIVE_ENDED:
		sp_complain("report: process %d ended before the window did", live.header.pid);
		break;
	case SP_LIVE_EXEC:
		sp_complain("report: process %d became another program, and the window ends there", live.header.pid);
		break;
	case SP_LIVE_INTERRUPTED:
	case SP_LIVE_TIME:
		break;
	}
	return live.fd;
}

/* The spool of what is named, and the number of its process. */
static int open_named(const char *what, int *pid)
{
	struct sp_snapshot peek = {0};
	char path[PATH_MAX];
	const char *why = "";
	int fd;

	if (sp_live_find("report", what, path))
		return -1;
	fd = sp_spool_open(path);
	if (fd >= 0 && sp_snapshot_peek(&peek, fd, &why) == 0) {
		*pid = peek.header.pid;
	} else {
		sp_complain("report: %s: %s; a window is of a process, a spool or a snapshot", what,
			*why ? why : strerror(-fd));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	sp_snapshot_free(&peek);
	return fd;
}

int sp_window_open(const struct sp_window_wish *wish, const char *what, struct sp_snapshot *earlier, const char **mark)
{
	char path[PATH_MAX];
	int fd, found = 0, pid = 0;

	*mark = NULL;
	if (wish->lasts)
		return open_for(wish, what, earlier);
	fd = open_named(what, &pid);
	if (fd < 0 || !wish->since)
		return fd;
	found = sp_snapshot_since("report", wish->since, pid, path);
	if (found == 0)
		*mark = wish->since;
	if (found < 0 || (found > 0 && sp_snapshot_load("report", path, earlier))) {
		close(fd);
		return -1;
	}
	return fd;
}

int sp_mark_complain(const char *what, int fd, const char *label)
{
	char own[SP_MARK_LABEL_BYTES];
	struct sp_snapshot s = {0};
	struct sp_buffer names = {0};
	const char *why;

	if (sp_snapshot_read(&s, fd, &why) == 0)
		for (size_t i = 0; i < s.mark_count; i++) {
			sp_mark_label(&s, &s.marks[i], own);
			sp_buffer_printf(&names, "%s%s", i ? ", " : "; it has the marks ", own);
		}
	sp_complain("report: %s: there is no such snapshot and no such mark as '%s'%s", what, label,
		names.length ? names.data
			     : "; smartprof snapshot --name NAME makes the former, smartprof_mark the latter");
	sp_buffer_free(&names);
	sp_snapshot_free(&s);
	return SP_EXIT_USAGE;
}
