/* Sending: one profile now, what waits in the outbox, and what has just been written. */
#ifndef SP_TOOLS_PUSH_SEND_H
#define SP_TOOLS_PUSH_SEND_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/push/engine.h"
#include "tools/push/outbox.h"

/* A token, unless a file has it. It goes to the target that is named on the command line or in SMARTPROF_PUSH, and to no other. */
#define SP_PUSH_TOKEN_VARIABLE "SMARTPROF_PUSH_TOKEN"

#define SP_PUSH_HURRIED_MS 5000u  /* for a request, where nobody waits for it */
#define SP_PUSH_PATIENT_MS 30000u /* where somebody does */

struct sp_push_result {
	enum sp_http_end end;
	uint64_t retry_after_ms;
	int64_t ahead_s; /* as in struct sp_http_answer */
	char why[600];   /* where it is not done */
	char note[500];  /* what of the profile was left out, and what else is to be known, phrases; or empty */
};

/* Sends one after the other, by one connection as long as it is the same target. All-zero but for timeout_ms is a fresh one. */
struct sp_push_sender {
	unsigned timeout_ms;
	const char *named; /* the target that SP_PUSH_TOKEN_VARIABLE is for; NULL: none */
	char *to;          /* target and files that the connection is for */
	char *token, *ca_file;
	struct sp_push_target target;
	struct sp_http *http;
};

/* box: for how sending goes; its fd may be -1. The entry's labels are completed. */
void sp_push_send(struct sp_push_sender *sender, const struct sp_outbox *box, struct sp_outbox_entry *entry,
	struct sp_push_result *result);

/* Adds to the note or the reason what may be behind it; end_ns: when what was profiled ended, since 1970, 0 unknown. */
void sp_push_hint(const struct sp_push_limits *limits, uint64_t end_ns, struct sp_push_result *result);

/* Connects it to the entry's target, if it is not yet. false: result says why. */
bool sp_push_sender_turn(struct sp_push_sender *sender, const struct sp_outbox_entry *entry,
	struct sp_push_result *result);
void sp_push_sender_close(struct sp_push_sender *sender);

struct sp_push_flushed {
	size_t sent, waiting, refused;
	bool busy; /* another process was at it */
};

/* Sends what waits in the outbox, of one target or (NULL) of all; a target that fails is left alone until its time has come. asked:
 * somebody has asked for it, so targets are tried that are not due by our own rule, and what was refused. tell: on stderr, by
 * target, what does not go. */
void sp_push_flush(struct sp_outbox *box, struct sp_push_sender *sender, const char *only, bool asked, bool tell,
	struct sp_push_flushed *flushed);

/* One of SMARTPROF_PUSH and its companions (enum sp_option); NULL: not set. */
const char *sp_push_setting(int option);

/* What SMARTPROF_PUSH's companions say, where the entry does not yet. */
void sp_push_settings_add(struct sp_outbox_entry *entry);

/* What speaks against a value of these settings, a phrase; NULL: nothing. */
const char *sp_push_setting_objection(int option, const char *value);

/* A profile has been written: where SMARTPROF_PUSH says so it goes into the outbox. Never waits for a network. */
void sp_push_note(const char *path);
void sp_push_note_text(const struct sp_buffer *markdown);

/* When all are noted: starts a process that sends them, and does not wait for it. */
void sp_push_start(void);

/* push --watch: sends what is written into the directory, or into those of environments in it, from now on, or from where an earlier
 * watch of the same left off. Returns the exit status when it cannot go on. */
int sp_push_watch(struct sp_outbox *box, struct sp_push_sender *sender, struct sp_outbox_entry *entry,
	const char *directory);

/* push --status. */
void sp_push_status(struct sp_buffer *out, const struct sp_outbox *box, bool json);

#endif
