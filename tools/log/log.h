/* The timing log of a process's spans: to a terminal, to files that are rotated, and as a trace that viewers read. */
#ifndef SP_TOOLS_LOG_H
#define SP_TOOLS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/model/timing.h"
#include "symbolize/base/memory.h"

/* A file that begins anew at a size; FILE.1 is the one before, and so on to FILE.4. Several processes may write to it. */
struct sp_log_file {
	const char *path;
	uint64_t most_bytes;
	int fd;      /* -1: none is open */
	bool headed; /* it has the head line of this process */
	bool cut;    /* the last line may not be whole */
};

/* Appends whole lines; `head`, a line, comes before the process's first ones in a file. *lost: of the lines, those that found no room.
 * Returns 0 or a negative errno. */
int sp_log_file_write(struct sp_log_file *file, const struct sp_buffer *head, const struct sp_buffer *text,
	uint64_t *lost);
void sp_log_file_close(struct sp_log_file *file);

/* What is made of the events of a spool, look by look. */
struct sp_log_text {
	struct sp_timing timing;
	uint64_t lost; /* those that have been told of */
	long day;
	bool begun, headed; /* headed: the file's head says whose lines they are, until a day has passed */
};

/* Appends lines: of the events in the snapshot, of lost ones, and of a new day. lost: so many are by now. */
void sp_log_text_put(struct sp_buffer *out, struct sp_log_text *log, const struct sp_snapshot *snapshot, uint64_t lost);

/* A trace in Chrome's JSON format: its beginning, what a look has brought, and its end with what is open. */
struct sp_log_trace {
	struct sp_timing timing;
	struct sp_map threads; /* by tid and name: it has been named */
	struct sp_spool_header
		clock; /* of the first look: how fast the counter runs is known better later, but all times must fit */
	bool begun;
};
void sp_log_trace_put(struct sp_buffer *out, struct sp_log_trace *trace, const struct sp_snapshot *snapshot);
void sp_log_trace_end(struct sp_buffer *out, struct sp_log_trace *trace, const struct sp_snapshot *snapshot);
void sp_log_trace_free(struct sp_log_trace *trace);

/* Whether the process behind the last look will add nothing more. */
bool sp_log_is_over(const struct sp_events_follow *follow);

#endif
