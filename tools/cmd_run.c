/* smartprof run: starts a program with the agent loaded and ends as the program ends. */
#include "tools/run/run.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/time.h"
#include "tools/history/record.h"
#include "tools/start.h"

static void print_help(void)
{
	printf("usage: smartprof run [FLAGS] [--] PROGRAM [ARGUMENTS]\n\n"
	       "Runs PROGRAM with the agent loaded; its profile goes to profiles/<environment>/ in the working\n"
	       "directory. Exit status and signals are PROGRAM's own; 127 when there is no such program, 126 when\n"
	       "it cannot be executed.\n\n");
	sp_settings_help();
	printf("  --cpu           profile CPU time only\n"
	       "  --heap          profile memory only\n"
	       "  --no-inlines    give inlined functions no frames of their own\n"
	       "  --full          no limit on the profile's length\n"
	       "  --span-context  tell other tools which span each thread is in\n"
	       "  --allocator NAME\n"
	       "                  malloc to put under PROGRAM: jemalloc, tcmalloc, mimalloc; system: the C library's\n"
	       "                  (takes others out of LD_PRELOAD; one that PROGRAM is linked with stays)\n"
	       "  --repeat N      run it N times, a profile each; the exit status is that of the first run that "
	       "failed\n"
	       "  --quiet         do not tell at the end where the profile is, or why there is none\n"
	       "  --help          show this text\n\n"
	       "smartprof config shows the settings that apply here.\n");
}

/* --- flags */

enum {
	FLAG_CPU = 1000,
	FLAG_HEAP,
	FLAG_ALLOCATOR,
	FLAG_REPEAT,
	FLAG_NO_INLINES,
	FLAG_FULL,
	FLAG_SPAN_CONTEXT,
	FLAG_QUIET
};

#define REPEAT_MAX 1000

/* One flag for each row of the table that has one; their `val` is the row's index. */
static void fill_flags(struct option *flags)
{
	size_t count = 0;

	for (int i = 0; i < SP_OPTIONS; i++)
		if (*sp_option_rows[i].flag)
			flags[count++] = (struct option){sp_option_rows[i].flag, required_argument, NULL, i};
	flags[count++] = (struct option){"cpu", no_argument, NULL, FLAG_CPU};
	flags[count++] = (struct option){"heap", no_argument, NULL, FLAG_HEAP};
	flags[count++] = (struct option){"allocator", required_argument, NULL, FLAG_ALLOCATOR};
	flags[count++] = (struct option){"repeat", required_argument, NULL, FLAG_REPEAT};
	flags[count++] = (struct option){"no-inlines", no_argument, NULL, FLAG_NO_INLINES};
	flags[count++] = (struct option){"full", no_argument, NULL, FLAG_FULL};
	flags[count++] = (struct option){"span-context", no_argument, NULL, FLAG_SPAN_CONTEXT};
	flags[count++] = (struct option){"quiet", no_argument, NULL, FLAG_QUIET};
	flags[count++] = (struct option){"help", no_argument, NULL, 'h'};
	flags[count] = (struct option){NULL, 0, NULL, 0};
}

static int set_from_flag(int option, const char *value)
{
	char shown_as[40];

	snprintf(shown_as, sizeof(shown_as), "run: --%s", sp_option_rows[option].flag);
	return sp_settings_set(option, shown_as, value);
}

static int set_repeat(const char *text, long *repeat)
{
	char *end;

	*repeat = strtol(text, &end, 10);
	if (end > text && !*end && *repeat >= 1 && *repeat <= REPEAT_MAX)
		return 0;
	sp_complain("run: --repeat: '%s' is not valid; allowed: 1 to %d", text, REPEAT_MAX);
	return SP_EXIT_USAGE;
}

/* What was asked for besides settings. */
struct choice {
	const char *allocator; /* NULL: none */
	long repeat;
	bool quiet;
};

