/* A spool that is looked at again and again while its process goes on.
 *
 * Only what counts is read each time, into the same memory; what is written once (frames, modules, text) is read for the
 * stacks that somebody asks for. A spool of 100,000 stacks takes some milliseconds so. */
#ifndef SP_PROFILES_SPOOL_FOLLOW_H
#define SP_PROFILES_SPOOL_FOLLOW_H

#include "profiles/spool/read.h"
#include "profiles/spool/section.h"

/* A moment. Header, running and taken_ns as of any snapshot, the threads, when it has the heap sites and live, and when it
 * has spans what is counted and open of them, and sites of waits, all records at their places in the spool. What sites, of waits too, and live allocations refer
 * to may lie outside, and those not in use are there too. Spans are checked (spans.h); samples in them are not known. */
struct sp_moment {
	struct sp_snapshot is;
	bool heap, spans, waits;
	struct sp_section_room threads, sites, live;
	struct sp_section_room span_names, span_nodes, span_counts, span_threads, text, wait_sites;
};

/* Stacks, of which only the counters mean something, and in those with samples what they are. */
struct sp_follow_stacks {
	struct sp_stack *list;
	size_t count;
	struct sp_section_room room;
};

struct sp_follow {
	int fd;                                 /* not owned */
	struct sp_moment now, was;              /* the last two looks */
	struct sp_follow_stacks stacks, before; /* the last two times that they were looked at */
	bool stacks_are_now;                    /* since the last look */
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

/* Makes the copy what the moment is; of spans it has what was counted. */
void sp_moment_keep(struct sp_moment *copy, const struct sp_moment *moment);
void sp_moment_forget(struct sp_moment *moment); /* it is then one at which nothing had happened */

/* A snapshot of these stacks alone, in this order, with their modules; their counters are 0, and one that cannot be
 * followed has depth 0. The next one takes its place. NULL, and a phrase in *why: it cannot be read. */
struct sp_snapshot *sp_follow_pick(struct sp_follow *follow, const uint32_t *stacks, size_t count, const char **why);

void sp_follow_free(struct sp_follow *follow);

#endif
