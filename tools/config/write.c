/* Writes .env.profiling from the table of settings: all of them as comments with their defaults,
 * and those that are set, in a file or the environment, with their values. */
#include "tools/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/buffer.h"
#include "profiles/output/output.h"
#include "tools/tools.h"

#define MARK "# smartprof settings"

/* Shells tell a sourced file its own name in their own ways; one that does not is taken to stand in
 * the file's directory. What is bash's or zsh's syntax is hidden from the others in strings. */
static const char find_dir[] =
	"if [ -n \"${BASH_VERSION-}\" ]; then\n"
	"\teval 'smartprof_dir=${BASH_SOURCE[0]}'\n"
	"elif [ -n \"${ZSH_VERSION-}\" ]; then\n"
	"\teval 'smartprof_dir=${(%):-%x}'\n"
	"else\n"
	"\tsmartprof_dir=./" SP_FILE_NAME "\n"
	"fi\n"
	"smartprof_dir=$(CDPATH='' cd -- \"$(dirname -- \"$smartprof_dir\")\" && pwd -P) || smartprof_dir=$PWD\n"
	"smartprof_bin=\n"
	"if [ -x \"$smartprof_dir/build/smartprof\" ]; then # in the source directory\n"
	"\tsmartprof_bin=$smartprof_dir/build smartprof_lib=$smartprof_dir/build\n"
	"elif [ -x \"${smartprof_dir%/share/smartprof}/bin/smartprof\" ]; then # installed\n"
	"\tsmartprof_bin=${smartprof_dir%/share/smartprof}/bin smartprof_lib=${smartprof_dir%/share/smartprof}/lib\n"
	"\t[ ! -d \"$smartprof_lib/smartprof\" ] || smartprof_lib=$smartprof_lib/smartprof # as Debian's package has "
	"it\n";

static const char set_paths[] =
	"else\n"
	"\techo \"smartprof: not found from $smartprof_dir; build it with make, or write this file anew with"
	" smartprof config --write\" >&2\n"
	"fi\n"
	"if [ -n \"$smartprof_bin\" ]; then\n"
	"\tcase \":$PATH:\" in\n"
	"\t*\":$smartprof_bin:\"*) ;;\n"
	"\t*) PATH=$smartprof_bin:$PATH ;;\n"
	"\tesac\n"
	"\tcase \":${LD_LIBRARY_PATH-}:\" in\n"
	"\t*\":$smartprof_lib:\"*) ;;\n"
	"\t*) LD_LIBRARY_PATH=$smartprof_lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;\n"
	"\tesac\n"
	"\texport PATH LD_LIBRARY_PATH\n"
	"fi\n"
	"unset smartprof_dir smartprof_bin smartprof_lib\n";

static bool is_text(const struct sp_option_row *row)
{
	return row->type == SP_TYPE_TEXT || row->type == SP_TYPE_PATH;
}

/* Values as they can be written without quotes: "2000us". */
static void short_value(const struct sp_option_row *row, const struct sp_value *value, char *text, size_t size)
{
	char *to = text;

	sp_option_format(row, value, text, size);
	if (is_text(row))
		return;
	for (const char *from = text; *from; from++)
		if (*from != ' ')
			*to++ = *from;
	*to = '\0';
}

static void default_text(const struct sp_option_row *row, int environment, char *text, size_t size)
{
	struct sp_value value = {.number = row->defaults[environment]};

	short_value(row, &value, text, size);
}

static bool same_everywhere(const struct sp_option_row *row)
{
	for (int e = 1; e < SP_ENVIRONMENTS; e++)
		if (row->defaults[e] != row->defaults[0])
			return false;
	return true;
}

static void put_remarks(struct sp_buffer *out, const struct sp_option_row *row)
{
	char allowed[160], text[64];

	sp_buffer_printf(out, "\n# %c%s", sp_option_help(row)[0] & ~0x20, sp_option_help(row) + 1);
	if (*row->alias)
		sp_buffer_printf(out, " (also %s)", row->alias);
	sp_allowed_text(row, allowed, sizeof(allowed));
	if (!is_text(row))
		sp_buffer_printf(out, "\n# Allowed: %s.", allowed);
	if (row == &sp_option_rows[SP_OPT_ENVIRONMENT]) {
		sp_buffer_puts(out, " Default: detected.");
	} else if (!is_text(row)) {
		sp_buffer_puts(out, " Default: ");
		for (int e = 0; e < (same_everywhere(row) ? 1 : SP_ENVIRONMENTS); e++) {
			default_text(row, e, text, sizeof(text));
			sp_buffer_printf(out, "%s%s", e ? ", " : "", text);
			if (!same_everywhere(row))
				sp_buffer_printf(out, " (%s)", sp_environment_name((enum sp_environment)e));
		}
		sp_buffer_puts(out, ".");
	}
	sp_buffer_puts(out, "\n");
}

/* Docker takes everything behind the equals sign as it stands; a shell wants quotes. Returns
 * -EINVAL for a value that cannot be expressed. */
static int put_value(struct sp_buffer *out, const char *value, bool docker)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:,%+@-";
	const char *quote = "";

	if (strchr(value, '\n'))
		return -EINVAL;
	if (!docker && value[strspn(value, harmless)])
		quote = strchr(value, '\'') ? "\"" : "'";
	if (*quote == '"' && strpbrk(value, "\"$`\\"))
		return -EINVAL;
	sp_buffer_printf(out, "%s%s%s\n", quote, value, quote);
	return 0;
}

