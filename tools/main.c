/* The `smartprof` command: finds the subcommand and hands over. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/json.h"

struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *summary; /* NULL: not for people */
};

static int cmd_help(int argc, char **argv);

static const struct command commands[] = {
	{"run", sp_cmd_run, "run a program and profile it"},
	{"config", sp_cmd_config, "show what was detected and every setting"},
	{"report", sp_cmd_report, "print the profile of a running process, a spool or a profile file"},
	{"validate", sp_cmd_validate, "check whether profiles follow the format's schema"},
	{"compare", sp_cmd_compare, "tell whether a program costs more than before: score, verdict, exit status"},
	{"check", sp_cmd_check, "gate: run what smartprof.toml names, and tell what is surely worse than allowed"},
	{"baseline", sp_cmd_baseline, "keep what commands take, to compare with"},
	{"symbolize", sp_cmd_symbolize,
		"look the names of written profiles up again, with debug files that came later"},
	{"snapshot", sp_cmd_snapshot, "keep what a process has done so far, to look at or to subtract later"},
	{"guard", sp_cmd_guard, "watch programs' memory: warn, keep profiles, report"},
	{"monitor", sp_cmd_monitor, "measure commands: once, in turns, or a batch"},
	{"push", sp_cmd_push, "send profiles to engines: ClickHouse, Pyroscope, Parca, OTLP, Prometheus"},
	{"history", sp_cmd_history, "look at what is kept of runs: list, show, trend"},
	{"list", sp_cmd_list, "list the runs in the history"},
	{"summary", sp_cmd_summary, "tell what ran, how often it went well, what took most"},
	{"insights", sp_cmd_insights, "tell what stands out in the history, and what to do next"},
	{"dashboard", sp_cmd_dashboard, "show the history as a page: trends, change points, comparisons"},
	{"fleet", sp_cmd_fleet, "ask about many machines: what was pushed to a ClickHouse, merged or compared"},
	{"top", sp_cmd_top, "watch what a process does: functions, lines, threads, heap"},
	{"where", sp_cmd_where, "tell what each thread of a process does right now"},
	{"ctl", sp_cmd_ctl, "start, stop or mark the sampling of a process that runs"},
	{"log", sp_cmd_log, "print the timing log of a process's spans, or follow it"},
	{"recover", sp_cmd_recover, "write the profiles of processes that were killed or crashed"},
	{"attach", sp_cmd_attach, "profile the CPU time of a process that runs already"},
	{"detach", sp_cmd_detach, "end what attach began, and write the profile"},
	{"init", sp_cmd_init, "write the files that put smartprof into CI, git hooks, containers, systemd, cron"},
	{"cache", sp_cmd_cache, "look at the cache of symbols, or trim it"},
	{"finish", sp_cmd_finish, NULL},
	{"write-log", sp_cmd_write_log, NULL},
	{"send-outbox", sp_cmd_send_outbox, NULL},
	{"complete", sp_cmd_complete, NULL},
	{"help", cmd_help, "explain a command or a topic"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fprintf(out,
		"usage: smartprof COMMAND [ARGUMENTS]\n\n"
		"Finds out where the CPU time and the memory of a native program go.\n\ncommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].summary)
			fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\ntopics (smartprof help TOPIC):\n");
	sp_topics_list(out);
	fprintf(out,
		"\nsmartprof COMMAND --help explains a command; smartprof --version prints the version.\n"
		"Without this command: LD_PRELOAD=/path/to/libsmartprof.so program\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

sp_command_fn *sp_command_find(const char *name)
{
	const struct command *command = find_command(name);

	return command ? command->fn : NULL;
}

void sp_commands_put(bool with_topics)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].summary)
			sp_completion_put(commands[i].name);
	for (size_t i = 0; with_topics && sp_topic_name(i); i++)
		sp_completion_put(sp_topic_name(i));
}

static size_t list_names(const char *names[static COMMANDS])
{
	size_t count = 0;

	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].summary)
			names[count++] = commands[i].name;
	return count;
}

static int unknown_topic(const char *name)
{
	const char *names[COMMANDS + 32];
	size_t known = list_names(names);

	for (size_t i = 0; sp_topic_name(i) && known < COMMANDS + 32; i++)
		names[known++] = sp_topic_name(i);
	return sp_complain_unknown("unknown command or topic", name, "", sp_suggest(name, names, known),
		"smartprof help");
}

static int unknown_command(const char *name)
{
	static const char *const flags[] = {"--help", "--version"};
	const char *names[COMMANDS];
	size_t known = list_names(names);

	if (name[0] == '-')
		return sp_complain_unknown("unknown flag", name, "", sp_suggest(name, flags, 2), "smartprof --help");
	return sp_complain_unknown("unknown command", name, "", sp_suggest(name, names, known), "smartprof --help");
}

static int cmd_help(int argc, char **argv)
{
	char flag[] = "--help";
	const struct command *command;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return 0;
	}
	if (sp_topic_print(argv[1]))
		return 0;
	command = find_command(argv[1]);
	if (!command || !command->summary)
		return unknown_topic(argv[1]);
	return command->fn(2, (char *[]){argv[1], flag, NULL});
}

/* What a command opens shall not be what it takes for its standard input, output and error. The programs that it starts find
 * these closed, as it did. */
static void fill_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDONLY | O_CLOEXEC); /* writing to it is the error that it is */
}

static void note_nothing(int number)
{
	(void)number;
}

/* A file that grows beyond what `ulimit -f` allows is an error that is told, and no silent end. Programs that are started have the
 * signal as we had it. */
static void catch_file_limit(void)
{
	struct sigaction given, catching = {.sa_handler = note_nothing, .sa_flags = SA_RESTART};

	if (sigaction(SIGXFSZ, NULL, &given) == 0 && given.sa_handler == SIG_DFL)
		sigaction(SIGXFSZ, &catching, NULL);
}

/* An answer that could not be given is none. */
static int end_output(const char *command, int status)
{
	bool failed = ferror(stdout);
	int error = fflush(stdout) == 0 ? 0 : errno;

	if (!failed && !error)
		return status;
	if (error != EPIPE) /* who reads no more needs no word about it */
		sp_complain("%s: standard output: %s; what it says is not complete", command,
			error ? strerror(error) : "it cannot be written to");
	return status ? status : 1;
}

int main(int argc, char **argv)
{
	const struct command *command;

	fill_standard_files();
	catch_file_limit();
	sp_json_init();
	if (argc < 2) {
		print_help(stderr);
		return SP_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("smartprof %s\n", SP_VERSION);
		return end_output("version", 0);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return end_output("help", 0);
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	if (command->fn != sp_cmd_run && command->fn != sp_cmd_guard) /* which hand the caller's on to the program */
		sp_set_umask();
	return end_output(command->name, command->fn(argc - 1, argv + 1));
}
