/* smartprof config: what was detected here, and what every setting came to and why. */
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "env/env.h"

static void print_help(void)
{
	printf("usage: smartprof config [--env NAME]\n\n"
	       "Shows what smartprof detects here, and every setting with its value and where it comes from.\n"
	       "Exit status 2 when a SMARTPROF_ variable has an invalid value or is unknown.\n\n"
	       "  --env NAME      settings as in that environment: development, production, ci, critical\n"
	       "  --help          this text\n\nsettings:\n");
	for (int i = 0; i < SP_OPTIONS; i++)
		printf("  %-32s %s\n", sp_option_rows[i].variable, sp_option_rows[i].help);
}

static void print_bytes(uint64_t bytes)
{
	if (bytes)
		printf("%.1f GiB", (double)bytes / (1 << 30));
	else
		printf("unknown");
}

static void print_machine(const struct sp_machine *machine)
{
	printf("cores        %.2f usable of %u\n", machine->usable_millicores / 1000.0, machine->host_cores);
	printf("memory       ");
	print_bytes(machine->memory_limit_bytes);
	printf(" usable of ");
	print_bytes(machine->memory_bytes);
	printf("\nperf events  ");
	if (machine->perf_event_paranoid == -2)
		printf("perf_event_paranoid cannot be read\n");
	else
		printf("perf_event_paranoid is %d\n", machine->perf_event_paranoid);
}

static void print_settings(const struct sp_config *config)
{
	printf("%-17s %-13s %-9s %s\n", "setting", "value", "source", "variable");
	for (int i = 0; i < SP_OPTIONS; i++) {
		const struct sp_option_row *row = &sp_option_rows[i];
		const struct sp_value *value = &config->values[i];
		char text[PATH_MAX];

		if (sp_option_format(row, value, text, sizeof(text)) == 0)
			snprintf(text, sizeof(text), "-");
		printf("%-17s %-13s %-9s %s", row->name, text, sp_source_name(value->source), row->variable);
		if (value->source == SP_SOURCE_RULE)
			printf(" (%s)", sp_rule_reason((enum sp_option)i));
		printf("\n");
	}
}

int sp_cmd_config(int argc, char **argv)
{
	static const struct option flags[] = {
		{"env", required_argument, NULL, 'e'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct sp_config config;
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 'e')
			return sp_flag_error("config", got, argv, flags);
		if (sp_settings_set(SP_OPT_ENVIRONMENT, "--env", optarg))
			return SP_EXIT_USAGE;
	}
	if (optind < argc) {
		sp_complain("config: unexpected argument '%s'; see smartprof config --help", argv[optind]);
		return SP_EXIT_USAGE;
	}
	if (sp_settings_check() > 0)
		return SP_EXIT_USAGE;
	sp_config_load(&config, "", environ);
	printf("environment  %s: %s\n", sp_environment_name(config.environment), config.reason);
	print_machine(&config.machine);
	printf("\n");
	print_settings(&config);
	return 0;
}
