/* smartprof run: starts a program with the agent loaded and ends as the program ends. */
#include "tools/run.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/spool/tree_file.h"

#define EXIT_CANNOT_EXECUTE 126 /* as shells have it */
#define EXIT_NOT_FOUND 127

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

enum { FLAG_CPU = 1000, FLAG_HEAP, FLAG_ALLOCATOR, FLAG_REPEAT, FLAG_NO_INLINES, FLAG_QUIET };

#define REPEAT_MAX 1000

/* One flag for each row of the table that has one; their `val` is the row's index. */
static void fill_flags(struct option *flags)
{
	size_t count = 0;

	for (int i = 0; i < SP_OPTIONS; i++)
		if (sp_option_rows[i].flag)
			flags[count++] = (struct option){sp_option_rows[i].flag, required_argument, NULL, i};
	flags[count++] = (struct option){"cpu", no_argument, NULL, FLAG_CPU};
	flags[count++] = (struct option){"heap", no_argument, NULL, FLAG_HEAP};
	flags[count++] = (struct option){"allocator", required_argument, NULL, FLAG_ALLOCATOR};
	flags[count++] = (struct option){"repeat", required_argument, NULL, FLAG_REPEAT};
	flags[count++] = (struct option){"no-inlines", no_argument, NULL, FLAG_NO_INLINES};
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

static bool setting_is_on(enum sp_option option)
{
	struct sp_value value;

	sp_value_load(&value, option, environ, sp_settings_file());
	return value.number != 0;
}

/* --- the agent's library */

static int prepare_library(char *library)
{
	char self[PATH_MAX];
	struct sp_value command;
	int error = sp_library_find(self, library);

	switch (error) {
	case 0:
		sp_value_load(&command, SP_OPT_BIN, environ, sp_settings_file());
		return command.text ? 0 : setenv(sp_option_rows[SP_OPT_BIN].variable, self, 1);
	case -ENOENT:
		sp_complain("run: " SP_LIBRARY " is neither in %.*s nor in the lib directories beside it; "
			    "reinstall smartprof",
			(int)(strrchr(self, '/') + 1 - self), self);
		return 1;
	case -EINVAL:
		sp_complain("run: '%s' contains a space or a colon, which LD_PRELOAD cannot express; "
			    "install smartprof elsewhere",
			library);
		return 1;
	default:
		sp_complain("run: cannot find " SP_LIBRARY ": /proc/self/exe: %s; is /proc mounted?", strerror(-error));
		return 1;
	}
}

static bool preload_has(const char *list, const char *library)
{
	size_t bytes = strlen(library);

	for (;; list += strcspn(list, " :")) {
		list += strspn(list, " :");
		if (!*list)
			return false;
		if (strcspn(list, " :") == bytes && memcmp(list, library, bytes) == 0)
			return true;
	}
}

/* Called in the child. A program built with AddressSanitizer would need the sanitizer's own
 * library in front of ours. */
static int set_preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *list;

	if (!before || !*before)
		return setenv("LD_PRELOAD", library, 1);
	if (preload_has(before, library))
		return 0;
	if (asprintf(&list, "%s:%s", library, before) < 0)
		return -1;
	return setenv("LD_PRELOAD", list, 1); /* list: kept until exec */
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

static int exec_status(int error)
{
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

static void exec_target(const struct sp_target *target, char **argv)
{
	int error;

	execv(target->path, argv);
	if (errno == ENOEXEC && target->is_script) { /* a text without #! */
		argv[-1] = "sh";
		argv[0] = (char *)target->path;
		execv("/bin/sh", argv - 1);
	}
	error = errno;
	sp_complain("run: %s: %s", target->path,
		error == ENOENT ? "its interpreter or loader does not exist" : strerror(error));
	_exit(exec_status(error));
}

/* Called in the child, which becomes the first process of a tree that we render: nobody in it waits for a renderer. */
static void set_tree(const struct sp_tree_hold *hold)
{
	char tree[SP_TREE_NAME_BYTES + 1];

	if (!getenv("SMARTPROF_TREE") && sp_tree_hold_name(hold, tree, SP_TREE_NAME_BYTES) == 0)
		setenv("SMARTPROF_TREE", strcat(tree, ":"), 1);
}

/* argv[-1] must be writable. library: NULL to start without the agent. *status as of wait(2). Returns
 * the pid the child had, or a negative errno. */
static int run_child(const struct sp_target *target, char **argv, const char *library, const struct sp_tree_hold *hold,
	int *status)
{
	struct dispositions old;
	pid_t pid, ended = 0;
	int error;

	guard_signals(&old);
	pid = fork();
	if (pid == 0) {
		restore_signals(&old);
		if (library && set_preload(library) != 0)
			_exit(EXIT_CANNOT_EXECUTE);
		if (library)
			set_tree(hold);
		exec_target(target, argv);
	}
	error = pid < 0 ? -errno : pid;
	child = pid;
	sigprocmask(SIG_SETMASK, &old.mask, NULL);
	if (pid > 0) {
		do
			ended = waitpid(pid, status, 0);
		while (ended < 0 && errno == EINTR);
		error = ended < 0 ? -errno : pid;
	}
	child = 0;
	restore_signals(&old);
	return error;
}

/* Ends like the child; a core dump of ours would only hide its own. */
static int end_like(int status)
{
	struct rlimit no_core = {0, 0};
	sigset_t only;
	int number;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	number = WTERMSIG(status);
	fflush(NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, number);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	raise(number);
	return 128 + number;
}

/* Says what will be profiled where that is not plain from the command line. */
static void announce(const struct sp_target *target)
{
	const char *obstacle = sp_target_obstacle(target);

	if (obstacle)
		sp_complain("no profile of %s: %s", target->program, obstacle);
	else if (target->is_script)
		sp_complain("%s is a script: profiling its interpreter, %s", target->path, target->program);
}

/* Runs it so many times, or until one run ends by a signal. *ended: as of wait(2), of the first run that
 * failed, else of the last. Returns 0 or a negative errno. */
static int run_times(const struct sp_target *target, char **argv, const char *library, const struct choice *choice,
	int *ended)
{
	const bool enabled = setting_is_on(SP_OPT_ENABLED), verbose = setting_is_on(SP_OPT_VERBOSE);

	*ended = 0;
	for (long i = 0; i < choice->repeat; i++) {
		struct sp_tree_hold hold = {.fd = -1};
		struct sp_run_told told = {
			.enabled = enabled, .quiet = choice->quiet || !sp_target_preloadable(target)};
		int status, pid;

		sp_run_began(&told);
		if (library)
			sp_tree_hold_make(&hold); /* else each renders for itself */
		pid = run_child(target, argv, library, &hold, &status);
		sp_tree_hold_close(&hold, pid);
		if (pid < 0)
			return pid;
		if (enabled)
			sp_recover_tree(pid, status, verbose);
		told.pid = pid;
		sp_run_tell(&told);
		if (*ended == 0)
			*ended = status;
		if (WIFSIGNALED(status))
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
	enabled = setting_is_on(SP_OPT_ENABLED);
	output = getenv("SMARTPROF_OUTPUT");
	if (enabled && !sp_run_place_is_possible())
		return SP_EXIT_USAGE;
	if (choice.repeat > 1 && output && *output) {
		sp_complain("run: --repeat: every run would write %s again; use --dir", output);
		return SP_EXIT_USAGE;
	}
	status = sp_target_find(&target, argv[0]);
	if (status < 0) {
		sp_complain("run: %s: %s", *argv[0] ? argv[0] : "''",
			status == -ENOENT ? "no such program" : strerror(-status));
		return exec_status(-status);
	}
	if (choice.allocator && (status = prepare_allocator(choice.allocator, &target)) != 0)
		return status;
	if (enabled && prepare_library(library))
		return 1;
	if (enabled && !choice.quiet)
		announce(&target);
	status = run_times(&target, argv, enabled && sp_target_preloadable(&target) ? library : NULL, &choice, &ended);
	if (status < 0) {
		sp_complain("run: cannot start %s: %s", target.path, strerror(-status));
		return 1;
	}
	return end_like(ended);
}
