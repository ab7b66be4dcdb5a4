/* smartprof guard: watches the memory of programs, and keeps what it looked like when it became too much. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/guard/guard.h"
#include "tools/guard/run.h"
#include "tools/history/record.h"
#include "tools/start.h"
#include "tools/tools.h"

static void print_help(void)
{
	printf("usage: smartprof guard [FLAGS] -- PROGRAM [ARGUMENTS]\n"
	       "       smartprof guard [FLAGS] --pid PID\n"
	       "       smartprof guard [FLAGS] --name GLOB\n\n"
	       "Watches a program's memory. When it was above a threshold for a while: says so, keeps a profile of "
	       "that "
	       "moment\nin profiles/auto-memory/, and runs a command. Writes a report to profiles/monitored/, also "
	       "when "
	       "the program\nwas killed for want of memory. PROGRAM is started with the agent; others are watched as "
	       "they "
	       "are.\n\n"
	       "  --warning MB    first threshold: megabytes, a size such as 2GB, or 80%% of the program's limit\n"
	       "  --critical MB   second threshold\n"
	       "  --profiling MB  third threshold\n"
	       "  --cpu PCT       CPU use of the usable CPUs that is worth a profile, too\n"
	       "  --interval MS   how long it must be above a threshold; it is looked at as often, or more often\n"
	       "  --no-profiling  without the agent and without profiles: watch, tell, report\n"
	       "  --on-warning CMD, --on-critical CMD, --on-profiling CMD\n"
	       "                  run CMD when that threshold is crossed, without a shell, with SMARTPROF_GUARD_* set\n"
	       "  --pid PID       watch this process until it ends\n"
	       "  --name GLOB     watch all that go by this name, as they come and go\n"
	       "  --explain       tell of each threshold what was last seen, what it needs, and since when\n"
	       "  --dir DIR       directory of the profiles and reports, in place of profiles\n"
	       "  --help          show this text\n\n"
	       "Thresholds that are not given are those of the settings (smartprof config), and at most 50, 75 and "
	       "90%% of\nthe program's limit. With PROGRAM, signals, exit status and orphans are as under a "
	       "container's "
	       "first process.\n");
}

enum {
	FLAG_WARNING,
	FLAG_CRITICAL,
	FLAG_PROFILING,
	FLAG_ON_WARNING,
	FLAG_ON_CRITICAL,
	FLAG_ON_PROFILING,
	FLAG_CPU,
	FLAG_INTERVAL,
	FLAG_NO_PROFILING,
	FLAG_PID,
	FLAG_NAME,
	FLAG_EXPLAIN,
	FLAG_DIR
};

static const struct option flags[] = {{"warning", required_argument, NULL, FLAG_WARNING},
	{"critical", required_argument, NULL, FLAG_CRITICAL}, {"profiling", required_argument, NULL, FLAG_PROFILING},
	{"on-warning", required_argument, NULL, FLAG_ON_WARNING},
	{"on-critical", required_argument, NULL, FLAG_ON_CRITICAL},
	{"on-profiling", required_argument, NULL, FLAG_ON_PROFILING}, {"cpu", required_argument, NULL, FLAG_CPU},
	{"interval", required_argument, NULL, FLAG_INTERVAL}, {"no-profiling", no_argument, NULL, FLAG_NO_PROFILING},
	{"pid", required_argument, NULL, FLAG_PID}, {"name", required_argument, NULL, FLAG_NAME},
	{"explain", no_argument, NULL, FLAG_EXPLAIN}, {"dir", required_argument, NULL, FLAG_DIR},
	{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

static const enum sp_option settings[SP_GUARD_MEMORY_RULES] = {
	SP_OPT_MEMORY_WARNING_THRESHOLD, SP_OPT_MEMORY_CRITICAL_THRESHOLD, SP_OPT_MEMORY_PROFILING_THRESHOLD};

struct request {
	struct sp_guard_wish wish;
	struct sp_guard_run run;
	bool explain;
};

/* "80%" */
static bool parse_percent(const char *text, unsigned *percent)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 3 || (text[digits] && strcmp(text + digits, "%") != 0))
		return false;
	*percent = (unsigned)strtoul(text, NULL, 10);
	return *percent >= 1 && *percent <= 100;
}

