/* The events of the timing log, as the process leaves them in the spool's ring. */
#ifndef SP_PROFILES_SPOOL_EVENTS_H
#define SP_PROFILES_SPOOL_EVENTS_H

#include "profiles/spool/read.h"

/* How far one has come. All zero at first: at what is there. */
struct sp_events_place {
	uint64_t
		next; /* number of the first event that has not been taken; set by hand before the first time, if begun */
	uint64_t lost;    /* those that were overwritten before they were taken, or never finished */
	uint64_t wait_ns; /* CLOCK_MONOTONIC since when the next one is being written; 0: it is not */
	bool begun;
};

/* Takes what has come since: into snapshot->events, in the order of their numbers, and into snapshot->span_log how the log
 * stands. At most some thousand at a time: *more tells whether there are others. last: what is still being written is not
 * waited for. The snapshot's header is read already; its nodes, names and text must be read afterwards, and sp_events_check
 * comes last. Returns 0, or a negative errno and a phrase in *why. */
int sp_events_take(struct sp_snapshot *snapshot, int fd, struct sp_events_place *place, bool last, bool *more,
	const char **why);

/* Leaves out those that are of no node of the snapshot. False: some are of nodes that are not in the
 * snapshot; they are kept if `keep`. */
bool sp_events_check(struct sp_snapshot *snapshot, bool keep);

/* Looking at the log of a spool again and again: `is` has the header, threads, span tables and text of the last look, and the
 * events that came since the one before. */
struct sp_events_follow {
	struct sp_snapshot is;
	struct sp_events_place place;
	int fd;
	bool more; /* there are others: look again */
};
int sp_events_look(struct sp_events_follow *follow, bool last, const char **why);
void sp_events_free(struct sp_events_follow *follow);

/* Waits, a second or two at the most, until the lines of the open spool, whose process has ended, are in their file, if there is a writer. */
void sp_events_await_writer(int fd);

#endif
