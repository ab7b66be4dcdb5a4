/* What is to be run: from words, lines, files and lists. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbolize/base/memory.h"
#include "tools/guard/guard.h"
#include "tools/monitor/monitor.h"
#include "tools/tools.h"

#define JOBS_MOST 1000000u

/* What stands for `{}` and each `{NAME}` in one job. */
struct binding {
	const char *value; /* of {}; NULL: there is none */
	const struct sp_monitor_wish *wish;
	const size_t *chosen; /* of each list */
};

/* --- placeholders */

/* The value that the text at `at` is a placeholder of, and how long that is; NULL: it is none. */
static const char *find_value(const struct binding *b, const char *at, size_t *length)
{
	if (b->value && strncmp(at, "{}", 2) == 0) {
		*length = 2;
		return b->value;
	}
	for (size_t i = 0; *at == '{' && i < b->wish->list_count; i++) {
		size_t bytes = strlen(b->wish->lists[i].name);

		if (strncmp(at + 1, b->wish->lists[i].name, bytes) != 0 || at[1 + bytes] != '}')
			continue;
		*length = bytes + 2;
		return b->wish->lists[i].values[b->chosen[i]];
	}
	return NULL;
}

/* quoted: for a shell. free() it. */
static char *fill_in(const struct binding *b, const char *text, bool quoted)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	while (*text) {
		size_t length = 1;
		const char *value = find_value(b, text, &length);
		char *word[] = {(char *)value, NULL}, *line = value && quoted ? sp_monitor_command_line(word) : NULL;

		if (value)
			sp_buffer_puts(&out, line ? line : value);
		else
			sp_buffer_add(&out, text, 1);
		free(line);
		text += length;
	}
	return out.data;
}

static bool has_placeholder(char *const *words)
{
	for (; *words; words++)
		if (strstr(*words, "{}"))
			return true;
	return false;
}

/* --- command lines */

/* "NAME=value", or what a shell does itself where no program of that name does it. */
static bool begins_with_shell(const char *line)
{
	static const char *const words[] = {"!", ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue",
		"eval", "exec", "exit", "export", "fg", "for", "getopts", "hash", "if", "jobs", "read", "readonly",
		"return", "set", "shift", "source", "time", "times", "trap", "type", "ulimit", "umask", "unalias",
		"unset", "until", "wait", "while", "{"};
	size_t blanks = strspn(line, " \t"), length = strcspn(line + blanks, " \t"), name;
	struct sp_target target;
	char *word;
	bool is = false;

	line += blanks;
	name = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (name && line[name] == '=' && !(*line >= '0' && *line <= '9'))
		return true;
	word = strndup(line, length);
	for (size_t i = 0; word && !is && i < sizeof(words) / sizeof(words[0]); i++)
		is = strcmp(word, words[i]) == 0 && sp_target_find(&target, word) < 0;
	free(word);
	return is;
}

/* Whether a line says something that only a shell understands. */
static bool needs_shell(const char *line)
{
	char quote = '\0';

	if (begins_with_shell(line))
		return true;
	for (; *line; line++) {
		if (quote == '\'' ? *line == '\'' : quote == '"' && *line == '"')
			quote = '\0';
		else if (!quote && (*line == '\'' || *line == '"'))
			quote = *line;
		else if (quote == '"' ? strchr("$`\\", *line) != NULL : !quote && strchr("|&;<>()$`*?[#~\n", *line))
			return true;
		else if (!quote && *line == '\\' && line[1])
			line++;
	}
	return false;
}

