/* smartprof monitor: what do commands take, one, many, or one beside another? */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "tools/monitor/monitor.h"
#include "tools/start.h"
#include "tools/tools.h"

#define RUNS_MOST 100000u
#define JOBS_AT_ONCE_MOST 1024u

static void print_help(void)
{
	printf("usage: smartprof monitor [FLAGS] -- PROGRAM [ARGUMENTS]\n"
	       "       smartprof monitor [FLAGS] 'COMMAND' 'COMMAND'…\n"
	       "       smartprof monitor --batch [FLAGS] FILE… [-- PROGRAM [ARGUMENTS] {}]\n"
	       "       smartprof monitor [FLAGS] -f FILE [-- PROGRAM [ARGUMENTS] {}]\n\n"
	       "Measures what a command takes: time, CPU, memory of its largest process and of all together, disk, "
	       "output. "
	       "It\nneeds nothing of the program. Several commands run in turns and are compared pair by pair, until "
	       "the "
	       "answer is\nsure. A batch runs each FILE, or PROGRAM for each, or each line of -f FILE; none ends the "
	       "others.\n\n"
	       "  --runs N              run it N times; of several commands at most N pairs (40)\n"
	       "  --warmup N            run it N times before, not counted\n"
	       "  --prepare CMD         run CMD by /bin/sh before each run, not measured\n"
	       "  --timeout TIME        end a run that takes longer: 30, 1.5s, 5m, 2h\n"
	       "  --profile             with the agent where that is possible; the functions behind a difference are "
	       "named\n"
	       "  --output WHERE        what commands write: through (one run), null (else), inherit (a terminal "
	       "stays\n"
	       "                        one, not counted), or a directory for a file each\n"
	       "  --list NAME=A,B…      run it for each value in place of {NAME}\n"
	       "  --export-json FILE, --export-markdown FILE, --export-csv FILE\n"
	       "                        write the results, as hyperfine does and more; -: standard output\n"
	       "  --json-log FILE       add a line of JSON for every run\n"
	       "  --every TIME          again every so often; --for TIME: for so long\n"
	       "  --batch               each FILE (or glob) is a job\n"
	       "  -f, --file FILE       each line is a command, or a value of {}; -: standard input\n"
	       "  --jobs N              so many at a time (1); half: half of the cores\n"
	       "  --retries N           run what failed up to N times more\n"
	       "  --fail-fast           start no more jobs when one has failed\n"
	       "  --joblog FILE         a line for each job, as GNU parallel writes it\n"
	       "  --resume              leave out what that file says was done\n"
	       "  --help                show this text\n\n"
	       "Exit status: of one command its own, 128 + N after signal N, 124 when its time was up. Else 0; 1 when "
	       "one "
	       "failed;\n2 for bad usage.\n");
}

enum {
	FLAG_RUNS = 1000,
	FLAG_WARMUP,
	FLAG_PREPARE,
	FLAG_TIMEOUT,
	FLAG_PROFILE,
	FLAG_OUTPUT,
	FLAG_LIST,
	FLAG_JSON,
	FLAG_MARKDOWN,
	FLAG_CSV,
	FLAG_JSON_LOG,
	FLAG_EVERY,
	FLAG_FOR,
	FLAG_BATCH,
	FLAG_JOBS,
	FLAG_RETRIES,
	FLAG_FAIL_FAST,
	FLAG_JOBLOG,
	FLAG_RESUME
};

static const struct option flags[] = {
	{"runs", required_argument, NULL, FLAG_RUNS},
	{"warmup", required_argument, NULL, FLAG_WARMUP},
	{"prepare", required_argument, NULL, FLAG_PREPARE},
	{"timeout", required_argument, NULL, FLAG_TIMEOUT},
	{"profile", no_argument, NULL, FLAG_PROFILE},
	{"output", required_argument, NULL, FLAG_OUTPUT},
	{"list", required_argument, NULL, FLAG_LIST},
	{"export-json", required_argument, NULL, FLAG_JSON},
	{"export-markdown", required_argument, NULL, FLAG_MARKDOWN},
	{"export-csv", required_argument, NULL, FLAG_CSV},
	{"json-log", required_argument, NULL, FLAG_JSON_LOG},
	{"every", required_argument, NULL, FLAG_EVERY},
	{"for", required_argument, NULL, FLAG_FOR},
	{"batch", no_argument, NULL, FLAG_BATCH},
	{"file", required_argument, NULL, 'f'},
	{"jobs", required_argument, NULL, FLAG_JOBS},
	{"retries", required_argument, NULL, FLAG_RETRIES},
	{"fail-fast", no_argument, NULL, FLAG_FAIL_FAST},
	{"joblog", required_argument, NULL, FLAG_JOBLOG},
	{"resume", no_argument, NULL, FLAG_RESUME},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int bad_value(const char *flag, const char *value, const char *allowed)
{
	sp_complain("monitor: --%s: '%s' is not valid; allowed: %s", flag, value, allowed);
	return SP_EXIT_USAGE;
}

static int set_count(const char *flag, const char *text, unsigned least, unsigned most, unsigned *count)
{
	char allowed[48], *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end > text && !*end && *text != '-' && number >= least && number <= most) {
		*count = (unsigned)number;
		return 0;
	}
	snprintf(allowed, sizeof(allowed), "%u to %u", least, most);
	return bad_value(flag, text, allowed);
}

