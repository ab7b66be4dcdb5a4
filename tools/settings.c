/* The table of settings as the command line and the environment of `smartprof` use it. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"

#define PREFIX_BYTES (sizeof(SP_VARIABLE_PREFIX) - 1)

/* "development|production", without the other spellings. */
static void choices_text(const struct sp_option_row *row, char *text, size_t size)
{
	size_t length = 0;
	int skip = 0;

	for (const char *at = row->choices; *at && length + 3 < size; at++) {
		if (row->type == SP_TYPE_CHOICE && *at == ',')
			skip = 1;
		if (*at == '|') {
			skip = 0;
			text[length++] = ',';
			text[length++] = ' ';
		} else if (!skip) {
			text[length++] = *at;
		}
	}
	text[length] = '\0';
}

static void allowed_text(const struct sp_option_row *row, char *text, size_t size)
{
	struct sp_value low = {.number = row->min}, high = {.number = row->max};
	char from[32], to[32];

	switch (row->type) {
	case SP_TYPE_BOOL:
		snprintf(text, size, "allowed are on and off");
		break;
	case SP_TYPE_CHOICE:
	case SP_TYPE_MODE:
		snprintf(text, size, "allowed are ");
		choices_text(row, text + strlen(text), size - strlen(text));
		break;
	default:
		sp_option_format(row, &low, from, sizeof(from));
		sp_option_format(row, &high, to, sizeof(to));
		snprintf(text, size, "allowed is %s to %s", from, to);
		break;
	}
}

static int check_value(const struct sp_option_row *row, const char *shown_as, const char *value)
{
	char allowed[160];
	uint64_t number;
	int error = sp_option_parse(row, value, &number);

	if (error == 0)
		return 0;
	allowed_text(row, allowed, sizeof(allowed));
	sp_complain("%s: '%s' is %s; %s", shown_as, value, error == -ERANGE ? "out of range" : "not valid", allowed);
	return SP_EXIT_USAGE;
}

static int mark_as_flag(const char *name)
{
	const char *listed = getenv(SP_VARIABLE_FLAGS);
	char *list;
	int error;

	if (asprintf(&list, "%s%s%s", listed ? listed : "", listed && *listed ? "," : "", name) < 0)
		return -ENOMEM;
	error = setenv(SP_VARIABLE_FLAGS, list, 1);
	free(list);
	return error;
}

int sp_settings_set(int option, const char *flag, const char *value)
{
	const struct sp_option_row *row = &sp_option_rows[option];

	if (!*value) {
		sp_complain("%s: the value is empty; leave the flag out for the default", flag);
		return SP_EXIT_USAGE;
	}
	if (check_value(row, flag, value))
		return SP_EXIT_USAGE;
	if (setenv(row->variable, value, 1) || mark_as_flag(row->name)) {
		sp_complain("%s: %s", flag, strerror(ENOMEM));
		return 1;
	}
	return 0;
}

/* Complains about a variable that is ours by its prefix. Returns 1 if there was reason to. */
static int check_variable(const char *name, const char *value)
{
	const char *names[SP_OPTIONS];

	for (int i = 0; i < SP_OPTIONS; i++) {
		if (strcmp(sp_option_rows[i].variable, name) == 0)
			return *value && check_value(&sp_option_rows[i], name, value);
		names[i] = sp_option_rows[i].variable + PREFIX_BYTES;
	}
	for (int i = 0; sp_internal_variables[i]; i++)
		if (strcmp(sp_internal_variables[i], name) == 0)
			return 0;
	sp_complain_unknown("there is no setting", name, SP_VARIABLE_PREFIX,
		sp_suggest(name + PREFIX_BYTES, names, SP_OPTIONS), "smartprof config --help");
	return 1;
}

int sp_settings_check(void)
{
	int complaints = 0;

	for (char **at = environ; *at; at++) {
		char name[128];
		size_t bytes = strcspn(*at, "=");

		if (strncmp(*at, SP_VARIABLE_PREFIX, PREFIX_BYTES) != 0 || (*at)[bytes] != '=')
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)bytes, *at);
		complaints += check_variable(name, *at + bytes + 1);
	}
	return complaints;
}

void sp_settings_help(void)
{
	static const char *const kinds[] = {[SP_TYPE_BOOL] = "on|off",
		[SP_TYPE_COUNT] = "N",
		[SP_TYPE_US] = "US",
		[SP_TYPE_BYTES] = "BYTES",
		[SP_TYPE_PERCENT] = "PERCENT",
		[SP_TYPE_TEXT] = "PATH",
		[SP_TYPE_MODE] = "MODE",
		[SP_TYPE_CHOICE] = "NAME"};

	for (int i = 0; i < SP_OPTIONS; i++) {
		const struct sp_option_row *row = &sp_option_rows[i];
		char left[48];

		if (!row->flag)
			continue;
		snprintf(left, sizeof(left), "--%s %s", row->flag, kinds[row->type]);
		printf("  %-15s %s\n", left, row->help);
	}
}
