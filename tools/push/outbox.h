/* The outbox: profiles that are to be sent, on disk, each with where it goes.
 *
 * What a process measured is put here before anybody speaks to an engine, so that it is sent even when the engine, the network or
 * this machine is not there for a while. It is a directory of this user alone. Files appear whole, and are removed once an
 * engine has taken them; when there is no room left, the oldest go. */
#ifndef SP_TOOLS_PUSH_OUTBOX_H
#define SP_TOOLS_PUSH_OUTBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "tools/push/labels.h"

struct sp_outbox {
	char path[PATH_MAX];
	int fd, lock_fd; /* -1: not */
	uint64_t bytes_most;
};

/* What stands in front of a profile. Strings belong to the entry. */
struct sp_outbox_entry {
	char *target, *token_file, *ca_file; /* the latter two NULL: none */
	struct sp_push_labels labels;
	struct sp_buffer markdown;
};

/* A file in it. Names are in the order of time. */
struct sp_outbox_file {
	char name[NAME_MAX + 1];
	uint64_t bytes;
	bool refused; /* an engine would not take it */
};

/* How sending to one target goes. */
struct sp_outbox_state {
	char target[2100];
	uint64_t sent, refused, dropped, failures; /* all that there ever were */
	unsigned failed_in_row;
	uint64_t not_before_s, last_success_s, last_error_s; /* since 1970; 0: never */
	bool asked;                                          /* not_before_s is what the engine asked for */
	char last_error[600];
};

/* At `place`, or where it is by the settings. make: or it is not there (-ENOENT) when nobody has used it. 0, or a negative errno with a
 * phrase in *why. */
int sp_outbox_open(struct sp_outbox *box, bool make, const char **why);
void sp_outbox_close(struct sp_outbox *box);

/* Puts it there, and removes what there is no room for then. 0, or a negative errno. */
int sp_outbox_put(struct sp_outbox *box, const struct sp_outbox_entry *entry);

/* All of it, the oldest first; to be freed. */
size_t sp_outbox_list(const struct sp_outbox *box, struct sp_outbox_file **files);

/* Whom an entry is for, without reading the rest of it; to be freed. NULL: it is gone, or its beginning is damaged. */
char *sp_outbox_target(const struct sp_outbox *box, const char *name);

/* false with a phrase in *why: it cannot be read, or it is sp_outbox_damaged. */
extern const char sp_outbox_damaged[];
bool sp_outbox_read(const struct sp_outbox *box, const char *name, struct sp_outbox_entry *entry, const char **why);
void sp_outbox_entry_free(struct sp_outbox_entry *entry);

void sp_outbox_remove(const struct sp_outbox *box, const char *name);

/* Keeps it apart: it is tried again when somebody asks for that, and goes first when there is no room. */
void sp_outbox_refuse(const struct sp_outbox *box, const char *name);

/* Whether this process is the one that sends; others need not, as it looks for more when it gives that up. */
bool sp_outbox_lock(struct sp_outbox *box);
void sp_outbox_unlock(struct sp_outbox *box);

/* What is known of a target; all-zero but for its name where nothing is. */
void sp_outbox_state_read(const struct sp_outbox *box, const char *target, struct sp_outbox_state *state);

/* Reads it, lets `change` change it and writes it, one process after the other. */
typedef void sp_outbox_change_fn(struct sp_outbox_state *state, void *context);
void sp_outbox_state_change(const struct sp_outbox *box, const char *target, sp_outbox_change_fn *change,
	void *context);

/* Those of all targets, to be freed. */
size_t sp_outbox_states(const struct sp_outbox *box, struct sp_outbox_state **states);

#endif