static char **copy_words(const struct binding *b, char *const *words)
{
	size_t count = 0;
	char **copy;

	while (words[count])
		count++;
	copy = sp_alloc(count + 2, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = fill_in(b, words[i], false);
	if (b->value && !has_placeholder(words))
		copy[count] = sp_copy_text(b->value);
	return copy;
}

/* NULL after a complaint. */
static char **line_words(const struct binding *b, const char *line)
{
	char **words, **copy;

	if (needs_shell(line)) {
		copy = sp_alloc(4, sizeof(*copy));
		copy[0] = sp_copy_text("/bin/sh");
		copy[1] = sp_copy_text("-c");
		copy[2] = fill_in(b, line, true);
		return copy;
	}
	words = sp_guard_words(line);
	if (!words) {
		sp_complain("monitor: '%s' is not a command: it is empty, or a quote is left open", line);
		return NULL;
	}
	copy = copy_words(b, words);
	free(words);
	return copy;
}

/* --- jobs */

static void add_job(struct sp_monitor_plan *plan, const struct binding *b, char **argv)
{
	struct sp_monitor_job *job;

	sp_grow(&plan->jobs, &plan->capacity, plan->count + 1, sizeof(*plan->jobs));
	job = &plan->jobs[plan->count++];
	*job = (struct sp_monitor_job){.argv = argv};
	job->command = argv[0] && strcmp(argv[0], "/bin/sh") == 0 && argv[1] && strcmp(argv[1], "-c") == 0 && argv[2] &&
			!argv[3]
		? sp_copy_text(argv[2])
		: sp_monitor_command_line(argv);
	job->parameter_count = b->wish->list_count;
	job->parameters = sp_alloc(job->parameter_count + 1, sizeof(*job->parameters));
	for (size_t i = 0; i < job->parameter_count; i++) {
		job->parameters[i].name = sp_copy_text(b->wish->lists[i].name);
		job->parameters[i].value = sp_copy_text(b->wish->lists[i].values[b->chosen[i]]);
	}
}

/* The next combination of all lists, the last changing fastest; false: that was the last one. */
static bool choose_next(const struct sp_monitor_wish *wish, size_t *chosen)
{
	for (size_t i = wish->list_count; i-- > 0;) {
		if (wish->lists[i].values[++chosen[i]])
			return true;
		chosen[i] = 0;
	}
	return false;
}

/* The jobs of one file, line or command: one for each combination. words or line. */
static int add_all(struct sp_monitor_plan *plan, const struct sp_monitor_wish *wish, const char *value,
	char *const *words, const char *line)
{
	size_t *chosen = sp_alloc(wish->list_count + 1, sizeof(*chosen));
	struct binding b = {.value = value, .wish = wish, .chosen = chosen};
	int status = 0;

	do {
		char **argv = NULL;

		if (plan->count >= JOBS_MOST)
			sp_complain("monitor: more than %u jobs; give it fewer at a time", JOBS_MOST);
		else
			argv = words ? copy_words(&b, words) : line_words(&b, line);
		if (!argv)
			status = SP_EXIT_USAGE;
		else
			add_job(plan, &b, argv);
	} while (!status && choose_next(wish, chosen));
	free(chosen);
	return status;
}

/* A file to be run, or to be given to the command. */
static int add_file(struct sp_monitor_plan *plan, const struct sp_monitor_wish *wish, const char *name)
{
	char *path = !wish->template && !strchr(name, '/') ? sp_text("./%s", name) : sp_copy_text(name);
	char *alone[] = {path, NULL};
	int status = add_all(plan, wish, wish->template ? path : NULL, wish->template ? wish->template : alone, NULL);

	free(path);
	return status;
}

static int add_glob(struct sp_monitor_plan *plan, const struct sp_monitor_wish *wish, const char *pattern)
{
	glob_t found = {0};
	struct stat st;
	int status = 0, error;

	if (lstat(pattern, &st) == 0) /* a shell has been here: its name may look like a glob */
		return add_file(plan, wish, pattern);
	error = glob(pattern, 0, NULL, &found);
	if (error) {
		sp_complain("monitor: --batch: %s: no such file", pattern);
		status = SP_EXIT_USAGE;
	}
	for (size_t i = 0; !status && i < found.gl_pathc; i++)
		status = add_file(plan, wish, found.gl_pathv[i]);
	globfree(&found);
	return status;
}

static int add_lines(struct sp_monitor_plan *plan, const struct sp_monitor_wish *wish)
{
	bool standard = strcmp(wish->file, "-") == 0;
	FILE *file = standard ? stdin : fopen(wish->file, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t got;
	int status = 0;

	if (!file) {
		sp_complain("monitor: -f: %s: %s", wish->file, strerror(errno));
		return SP_EXIT_USAGE;
	}
	while (!status && (got = getline(&line, &room, file)) >= 0) {
		if (strlen(line) != (size_t)got) {
			sp_complain("monitor: -f: %s: it has a NUL byte, which no command can have; is it text?",
				wish->file);
			status = SP_EXIT_USAGE;
			break;
		}
		line[strcspn(line, "\n")] = '\0';
		if (!line[strspn(line, " \t")] || line[0] == '#')
			continue;
		status = wish->template ? add_all(plan, wish, line, wish->template, NULL)
					: add_all(plan, wish, NULL, NULL, line);
	}
	if (!status && ferror(file)) {
		sp_complain("monitor: -f: %s: %s", wish->file, strerror(errno));
		status = SP_EXIT_USAGE;
	}
	free(line);
	if (!standard)
		fclose(file);
	return status;
}

int sp_monitor_plan_make(struct sp_monitor_plan *plan, const struct sp_monitor_wish *wish)
{
	int status = 0;

	for (char **word = wish->loose; !status && *word; word++)
		status = wish->batch ? add_glob(plan, wish, *word) : add_all(plan, wish, NULL, NULL, *word);
	if (!status && wish->file)
		status = add_lines(plan, wish);
	if (!status && wish->template && !wish->batch && !wish->file)
		status = add_all(plan, wish, NULL, wish->template, NULL);
	if (!status && !plan->count) {
		sp_complain("monitor: nothing to run; see smartprof monitor --help");
		status = SP_EXIT_USAGE;
	}
	return status;
}

void sp_monitor_plan_free(struct sp_monitor_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct sp_monitor_job *job = &plan->jobs[i];

		for (char **word = job->argv; *word; word++)
			free(*word);
		for (size_t k = 0; k < job->parameter_count; k++) {
			free(job->parameters[k].name);
			free(job->parameters[k].value);
		}
		free(job->argv);
		free(job->command);
		free(job->parameters);
	}
	free(plan->jobs);
	*plan = (struct sp_monitor_plan){0};
}

void sp_monitor_take_names(struct sp_monitor_series *series, const struct sp_monitor_job *job)
{
	series->command = sp_copy_text(job->command);
	series->parameter_count = job->parameter_count;
	series->parameters = sp_alloc(job->parameter_count + 1, sizeof(*series->parameters));
	for (size_t i = 0; i < job->parameter_count; i++) {
		series->parameters[i].name = sp_copy_text(job->parameters[i].name);
		series->parameters[i].value = sp_copy_text(job->parameters[i].value);
	}
}
