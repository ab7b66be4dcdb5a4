/* smartprof validate: does a file follow the schema of the Markdown profile? */
#include "tools/report/report.h"
#include "tools/tools.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/base/escape.h"
#include "profiles/model/facts.h"
#include "profiles/markdown/validate.h"

static void print_help(void)
{
	printf("usage: smartprof validate [--json] FILE|DIRECTORY…\n\n"
	       "Checks whether profiles follow " SP_PROFILE_SCHEMA
	       ": names each violation with its line, and lists which keys and\n"
	       "sections are there, and why others are not. Keys and sections it does not know are no violations.\n\n"
	       "  --json          write the same as JSON\n"
	       "  --help          show this text\n\n"
	       "Exit status: 0, 1 when a file violates the schema, 2 when one cannot be read.\n");
}

/* Calls fn for every key and section of the schema, then for unknown ones. line 0: absent, because of `why`
 * (NULL: it should not be). */
typedef void coverage_fn(void *context, const char *kind, const char *name, size_t line, const char *why, bool known);

static void visit_coverage(const struct sp_validation *v, coverage_fn *fn, void *context)
{
	for (size_t i = 0; i < SP_SCHEMA_KEYS; i++)
		fn(context, "key", sp_schema_keys[i].name, v->key_line[i],
			sp_schema_absence(v, sp_schema_keys[i].when, sp_schema_keys[i].absent), true);
	for (size_t i = 0; i < v->unknown_key_count; i++)
		fn(context, "key", v->unknown_keys[i].what, v->unknown_keys[i].line, NULL, false);
	for (size_t i = 0; i < SP_SCHEMA_SECTIONS; i++)
		fn(context, "section", sp_schema_sections[i].heading, v->section_line[i],
			sp_schema_absence(v, sp_schema_sections[i].when, sp_schema_sections[i].absent), true);
	for (size_t i = 0; i < v->unknown_section_count; i++)
		fn(context, "section", v->unknown_sections[i].what, v->unknown_sections[i].line, NULL, false);
}

/* A heading whose line goes on with a number or a word ends in a bracket here. */
static int name_bytes(const char *name)
{
	size_t length = strlen(name);

	return (int)(length > 2 && name[length - 1] == '(' ? length - 2 : length);
}

static void print_coverage(void *context, const char *kind, const char *name, size_t line, const char *why, bool known)
{
	(void)context;
	if (line)
		printf("  %-8s %-8s %-32.*s line %zu\n", known ? "present" : "unknown", kind, name_bytes(name), name,
			line);
	else
		printf("  %-8s %-8s %-32.*s %s\n", why ? "absent" : "missing", kind, name_bytes(name), name,
			why ? why : "it has to be there");
}

static void print_text(const char *path, const struct sp_validation *v)
{
	size_t shown = v->count < SP_VIOLATIONS_MAX ? v->count : SP_VIOLATIONS_MAX;

	for (size_t i = 0; i < shown; i++)
		printf("%s:%zu: %s\n", path, v->violations[i].line, v->violations[i].what);
	if (v->count > shown)
		printf("%s: … %zu more\n", path, v->count - shown);
	if (v->count)
		printf("%s: %zu violation%s of " SP_PROFILE_SCHEMA "\n", path, v->count, v->count == 1 ? "" : "s");
	else
		printf("%s: follows " SP_PROFILE_SCHEMA "\n", path);
	if (!v->foreign)
		visit_coverage(v, print_coverage, NULL);
}

static void add_coverage(void *context, const char *kind, const char *name, size_t line, const char *why, bool known)
{
	json_t *item =
		json_pack("{s:s, s:s%, s:b}", "kind", kind, "name", name, (size_t)name_bytes(name), "known", known);

	if (line)
		json_object_set_new(item, "line", json_integer((json_int_t)line));
	else
		json_object_set_new(item, "absent", json_string(why ? why : "it has to be there"));
	json_array_append_new(context, item);
}

