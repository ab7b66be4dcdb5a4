/* What the repository says of commits. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/base/json.h"
#include "tools/dashboard/board.h"

#define BETWEEN_MOST 20
#define OUTPUT_MOST (4u << 20)
#define PATIENCE_MS 5000

extern char **environ;

static bool is_commit(const char *text)
{
	size_t digits = strspn(text, "0123456789abcdef");

	return digits >= 7 && digits <= 64 && !text[digits];
}

/* Reads what git prints, as far as it does in time. */
static void read_all(int fd, struct sp_buffer *out)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t got;

	while (out->length < OUTPUT_MOST && poll(&ready, 1, PATIENCE_MS) > 0) {
		got = read(fd, sp_buffer_room(out, 65536), 65536);
		if (got <= 0)
			break;
		out->length += (size_t)got;
	}
	sp_buffer_puts(out, "");
}

/* Runs git log with the arguments, the input being a file; its output is lines of four fields. Where there is no git or no
 * repository there is none. */
static void run_git(struct sp_buffer *out, int input, const char *const *arguments)
{
	const char *argv[12] = {"git", "--no-pager", "-c", "log.showSignature=false", "log", "--no-color",
		"--no-show-signature", "--format=%H%x1f%an%x1f%ct%x1f%s"};
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	pid_t pid;

	for (size_t i = 0; i < 3 && arguments[i]; i++)
		argv[8 + i] = arguments[i];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "git", &actions, NULL, (char *const *)argv, environ) == 0) {
		close(ends[1]);
		read_all(ends[0], out);
		close(ends[0]);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	} else {
		close(ends[0]);
		close(ends[1]);
	}
	posix_spawn_file_actions_destroy(&actions);
}

/* Takes a line apart: {hash, author, subject, when}. */
static json_t *commit_json(char *line)
{
	char *fields[4] = {line, "", "", ""};

	for (size_t i = 1; i < 4; i++) {
		char *end = strchr(fields[i - 1], '\x1f');

		if (!end)
			break;
		*end = '\0';
		fields[i] = end + 1;
	}
	return json_pack("{s:o, s:o, s:o, s:I}", "hash", sp_json_text(fields[0]), "author", sp_json_text(fields[1]),
		"subject", sp_json_text(fields[3]), "when", (json_int_t)atoll(fields[2]));
}

static void set_commit(json_t *list, uint32_t number, json_t *commit)
{
	while (json_array_size(list) <= number)
		json_array_append_new(list, json_pack("{s:s}", "hash", ""));
	json_array_set_new(list, number, commit);
}

/* Every line of git's is a commit; `each` of them goes into the list, and its number into `numbers` if that is wanted. */
static void take_lines(struct sp_board *b, struct sp_buffer *text, json_t *list, json_t *numbers)
{
	char *rest, *line = text->data ? strtok_r(text->data, "\n", &rest) : NULL;

	for (; line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *commit = commit_json(line);
		uint32_t number = sp_names_id(&b->commits, line); /* which ends at its first field now */

		set_commit(list, number, commit);
		if (numbers)
			json_array_append_new(numbers, json_integer(number));
	}
}

static void take_between(struct sp_board *b, struct sp_board_series *series, struct sp_board_change *change,
	json_t *list)
{
	const char *old = sp_names_text(&b->commits, series->runs[change->found.before].commit);
	const char *new = sp_names_text(&b->commits, series->runs[change->found.after].commit);
	struct sp_buffer text = {0};
	char range[160], most[24];
	int none;

	if (!is_commit(old) || !is_commit(new) || strcmp(old, new) == 0)
		return;
	none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	snprintf(range, sizeof(range), "%s..%s", old, new);
	snprintf(most, sizeof(most), "--max-count=%d", BETWEEN_MOST);
	run_git(&text, none, (const char *const[]){most, range, NULL});
	close(none);
	change->commits = json_array();
	take_lines(b, &text, list, change->commits);
	sp_buffer_free(&text);
}

/* Those that runs are of, of whatever git does not know their hash alone. */
static void take_known(struct sp_board *b, json_t *list)
{
	FILE *wanted = tmpfile();
	struct sp_buffer text = {0};

	for (uint32_t i = 0; i < b->commits.count; i++) {
		const char *hash = sp_names_text(&b->commits, i);

		set_commit(list, i, json_pack("{s:o}", "hash", sp_json_text(hash)));
		if (wanted && is_commit(hash))
			fprintf(wanted, "%s\n", hash);
	}
	if (!wanted)
		return;
	rewind(wanted);
	run_git(&text, fileno(wanted), (const char *const[]){"--no-walk=unsorted", "--ignore-missing", "--stdin"});
	fclose(wanted);
	take_lines(b, &text, list, NULL);
	sp_buffer_free(&text);
}

json_t *sp_board_commits(struct sp_board *b)
{
	json_t *list = json_array();
	unsigned asked = 0;

	take_known(b, list);
	for (size_t i = 0; i < b->series_count; i++)
		for (size_t k = 0; k < b->series[i].change_count && asked < 50; k++, asked++)
			take_between(b, &b->series[i], &b->series[i].changes[k], list);
	return list;
}
