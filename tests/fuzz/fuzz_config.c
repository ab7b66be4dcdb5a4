/* Fuzzes what reads settings: the file's parser, variables and values. The input is a settings file
 * and, behind a line "---", an environment, one variable a line.
 *
 * Besides not crashing: what a value is written as parses again to the same, and stays in range. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "env/env.h"

#define VARIABLES 32

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_config: %s\n", what);
		abort();
	}
}

static void check_value(const struct sp_option_row *row, const struct sp_value *value)
{
	char text[64], tiny[5];
	uint64_t again;

	require(sp_option_format(row, value, tiny, sizeof(tiny)) < sizeof(tiny), "format overran");
	if (row->type == SP_TYPE_TEXT || row->type == SP_TYPE_PATH)
		return;
	sp_option_format(row, value, text, sizeof(text));
	require(sp_option_parse(row, text, &again) == 0 && again == value->number, "a value does not come back");
	if (row->type != SP_TYPE_CHOICE)
		require(value->number >= row->min && value->number <= row->max, "out of range");
}

static void check_config(const struct sp_where *where, const struct sp_file *file)
{
	struct sp_config config;
	char text[256];

	sp_config_load(&config, where, file);
	for (int i = 0; i < SP_OPTIONS; i++) {
		check_value(&sp_option_rows[i], &config.values[i]);
		require(sp_source_text(&config, where, (enum sp_option)i, text, sizeof(text)) < sizeof(text),
			"too long");
		require(!strpbrk(text, "\t\n"), "a source breaks its line");
	}
	sp_program_wanted(where->envp, file, "redis-server");
}

/* Splits in place. */
static void take_variables(char *text, char **variables)
{
	size_t count = 0;

	for (char *line = strtok(text, "\n"); line && count < VARIABLES; line = strtok(NULL, "\n"))
		variables[count++] = line;
	variables[count] = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static struct sp_file file;
	static char named[64];
	char *copy = malloc(size + 1), *rest, *variables[VARIABLES + 2];
	struct sp_where where = {.root = "/nonexistent", .cwd = "/tmp", .envp = variables};
	uint64_t number;

	if (fd < 0) {
		fd = memfd_create("settings", 0);
		snprintf(named, sizeof(named), "SMARTPROF_CONFIG=/proc/self/fd/%d", fd);
	}
	memcpy(copy, data, size);
	copy[size] = '\0';
	for (int i = 0; i < SP_OPTIONS; i++)
		sp_option_parse(&sp_option_rows[i], copy, &number);
	rest = strstr(copy, "---\n");
	require(ftruncate(fd, 0) == 0, "no file");
	require(pwrite(fd, data, rest ? (size_t)(rest - copy) : size, 0) >= 0, "no file");
	sp_file_read(&file, &(struct sp_where){.root = "", .envp = (char *[]){named, NULL}});
	take_variables(rest ? rest + 4 : copy + size, variables);
	check_config(&where, &file);
	free(copy);
	return 0;
}
