/* The log of a batch's jobs, as GNU parallel's --joblog has it: a line for each, tabs between Seq, Host, Starttime, JobRuntime, Send, Receive,
 * Exitval, Signal, Command. A job that was ended when its time was up has Exitval -1. */
#ifndef SP_PROFILES_MONITOR_JOBLOG_H
#define SP_PROFILES_MONITOR_JOBLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/monitor/run.h"
#include "symbolize/base/memory.h"

#define SP_JOBLOG_HEAD "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

void sp_joblog_put(struct sp_buffer *out, uint64_t seq, const struct sp_monitor_run *run);

/* Jobs that went well, by their commands. All-zero is a valid empty one. */
struct sp_joblog_done {
	struct sp_names commands;
	size_t *times; /* by the command's number */
	size_t capacity;
};

/* Takes in a log; lines that are none are left out. Untrusted text. */
void sp_joblog_read(struct sp_joblog_done *done, const char *text, size_t length);

/* Whether a job with that command is done. Each line of the log stands for one of them. */
bool sp_joblog_take(struct sp_joblog_done *done, const char *command);
void sp_joblog_free(struct sp_joblog_done *done);

#endif