static int set_time(const char *flag, const char *text, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	char *end;
	double number = strtod(text, &end);

	for (size_t i = 0; end > text && i < sizeof(units) / sizeof(units[0]); i++) {
		double seconds = number * units[i].seconds;

		if (strcmp(end, units[i].unit) != 0 || !(seconds >= 1e-3 && seconds <= 1e9))
			continue;
		*ns = (uint64_t)(seconds * 1e9);
		return 0;
	}
	return bad_value(flag, text, "a time such as 30, 1.5s, 5m or 2h");
}

static int set_jobs(struct sp_monitor_wish *wish, const char *text)
{
	static struct sp_config config;

	if (strcmp(text, SP_COMPLETE_VALUES) == 0) {
		sp_completion_put("half");
		return SP_EXIT_USAGE;
	}
	if (strcmp(text, "half") != 0)
		return set_count("jobs", text, 1, JOBS_AT_ONCE_MOST, &wish->jobs);
	sp_config_load(&config, sp_settings_where(), sp_settings_file());
	wish->jobs = config.machine.usable_millicores >= 4000 ? config.machine.usable_millicores / 2000 : 1;
	return 0;
}

/* NAME=A,B */
static int add_list(struct sp_monitor_wish *wish, const char *text)
{
	size_t name = strcspn(text, "={},"), count = 1;
	struct sp_monitor_list *list;
	char *copy;

	if (!name || text[name] != '=' || !text[name + 1])
		return bad_value("list", text, "NAME=A,B…");
	wish->lists = realloc(wish->lists, (wish->list_count + 1) * sizeof(*wish->lists));
	if (!wish->lists)
		return 1;
	for (const char *at = text + name; *at; at++)
		count += *at == ',';
	copy = sp_copy_text(text);
	copy[name] = '\0';
	list = &wish->lists[wish->list_count++];
	*list = (struct sp_monitor_list){.name = copy, .values = sp_alloc(count + 1, sizeof(char *))};
	copy += name + 1;
	for (size_t i = 0; i < count; i++)
		list->values[i] = strsep(&copy, ",");
	return 0;
}

static int set_text(struct sp_monitor_wish *wish, int flag)
{
	const struct {
		int flag;
		const char **text;
	} texts[] = {{FLAG_PREPARE, &wish->prepare}, {FLAG_OUTPUT, &wish->output}, {FLAG_JSON, &wish->json},
		{FLAG_MARKDOWN, &wish->markdown}, {FLAG_CSV, &wish->csv}, {FLAG_JSON_LOG, &wish->json_log},
		{'f', &wish->file}, {FLAG_JOBLOG, &wish->joblog}};

	if (flag == FLAG_OUTPUT && strcmp(optarg, SP_COMPLETE_VALUES) == 0) {
		sp_completion_put("through");
		sp_completion_put("null");
		sp_completion_put("inherit");
	}
	if (strcmp(optarg, SP_COMPLETE_VALUES) == 0)
		return SP_EXIT_USAGE;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].flag == flag)
			*texts[i].text = optarg;
	return 0;
}

static int set_flag(struct sp_monitor_wish *wish, int flag)
{
	switch (flag) {
	case FLAG_RUNS:
		return set_count("runs", optarg, 1, RUNS_MOST, &wish->runs);
	case FLAG_WARMUP:
		return set_count("warmup", optarg, 0, RUNS_MOST, &wish->warmup);
	case FLAG_RETRIES:
		return set_count("retries", optarg, 0, RUNS_MOST, &wish->retries);
	case FLAG_TIMEOUT:
		return set_time("timeout", optarg, &wish->timeout_ns);
	case FLAG_EVERY:
		return set_time("every", optarg, &wish->every_ns);
	case FLAG_FOR:
		return set_time("for", optarg, &wish->for_ns);
	case FLAG_JOBS:
		return set_jobs(wish, optarg);
	case FLAG_LIST:
		return add_list(wish, optarg);
	case FLAG_PROFILE:
		wish->profile = true;
		return 0;
	case FLAG_BATCH:
		wish->batch = true;
		return 0;
	case FLAG_FAIL_FAST:
		wish->fail_fast = true;
		return 0;
	case FLAG_RESUME:
		wish->resume = true;
		return 0;
	default:
		return set_text(wish, flag);
	}
}

