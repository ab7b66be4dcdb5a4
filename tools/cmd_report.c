/* smartprof report: prints the profile of a running process, of a spool, or of a written profile. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/markdown.h"
#include "profiles/render.h"
#include "profiles/spool_find.h"
#include "profiles/spool_read.h"

#define PROFILE_MAX_BYTES (256u << 20)
#define PROGRESS_AFTER_NS 500000000u
#define PROGRESS_EVERY_NS 100000000u

static void print_help(void)
{
	printf("usage: smartprof report [--full] PID|SPOOL|PROFILE.md\n\n"
	       "Prints a profile as Markdown: of a process that is running right now, of a spool, or the readable\n"
	       "part of a profile written earlier.\n\n"
	       "  --full          show everything: no limit on the length of tables\n"
	       "  --help          this text\n");
}

struct progress {
	uint64_t start_ns, shown_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void show_progress(void *context, size_t done, size_t total)
{
	struct progress *p = context;
	uint64_t now = now_ns();

	if (done == total) {
		if (p->shown_ns)
			fputs("\r\033[K", stderr);
		return;
	}
	if (now - p->start_ns < PROGRESS_AFTER_NS || now - p->shown_ns < PROGRESS_EVERY_NS)
		return;
	p->shown_ns = now;
	fprintf(stderr, "\rsmartprof: symbolizing %zu of %zu stacks", done, total);
}

static int print_text(const char *text, size_t length)
{
	if (fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0)
		return 0;
	sp_complain("report: standard output: %s; nothing more is printed", strerror(errno));
	return 1;
}

static int report_spool(const char *path, bool full)
{
	struct progress progress = {.start_ns = now_ns()};
	struct sp_render_options options = {.full = full};
	struct sp_buffer out = {0};
	const char *why = "";
	int status;

	if (isatty(STDERR_FILENO)) {
		options.progress = show_progress;
		options.progress_context = &progress;
	}
	if (sp_render_text(path, &options, &out, &why) < 0) {
		sp_complain("report: %s: %s; give it a process id, a spool or a profile", path, why);
		status = SP_EXIT_USAGE;
	} else {
		status = print_text(out.data, out.length);
	}
	sp_buffer_free(&out);
	return status;
}

static int report_profile(const char *path, const struct sp_buffer *text, bool full)
{
	const char *why = "";
	struct sp_profile *profile = sp_markdown_read(text->data, text->length, &why);

	if (!profile) {
		sp_complain("report: %s: %s; give it a process id, a spool or a profile", path, why);
		return SP_EXIT_USAGE;
	}
	sp_profile_free(profile);
	return print_text(text->data, full ? text->length : sp_markdown_top(text->data, text->length));
}

int sp_input_read(const char *path, struct sp_buffer *text)
{
	uint64_t magic = 0;
	char block[65536];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (pread(fd, &magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && magic == SP_SPOOL_MAGIC)
		err = 1;
	else if (st.st_size > PROFILE_MAX_BYTES)
		err = -EFBIG;
	sp_buffer_puts(text, "");
	while (!err && (n = read(fd, block, sizeof(block))) != 0) {
		if (n > 0)
			sp_buffer_add(text, block, (size_t)n);
		else if (errno != EINTR)
			err = -errno;
	}
	close(fd);
	return err;
}

/* The spool of a process that is running; an earlier program of the same process may have left one. */
static bool find_by_pid(int pid, char *path)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX];
	size_t n = sp_spool_directories(directories);
	bool found = false, live = false;

	for (size_t i = 0; i < n && !live; i++) {
		struct sp_spool_file *files;
		long count = sp_spool_list(&files, directories[i]);

		for (long k = 0; k < count && !live; k++) {
			if (files[k].pid != pid)
				continue;
			live = !sp_spool_is_orphan(&files[k]);
			found = true;
			memcpy(path, files[k].path, PATH_MAX);
		}
		if (count >= 0)
			free(files);
	}
	return found;
}

static int report(const char *what, bool full)
{
	char path[PATH_MAX];
	struct sp_buffer text = {0};
	int got, status;

	if (*what && what[strspn(what, "0123456789")] == '\0' && access(what, F_OK) < 0) {
		if (!find_by_pid(atoi(what), path)) {
			sp_complain("report: process %s: it has no spool; start it with LD_PRELOAD=libsmartprof.so",
				what);
			return SP_EXIT_USAGE;
		}
		return report_spool(path, full);
	}
	got = sp_input_read(what, &text);
	if (got < 0) {
		sp_complain("report: %s: %s; give it a process id, a spool or a profile", what, strerror(-got));
		status = SP_EXIT_USAGE;
	} else {
		status = got == 1 ? report_spool(what, full) : report_profile(what, &text, full);
	}
	sp_buffer_free(&text);
	return status;
}

int sp_cmd_report(int argc, char **argv)
{
	static const struct option flags[] = {
		{"full", no_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	bool full = false;
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 'f')
			return sp_flag_error("report", got, argv, flags);
		full = true;
	}
	if (argc - optind != 1) {
		sp_complain("report: it wants one process id, spool or profile; see smartprof report --help");
		return SP_EXIT_USAGE;
	}
	return report(argv[optind], full);
}