/* Returns -1 to go on, else the exit status. */
static int parse_flags(int argc, char **argv, struct choice *choice)
{
	struct option flags[SP_OPTIONS + 8];
	unsigned mode = 0;
	int got, status = 0;

	fill_flags(flags);
	opterr = 0;
	while ((got = getopt_long(argc, argv, "+:h", flags, NULL)) != -1) {
		if (got == FLAG_CPU) {
			mode |= SP_MODE_CPU;
		} else if (got == FLAG_HEAP) {
			mode |= SP_MODE_HEAP;
		} else if (got == FLAG_ALLOCATOR) {
			choice->allocator = optarg;
			if (strcmp(optarg, SP_COMPLETE_VALUES) == 0) {
				sp_allocators_put();
				return SP_EXIT_USAGE;
			}
		} else if (got == FLAG_REPEAT) {
			status = set_repeat(optarg, &choice->repeat);
		} else if (got == FLAG_NO_INLINES) {
			status = sp_settings_set(SP_OPT_INLINES, "run: --no-inlines", "off");
		} else if (got == FLAG_FULL) {
			status = sp_settings_set(SP_OPT_FULL, "run: --full", "on");
		} else if (got == FLAG_SPAN_CONTEXT) {
			status = sp_settings_set(SP_OPT_SPAN_CONTEXT, "run: --span-context", "on");
		} else if (got == FLAG_QUIET) {
			choice->quiet = true;
		} else if (got == 'h') {
			print_help();
			return 0;
		} else if (got == '?' || got == ':') {
			return sp_flag_error("run", got, argv, flags);
		} else {
			status = set_from_flag(got, optarg);
		}
		if (status)
			return status;
	}
	if (mode) {
		const char *name = mode == SP_MODE_CPU ? "cpu" : mode == SP_MODE_HEAP ? "heap" : "cpu,heap";

		status = sp_settings_set(SP_OPT_MODE, "run: --cpu or --heap", name);
	}
	if (!status && optind >= argc) {
		sp_complain("run: no program given; see smartprof run --help");
		return SP_EXIT_USAGE;
	}
	return status ? status : -1;
}

/* In our own environment, for the target to inherit. */
static int prepare_allocator(const char *name, const struct sp_target *target)
{
	char path[PATH_MAX], *list;
	int status = sp_allocator_find(name, path);

	if (status || !sp_target_preloadable(target))
		return status;
	list = sp_allocator_preload(getenv("LD_PRELOAD"), path);
	if (!list || (*list ? setenv("LD_PRELOAD", list, 1) : unsetenv("LD_PRELOAD")) != 0)
		status = 1;
	free(list);
	return status;
}

/* --- starting and waiting */

static volatile sig_atomic_t child;

/* A terminal that goes away tells the whole process group itself; only what was sent to us alone
 * is passed on. */
static void forward(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	if (child > 0 && info->si_code <= 0)
		kill((pid_t)child, signal_number);
}

struct dispositions {
	struct sigaction interrupt, quit, hangup, terminate, children;
	sigset_t mask;
};

/* While the child runs: the keyboard's signals are the child's to answer, as under a shell. */
static void guard_signals(struct dispositions *old)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction ordinary = {.sa_handler = SIG_DFL};
	struct sigaction pass = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &old->mask);
	sigaction(SIGCHLD, &ordinary, &old->children); /* where it was ignored, there is no status to wait for */
	sigaction(SIGINT, &ignore, &old->interrupt);
	sigaction(SIGQUIT, &ignore, &old->quit);
	sigaction(SIGTERM, &pass, &old->terminate);
	sigaction(SIGHUP, NULL, &old->hangup);
	if (old->hangup.sa_handler != SIG_IGN) /* else we run under nohup */
		sigaction(SIGHUP, &pass, NULL);
}

static void restore_signals(const struct dispositions *old)
{
	sigaction(SIGCHLD, &old->children, NULL);
	sigaction(SIGINT, &old->interrupt, NULL);
	sigaction(SIGQUIT, &old->quit, NULL);
	sigaction(SIGTERM, &old->terminate, NULL);
	sigaction(SIGHUP, &old->hangup, NULL);
	sigprocmask(SIG_SETMASK, &old->mask, NULL);
}

/* argv[-1] must be writable. library: NULL to start without the agent. Returns the pid the child had, or a negative errno. */
static int run_child(const struct sp_target *target, char **argv, const char *library, const struct sp_tree_hold *hold,
	struct sp_ending *ending, struct rusage *usage)
{
	struct dispositions old;
	pid_t pid, ended = 0;
	siginfo_t info;
	int error;

