/* smartprof config: what was detected here, what every setting came to and why, and what follows. */
#include "tools/tools.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"
#include "symbolize/base/memory.h"
#include "tools/config/config.h"

struct request {
	bool json, check, write, docker;
	const char *root; /* of a recorded machine; NULL: this one */
	const char *file; /* to write */
};

static void print_help(void)
{
	printf("usage: smartprof config [--env NAME] [--json | --check] [--root DIR]\n"
	       "       smartprof config --write [--docker] [--env NAME] FILE\n\n"
	       "Shows what smartprof detects here, every setting with its value and where it comes from, what\n"
	       "will happen, and what keeps it from working well. Exit status 2 when a setting has an invalid\n"
	       "value or an unknown name.\n\n"
	       "  --env NAME      show the settings of that environment: development, production, ci, critical\n"
	       "  --json          write the same as JSON (smartprof-config/1)\n"
	       "  --check         show only what is wrong; exit status 1 when there would be no profile\n"
	       "  --root DIR      detect from the copies of /proc and /sys in DIR: another machine, recorded\n"
	       "  --write FILE    write a commented settings file (.env.profiling)\n"
	       "  --docker        write it for docker run --env-file\n"
	       "  --help          show this text\n\n"
	       "settings, in the environment or in " SP_FILE_NAME ":\n");
	for (int i = 0; i < SP_OPTIONS; i++)
		printf("  %-36s %s\n", sp_option_rows[i].variable, sp_option_help(&sp_option_rows[i]));
}

static int complain_usage(const char *what)
{
	sp_complain("config: %s; see smartprof config --help", what);
	return SP_EXIT_USAGE;
}

/* Which flags go together. Returns -1 when all is well. */
static int check_request(struct request *request, int argc, char **argv)
{
	if (request->write && !request->file && optind < argc)
		request->file = argv[optind++];
	if (optind < argc) {
		sp_complain("config: unexpected argument '%s'; see smartprof config --help", argv[optind]);
		return SP_EXIT_USAGE;
	}
	if (request->write && (!request->file || !*request->file))
		return complain_usage("--write needs the name of a file");
	if (request->docker && !request->write)
		return complain_usage("--docker goes with --write");
	if (request->json + request->check + request->write > 1)
		return complain_usage("--json, --check and --write exclude each other");
	if (request->root && request->write)
		return complain_usage("--write is for this machine, without --root");
	return -1;
}

/* Returns -1 to go on, else the exit status. */
static int parse_flags(struct request *request, int argc, char **argv)
{
	static const struct option flags[] = {{"env", required_argument, NULL, 'e'}, {"json", no_argument, NULL, 'j'},
		{"check", no_argument, NULL, 'c'}, {"root", required_argument, NULL, 'r'},
		{"write", optional_argument, NULL, 'w'}, {"docker", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		switch (got) {
		case 'h':
			print_help();
			return 0;
		case 'e':
			if (sp_settings_set(SP_OPT_ENVIRONMENT, "--env", optarg))
				return SP_EXIT_USAGE;
			break;
		case 'j':
			request->json = true;
			break;
		case 'c':
			request->check = true;
			break;
		case 'd':
			request->docker = true;
			break;
		case 'r':
			request->root = optarg;
			break;
		case 'w':
			request->write = true;
			request->file = optarg;
			break;
		default:
			return sp_flag_error("config", got, argv, flags);
		}
	}
	return check_request(request, argc, argv);
}

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return !(no && *no) && isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

static int check(const struct sp_plan *plan)
{
	sp_config_print_warnings(plan, wants_colour());
	if (sp_plan_is_blocked(plan))
		return 1;
	if (!plan->warning_count)
		printf("nothing keeps profiling from working here\n");
	return 0;
}

static int print(const struct sp_plan *plan)
{
	sp_config_print(plan, wants_colour());
	return 0;
}

int sp_cmd_config(int argc, char **argv)
{
	struct request request = {0};
	struct sp_where recorded = {.root = ""};
	const struct sp_file *file = NULL;
	const struct sp_where *where;
	struct sp_plan *plan;
	int status = parse_flags(&request, argc, argv);

	if (status >= 0)
		return status;
	if (sp_settings_check() > 0)
		return SP_EXIT_USAGE;
	where = sp_settings_where();
	if (request.root) {
		recorded.root = request.root;
		recorded.envp = where->envp;
		where = &recorded;
	} else {
		file = sp_settings_file();
	}
	plan = sp_alloc(1, sizeof(*plan));
	sp_plan_make(plan, where, file, !request.root);
	if (request.write)
		status = sp_config_write(plan, request.file, request.docker);
	else if (request.check)
		status = check(plan);
	else if (request.json)
		status = sp_config_print_json(plan, stdout) < 0;
	else
		status = print(plan);
	free(plan);
	return status;
}
