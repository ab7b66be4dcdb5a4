/* The log of a batch's jobs. */
#include "profiles/monitor/joblog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 9
enum { FIELD_SEQ, FIELD_EXIT = 6, FIELD_SIGNAL, FIELD_COMMAND };

/* One line, whatever is in it. */
static char *flatten(const char *command)
{
	char *flat = sp_copy_text(command);

	for (char *at = flat; *at; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
	return flat;
}

void sp_joblog_put(struct sp_buffer *out, uint64_t seq, const struct sp_monitor_run *run)
{
	char *command = flatten(run->command);
	int status = run->state == SP_MONITOR_TIMEOUT || run->interrupted ? -1
		: run->state == SP_MONITOR_NOT_STARTED                    ? (run->exec_errno == ENOENT ? 127 : 126)
		: run->exit_status > 0                                    ? run->exit_status
									  : 0;

	sp_buffer_printf(out, "%llu\t:\t%.3f\t%10.3f\t0\t%llu\t%d\t%d\t%s\n", (unsigned long long)seq,
		(double)run->started_ns / 1e9, (double)run->wall_ns / 1e9, (unsigned long long)run->stdout_bytes,
		status, run->signal, command);
	free(command);
}

static void take_line(struct sp_joblog_done *done, char *line)
{
	char *fields[FIELDS], *end, *next = line;
	size_t count = 0;
	uint32_t id;

	while (next && count < FIELDS) {
		fields[count++] = next;
		next = count < FIELDS ? strchr(next, '\t') : NULL; /* a command may have tabs */
		if (next)
			*next++ = '\0';
	}
	if (count < FIELDS || strtoul(fields[FIELD_SEQ], &end, 10) == 0 || *end ||
		strcmp(fields[FIELD_EXIT], "0") != 0 || strcmp(fields[FIELD_SIGNAL], "0") != 0)
		return;
	id = sp_names_id(&done->commands, fields[FIELD_COMMAND]);
	if (id >= done->capacity) {
		size_t before = done->capacity;

		sp_grow(&done->times, &done->capacity, id + 1, sizeof(*done->times));
		memset(done->times + before, 0, (done->capacity - before) * sizeof(*done->times));
	}
	done->times[id]++;
}

void sp_joblog_read(struct sp_joblog_done *done, const char *text, size_t length)
{
	while (length) {
		const char *end = memchr(text, '\n', length);
		size_t bytes = end ? (size_t)(end - text) : length;
		char *line = end ? strndup(text, bytes) : NULL; /* one that was not written to its end does not count */

		if (line)
			take_line(done, line);
		free(line);
		text += bytes + (end != NULL);
		length -= bytes + (end != NULL);
	}
}

bool sp_joblog_take(struct sp_joblog_done *done, const char *command)
{
	char *flat = flatten(command);
	uint32_t id = sp_names_id(&done->commands, flat);

	free(flat);
	if (id >= done->capacity || !done->times[id])
		return false;
	done->times[id]--;
	return true;
}

void sp_joblog_free(struct sp_joblog_done *done)
{
	sp_names_free(&done->commands);
	free(done->times);
	*done = (struct sp_joblog_done){0};
}