static int set_threshold(struct sp_guard_wish *wish, int rule, const char *text)
{
	struct sp_guard_threshold *t = &wish->memory[rule];

	*t = (struct sp_guard_threshold){.given = true};
	if (text[0] && text[strlen(text) - 1] == '%') {
		if (parse_percent(text, &t->percent))
			return 0;
	} else if (sp_option_parse(&sp_option_rows[settings[rule]], text, &t->megabytes) == 0) {
		return 0;
	}
	sp_complain("guard: --%s: '%s' is not an amount of memory; give it megabytes, a size such as 2GB, or 1%% to "
		    "100%% of "
		    "the program's limit",
		flags[rule].name, text);
	return SP_EXIT_USAGE;
}

static int set_command(struct sp_guard_wish *wish, int rule, const char *text)
{
	free(wish->commands[rule]);
	wish->commands[rule] = sp_guard_words(text);
	if (wish->commands[rule])
		return 0;
	sp_complain("guard: --on-%s: '%s' is not a command: it is empty, or a quote is left open",
		sp_guard_rule_names[rule], text);
	return SP_EXIT_USAGE;
}

static int set_number(struct request *r, int flag, const char *text)
{
	uint64_t number = 0;
	char *end;

	if (flag == FLAG_CPU && parse_percent(text, &r->wish.cpu_percent))
		return 0;
	if (flag == FLAG_INTERVAL &&
		sp_option_parse(&sp_option_rows[SP_OPT_MEMORY_CHECK_INTERVAL], text, &number) == 0) {
		r->wish.interval_ns = number * 1000000;
		return 0;
	}
	errno = 0;
	if (flag == FLAG_PID) {
		long pid = strtol(text, &end, 10);

		r->run.pid = errno || *end || end == text || pid < 1 || pid > INT32_MAX ? 0 : (int)pid;
		if (r->run.pid)
			return 0;
	}
	sp_complain("guard: --%s: '%s' is not valid; %s", flags[flag].name, text,
		flag == FLAG_CPU           ? "give it 1 to 100 percent of the usable CPUs"
			: flag == FLAG_PID ? "give it the number of a process"
					   : "give it 100 ms to an hour");
	return SP_EXIT_USAGE;
}

/* Returns -1 to go on, else the exit status. */
static int parse_flags(int argc, char **argv, struct request *r)
{
	int got, status = 0;

	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, "+:h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		} else if (got == '?' || got == ':') {
			return sp_flag_error("guard", got, argv, flags);
		} else if (optarg && strcmp(optarg, SP_COMPLETE_VALUES) == 0) {
			return SP_EXIT_USAGE; /* there is nothing to choose from */
		} else if (got <= FLAG_PROFILING) {
			status = set_threshold(&r->wish, got, optarg);
		} else if (got <= FLAG_ON_PROFILING) {
			status = set_command(&r->wish, got - FLAG_ON_WARNING, optarg);
		} else if (got == FLAG_NO_PROFILING) {
			r->wish.profiling = false;
		} else if (got == FLAG_EXPLAIN) {
			r->explain = true;
		} else if (got == FLAG_NAME) {
			r->run.name = optarg;
		} else if (got == FLAG_DIR) {
			status = sp_settings_set(SP_OPT_DIR, "guard: --dir", optarg);
		} else {
			status = set_number(r, got, optarg);
		}
	}
	return status ? status : -1;
}

static int check_choice(const struct request *r, int programs)
{
	int chosen = (r->run.pid != 0) + (r->run.name != NULL) + (programs > 0);

	if (chosen == 1 && !(r->explain && programs))
		return 0;
	if (r->explain)
		sp_complain("guard: --explain: tell it which by --pid PID or --name GLOB");
	else if (chosen)
		sp_complain("guard: a program, --pid and --name: each is another one to watch; leave all but one out");
	else
		sp_complain("guard: nothing to watch; give it a program after --, --pid PID or --name GLOB");
	return SP_EXIT_USAGE;
}

/* What was not told by flags. */
static int settle(struct sp_guard_wish *wish)
{
	static struct sp_config config;
	static char directory[PATH_MAX];
	const struct sp_where *where = sp_settings_where();
	const struct sp_value *dir = &config.values[SP_OPT_DIR];
	const char *base;

	sp_config_load(&config, where, sp_settings_file());
	wish->machine = config.machine;
	for (int i = 0; i < SP_GUARD_MEMORY_RULES; i++)
		if (!wish->memory[i].given)
			wish->memory[i] = (struct sp_guard_threshold){
				.given = config.values[settings[i]].source >= SP_SOURCE_FILE,
				.megabytes = config.values[settings[i]].number};
	if (!wish->interval_ns)
		wish->interval_ns = config.values[SP_OPT_MEMORY_CHECK_INTERVAL].number * 1000000;
	base = dir->text && *dir->text ? dir->text : "profiles";
	if (!sp_absolute(directory, base)) {
		sp_complain("guard: %s: %s; name another directory by --dir", base, strerror(ENAMETOOLONG));
		return SP_EXIT_USAGE;
	}
	wish->directory = directory;
	return 0;
}

