/* The table of settings as the command line and the environment of `smartprof` use it. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"
#include "tools/push/send.h"

#define PREFIX_BYTES (sizeof(SP_VARIABLE_PREFIX) - 1)

/* "development|production", without the other spellings. */
static void choices_text(const struct sp_option_row *row, char *text, size_t size)
{
	size_t length = 0;
	int skip = 0;

	for (const char *at = sp_option_choices(row); *at && length + 3 < size; at++) {
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

void sp_allowed_text(const struct sp_option_row *row, char *text, size_t size)
{
	struct sp_value low = {.number = row->min}, high = {.number = row->max};
	char from[32], to[32];

	switch (row->type) {
	case SP_TYPE_BOOL:
		snprintf(text, size, "on, off");
		break;
	case SP_TYPE_CHOICE:
	case SP_TYPE_MODE:
		choices_text(row, text, size);
		break;
	case SP_TYPE_TEXT:
	case SP_TYPE_PATH:
		snprintf(text, size, "any text");
		break;
	default:
		sp_option_format(row, &low, from, sizeof(from));
		sp_option_format(row, &high, to, sizeof(to));
		snprintf(text, size, "%s to %s", from, to);
		break;
	}
}

static int check_value(const struct sp_option_row *row, const char *shown_as, const char *value)
{
	char allowed[160];
	uint64_t number;
	int error = sp_option_parse(row, value, &number);
	const char *why = error ? NULL : sp_push_setting_objection((int)(row - sp_option_rows), value);

	if (why) {
		sp_complain("%s: '%s': %s", shown_as, value, why);
		return SP_EXIT_USAGE;
	}
	if (error == 0)
		return 0;
	sp_allowed_text(row, allowed, sizeof(allowed));
	sp_complain("%s: '%s' is %s; allowed: %s", shown_as, value, error == -ERANGE ? "out of range" : "not valid",
		allowed);
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

/* For completion; other spellings of a choice are left out. */
static void put_choices(const struct sp_option_row *row)
{
	const char *at = row->type == SP_TYPE_BOOL ? "on|off" : sp_option_choices(row);
	char word[64];

	for (; at && *at; at += strcspn(at, "|"), at += *at == '|') {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, row->type == SP_TYPE_MODE ? "|" : "|,"), at);
		sp_completion_put(word);
	}
}

int sp_settings_set(int option, const char *flag, const char *value)
{
	const struct sp_option_row *row = &sp_option_rows[option];

	if (strcmp(value, SP_COMPLETE_VALUES) == 0) {
		put_choices(row);
		return SP_EXIT_USAGE;
	}
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

const struct sp_where *sp_settings_where(void)
{
	static char cwd[PATH_MAX];
	static struct sp_where where = {.root = "", .cwd = cwd};

	where.envp = environ;
	if (!*cwd && !getcwd(cwd, sizeof(cwd)))
		*cwd = '\0';
	return &where;
}

bool sp_absolute(char path[static PATH_MAX], const char *name)
{
	const char *here = *name == '/' ? "" : sp_settings_where()->cwd;

	return (*name == '/' || *here) &&
		snprintf(path, PATH_MAX, "%s%s%s", here, *name == '/' ? "" : "/", name) < PATH_MAX;
}

const struct sp_file *sp_settings_file(void)
{
	static struct sp_file file;
	static int done;

	if (!done)
		sp_file_read(&file, sp_settings_where());
	done = 1;
	return &file;
}

static const struct sp_option_row *row_of(const char *name)
{
	for (int i = 0; i < SP_OPTIONS; i++)
		if (strcmp(sp_option_rows[i].variable, name) == 0 ||
			(*sp_option_rows[i].alias && strcmp(sp_option_rows[i].alias, name) == 0))
			return &sp_option_rows[i];
	return NULL;
}

/* Complains about a name that is ours by its prefix and unknown. Returns 1 if it is. */
static int check_name(const char *what, const char *name)
{
	const char *names[SP_OPTIONS];

	for (int i = 0; i < SP_OPTIONS; i++)
		names[i] = sp_option_rows[i].variable + PREFIX_BYTES;
	for (int i = 0; sp_internal_variables[i]; i++)
		if (strcmp(sp_internal_variables[i], name) == 0)
			return 0;
	sp_complain_unknown(what, name, SP_VARIABLE_PREFIX, sp_suggest(name + PREFIX_BYTES, names, SP_OPTIONS),
		"smartprof config --help");
	return 1;
}

static int check_variables(void)
{
	int complaints = 0;

	for (char **at = environ; *at; at++) {
		const struct sp_option_row *row;
		size_t bytes = strcspn(*at, "=");
		char name[128];

		if ((*at)[bytes] != '=')
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)bytes, *at);
		row = row_of(name);
		if (row)
			complaints += (*at)[bytes + 1] && check_value(row, name, *at + bytes + 1);
		else if (strncmp(name, SP_VARIABLE_PREFIX, PREFIX_BYTES) == 0)
			complaints += check_name("there is no setting", name);
	}
	return complaints;
}

static int check_line(const struct sp_file *file, const struct sp_file_setting *setting)
{
	const struct sp_option_row *row = row_of(setting->name);
	char place[SP_FILE_PATH_BYTES + 128];

	snprintf(place, sizeof(place), "%s line %u: %s", file->path, setting->line, setting->name);
	if (!row) {
		snprintf(place, sizeof(place), "%s line %u: there is no setting", file->path, setting->line);
		return check_name(place, setting->name);
	}
	if (row == &sp_option_rows[SP_OPT_CONFIG]) {
		sp_complain("%s: cannot be set in the settings file; set it in the environment", place);
		return 1;
	}
	if (setting->odd) {
		sp_complain("%s: '%s' is not a plain value; allowed: NAME=value or NAME='value', without expansions",
			place, setting->text);
		return 1;
	}
	return *setting->text && check_value(row, place, setting->text);
}

static int check_file(const struct sp_file *file)
{
	const char *named = getenv(sp_option_rows[SP_OPT_CONFIG].variable);
	int complaints = 0;

	for (unsigned i = 0; i < file->count; i++)
		complaints += check_line(file, &file->settings[i]);
	/* A file that was found but is not trusted is reported by `smartprof config`. */
	if (file->problem && ((named && *named) || file->count)) {
		sp_complain("%s: %s '%s': %s", sp_option_rows[SP_OPT_CONFIG].variable,
			named && *named ? "cannot use" : "cannot use all of", file->path, file->problem);
		complaints++;
	}
	return complaints;
}

int sp_settings_check(void)
{
	return check_variables() + check_file(sp_settings_file());
}

void sp_settings_help(void)
{
	static const char *const kinds[] = {[SP_TYPE_BOOL] = "on|off",
		[SP_TYPE_COUNT] = "N",
		[SP_TYPE_US] = "US",
		[SP_TYPE_MS] = "MS",
		[SP_TYPE_BYTES] = "BYTES",
		[SP_TYPE_MB] = "MB",
		[SP_TYPE_PERCENT] = "PERCENT",
		[SP_TYPE_PATH] = "PATH",
		[SP_TYPE_TEXT] = "GLOBS",
		[SP_TYPE_MODE] = "MODE",
		[SP_TYPE_CHOICE] = "NAME"};

	for (int i = 0; i < SP_OPTIONS; i++) {
		const struct sp_option_row *row = &sp_option_rows[i];
		char left[48];

		if (!*row->flag)
			continue;
		snprintf(left, sizeof(left), "--%s %s", row->flag, kinds[row->type]);
		printf("  %-15s %s\n", left, sp_option_help(row));
	}
}
