/* smartprof attach and detach: the CPU profile of a process that was started without the agent. */
#include "tools/attach/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/escape.h"
#include "profiles/base/time.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "profiles/spool/process.h"
#include "profiles/spool/read.h"
#include "tools/live.h"
#include "tools/tools.h"
#include "tools/push/send.h"

#define FAILED 1
#define ANSWER_NS 200000000u /* for a process that runs to see that sampling is to end */
#define NAP_MS 5

static void print_attach_help(void)
{
	printf("usage: smartprof attach [--for TIME] [--output FILE] PID\n\n"
	       "Puts the agent into a process that runs, samples its CPU time until TIME has passed, it ends, or "
	       "Ctrl-C\n"
	       "is pressed, takes the agent out of the way again and writes the profile, whose path it prints. One\n"
	       "thread of the process is stopped for it, for about a millisecond. Settings are those of this command, "
	       "as\n"
	       "for smartprof run. A heap profile needs the agent from the start: smartprof run.\n\n"
	       "  --for TIME      sample for 30s, 5min or 1h\n"
	       "  --output FILE   write the profile to FILE\n" SP_SYMBOLS_HELP "  --help          show this text\n\n"
	       "smartprof report PID shows what there is so far; smartprof detach PID ends it from elsewhere. It asks "
	       "for\n"
	       "what a debugger asks for: the same user, or root where kernel.yama.ptrace_scope is not 0.\n");
}

static void print_detach_help(void)
{
	printf("usage: smartprof detach PID\n\n"
	       "Ends the sampling of a process that smartprof attach has been used on, and writes its profile. The\n"
	       "library stays in the process, asleep: it is never unloaded, and attaching again wakes "
	       "it.\n\n" SP_SYMBOLS_HELP "  --help          show this text\n");
}

/* --- the spool of an attached process */

struct attached {
	struct sp_live_spool live;
	bool foreign; /* another user's */
};

/* Opens a spool if it is one of an attached process: 0 or a negative errno. */
static int open_attached(struct attached *a, const char *path)
{
	struct sp_snapshot peek = {0};
	const char *why;
	struct stat st;
	int err;

	snprintf(a->live.path, sizeof(a->live.path), "%s", path);
	a->live.fd = sp_spool_open(path);
	if (a->live.fd < 0)
		return a->live.fd;
	err = sp_snapshot_peek(&peek, a->live.fd, &why);
	a->live.header = peek.header;
	sp_snapshot_free(&peek);
	if (!err && (fstat(a->live.fd, &st) < 0 || !a->live.header.attached_ns || a->live.header.snapshot_ns))
		err = -ENOENT;
	a->foreign = !err && st.st_uid != geteuid();
	if (err)
		sp_live_close(&a->live);
	return err;
}

static bool find_in(struct attached *a, const char *directory, int pid, uint64_t start_ticks)
{
	struct sp_spool_file *files;
	long count = sp_spool_list(&files, directory);
	bool found = false;

	for (long i = 0; i < count && !found; i++)
		if (files[i].pid == pid && files[i].start_ticks == start_ticks &&
			open_attached(a, files[i].path) == 0) {
			found = a->live.header.state != SP_STATE_ENDED && !a->live.header.detach;
			if (!found)
				sp_live_close(&a->live);
		}
	if (count >= 0)
		free(files);
	return found;
}

