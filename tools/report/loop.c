/* report --loop: one window after the other, each in a file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/directory.h"
#include "profiles/base/keep.h"
#include "profiles/output/render.h"
#include "profiles/spool/window.h"
#include "tools/live.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define DIRECTORY_USUAL "profiles/windows"
#define FILES_USUAL 24u
#define BYTES_USUAL (128u * 1000000u)
#define SUFFIX ".window.md"

struct loop {
	const struct sp_render_options *options;
	char directory[PATH_MAX];
	int directory_fd;
	char program[SAFE_NAME_MAX + 1];
	uint64_t every_ns, files_most, bytes_most;
};

static int parse_limit(const char *flag, const char *text, enum sp_option_type type, uint64_t *limit)
{
	const struct sp_option_row row = {.type = type, .min = 1, .max = INT64_MAX};

	if (!text || sp_option_parse(&row, text, limit) == 0)
		return 0;
	sp_complain("report: --%s: '%s' is no %s", flag, text,
		type == SP_TYPE_BYTES ? "size; give it one such as 300MB" : "number of files");
	return SP_EXIT_USAGE;
}

static int prepare(struct loop *loop, const struct sp_window_wish *wish, const char *directory)
{
	const char *wanted = directory ? directory : DIRECTORY_USUAL;
	bool made, fits = sp_absolute(loop->directory, wanted);
	int status;

	status = sp_duration_parse("report", "loop", wish->loop, &loop->every_ns);
	if (!status)
		status = parse_limit("keep", wish->keep, SP_TYPE_COUNT, &loop->files_most);
	if (!status)
		status = parse_limit("keep-bytes", wish->keep_bytes, SP_TYPE_BYTES, &loop->bytes_most);
	if (status)
		return status;
	loop->directory_fd = fits ? sp_directory_open(loop->directory, &made) : -ENAMETOOLONG;
	if (loop->directory_fd >= 0)
		return 0;
	sp_complain("report: --output: %s: %s; profiles of windows go to a directory", wanted,
		strerror(-loop->directory_fd));
	return 1;
}

static void name_file(char *name, size_t size, const struct loop *loop, const struct sp_snapshot *later)
{
	struct timespec now;
	char at[32] = "";
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm))
		strftime(at, sizeof(at), "%Y%m%d-%H%M%S", &tm);
	snprintf(name, size, "%s.%s.%03ld.%d" SUFFIX, loop->program, at, now.tv_nsec / 1000000, later->header.pid);
}

/* In a process of its own, of whose limits and memory nothing is left for the next window. */
static int write_window(const struct loop *loop, struct sp_snapshot *later, const struct sp_snapshot *earlier,
	const char *name)
{
	struct sp_buffer text = {0};
	const char *why = "";
	int err;

	sp_limit_reading();
	err = sp_window_take(later, earlier, &why);
	if (!err)
		err = sp_render_snapshot(later, loop->options, &text, &why);
	if (err) {
		sp_complain("report: process %d: it %s what it was before", later->header.pid, why);
		return 1;
	}
	err = sp_output_put(loop->directory_fd, name, &text, true);
	if (err)
		sp_complain("report: %s/%s: %s; the next window begins where this one did", loop->directory, name,
			err == -ENOSPC || err == -EDQUOT ? "there is no room for it" : strerror(-err));
	else
		printf("%s/%s\n", loop->directory, name);
	if (!err) {
		sp_push_note_text(&text);
		sp_push_start();
	}
	fflush(stdout);
	return err ? 1 : 0;
}

static bool write_apart(const struct loop *loop, struct sp_snapshot *later, const struct sp_snapshot *earlier)
{
	char name[NAME_MAX + 1];
	int status = 0;
	pid_t child;

	name_file(name, sizeof(name), loop, later);
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(write_window(loop, later, earlier, name));
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What an earlier loop of the same program left counts, too: a restart does not begin anew. */
static void remove_old(const struct loop *loop)
{
	char begin[SAFE_NAME_MAX + 2];

	snprintf(begin, sizeof(begin), "%s.", loop->program);
	sp_keep_newest(loop->directory, loop->directory_fd, begin, SUFFIX, loop->files_most, loop->bytes_most);
}

/* A window that could not be written is a part of the next one: nothing is lost. */
static int go_round(const struct loop *loop, const struct sp_live_spool *live, struct sp_snapshot *earlier)
{
	enum sp_live_end end;
	bool written = true;

	do {
		struct sp_snapshot later = {0};
		const char *why = "";

		end = sp_live_await(live, loop->every_ns);
		if (sp_snapshot_read(&later, live->fd, &why) < 0) {
			sp_complain("report: %s: %s", live->path, why);
			sp_snapshot_free(&later);
			return 1;
		}
		written = write_apart(loop, &later, earlier);
		if (written) {
			sp_snapshot_free(earlier);
			*earlier = later;
			remove_old(loop);
		} else {
			sp_snapshot_free(&later);
		}
	} while (end == SP_LIVE_TIME);
	return written ? 0 : 1;
}

int sp_window_loop(const struct sp_window_wish *wish, const char *what, const char *directory,
	const struct sp_render_options *options)
{
	struct loop loop = {
		.options = options, .directory_fd = -1, .files_most = FILES_USUAL, .bytes_most = BYTES_USUAL};
	struct sp_snapshot earlier = {0};
	struct sp_live_spool live = {.fd = -1};
	const char *why = "";
	int status = prepare(&loop, wish, directory);

	if (!status)
		status = sp_live_open(&live, "report", what);
	if (!status && sp_snapshot_read(&earlier, live.fd, &why) < 0) {
		sp_complain("report: %s: %s", what, why);
		status = SP_EXIT_USAGE;
	}
	if (!status) {
		sp_output_safe_name(loop.program, sizeof(loop.program),
			sp_snapshot_text(&earlier, earlier.header.text.program));
		sp_live_catch();
		status = go_round(&loop, &live, &earlier);
	}
	sp_snapshot_free(&earlier);
	sp_live_close(&live);
	if (loop.directory_fd >= 0)
		close(loop.directory_fd);
	return status;
}