static json_t *to_json(const char *path, const struct sp_validation *v)
{
	json_t *violations = json_array(), *coverage = json_array();
	struct sp_buffer name = {0};
	json_t *file;

	for (size_t i = 0; i < v->count && i < SP_VIOLATIONS_MAX; i++)
		json_array_append_new(violations,
			json_pack("{s:I, s:s}", "line", (json_int_t)v->violations[i].line, "what",
				v->violations[i].what));
	if (!v->foreign)
		visit_coverage(v, add_coverage, coverage);
	sp_buffer_puts(&name, "");
	sp_escape(&name, SP_ESCAPE_PLAIN, path, strlen(path));
	file = json_pack("{s:s, s:s, s:b, s:I, s:o, s:o}", "file", name.data, "schema", SP_PROFILE_SCHEMA, "valid",
		v->count == 0, "violation_count", (json_int_t)v->count, "violations", violations, "coverage", coverage);
	sp_buffer_free(&name);
	return file;
}

/* Returns the exit status for this file. */
static int validate_file(const char *path, json_t *files)
{
	struct sp_validation *v;
	struct sp_buffer text = {0};
	int err = sp_input_read(path, &text), status = SP_EXIT_USAGE;

	if (err < 0) {
		sp_complain("validate: %s: %s; give it a profile", path, sp_input_error(err));
	} else if (err == SP_INPUT_SPOOL) {
		sp_complain("validate: %s: it is a spool; give it a profile, such as `smartprof report` makes of it",
			path);
	} else {
		v = sp_alloc(1, sizeof(*v));
		sp_validate(v, text.data, text.length);
		if (files)
			json_array_append_new(files, to_json(path, v));
		else
			print_text(path, v);
		status = v->count ? 1 : 0;
		sp_validation_free(v);
		free(v);
	}
	sp_buffer_free(&text);
	return status;
}

struct members {
	json_t *files;
	int worst;
};

static void validate_member(void *context, const char *path)
{
	struct members *members = context;
	int status = validate_file(path, members->files);

	members->worst = status > members->worst ? status : members->worst;
}

/* The profiles that an index names, where the file is one. */
static bool validate_index(const char *path, json_t *files, int *worst)
{
	struct members members = {.files = files};
	struct sp_buffer text = {0};
	bool is_index = sp_input_read(path, &text) == 0 && sp_report_is_index(&text) &&
		sp_report_each_member(path, &text, validate_member, &members);

	*worst = members.worst;
	sp_buffer_free(&text);
	return is_index;
}

static int validate(const char *path, json_t *files);

/* profiles/ has a directory for each environment. */
static bool validate_below(const char *path, json_t *files, int *worst)
{
	char **directories;
	size_t count = sp_input_below(path, &directories);

	for (size_t i = 0; i < count; i++) {
		int status = validate(directories[i], files);

		*worst = status > *worst ? status : *worst;
	}
	sp_input_free(directories, count);
	return count > 0;
}

/* What is named: a profile, or a directory with profiles. */
static int validate(const char *path, json_t *files)
{
	char named[PATH_MAX];
	char **profiles;
	struct stat st;
	long count;
	int worst = 0;

	path = sp_input_named("validate", path, named);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return validate_index(path, files, &worst) ? worst : validate_file(path, files);
	count = sp_input_list(path, &profiles);
	if (count == 0 && validate_below(path, files, &worst))
		return worst;
	if (count <= 0) {
		sp_complain("validate: %s: there are no profiles in it", path);
		worst = SP_EXIT_USAGE;
	}
	for (long i = 0; i < count; i++) {
		int status = validate_file(profiles[i], files);

		worst = status > worst ? status : worst;
	}
	sp_input_free(profiles, count > 0 ? (size_t)count : 0);
	return worst;
}

int sp_cmd_validate(int argc, char **argv)
{
	static const struct option flags[] = {
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	json_t *files = NULL;
	int got, worst = 0;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 'j')
			return sp_flag_error("validate", got, argv, flags);
		files = files ? files : json_array();
	}
	if (argc == optind) {
		sp_complain("validate: no profile given; see smartprof validate --help");
		return SP_EXIT_USAGE;
	}
	sp_limit_reading();
	for (int i = optind; i < argc; i++) {
		int status = validate(argv[i], files);

		worst = status > worst ? status : worst;
	}
	if (files)
		json_dumpf(files, stdout, JSON_INDENT(2));
	if (files)
		putchar('\n');
	json_decref(files);
	return worst;
}
