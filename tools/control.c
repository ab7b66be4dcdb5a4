/* The words of a spool by which the command tells a process what to do. */
#include "tools/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/spool/find.h"
#include "tools/tools.h"

#define NAP_MS 5

#define CONTROL_AT(field) ((off_t)(offsetof(struct sp_spool_header, control) + offsetof(struct sp_control, field)))

static bool write_all(int fd, const void *data, size_t size, off_t at)
{
	return pwrite(fd, data, size, at) == (ssize_t)size;
}

/* One at a time: what is asked for is in several words. */
static bool take_turn(int fd, uint64_t until_ns)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_CONTROL, .l_len = 1};

	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (sp_time_ns(CLOCK_MONOTONIC) > until_ns)
			return false;
		sp_nap_ms(NAP_MS);
	}
	return true;
}

static bool read_control(int fd, struct sp_control *control)
{
	return pread(fd, control, sizeof(*control), offsetof(struct sp_spool_header, control)) ==
		(ssize_t)sizeof(*control);
}

/* The word comes last: what it is about is there then. */
static int ask(int fd, const struct sp_control_wish *wish, uint64_t *word)
{
	struct sp_control control;
	char name[SP_MARK_NAME_BYTES] = "";

	if (!read_control(fd, &control))
		return -EIO;
	if (wish->name)
		memcpy(name, wish->name, strlen(wish->name));
	*word = ((control.asked >> 8) + 1) << 8 | wish->verb;
	if (!write_all(fd, name, sizeof(name), CONTROL_AT(name)) ||
		!write_all(fd, &wish->argument, sizeof(wish->argument), CONTROL_AT(argument)) ||
		!write_all(fd, word, sizeof(*word), CONTROL_AT(asked)))
		return errno ? -errno : -EIO;
	return 0;
}

static bool await_answer(const struct sp_live_spool *live, uint64_t word, uint64_t until_ns, struct sp_control *control)
{
	do {
		if (read_control(live->fd, control) && control->answered == word)
			return true;
		if (!sp_spool_is_live(live->fd, &live->header))
			return false;
		sp_nap_ms(NAP_MS);
	} while (sp_time_ns(CLOCK_MONOTONIC) < until_ns);
	return false;
}

static int complain_of_silence(const char *command, const struct sp_live_spool *live)
{
	int pid = live->header.pid;

	if (!sp_spool_is_live(live->fd, &live->header)) {
		sp_complain("%s: process %d ended before it looked", command, pid);
		return 1;
	}
	sp_complain("%s: process %d has not looked yet: it is stopped, or uses no CPU time and allocates nothing; "
		    "it does what was asked for when it goes on (smartprof ctl %d status tells)",
		command, pid, pid);
	return SP_CONTROL_LATER;
}

static void end_turn(int fd)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_CONTROL, .l_len = 1};

	fcntl(fd, F_OFD_SETLK, &lock);
}

int sp_control_ask(const char *command, const struct sp_live_spool *live, const struct sp_control_wish *wish,
	int *result)
{
	uint64_t until_ns = sp_time_ns(CLOCK_MONOTONIC) + wish->wait_ns, word = 0;
	struct sp_control answer;
	bool answered;
	int err;

	if (live->header.sealed_ns) {
		sp_complain("%s: process %d installed a seccomp filter, which has ended sampling; nothing can be asked "
			    "of it",
			command, live->header.pid);
		return 1;
	}
	if ((fcntl(live->fd, F_GETFL) & O_ACCMODE) != O_RDWR) {
		sp_complain("%s: process %d: its spool cannot be written to; be the user that it runs as", command,
			live->header.pid);
		return 1;
	}
	err = take_turn(live->fd, until_ns) ? ask(live->fd, wish, &word) : -EBUSY;
	answered = !err && await_answer(live, word, until_ns, &answer);
	end_turn(live->fd);
	if (err) {
		sp_complain("%s: process %d: %s; try again", command, live->header.pid,
			err == -EBUSY ? "another smartprof ctl waits for it" : strerror(-err));
		return 1;
	}
	if (!answered)
		return complain_of_silence(command, live);
	*result = answer.result;
	return 0;
}