/* What stands behind "--" is the program's. */
static int find_template(int argc, char **argv, struct sp_monitor_wish *wish)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		if (i + 1 < argc)
			wish->template = argv + i + 1;
		return i;
	}
	return argc;
}

/* Returns -1 to go on, else the exit status. */
static int parse_flags(int argc, char **argv, struct sp_monitor_wish *wish)
{
	int end = find_template(argc, argv, wish), got, status = 0;
	size_t loose = 0;

	wish->loose = sp_alloc((size_t)argc + 1, sizeof(*wish->loose));
	opterr = 0;
	while (!status && (got = getopt_long(end, argv, "-:hf:", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got == '?' || got == ':')
			return sp_flag_error("monitor", got, argv, flags);
		if (got == 1)
			wish->loose[loose++] = optarg;
		else
			status = set_flag(wish, got);
	}
	return status ? status : -1;
}

static int check(const struct sp_monitor_wish *wish)
{
	bool batch = wish->batch || wish->file;
	const char *why = !batch && wish->template && *wish->loose
		? "commands before and behind --; leave one of them out"
		: wish->batch && wish->file     ? "--batch and -f: each names the jobs; leave one of them out"
		: wish->batch && !*wish->loose  ? "--batch: no files given; name them, or give lines by -f FILE"
		: wish->file && *wish->loose    ? "-f: a command for its lines goes behind --"
		: wish->resume && !wish->joblog ? "--resume: name the job log of before by --joblog FILE"
		: !batch && (wish->jobs || wish->retries || wish->fail_fast || wish->joblog)
		? "--jobs, --retries, --fail-fast and --joblog are for a batch; see --batch and -f"
		: batch && (wish->runs || wish->warmup || wish->every_ns)
		? "--runs, --warmup and --every are not for a batch; name a job twice, or a job after the other"
		: wish->for_ns && !wish->every_ns            ? "--for: say how often by --every TIME"
		: !batch && !wish->template && !*wish->loose ? "no command given; see smartprof monitor --help"
							     : NULL;

	if (why)
		sp_complain("monitor: %s", why);
	return why ? SP_EXIT_USAGE : 0;
}

/* A single command that is not there is told of as a shell does. */
static int find_first(const struct sp_monitor_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct sp_target target;
		int status = sp_start_find("monitor", &target, plan->jobs[i].argv[0]);

		if (status)
			return status;
	}
	return 0;
}

static int run(const struct sp_monitor_wish *wish, const struct sp_monitor_plan *plan)
{
	bool batch = wish->batch || wish->file;
	struct sp_monitor_session session;
	int status = batch ? 0 : find_first(plan), stopped;

	if (!status)
		status = sp_monitor_session_open(&session, wish, wish->jobs ? wish->jobs : 1);
	if (status)
		return status;
	status = plan->count == 1 && !batch ? sp_monitor_once(&session, &plan->jobs[0])
		: batch                     ? sp_monitor_batch(&session, plan)
					    : sp_monitor_pairs(&session, plan);
	stopped = session.watches.stopped;
	sp_monitor_session_close(&session);
	return stopped ? sp_end_like(stopped) : status;
}

static void free_wish(struct sp_monitor_wish *wish)
{
	for (size_t i = 0; i < wish->list_count; i++) {
		free(wish->lists[i].name);
		free(wish->lists[i].values);
	}
	free(wish->lists);
	free(wish->loose);
}

int sp_cmd_monitor(int argc, char **argv)
{
	struct sp_monitor_wish wish = {0};
	struct sp_monitor_plan plan = {0};
	int status = parse_flags(argc, argv, &wish);

	if (status < 0) {
		status = check(&wish) || sp_settings_check() > 0 ? SP_EXIT_USAGE : sp_monitor_plan_make(&plan, &wish);
		if (!status)
			status = run(&wish, &plan);
	}
	sp_monitor_plan_free(&plan);
	free_wish(&wish);
	return status;
}
