/* A spool that is looked at again and again while its process goes on.
 *
 * Only what counts is read each time, and compared with what it was, so that whoever shows it need not look at all of it
 * again; what is written once (frames, modules, text) is read for the
 * stacks that somebody asks for. A spool of 100,000 stacks takes some milliseconds so. */
#ifndef SP_PROFILES_SPOOL_FOLLOW_H
#define SP_PROFILES_SPOOL_FOLLOW_H

#include "profiles/spool/read.h"
#include "profiles/spool/section.h"

/* A moment: header, running and taken_ns as of any snapshot, the threads, when it has spans what is counted and open of them,
 * and when it has waits their sites, all records at their places in the spool. What sites of waits refer to may lie outside.
 * Spans are checked (spans.h); samples in them are not known. */
struct sp_moment {
	struct sp_snapshot is;
	bool heap; /* sites and live allocations were looked at then */
	bool spans, waits;
	struct sp_section_room threads;
	struct sp_section_room span_names, span_nodes, span_counts, span_threads, text, wait_sites;
};

/* Records as they were when they were last looked at, all at their places in the spool, and which of them were something else
 * the time before. */
struct sp_follow_table {
	void *list;
	size_t count, capacity;
	uint32_t *moved; /* their places, from the lowest on */
	void *was;       /* what these were; all zero: not there */
	size_t moved_count, moved_capacity, was_capacity;
};

struct sp_follow {
	int fd;                    /* not owned */
	struct sp_moment now, was; /* the last two looks */
	/* struct sp_stack, of which only the counters mean something, and in those with samples what they are. */
	struct sp_follow_table stacks;
	/* struct sp_site and struct sp_live. What they refer to may lie outside, and those not in use are there too. */
	struct sp_follow_table sites, live;
	bool stacks_are_now; /* since the last look */
	struct sp_snapshot picked;
	struct sp_section_room frames, modules, text;
};

/* What to look at besides the threads. */
enum { SP_FOLLOW_STACKS = 1, SP_FOLLOW_HEAP = 2, SP_FOLLOW_SPANS = 4, SP_FOLLOW_WAITS = 8 };

/* Looks: what was now is then `was`. Returns 0, or a negative errno and a phrase in *why; `now` then means nothing. */
int sp_follow_look(struct sp_follow *follow, unsigned what, const char **why);

/* Looks at what the last look left out: it is then as an instant later. Heap, spans and waits become those of `now`. */
int sp_follow_look_at_heap(struct sp_follow *follow, const char **why);
int sp_follow_look_at_spans(struct sp_follow *follow, const char **why);
int sp_follow_look_at_waits(struct sp_follow *follow, const char **why);
int sp_follow_look_at_stacks(struct sp_follow *follow, const char **why);

/* Makes the copy what the moment is, but without the heap; of spans it has what was counted. */
void sp_moment_keep(struct sp_moment *copy, const struct sp_moment *moment);
void sp_moment_forget(struct sp_moment *moment); /* it is then one at which nothing had happened */

/* A snapshot of these stacks alone, in this order, with their modules; their counters are 0, and one that cannot be
 * followed has depth 0. The next one takes its place. NULL, and a phrase in *why: it cannot be read. */
struct sp_snapshot *sp_follow_pick(struct sp_follow *follow, const uint32_t *stacks, size_t count, const char **why);

void sp_follow_free(struct sp_follow *follow);

#endif
