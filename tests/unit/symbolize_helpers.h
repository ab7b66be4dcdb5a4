/* For the symbolizer's tests: a scratch directory, shell commands, and what binutils says. */
#ifndef SP_TESTS_SYMBOLIZE_HELPERS_H
#define SP_TESTS_SYMBOLIZE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolize/symbolize.h"

static char scratch[] = "/tmp/smartprof-symbolize-XXXXXX";

/* The path of a file in the scratch directory; good until the eighth call after. */
__attribute__((unused)) static const char *in_scratch(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, 256, "%s/%s", scratch, name);
	return path;
}

/* Runs a shell command in the scratch directory; it must succeed. */
__attribute__((unused, format(printf, 1, 2))) static void shell(const char *format, ...)
{
	char command[2048];
	int used = snprintf(command, sizeof(command), "cd %s && ", scratch);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command + used, sizeof(command) - (size_t)used, format, arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("failed: %s", command);
}

/* The first line a shell command prints. */
__attribute__((unused)) static const char *shell_line(const char *command)
{
	static char line[512];
	char all[1024];
	FILE *pipe;

	snprintf(all, sizeof(all), "cd %s && %s", scratch, command);
	pipe = popen(all, "r");
	assert_non_null(pipe);
	line[0] = '\0';
	if (!fgets(line, sizeof(line), pipe))
		line[0] = '\0';
	pclose(pipe);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

__attribute__((unused)) static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_scratch(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* The build-id of a file in the scratch directory. Returns its length. */
__attribute__((unused)) static size_t build_id_of(const char *name, uint8_t id[64])
{
	char command[512];
	const char *hex;
	size_t bytes = 0;

	snprintf(command, sizeof(command), "readelf -n %s 2>/dev/null | awk '/Build ID/ {print $3}'", name);
	hex = shell_line(command);
	for (; hex[0] && hex[1] && bytes < 64; hex += 2) {
		char digits[3] = {hex[0], hex[1], 0};

		id[bytes++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return bytes;
}

/* A symbolizer whose only module, 0, is this file (relative names: in the scratch directory), at bias 0. */
__attribute__((unused)) static struct sp_symbolizer *open_file(const char *name)
{
	struct sp_symbol_module module = {.path = name[0] == '/' || name[0] == '[' ? name : in_scratch(name)};
	struct sp_symbolizer *s =
		sp_symbolizer_new(&(struct sp_symbolizer_options){.debug_dirs = in_scratch("debugroot")});

	assert_non_null(s);
	assert_int_equal(sp_symbolizer_add_module(s, &module), 0);
	return s;
}

/* The address nm gives for a symbol of a file in the scratch directory. */
__attribute__((unused)) static uint64_t address_of(const char *name, const char *symbol)
{
	char command[512];

	snprintf(command, sizeof(command), "nm %s | awk '$3 == \"%s\" {print $1}'", name, symbol);
	return strtoull(shell_line(command), NULL, 16);
}

__attribute__((unused)) static int make_scratch(void **state)
{
	(void)state;
	return mkdtemp(scratch) ? 0 : -1;
}

__attribute__((unused)) static int remove_scratch(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return system(command);
}

#endif