	guard_signals(&old);
	pid = fork();
	if (pid == 0) {
		restore_signals(&old);
		sp_start_exec("run", target, argv, library, hold);
	}
	error = pid < 0 ? -errno : pid;
	child = pid;
	sigprocmask(SIG_SETMASK, &old.mask, NULL);
	if (pid > 0) {
		while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
			;
		sp_run_note_ending(pid, ending);
		do
			ended = wait4(pid, &ending->wait_status, 0, usage);
		while (ended < 0 && errno == EINTR);
		error = ended < 0 ? -errno : pid;
	}
	child = 0;
	restore_signals(&old);
	return error;
}

static void keep(const struct sp_target *target, char **argv, bool with_agent, const struct sp_run_told *told,
	struct sp_record_ran *ran)
{
	char path[PATH_MAX];

	ran->kind = "run";
	ran->argv = argv;
	ran->target = target;
	ran->with_agent = with_agent;
	if (told->enabled && sp_run_profile(told, path))
		ran->profile = path;
	sp_record_ran(ran);
}

/* Runs it so many times, or until one run ends by a signal. *ended: as of wait(2), of the first run that
 * failed, else of the last. Returns 0 or a negative errno. */
static int run_times(const struct sp_target *target, char **argv, const char *library, const struct choice *choice,
	int *ended)
{
	const bool enabled = sp_setting_is_on(SP_OPT_ENABLED), verbose = sp_setting_is_on(SP_OPT_VERBOSE);

	*ended = 0;
	for (long i = 0; i < choice->repeat; i++) {
		struct sp_tree_hold hold = {.fd = -1};
		struct sp_run_told told = {
			.enabled = enabled, .quiet = choice->quiet || !sp_target_preloadable(target)};
		struct rusage usage;
		struct sp_record_ran ran = {.started_ns = sp_time_ns(CLOCK_REALTIME), .usage = &usage};
		struct sp_ending ending = {0};
		int pid;

		sp_run_began(&told);
		if (library)
			sp_tree_hold_make(&hold); /* otherwise each process renders for itself */
		ran.wall_ns = sp_time_ns(CLOCK_MONOTONIC);
		pid = run_child(target, argv, library, &hold, &ending, &usage);
		ran.wall_ns = sp_time_ns(CLOCK_MONOTONIC) - ran.wall_ns;
		sp_tree_hold_close(&hold, pid);
		if (pid < 0)
			return pid;
		if (enabled)
			sp_recover_tree(pid, &ending, verbose);
		told.pid = pid;
		told.refused = hold.refused;
		sp_run_tell(&told);
		ran.status = ending.wait_status;
		keep(target, argv, library != NULL, &told, &ran);
		if (*ended == 0)
			*ended = ending.wait_status;
		if (WIFSIGNALED(ending.wait_status))
			break;
	}
	return 0;
}

int sp_cmd_run(int argc, char **argv)
{
	char library[PATH_MAX];
	struct sp_target target;
	struct choice choice = {.repeat = 1};
	bool enabled;
	const char *output;
	int status = parse_flags(argc, argv, &choice), ended;

	if (status >= 0)
		return status;
	argv += optind;
	if (sp_settings_check() > 0)
		return SP_EXIT_USAGE;
	enabled = sp_setting_is_on(SP_OPT_ENABLED);
	output = getenv("SMARTPROF_OUTPUT");
	if (enabled && !sp_run_place_is_possible())
		return SP_EXIT_USAGE;
	if (choice.repeat > 1 && output && *output) {
		sp_complain("run: --repeat: every run would write %s again; use --dir", output);
		return SP_EXIT_USAGE;
	}
	status = sp_start_find("run", &target, argv[0]);
	if (status)
		return status;
	if (choice.allocator && (status = prepare_allocator(choice.allocator, &target)) != 0)
		return status;
	if (enabled && sp_start_library("run", library))
		return 1;
	if (enabled && !choice.quiet)
		sp_start_announce(&target);
	status = run_times(&target, argv, enabled && sp_target_preloadable(&target) ? library : NULL, &choice, &ended);
	if (status < 0) {
		sp_complain("run: cannot start %s: %s", target.path, strerror(-status));
		return 1;
	}
	return sp_end_like(ended);
}
