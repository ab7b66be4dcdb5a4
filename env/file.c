/* The settings file: finding it, and reading the assignments that a shell would make of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "env/internal.h"
#include "env/text.h"
#include "env/trust.h"

#define FILE_BYTES_MAX 65536
#define LINE_BYTES 1024

static bool is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* A name that is ours: by its prefix, or as another name of a setting. */
static bool is_our_name(const char *name, size_t bytes)
{
	if (bytes > sizeof(SP_VARIABLE_PREFIX) - 1 &&
		strncmp(name, SP_VARIABLE_PREFIX, sizeof(SP_VARIABLE_PREFIX) - 1) == 0)
		return true;
	for (int i = 0; i < SP_OPTIONS; i++) {
		const char *alias = sp_option_rows[i].alias;

		if (*alias && strlen(alias) == bytes && memcmp(alias, name, bytes) == 0)
			return true;
	}
	return false;
}

/* Takes the word at `at`, quotes off, into `out`, which has room for all of it. False when a shell
 * would do more than take it as it stands. *end: behind the word. */
static bool take_word(const char *at, char *out, const char **end)
{
	bool plain = *at != '~';
	char quote = '\0';

	for (; *at && (quote || !is_blank(*at)); at++) {
		if (*at == quote)
			quote = '\0';
		else if (!quote && (*at == '\'' || *at == '"'))
			quote = *at;
		else if ((quote != '\'' && strchr("$`\\", *at)) || (!quote && strchr(";&|<>()", *at)))
			plain = false;
		else
			*out++ = *at;
	}
	*out = '\0';
	*end = at;
	return plain && !quote;
}

static char *keep(struct sp_file *file, const char *text, size_t bytes)
{
	char *to = file->pool + file->used;

	if (bytes >= sizeof(file->pool) - file->used)
		return NULL;
	memcpy(to, text, bytes);
	to[bytes] = '\0';
	file->used += bytes + 1;
	return to;
}

/* What follows the name: "=word [# remark]". */
static void parse_assignment(struct sp_file_setting *setting, const char *at, char *value)
{
	value[0] = '\0';
	if (*at++ != '=') {
		setting->odd = true; /* a shell would take the name for a command */
		return;
	}
	setting->odd = !take_word(at, value, &at);
	at = skip_blanks(at);
	if (*at && *at != '#')
		setting->odd = true;
}

static void parse_line(struct sp_file *file, const char *line, unsigned number)
{
	struct sp_file_setting *setting = &file->settings[file->count];
	const char *at = skip_blanks(line), *name;
	char value[LINE_BYTES];
	size_t bytes = 0;

	if (strncmp(at, "export", 6) == 0 && is_blank(at[6]))
		at = skip_blanks(at + 6);
	name = at;
	while (is_name_char(name[bytes]))
		bytes++;
	if (!is_our_name(name, bytes))
		return;
	if (file->count == SP_FILE_SETTINGS) {
		file->problem = "it has too many settings";
		return;
	}
	*setting = (struct sp_file_setting){.line = number};
	parse_assignment(setting, name + bytes, value);
	if (strlen(line) == LINE_BYTES - 1)
		setting->odd = true; /* it was cut */
	setting->name = keep(file, name, bytes);
	setting->text = keep(file, value, strlen(value));
	if (setting->name && setting->text)
		file->count++;
	else
		file->problem = "its settings are too long";
}

/* Why an open file is not to be read, or NULL. */
static const char *objection(int fd)
{
	struct statfs fs;
	struct stat info;

	if (syscall(SYS_fstat, fd, &info) < 0 || syscall(SYS_fstatfs, fd, &fs) < 0)
		return "it cannot be read";
	/* A file in /proc belongs to a process's user, and its text is the process's choice. */
	if (!S_ISREG(info.st_mode) || fs.f_type == PROC_SUPER_MAGIC)
		return "it is not a regular file";
	if (info.st_size > FILE_BYTES_MAX)
		return "it is larger than 64 KiB";
	return sp_trust_objection(&info);
}

/* Reads root + path, which is there; a file that does not open is a problem too. */
static void read_file(struct sp_file *file, const char *root)
{
	struct sp_lines lines;
	char line[LINE_BYTES];
	int error =
		file->found ? sp_lines_open_itself(&lines, root, file->path) : sp_lines_open(&lines, root, file->path);

	if (error < 0) {
		file->problem = error == -ENOENT || error == -ENOTDIR ? "there is no such file"
			: error == -ELOOP                             ? "it is a link"
								      : "it cannot be read";
		return;
	}
	file->problem = objection(lines.fd);
	if (!file->problem && file->found)
		file->problem = sp_trust_directories(root, file->path);
	for (unsigned number = 1; !file->problem && sp_lines_next(&lines, line, sizeof(line)); number++)
		parse_line(file, line, number);
	sp_lines_close(&lines);
}

static bool named(struct sp_file *file, const struct sp_where *where, const char *path)
{
	const char *cwd = where->cwd && *path != '/' ? where->cwd : "";
	size_t bytes = strlen(cwd);

	if (bytes + strlen(path) + 2 > sizeof(file->path)) {
		file->problem = "the name is too long";
		return false;
	}
	memcpy(file->path, cwd, bytes);
	if (bytes && cwd[bytes - 1] != '/')
		file->path[bytes++] = '/';
	strcpy(file->path + bytes, path);
	return true;
}

bool sp_find_upward(const struct sp_where *where, const char *name, char *path, size_t size)
{
	const char *cwd = where->cwd;
	size_t end = cwd ? strlen(cwd) : 0;

	if (!end || *cwd != '/')
		return false;
	while (end && cwd[end - 1] == '/')
		end--;
	for (;;) {
		if (end + 1 + strlen(name) < size) {
			memcpy(path, cwd, end);
			path[end] = '/';
			strcpy(path + end + 1, name);
			if (sp_file_exists(where->root, path))
				return true;
		}
		if (!end)
			return false;
		while (end && cwd[--end] != '/')
			;
	}
}

void sp_file_read(struct sp_file *file, const struct sp_where *where)
{
	const char *asked = sp_environ_get(where->envp, sp_option_rows[SP_OPT_CONFIG].variable);
	int saved = errno;

	file->path[0] = '\0';
	file->problem = NULL;
	file->count = 0;
	file->used = 0;
	file->found = !asked || !*asked;
	if (!file->found) {
		if (strcmp(asked, "/dev/null") != 0 && named(file, where, asked))
			read_file(file, where->root);
	} else if (sp_find_upward(where, SP_FILE_NAME, file->path, sizeof(file->path))) {
		read_file(file, where->root);
	} else {
		file->path[0] = '\0';
	}
	errno = saved;
}

bool sp_file_is_expected(const struct sp_where *where)
{
	const char *asked = sp_environ_get(where->envp, sp_option_rows[SP_OPT_CONFIG].variable);
	char path[SP_FILE_PATH_BYTES];

	return (asked && *asked) || sp_find_upward(where, SP_FILE_NAME, path, sizeof(path));
}

const struct sp_file_setting *sp_file_get(const struct sp_file *file, const char *name)
{
	if (file && file->count)
		for (unsigned i = file->count; i; i--)
			if (strcmp(file->settings[i - 1].name, name) == 0)
				return &file->settings[i - 1];
	return NULL;
}
