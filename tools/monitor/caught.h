/* What a command writes: where it goes, and how much that was. */
#ifndef SP_TOOLS_MONITOR_CAUGHT_H
#define SP_TOOLS_MONITOR_CAUGHT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sp_caught_kind {
	SP_CAUGHT_THROUGH, /* to ours */
	SP_CAUGHT_DISCARD, /* nowhere, but its end can be shown */
	SP_CAUGHT_INHERIT, /* ours itself: a terminal stays one, and nothing is counted */
	SP_CAUGHT_FILE,
};

struct sp_caught {
	enum sp_caught_kind kind;
	int ours;   /* 1 or 2 */
	int theirs; /* what the command gets; -1 once it has it */
	int from;   /* SP_CAUGHT_THROUGH: what is read from; -1: nothing is, or no more */
	int to;     /* SP_CAUGHT_THROUGH: where that goes, ours by another descriptor */
	bool waits; /* writing there may wait */
	int file;   /* what is looked at to count; -1: bytes has it */
	char *held; /* SP_CAUGHT_THROUGH: what was read, of which held_at to held_end is not written yet */
	size_t held_at, held_end;
	uint64_t most; /* SP_CAUGHT_THROUGH: so much is still to be read */
	off_t before;  /* of the file */
	off_t punched; /* SP_CAUGHT_DISCARD: so much at the beginning takes no memory any more */
	uint64_t bytes;
	bool counted;
};

/* path: of SP_CAUGHT_FILE, which is made anew. Returns 0 or a negative errno. */
int sp_caught_open(struct sp_caught *output, enum sp_caught_kind kind, int ours, const char *path);

/* When the command has it. */
void sp_caught_given(struct sp_caught *output);

/* What to wait for before sp_caught_relay: that something can be read, or what was read can be written. */
struct pollfd sp_caught_awaits(const struct sp_caught *output);

/* Passes on what is there, once, as far as its reader takes it now: nobody is waited for. */
void sp_caught_relay(struct sp_caught *output);

/* Now and then: gives memory back. */
void sp_caught_trim(struct sp_caught *output);

/* When the command has ended: nothing is read any more but what is there now. */
void sp_caught_no_more(struct sp_caught *output);

/* After that: whether all of it was passed on. */
bool sp_caught_is_empty(const struct sp_caught *output);

/* Counts. */
void sp_caught_end(struct sp_caught *output);

/* What is left running writes on: a process of its own passes that on until nobody writes, or nobody reads. */
void sp_caught_leave(struct sp_caught *output);

/* The last lines of what was discarded or written to a file, at most size - 1 bytes. After sp_caught_end, before sp_caught_close. */
size_t sp_caught_tail(const struct sp_caught *output, char *text, size_t size);
void sp_caught_close(struct sp_caught *output);

#endif
