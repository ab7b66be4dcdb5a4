/* Detection on the machines of tests/fixtures/machines: see the README there. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/env.h"

#define MACHINES "tests/fixtures/machines"
#define MACHINES_MIN 11
#define LINE_BYTES 512

static char variables[64][LINE_BYTES];
static char *environment[65];

static FILE *open_in(const char *machine, const char *name)
{
	char path[LINE_BYTES];

	snprintf(path, sizeof(path), MACHINES "/%s/%s", machine, name);
	return fopen(path, "r");
}

static void read_environment(const char *machine)
{
	FILE *file = open_in(machine, "environ");
	size_t count = 0;

	assert_non_null(file);
	while (count < 64 && fgets(variables[count], LINE_BYTES, file)) {
		variables[count][strcspn(variables[count], "\n")] = '\0';
		environment[count] = variables[count];
		count++;
	}
	environment[count] = NULL;
	fclose(file);
}

static const char *or_dash(const char *text)
{
	return text && *text ? text : "-";
}

static bool speaks_against(const struct sp_config *config, const struct sp_where *where, const char *name)
{
	enum sp_environment other;
	char reason[128];

	for (unsigned i = 0; sp_environment_outvoted(config, where, i, &other, reason, sizeof(reason)); i++)
		if (strcmp(sp_environment_name(other), name) == 0)
			return true;
	return false;
}

/* What a setting came to: "200 rule". */
static bool describe_setting(const struct sp_config *config, const char *name, char *text, size_t size)
{
	for (int i = 0; i < SP_OPTIONS; i++) {
		if (strcmp(sp_option_rows[i].name, name) != 0)
			continue;
		snprintf(text, size, "%llu %s", (unsigned long long)config->values[i].number,
			sp_source_name(config->values[i].source));
		return true;
	}
	return false;
}

static void describe(const struct sp_config *config, const struct sp_where *where, const char *key, const char *wanted,
	char *text, size_t size)
{
	const struct sp_machine *machine = &config->machine;

	if (strcmp(key, "reason") == 0)
		snprintf(text, size, "%s", config->reason);
	else if (strcmp(key, "against") == 0)
		snprintf(text, size, "%s", speaks_against(config, where, wanted) ? wanted : "nothing");
	else if (strcmp(key, "millicores") == 0)
		snprintf(text, size, "%u", machine->usable_millicores);
	else if (strcmp(key, "host_cores") == 0)
		snprintf(text, size, "%u", machine->host_cores);
	else if (strcmp(key, "cores_by") == 0)
		snprintf(text, size, "%s", or_dash(machine->cores_limit.name));
	else if (strcmp(key, "memory") == 0)
		snprintf(text, size, "%llu", (unsigned long long)machine->memory_limit_bytes);
	else if (strcmp(key, "memory_by") == 0)
		snprintf(text, size, "%s", or_dash(machine->memory_limit.name));
	else if (strcmp(key, "memory_group") == 0)
		snprintf(text, size, "%s", or_dash(machine->memory_limit.group));
	else if (strcmp(key, "paranoid") == 0)
		snprintf(text, size, "%d", machine->perf_event_paranoid);
	else if (strcmp(key, "hypervisor") == 0)
		snprintf(text, size, "%s", or_dash(machine->hypervisor));
	else if (strcmp(key, "libc") == 0)
		snprintf(text, size, "%s", or_dash(machine->libc));
	else if (strcmp(key, "environment") == 0)
		snprintf(text, size, "%s", sp_environment_name(config->environment));
	else if (!describe_setting(config, key, text, size))
		fail_msg("expect: unknown key '%s'", key);
}

/* Splits "key value" in place; returns the value. */
static char *split(char *line)
{
	char *space = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	assert_non_null(space);
	*space = '\0';
	return space + 1;
}

static void read_cwd(const char *machine, char *cwd, size_t size)
{
	FILE *file = open_in(machine, "expect");
	char line[LINE_BYTES];

	assert_non_null(file);
	*cwd = '\0';
	while (fgets(line, sizeof(line), file)) {
		const char *value = split(line);

		if (strcmp(line, "cwd") == 0)
			snprintf(cwd, size, "%s", value);
	}
	fclose(file);
}

static void check_machine(const char *machine)
{
	char root[LINE_BYTES], cwd[LINE_BYTES], line[LINE_BYTES], got[LINE_BYTES];
	struct sp_where where = {.root = root, .cwd = cwd, .envp = environment};
	FILE *file = open_in(machine, "expect");
	struct sp_config config;
	size_t lines = 0;

	snprintf(root, sizeof(root), MACHINES "/%s", machine);
	read_environment(machine);
	read_cwd(machine, cwd, sizeof(cwd));
	sp_config_load(&config, &where, NULL);
	while (fgets(line, sizeof(line), file)) {
		const char *wanted = split(line);

		lines++;
		if (strcmp(line, "cwd") == 0)
			continue;
		describe(&config, &where, line, wanted, got, sizeof(got));
		if (strcmp(got, wanted) != 0)
			fail_msg("%s: %s is '%s' instead of '%s'", machine, line, got, wanted);
	}
	fclose(file);
	assert_true(lines >= 5);
}

static void every_machine_is_recognized(void **state)
{
	DIR *dir = opendir(MACHINES);
	struct dirent *entry;
	size_t count = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		FILE *file = open_in(entry->d_name, "expect");

		if (!file)
			continue;
		fclose(file);
		check_machine(entry->d_name);
		count++;
	}
	closedir(dir);
	assert_true(count >= MACHINES_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_machine_is_recognized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
