/* smartprof write-log SPOOL FILE BYTES: started by the agent. Makes lines of what the spool's timing log has, until the process is
 * gone, and tells in the spool how far it is. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/spool/find.h"
#include "tools/log/log.h"
#include "tools/tools.h"

#define NICENESS 10
#define NAP_MS 10
#define LONG_NAP_MS 40

struct writer {
	struct sp_events_follow follow;
	struct sp_log_text lines;
	struct sp_log_file file;
	struct sp_span_log told;
	struct sp_buffer head, text;
};

static bool take_turn(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_LOG, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* The words of the spool that are the writer's. */
static void tell(struct writer *w)
{
	const size_t from = offsetof(struct sp_span_log, writer), to = offsetof(struct sp_span_log, reserved);
	off_t at = (off_t)(w->follow.is.header.sections[SP_SEC_SPAN_EVENTS].offset + from);

	if (w->follow.is.span_log.size)
		(void)!pwrite(w->follow.fd, (const char *)&w->told + from, to - from, at);
}

static void write_lines(struct writer *w, uint64_t lines)
{
	uint64_t lost = 0;
	int err;

	sp_buffer_clear(&w->head);
	sp_timing_put_head(&w->head, &w->lines.timing, &w->follow.is, w->follow.is.taken_ns);
	err = w->text.length ? sp_log_file_write(&w->file, &w->head, &w->text, &lost) : 0;
	lost = lost < lines ? lost : lines;
	w->told.error = err ? err : w->told.error;
	w->told.written += lines - lost;
	w->told.lost += lost;
}

/* False: there is nothing more to come. */
static bool look(struct writer *w, bool last)
{
	uint64_t lost = w->follow.place.lost;
	const char *why;

	if (sp_events_look(&w->follow, last, &why) < 0)
		return false;
	sp_buffer_clear(&w->text);
	sp_log_text_put(&w->text, &w->lines, &w->follow.is, w->follow.place.lost);
	if (last && !w->follow.more)
		sp_timing_put_open(&w->text, &w->lines.timing, &w->follow.is);
	write_lines(w, w->follow.is.event_count);
	w->told.lost += w->follow.place.lost - lost;
	w->told.ready = w->follow.place.next;
	tell(w);
	return w->follow.more || !last;
}

static void follow(struct writer *w)
{
	bool last = false;

	while (look(w, last)) {
		unsigned nap = w->follow.is.event_count ? NAP_MS : LONG_NAP_MS;

		if (sp_log_is_over(&w->follow))
			last = true;
		else if (!w->follow.more)
			sp_nap_ms(nap);
	}
}

int sp_cmd_write_log(int argc, char **argv)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
	struct writer w = {.follow.place.begun = true, .told.writer = SP_LOG_WRITES, .lines.headed = true};

	if (argc != 4) {
		sp_complain("write-log: the agent starts this command; see smartprof log --help");
		return SP_EXIT_USAGE;
	}
	/* Whoever ends the process and what belongs to it shall have its last lines, too. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sp_limit_memory();
	sp_yield_memory();
	setpriority(PRIO_PROCESS, 0, NICENESS);
	w.file = (struct sp_log_file){.path = argv[2], .most_bytes = strtoull(argv[3], NULL, 10), .fd = -1};
	w.follow.fd = sp_spool_open(argv[1]);
	if (w.follow.fd < 0 || !take_turn(w.follow.fd))
		return 1;
	follow(&w);
	sp_log_file_close(&w.file);
	sp_events_free(&w.follow);
	sp_timing_free(&w.lines.timing);
	sp_buffer_free(&w.head);
	sp_buffer_free(&w.text);
	close(w.follow.fd);
	return 0;
}
