/* The parts of what `smartprof top` shows: private to them. */
#ifndef SP_TOOLS_TOP_PARTS_H
#define SP_TOOLS_TOP_PARTS_H

#include "profiles/model/log.h"
#include "profiles/spool/follow.h"
#include "symbolize/base/memory.h"
#include "tools/top/top.h"

/* A row and what it is made of: for each of its figures a sum, of CPU time in microseconds, or of bytes with their
 * variance. */
struct sp_top_item {
	const char *name, *module, *file;
	unsigned line;
	uint32_t stamp; /* the last stack that it was met in */
	struct sp_sum sums[SP_TOP_FIGURES];
};

/* Which figure of functions and lines a sum is for. */
enum { SP_TOP_SELF_NOW, SP_TOP_TOTAL_NOW, SP_TOP_SELF, SP_TOP_TOTAL };

/* The same of heap sites. */
enum { SP_TOP_GROWTH_NOW, SP_TOP_ALLOC_NOW, SP_TOP_GROWTH, SP_TOP_ALLOC };

struct sp_top_items {
	struct sp_top_item *list;
	size_t count, capacity;
	struct sp_map index;
};

/* What is known of a stack in the spool, once it was asked for. */
struct sp_top_stack {
	bool known;
	uint32_t first; /* in ids[]: its functions, each once, the innermost first, then its lines */
	uint32_t functions, lines;
	bool has_line; /* the innermost of its frames has the first of the lines */
	uint32_t site; /* of a heap stack: 1 + the item that it counts for */
};

/* A site is, or was meanwhile, something else than it was; so it is since names were last asked for. */
enum { SP_TOP_MOVED = 1, SP_TOP_ASKED = 2 };

/* Of heap sites and live allocations, what happened since the window began: kept up to date by what moved (heap.c). */
struct sp_top_heap {
	struct sp_site *sites; /* as they were then */
	struct sp_live *live;
	size_t site_count, live_count;
	uint8_t *moved;  /* of each site that may be: SP_TOP_MOVED | ... */
	uint32_t *asked; /* sites of the latter */
	size_t asked_count, asked_capacity;
	struct sp_growth *growth; /* the same; of it only variance and samples */
};

/* A stack with samples in the interval. */
struct sp_top_active {
	uint32_t stack;
	uint32_t moved; /* its number among those that moved; of what happened ever: nothing */
};

struct sp_top {
	struct sp_follow spool;
	struct sp_moment base; /* when the window began */
	struct sp_symbolizer_options symbols;
	struct sp_symbolizer_pool pool;
	struct sp_top_state state;
	char *program;
	bool refreshed;
	bool code_is_fresh; /* stacks were looked at in the last look, or since */
	uint64_t looked_ns; /* CLOCK_MONOTONIC */
	uint64_t began_ns;  /* the same, of the window */
	uint64_t ended_ns;  /* the same; 0: not yet */

	struct sp_names texts;
	struct sp_top_items functions, lines, sites;
	struct sp_top_stack *stacks; /* as in the spool */
	size_t stack_capacity;
	uint32_t *ids;
	size_t id_count, id_capacity;
	uint32_t stamp;
	struct sp_map entries; /* address a thread begins at -> 1 + text */

	struct sp_sum all_now, all; /* of samples */
	struct sp_sum *in_span;     /* of the interval's, by the spool's span node that they were taken in */
	size_t in_span_capacity;
	double code_now_us,
		code_us; /* CPU time between the last two times that stacks were looked at; at the last of them */
	struct sp_top_active *active;
	size_t active_count, active_capacity;

	struct sp_snapshot threads_now,
		threads; /* of all snapshots only the threads: those of the interval, and of the window */
	size_t threads_now_capacity, threads_capacity;
	unsigned wanted; /* since the last look: SP_FOLLOW_STACKS | ... */
	bool sites_are_fresh;
	struct sp_snapshot spans; /* only what was counted of spans, in the interval or the window */
	size_t spans_capacity;
	struct sp_top_heap heap;
	struct sp_growth *growth; /* of each site that may be, in the interval; all 0 between two uses */

	struct sp_top_row *rows;
	size_t row_count, row_capacity;
};

/* model.c: there is room in stacks[] for one of that number. */
void sp_top_make_room(struct sp_top *top, size_t stack);

/* names.c: makes these stacks known, and where threads begin at. false: the spool cannot be read any more. */
bool sp_top_name(struct sp_top *top, const uint32_t *stacks, size_t count, const char **why);
const char *sp_top_entry(struct sp_top *top, uint64_t address); /* NULL: not known */

/* model.c: what the process had used at the moment. */
double sp_top_cpu_us(const struct sp_moment *moment);

/* model.c: what CPU time since its last sample makes uncertain of a thread, and of the process. */
double sp_top_sample_us(const struct sp_top *top);
double sp_top_cpu_error_us(const struct sp_top *top);

/* model.c: brings functions and lines up to date. false: the spool cannot be read any more. */
bool sp_top_add_code(struct sp_top *top, const char **why);

/* rows.c: a new row, one that is named as the item is, and the share of the interval's CPU time. */
struct sp_top_row *sp_top_add_row(struct sp_top *top);
struct sp_top_row *sp_top_add_item(struct sp_top *top, const struct sp_top_item *item);
struct sp_top_figure sp_top_share(const struct sp_top *top, const struct sp_sum *part);

/* spans.c: samples of the interval that were taken in the span node; it has none yet; rows of spans. */
void sp_top_count_span(struct sp_top *top, uint32_t node, const struct sp_sum *sum);
void sp_top_forget_spans(struct sp_top *top);
void sp_top_add_spans(struct sp_top *top);

/* waits.c: rows of waits. */
void sp_top_add_waits(struct sp_top *top);

/* heap.c: the window of the heap begins now, or with the process; what was just looked at is counted; all of it is freed. */
void sp_top_begin_heap(struct sp_top *top, bool whole);
void sp_top_take_heap(struct sp_top *top);
void sp_top_free_heap(struct sp_top *top);

/* heap.c: brings the sites up to date. Where the spool cannot be read any more they are as they were. */
void sp_top_add_heap(struct sp_top *top);

#endif