static int put_row(struct sp_buffer *out, const struct sp_plan *plan, int option, bool docker)
{
	const struct sp_option_row *row = &sp_option_rows[option];
	const struct sp_value *value = &plan->config.values[option];
	const char *export = docker ? "" : "export ";
	const struct sp_file_setting *kept = sp_file_get(plan->file, row->variable);
	char text[PATH_MAX];

	put_remarks(out, row);
	if (value->source < SP_SOURCE_FILE && kept && !kept->odd && *kept->text) { /* for shells that read it */
		sp_buffer_printf(out, "%s%s=", export, row->variable);
		return put_value(out, kept->text, docker);
	}
	if (value->source < SP_SOURCE_FILE) {
		default_text(row, 0, text, sizeof(text));
		sp_buffer_printf(out, "#%s%s=%s\n", export, row->variable, text);
		return 0;
	}
	short_value(row, value, text, sizeof(text));
	sp_buffer_printf(out, "%s%s=", export, row->variable);
	return put_value(out, text, docker);
}

/* If the file cannot find the command from its own place, the command's path is written into it. */
static int put_script(struct sp_buffer *out, const char *path)
{
	char self[PATH_MAX], library[PATH_MAX], here[PATH_MAX + 32], *slash;
	int error = sp_library_find(self, library);

	sp_buffer_puts(out,
		"# What follows is for shells: afterwards smartprof is on the PATH, and LD_PRELOAD=" SP_LIBRARY
		" app finds the\n# library. In other shells than bash and zsh, source the file from its own "
		"directory.\n");
	sp_buffer_puts(out, find_dir);
	snprintf(here, sizeof(here), "%s", path);
	slash = strrchr(here, '/');
	snprintf(slash ? slash + 1 : here, 32, "build/smartprof");
	if (!error && access(here, X_OK) < 0) {
		*strrchr(self, '/') = '\0';
		*strrchr(library, '/') = '\0';
		if (strpbrk(self, "\"$`\\") || strpbrk(library, "\"$`\\"))
			return -EINVAL;
		sp_buffer_printf(out,
			"elif [ -x \"%s/smartprof\" ]; then\n\tsmartprof_bin=\"%s\" smartprof_lib=\"%s\"\n", self, self,
			library);
	}
	sp_buffer_puts(out, set_paths);
	return 0;
}

static void put_rules(struct sp_buffer *out)
{
	const char *between = "";

	sp_buffer_puts(out,
		"# Take the # away from what you want to change. Programs that run in this directory or below follow\n"
		"# this file even when no shell has read it, but for its paths\n# (");
	for (int i = 0; i < SP_OPTIONS; i++) {
		if (sp_option_rows[i].type != SP_TYPE_PATH || i == SP_OPT_CONFIG)
			continue;
		sp_buffer_printf(out, "%s%s", between, sp_option_rows[i].variable + strlen("SMARTPROF_"));
		between = ", ";
	}
	sp_buffer_puts(out,
		").\n"
		"# Environment variables and flags are stronger. Where a default differs by environment, the one of "
		"development\n"
		"# is shown. LD_PRELOAD is never set here.\n");
}

static int compose(struct sp_buffer *out, const struct sp_plan *plan, const char *path, bool docker)
{
	int error;

	sp_buffer_printf(out, MARK ", made by `smartprof config --write%s`.\n", docker ? " --docker" : "");
	if (docker)
		sp_buffer_puts(out,
			"# For docker run --env-file: NAME=value, without quotes. The agent is loaded with\n"
			"# -e LD_PRELOAD=/path/in/the/container/" SP_LIBRARY "\n");
	else
		put_rules(out);
	for (int i = 0; i < SP_OPTIONS; i++) {
		if (i == SP_OPT_CONFIG)
			continue; /* names this file */
		error = put_row(out, plan, i, docker);
		if (error) {
			sp_complain("config: the value of %s cannot be written to a settings file",
				sp_option_rows[i].variable);
			return error;
		}
	}
	if (docker)
		return 0;
	sp_buffer_puts(out, "\n");
	error = put_script(out, path);
	if (error)
		sp_complain("config: the path of " SP_LIBRARY " cannot be written to a settings file");
	return error;
}

/* A file of somebody's own, or one of ours with settings that would be lost, stays. */
static int check_old(const struct sp_plan *plan, const char *path, bool docker)
{
	char line[sizeof(MARK)] = "", variable[PATH_MAX + 32], old_path[PATH_MAX] = "", used_path[PATH_MAX] = "";
	struct sp_where where = {.root = "", .cwd = plan->where->cwd, .envp = (char *[]){variable, NULL}};
	struct sp_file old;
	FILE *file = fopen(path, "r");
	bool ours;

	if (!file)
		return 0;
	ours = fgets(line, sizeof(line), file) && strcmp(line, MARK) == 0;
	fclose(file);
	if (!ours) {
		sp_complain("config: %s exists and is not a settings file of smartprof; choose another name", path);
		return -EEXIST;
	}
	snprintf(variable, sizeof(variable), "SMARTPROF_CONFIG=%s", path);
	sp_file_read(&old, &where);
	if (docker || !old.count)
		return 0;
	if (plan->file && realpath(path, old_path) && realpath(plan->file->path, used_path) &&
		strcmp(old_path, used_path) == 0)
		return 0; /* its settings are in force, and are written again */
	sp_complain("config: %s has settings that are not in force here and would be lost; remove it first", path);
	return -EEXIST;
}

int sp_config_write(const struct sp_plan *plan, const char *path, bool docker)
{
	struct sp_buffer out = {0};
	int error = check_old(plan, path, docker);

	if (error || compose(&out, plan, path, docker)) {
		sp_buffer_free(&out);
		return 1;
	}
	error = sp_output_put_at(path, &out);
	if (error)
		sp_complain("config: %s: %s", path, strerror(-error));
	sp_buffer_free(&out);
	return error != 0;
}