/* Where agents of the process's user leave their spools, as it sees that. */
static bool find_attached(struct attached *a, int pid)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX], path[PATH_MAX];
	struct sp_process_stat stat_line;
	size_t count = sp_spool_directories(directories);
	struct stat st;

	a->live.fd = -1;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (sp_process_stat(pid, &stat_line) != 0 || stat(path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/root/dev/shm/smartprof-%u", pid, (unsigned)st.st_uid);
	if (find_in(a, path, pid, stat_line.start_ticks))
		return true;
	for (size_t i = 0; i < count; i++)
		if (find_in(a, directories[i], pid, stat_line.start_ticks))
			return true;
	return false;
}

/* --- the end */

static bool has_answered(const struct attached *a)
{
	struct sp_spool_header h;

	return pread(a->live.fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.detached || h.state == SP_STATE_ENDED ||
		!sp_spool_is_live(a->live.fd, &a->live.header);
}

/* A process that sleeps sees it when it next runs: until then there is nothing to sample. */
static bool end_sampling(const struct attached *a)
{
	const uint32_t yes = 1;
	uint64_t until_ns = sp_time_ns(CLOCK_MONOTONIC) + ANSWER_NS;

	if (pwrite(a->live.fd, &yes, sizeof(yes), offsetof(struct sp_spool_header, detach)) != (ssize_t)sizeof(yes))
		return false;
	while (!has_answered(a) && sp_time_ns(CLOCK_MONOTONIC) < until_ns)
		sp_nap_ms(NAP_MS);
	return true;
}

static void print_path(const char *path)
{
	struct sp_buffer shown = {0};

	sp_escape(&shown, SP_ESCAPE_PLAIN, path, strlen(path));
	printf("%s\n", shown.data);
	sp_buffer_free(&shown);
}

/* Root goes by its own settings, not by what stands in a spool of somebody else's. */
static int write_profile(const char *command, const struct attached *a, const struct sp_symbolizer_options *symbols,
	const char *output)
{
	struct sp_render_options options = {.symbols = symbols};
	char directory[PATH_MAX], file[PATH_MAX] = "";
	const struct sp_output_wish wish = {directory, file};
	struct sp_render_result result;
	struct sp_value setting;
	int err;

	sp_value_load(&setting, SP_OPT_DIR, environ, sp_settings_file());
	if (!sp_absolute(directory, setting.text ? setting.text : "profiles") || (output && !sp_absolute(file, output)))
		return -ENAMETOOLONG;
	err = sp_render_held(a->live.fd, a->live.path, a->foreign ? &wish : NULL, &options, &result);
	if (!err) {
		sp_push_note(result.path);
		sp_push_start();
		print_path(result.path);
	} else if (err != -EWOULDBLOCK && err != -ENOENT)
		sp_complain("%s: the spool of process %d, %s, %s", command, a->live.header.pid, a->live.path,
			result.why);
	return err;
}

/* --- attach */

struct wish {
	const char *output;
	uint64_t for_ns; /* UINT64_MAX: until something ends it */
	struct sp_symbolizer_options symbols;
};

static int parse_pid(const char *command, int argc, char **argv, int *pid)
{
	size_t digits = argc - optind == 1 ? strspn(argv[optind], "0123456789") : 0;

	if (digits && digits < 10 && !argv[optind][digits]) {
		*pid = atoi(argv[optind]);
		return 0;
	}
	sp_complain("%s: give it the number of one process; see smartprof %s --help", command, command);
	return SP_EXIT_USAGE;
}

static const char *ptrace_scope(void)
{
	char value = '0';
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

	if (file) {
		value = (char)fgetc(file);
		fclose(file);
	}
	return value == '3'    ? "kernel.yama.ptrace_scope is 3: nobody may attach until the machine starts anew"
		: value == '2' ? "kernel.yama.ptrace_scope is 2: attach as root"
		: value == '1' ? "kernel.yama.ptrace_scope is 1: attach as root, or set it to 0 (sysctl)"
		: geteuid()    ? "attach as root"
			       : "this container has no CAP_SYS_PTRACE; give it that (docker run --cap-add=SYS_PTRACE)";
}

static int complain_of_load(const struct sp_attach_target *t, const struct sp_attach_done *done, int err)
{
	if (err == -EPERM || err == -EACCES)
		sp_complain("attach: process %d cannot be traced; %s", t->pid, ptrace_scope());
	else if (err == -ESRCH)
		sp_complain("attach: process %d has ended meanwhile", t->pid);
	else if (err == -EINPROGRESS)
		sp_complain("attach: thread %d of process %d does not get on with loading the library; it goes on by "
			    "itself, "
			    "and what it has loaded does nothing",
			done->tid, t->pid);
	else
		sp_complain(
			"attach: process %d: no thread was found in 5 s that could load the library: %s; nothing was "
			"changed, try again",
			t->pid, done->why);
	return FAILED;
}

/* Where the library lies now; 0: the loader has not taken it. */
static uint64_t find_library(const struct sp_attach_target *t, const struct sp_attach_library *library)
{
	struct sp_attach_maps maps;
	uint64_t at = t->agent;

	if (!at && sp_attach_maps_read(&maps, t->pid) == 0)
		for (size_t i = 0; i < maps.count && !at; i++)
			if (strstr(maps.list[i].path, strrchr(library->path, '/') + 1))
				at = maps.list[i].start;
	if (!t->agent)
		sp_attach_maps_free(&maps);
	return at;
}

static int read_answer(const struct sp_attach_target *t, const struct sp_attach_library *library,
	struct sp_attach *answer)
{
	uint64_t at = find_library(t, library);

	if (!at)
		sp_complain("attach: the loader of process %d has refused the library: it has no memory for it, or no "
			    "room in its "
			    "static thread-local storage; start it with smartprof run",
			t->pid);
	else if (!sp_attach_read(t->pid, at + library->request, answer, sizeof(*answer)))
		sp_complain("attach: process %d has ended meanwhile", t->pid);
	else if (answer->answer == SP_ATTACH_STARTED)
		return 0;
	else
		sp_complain("attach: process %d: the agent cannot work in it: %.*s", t->pid, (int)sizeof(answer->why),
			answer->answer == SP_ATTACH_REFUSED ? answer->why : "it does not fit its C library");
	return FAILED;
}

static int load(const struct sp_attach_target *t, const char *output, struct sp_attach_done *done,
	struct sp_attach *answer)
{
	struct sp_attach_library library;
	int err, status = sp_attach_library_make(&library, t, output);
	uint64_t request = t->agent + library.request;

	if (status)
		return status;
	if (t->agent && !sp_attach_write(t->pid, request, &library.asked, sizeof(library.asked)))
		err = -EACCES;
	else
		err = sp_attach_load(t, &library, done);
	if (err == -ENOEXEC) /* what was mapped of it tells */
		err = 0;
	status = err ? complain_of_load(t, done, err) : read_answer(t, &library, answer);
	sp_attach_library_remove(&library);
	return status;
}

static int open_answer(struct attached *a, const struct sp_attach_target *t, const struct sp_attach *answer)
{
	char path[PATH_MAX], own[sizeof(answer->spool)];
	struct sp_spool_file named;

	snprintf(own, sizeof(own), "%.*s", (int)sizeof(own) - 1,
		answer->spool); /* the process may have left it without an end */
	snprintf(path, sizeof(path), "/proc/%d/root%s", t->pid, own);
	/* What a process says is its spool is removed at the end: nothing is that is not called like one. */
	if (sp_spool_file_parse(&named, path) && named.pid == t->pid && open_attached(a, path) == 0) {
		sp_spool_claim(a->live.fd); /* so that smartprof detach knows who writes the profile */
		/* The process's own place leads there no longer when it has ended. */
		if (access(own, F_OK) == 0)
			snprintf(a->live.path, sizeof(a->live.path), "%s", own);
		return 0;
	}
	sp_complain("attach: the spool of process %d, %s, cannot be read", t->pid, own);
	return FAILED;
}

static void tell_begin(const struct attached *a, const struct sp_attach_done *done, const struct wish *wish)
{
	struct sp_snapshot peek = {0};
	const char *why;
	char program[64] = "";

	if (sp_snapshot_peek(&peek, a->live.fd, &why) == 0)
		snprintf(program, sizeof(program), "%s", sp_snapshot_text(&peek, peek.header.text.program));
	sp_snapshot_free(&peek);
	sp_complain("attached to process %d (%s): thread %d was stopped for %.1f ms; its CPU time is sampled, its heap "
		    "is not",
		a->live.header.pid, program, done->tid, (double)done->stopped_ns / 1e6);
	if (wish->for_ns == UINT64_MAX)
		sp_complain("Ctrl-C detaches and writes the profile");
	else
		sp_complain("it takes %.1f s; Ctrl-C detaches before, and writes the profile",
			(double)wish->for_ns / 1e9);
}

static void tell_end(const struct attached *a, enum sp_live_end end)
{
	int pid = a->live.header.pid;

	if (end == SP_LIVE_ENDED)
		sp_complain("process %d has ended, or was detached from elsewhere", pid);
	else if (end == SP_LIVE_EXEC)
		sp_complain("process %d became another program", pid);
	else
		sp_complain("detached from process %d", pid);
}

static int sample(struct attached *a, const struct sp_attach_done *done, const struct wish *wish)
{
	enum sp_live_end end;
	int err;

	tell_begin(a, done, wish);
	end = sp_live_await(&a->live, wish->for_ns);
	if (!end_sampling(a)) {
		sp_complain("attach: process %d cannot be told to end sampling: %s; smartprof detach %d does it",
			a->live.header.pid, strerror(errno), a->live.header.pid);
		return FAILED;
	}
	tell_end(a, end);
	err = write_profile("attach", a, &wish->symbols, wish->output);
	if (err == -EWOULDBLOCK || err == -ENOENT)
		sp_complain("its profile is written by smartprof detach");
	return err && err != -EWOULDBLOCK && err != -ENOENT;
}

static int attach(int pid, const struct wish *wish)
{
	struct sp_attach_target target;
	struct sp_attach_done done = {0};
	struct attached a;
	static struct sp_attach answer;
	int status = sp_attach_check(&target, pid);

	if (!status && target.agent && find_attached(&a, pid)) {
		sp_complain("attach: process %d is attached to already; smartprof report %d shows its profile so far, "
			    "smartprof detach %d ends it",
			pid, pid, pid);
		sp_live_close(&a.live);
		status = FAILED;
	}
	sp_live_catch();
	if (!status)
		status = load(&target, wish->output, &done, &answer);
	if (!status)
		status = open_answer(&a, &target, &answer);
	sp_attach_free(&target);
	if (status)
		return status;
	status = sample(&a, &done, wish);
	sp_live_close(&a.live);
	return status;
}

int sp_cmd_attach(int argc, char **argv)
{
	static const struct option flags[] = {{"for", required_argument, NULL, 'f'},
		{"output", required_argument, NULL, 'o'}, SP_SYMBOLS_FLAGS, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct wish wish = {.for_ns = UINT64_MAX};
	int got, taken, pid, status;

	sp_symbols_options(&wish.symbols, true);
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_attach_help();
			return 0;
		}
		taken = sp_symbols_flag(&wish.symbols, got, optarg);
		if (taken < 0)
			return SP_EXIT_USAGE;
		if (got == 'o')
			wish.output = optarg;
		else if (got == 'f' && sp_duration_parse("attach", "for", optarg, &wish.for_ns))
			return SP_EXIT_USAGE;
		else if (!taken && got != 'f')
			return sp_flag_error("attach", got, argv, flags);
	}
	status = parse_pid("attach", argc, argv, &pid);
	if (status || sp_settings_check() > 0)
		return SP_EXIT_USAGE;
	return attach(pid, &wish);
}

/* --- detach */

static int detach(int pid, const struct sp_symbolizer_options *symbols)
{
	struct attached a;
	int err = -EWOULDBLOCK;

	if (!find_attached(&a, pid)) {
		sp_complain("detach: process %d is not attached to; smartprof attach %d does that", pid, pid);
		return FAILED;
	}
	if (!end_sampling(&a)) {
		sp_complain("detach: process %d: its spool cannot be written to: %s", pid, strerror(errno));
		return FAILED;
	}
	sp_complain("detached from process %d", pid);
	if (!sp_spool_is_claimed(a.live.fd))
		err = write_profile("detach", &a, symbols, NULL);
	if (err == -EWOULDBLOCK || err == -ENOENT)
		sp_complain("its profile is written by the smartprof attach that waited for it");
	sp_live_close(&a.live);
	return err && err != -EWOULDBLOCK && err != -ENOENT;
}

int sp_cmd_detach(int argc, char **argv)
{
	static const struct option flags[] = {SP_SYMBOLS_FLAGS, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct sp_symbolizer_options symbols = {0};
	int got, taken, pid;

	sp_symbols_options(&symbols, true);
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_detach_help();
			return 0;
		}
		taken = sp_symbols_flag(&symbols, got, optarg);
		if (taken < 0)
			return SP_EXIT_USAGE;
		if (!taken)
			return sp_flag_error("detach", got, argv, flags);
	}
	if (parse_pid("detach", argc, argv, &pid))
		return SP_EXIT_USAGE;
	return detach(pid, &symbols);
}
