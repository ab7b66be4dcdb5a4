/* Alerts reach people: a file with a line of JSON for each, which is also how we know what was told; and a command. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/json.h"
#include "profiles/base/time.h"
#include "tools/guard/guard.h"
#include "tools/history/alert.h"
#include "tools/tools.h"

#define READ_BYTES (1 << 20) /* of the file's end */

static void file_path(char path[static PATH_MAX], const struct sp_alert_ways *ways, const char *history)
{
	if (ways->file)
		snprintf(path, PATH_MAX, "%s", ways->file);
	else
		snprintf(path, PATH_MAX, "%.*s.alerts", PATH_MAX - 10, history);
}

/* The end of the file, NUL-terminated; NULL: there is none. free() it. */
static char *read_end(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	ssize_t got;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (text = malloc(READ_BYTES + 1))) {
		got = pread(fd, text, READ_BYTES, st.st_size > READ_BYTES ? st.st_size - READ_BYTES : 0);
		text[got > 0 ? got : 0] = '\0';
	}
	close(fd);
	return text;
}

static void mark(struct sp_tolds *alerts, const char *line, size_t length, double least_s)
{
	json_t *json = json_loadb(line, length, 0, NULL);
	const char *key = json_string_value(json_object_get(json, "key"));

	for (size_t i = 0; key && i < alerts->count; i++)
		if (strcmp(alerts->items[i].key, key) == 0 &&
			json_number_value(json_object_get(json, "time")) >= least_s)
			alerts->items[i].quiet = true;
	json_decref(json);
}

void sp_alerts_quiet(struct sp_tolds *alerts, const struct sp_alert_ways *ways, const char *history)
{
	double least_s = ((double)sp_time_ns(CLOCK_REALTIME) - (double)ways->quiet_ns) / 1e9;
	char path[PATH_MAX], *text;

	file_path(path, ways, history);
	text = ways->quiet_ns ? read_end(path) : NULL;
	for (const char *line = text; line && *line;) {
		size_t length = strcspn(line, "\n");

		mark(alerts, line, length, least_s);
		line += length + (line[length] == '\n');
	}
	free(text);
}

static void put_lines(struct sp_buffer *out, const struct sp_tolds *alerts)
{
	double now = (double)sp_time_ns(CLOCK_REALTIME) / 1e9;

	for (size_t i = 0; i < alerts->count; i++) {
		const struct sp_told *told = &alerts->items[i];
		json_t *line;

		if (!told->sure || told->quiet)
			continue;
		line = json_copy(told->json);
		sp_json_set(line, "time", json_real(now));
		sp_json_set(line, "key", sp_json_text(told->key));
		sp_json_set(line, "text", sp_json_text(told->text));
		sp_json_put(out, line, false);
		if (out->data[out->length - 1] != '\n')
			sp_buffer_puts(out, "\n");
	}
}

static bool add_lines(const char *path, const struct sp_buffer *lines)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	int err = fd < 0 ? -errno : sp_buffer_write(lines, fd);

	if (fd >= 0)
		close(fd);
	if (err)
		sp_complain("history alert: %s: %s; --file FILE says where else alerts are written to", path,
			strerror(-err));
	return !err;
}

static void __attribute__((noreturn)) run_child(char **words, int input)
{
	dup2(input, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	umask(sp_umask_given());
	execvp(words[0], words);
	sp_complain("history alert: --on-alert: %s: %s", words[0], strerror(errno));
	_exit(127);
}

/* A file that is gone holds what the command reads, so that one that does not read it hinders nobody. */
static int input_of(const struct sp_buffer *lines)
{
	char name[] = "/tmp/smartprof-alert-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd >= 0)
		unlink(name);
	if (fd >= 0 && (sp_buffer_write(lines, fd) || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool run_command(const char *command, const struct sp_buffer *lines)
{
	char **words = sp_guard_words(command);
	int input = words ? input_of(lines) : -1, status = -1;
	pid_t child;

	if (!words)
		sp_complain("history alert: --on-alert: '%s' is no command line; is a quote left open?", command);
	else if (input < 0)
		sp_complain("history alert: --on-alert: /tmp: %s", strerror(errno));
	else if ((child = fork()) == 0)
		run_child(words, input);
	else if (child > 0)
		waitpid(child, &status, 0);
	if (input >= 0)
		close(input);
	free(words);
	if (input >= 0 && status != 0)
		sp_complain("history alert: --on-alert: %s failed", command);
	return status == 0;
}

bool sp_alerts_tell(const struct sp_tolds *alerts, const struct sp_alert_ways *ways, const char *history)
{
	struct sp_buffer lines = {0};
	char path[PATH_MAX];
	bool good = true;

	put_lines(&lines, alerts);
	file_path(path, ways, history);
	if (lines.length) {
		good = add_lines(path, &lines);
		if (ways->command)
			good = run_command(ways->command, &lines) && good;
	}
	sp_buffer_free(&lines);
	return good;
}
