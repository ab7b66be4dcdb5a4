/* Templates are filled in, with each syntax's way of quoting. */
#include <ctype.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "tools/init/init.h"
#include "tools/tools.h"

/* What no syntax here gives a meaning to. */
static bool is_plain(const char *word)
{
	return *word &&
		word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.+,:=@-")] == '\0';
}

static bool has_control(const char *word)
{
	for (; *word; word++)
		if (iscntrl((unsigned char)*word))
			return true;
	return false;
}

static void put_shell(struct sp_buffer *out, const char *word, bool cron)
{
	sp_buffer_puts(out, "'");
	for (; *word; word++)
		if (*word == '\'')
			sp_buffer_puts(out, "'\\''");
		else if (*word == '%' && cron)
			sp_buffer_puts(out, "'\\%'"); /* cron takes the backslash away, wherever it stands */
		else
			sp_buffer_add(out, word, 1);
	sp_buffer_puts(out, "'");
}

/* systemd.service(5), "Command lines"; of a path only % is special. */
static void put_systemd(struct sp_buffer *out, const char *word, bool path)
{
	sp_buffer_puts(out, path ? "" : "\"");
	for (; *word; word++) {
		if (*word == '%' || (*word == '$' && !path))
			sp_buffer_add(out, word, 1);
		if ((*word == '"' || *word == '\\') && !path)
			sp_buffer_puts(out, "\\");
		sp_buffer_add(out, word, 1);
	}
	sp_buffer_puts(out, path ? "" : "\"");
}

static void put_json(struct sp_buffer *out, const char *word)
{
	sp_buffer_puts(out, "\"");
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			sp_buffer_puts(out, "\\");
		sp_buffer_add(out, word, 1);
	}
	sp_buffer_puts(out, "\"");
}

static void put_word(struct sp_buffer *out, enum sp_init_syntax syntax, const char *word)
{
	if (syntax == SP_INIT_DOCKER)
		put_json(out, word);
	else if (is_plain(word))
		sp_buffer_puts(out, word);
	else if (syntax == SP_INIT_SYSTEMD)
		put_systemd(out, word, false);
	else
		put_shell(out, word, syntax == SP_INIT_CRON);
}

static void put_command(struct sp_buffer *out, enum sp_init_syntax syntax, char **command)
{
	bool docker = syntax == SP_INIT_DOCKER;

	sp_buffer_puts(out, docker ? "[" : "");
	for (size_t i = 0; command[i]; i++) {
		sp_buffer_puts(out, i == 0 ? "" : docker ? ", " : " ");
		put_word(out, syntax, command[i]);
	}
	sp_buffer_puts(out, docker ? "]" : "");
}

static void put_user(struct sp_buffer *out)
{
	const struct passwd *user = getpwuid(getuid());

	sp_buffer_puts(out, user ? user->pw_name : "root");
}

static void put_place(struct sp_buffer *out, const char *place, const struct sp_init_file *file,
	const struct sp_init_facts *facts)
{
	const char *slash = strrchr(facts->command[0], '/');

	if (strcmp(place, "BUILD") == 0)
		sp_buffer_puts(out, facts->build);
	else if (strcmp(place, "COMMAND") == 0)
		put_command(out, file->syntax, facts->command);
	else if (strcmp(place, "HOOK") == 0)
		sp_buffer_puts(out, file->path);
	else if (strcmp(place, "PROGRAM") == 0)
		put_systemd(out, slash ? slash + 1 : facts->command[0], true);
	else if (strcmp(place, "REPOSITORY") == 0 && file->syntax == SP_INIT_SYSTEMD)
		put_systemd(out, facts->repository, true);
	else if (strcmp(place, "REPOSITORY") == 0)
		put_word(out, file->syntax, facts->repository);
	else if (strcmp(place, "SMARTPROF") == 0)
		put_word(out, file->syntax, facts->smartprof);
	else if (strcmp(place, "USER") == 0)
		put_user(out);
}

static bool can_fill(const struct sp_init_facts *facts)
{
	bool good = !has_control(facts->repository) && !has_control(facts->smartprof);

	if (!good)
		sp_complain("init: the path of this repository or of smartprof has control characters; move it");
	for (size_t i = 0; good && facts->command[i]; i++)
		if (has_control(facts->command[i])) {
			sp_complain("init: the command has control characters; put it into a script and name that");
			good = false;
		}
	return good;
}

bool sp_init_fill(struct sp_buffer *out, const struct sp_init_file *file, const struct sp_init_facts *facts)
{
	if (!can_fill(facts))
		return false;
	for (const char *at = file->text; *at;) {
		size_t plain = strcspn(at, "@"), length;
		char place[16];

		sp_buffer_add(out, at, plain);
		at += plain;
		length = *at ? strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
		if (length > 0 && length < sizeof(place) && at[1 + length] == '@') {
			memcpy(place, at + 1, length);
			place[length] = '\0';
			put_place(out, place, file, facts);
			at += length + 2;
		} else if (*at) {
			sp_buffer_add(out, at++, 1);
		}
	}
	return true;
}
