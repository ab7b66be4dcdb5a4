/* A measured run. */
#include "profiles/monitor/run.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

const char *const sp_monitor_state_names[SP_MONITOR_STATES] = {
	"ok", "failed", "signal", "timeout", "left-running", "not-started"};

struct sp_monitor_run *sp_monitor_run_make(char *const *argv)
{
	struct sp_monitor_run *run = sp_alloc(1, sizeof(*run));
	const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;
	size_t count = 0;

	while (argv[count])
		count++;
	run->argv = sp_alloc(count + 1, sizeof(*run->argv));
	for (size_t i = 0; i < count; i++)
		run->argv[i] = sp_copy_text(argv[i]);
	run->command = sp_monitor_command_line(argv);
	run->program = sp_copy_text(!argv[0] ? "" : slash && slash[1] ? slash + 1 : argv[0]);
	run->args_class = sp_monitor_class(argv);
	run->state = SP_MONITOR_NOT_STARTED;
	run->exit_status = -1;
	run->jobs = run->iteration = run->attempt = 1;
	run->complete = true;
	return run;
}

void sp_monitor_run_free(struct sp_monitor_run *run)
{
	if (!run)
		return;
	for (char **word = run->argv; *word; word++)
		free(*word);
	free(run->argv);
	free(run->command);
	free(run->program);
	free(run->program_path);
	free(run->args_class);
	free(run->environment);
	free(run->directory);
	free(run->profile_path);
	free(run->left_names);
	free(run->timeline.points);
	free(run);
}

bool sp_monitor_run_is_good(const struct sp_monitor_run *run)
{
	return (run->state == SP_MONITOR_OK || run->state == SP_MONITOR_LEFT_RUNNING) && !run->interrupted;
}

double sp_monitor_cpu_percent(const struct sp_monitor_run *run)
{
	return run->wall_ns ? 100.0 * (double)(run->user_ns + run->sys_ns) / (double)run->wall_ns : 0;
}

void sp_monitor_put_ending(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	if (run->interrupted)
		sp_buffer_puts(out, "interrupted");
	else if (run->state == SP_MONITOR_NOT_STARTED)
		sp_buffer_printf(out, "not started%s%s", run->exec_errno ? ": " : "",
			run->exec_errno ? strerror(run->exec_errno) : "");
	else if (run->state == SP_MONITOR_TIMEOUT)
		sp_buffer_puts(out, "timeout");
	else if (run->signal)
		sp_buffer_printf(out, "signal %d (%s)", run->signal, strsignal(run->signal));
	else
		sp_buffer_printf(out, "exit %d", run->exit_status);
	if (run->left)
		sp_buffer_printf(out, ", %u left running", run->left);
}

/* --- lines of words */

static bool is_plain(const char *word)
{
	return *word &&
		!word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_^{}")];
}

static void put_word(struct sp_buffer *out, const char *word)
{
	if (is_plain(word)) {
		sp_buffer_puts(out, word);
		return;
	}
	sp_buffer_puts(out, "'");
	for (; *word; word++)
		if (*word == '\'')
			sp_buffer_puts(out, "'\\''");
		else
			sp_buffer_add(out, word, 1);
	sp_buffer_puts(out, "'");
}

char *sp_monitor_command_line(char *const *argv)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	for (size_t i = 0; argv[i]; i++) {
		sp_buffer_puts(&out, i ? " " : "");
		put_word(&out, argv[i]);
	}
	return out.data;
}

/* --- classes of arguments */

#define HASH_LEAST 8u    /* hexadecimal digits with a figure among them */
#define FIGURES_LEAST 6u /* a process, a time, a date */

/* How many characters at `text` are a number or a hash that another run would have another of; 0: none. */
static size_t changing(const char *text)
{
	size_t figures = strspn(text, "0123456789"), hex = strspn(text, "0123456789abcdefABCDEF");

	if (hex >= HASH_LEAST && strcspn(text, "0123456789") < hex && !isalpha((unsigned char)text[hex]))
		return hex;
	if (figures == 4 && text[4] == '-' && strspn(text + 5, "0123456789") == 2 && text[7] == '-')
		return strspn(text, "0123456789-:.TZ+");
	return figures >= FIGURES_LEAST ? figures : 0;
}

static size_t temporary(const char *text)
{
	static const char *const places[] = {"/tmp/", "/var/tmp/", "/run/", "/dev/shm/", "/proc/"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strncmp(text, places[i], strlen(places[i])) == 0)
			return strlen(places[i]);
	return 0;
}

static void put_class(struct sp_buffer *out, const char *word)
{
	char before = '\0';

	while (*word) {
		size_t place = before == '\0' || before == '=' || before == ':' ? temporary(word) : 0;
		size_t bytes = isalnum((unsigned char)before) ? 0 : changing(word);

		if (place) {
			const char *last = word + place + strcspn(word + place, ":= ");

			sp_buffer_add(out, word, place);
			sp_buffer_puts(out, "*");
			before = last[-1];
			word = last;
		} else if (bytes) {
			sp_buffer_puts(out, "*");
			before = '0';
			word += bytes;
		} else {
			before = *word;
			sp_buffer_add(out, word++, 1);
		}
	}
}

char *sp_monitor_class(char *const *argv)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	for (size_t i = 1; argv[0] && argv[i]; i++) {
		sp_buffer_puts(&out, i > 1 ? " " : "");
		put_class(&out, argv[i]);
	}
	return out.data;
}