/* What happens between two looks of ours the agent sees for itself, by the same thresholds. */
static int tell_agent(const struct sp_guard_wish *wish)
{
	struct sp_memory_bounds bounds;
	char text[24];
	int status = 0;

	sp_memory_bounds_read(&bounds, sp_settings_where(), getpid(), wish->machine.memory_bytes);
	for (int i = 0; i < SP_GUARD_MEMORY_RULES && !status; i++) {
		uint64_t bytes = sp_guard_threshold_bytes(&wish->memory[i], i, bounds.bytes);

		snprintf(text, sizeof(text), "%llu", (unsigned long long)(bytes < 1000000 ? 1 : bytes / 1000000));
		status = sp_settings_set(settings[i], flags[i].name, text);
	}
	return status;
}

static int watch(struct request *r)
{
	int signals = sp_guard_signals_take();

	sp_set_umask();
	if (signals < 0) {
		sp_complain("guard: signals cannot be taken: %s", strerror(-signals));
		return 1;
	}
	return sp_guard_loop(&r->run, &r->wish, signals);
}

static void keep(const struct request *r, char **argv, const struct sp_target *target, const struct timespec *began,
	uint64_t wall_ns)
{
	struct sp_record_ran ran = {.kind = "guard",
		.argv = argv,
		.target = target,
		.started_ns = (uint64_t)began->tv_sec * 1000000000u + (uint64_t)began->tv_nsec,
		.wall_ns = wall_ns,
		.status = r->run.status,
		.with_agent = r->run.with_agent};
	char path[PATH_MAX];

	if (r->run.with_agent && sp_profile_of_pid(r->run.pid, began, path))
		ran.profile = path;
	sp_record_ran(&ran);
}

/* argv: PROGRAM and its arguments. */
static int run(struct request *r, char **argv)
{
	struct sp_tree_hold hold = {.fd = -1};
	char library[PATH_MAX];
	struct sp_target target;
	struct timespec began;
	uint64_t began_ns;
	int status = sp_start_find("guard", &target, argv[0]), signals;
	bool with_agent;

	if (status)
		return status;
	r->wish.profiling = r->wish.profiling && sp_setting_is_on(SP_OPT_ENABLED);
	if (r->wish.profiling)
		sp_start_announce(&target);
	with_agent = r->wish.profiling && sp_target_preloadable(&target);
	if (with_agent && (sp_start_library("guard", library) || tell_agent(&r->wish)))
		return 1;
	if (with_agent)
		sp_tree_hold_make(&hold);             /* else each renders for itself */
	clock_gettime(CLOCK_REALTIME_COARSE, &began); /* as files' times are */
	began_ns = sp_guard_now_ns();
	signals = sp_guard_signals_take();
	r->run.pid = signals < 0 ? signals : sp_guard_start(&target, argv, with_agent ? library : NULL, &hold);
	sp_set_umask();
	if (r->run.pid < 0) {
		sp_complain("guard: cannot start %s: %s", target.path, strerror(-r->run.pid));
		return 1;
	}
	r->run.app = true;
	r->run.name = basename(target.path);
	r->run.with_agent = with_agent;
	r->run.hold = &hold;
	status = sp_guard_loop(&r->run, &r->wish, signals);
	sp_guard_signals_restore();
	keep(r, argv, &target, &began, r->run.ended_ns - began_ns);
	return status ? status : sp_end_like(r->run.status);
}

int sp_cmd_guard(int argc, char **argv)
{
	static struct request r = {.wish = {.profiling = true}};
	int status = parse_flags(argc, argv, &r);

	if (status >= 0)
		return status;
	if (check_choice(&r, argc - optind) || sp_settings_check() > 0 || settle(&r.wish))
		return SP_EXIT_USAGE;
	if (r.explain)
		return sp_guard_explain(&r.wish, r.run.pid, r.run.name);
	return optind < argc ? run(&r, argv + optind) : watch(&r);
}
