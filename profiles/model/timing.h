/* The timing log as text: a line for each span that has ended and each checkpoint. */
#ifndef SP_PROFILES_MODEL_TIMING_H
#define SP_PROFILES_MODEL_TIMING_H

#include "profiles/base/buffer.h"
#include "profiles/spool/events.h"

/* What is remembered from line to line. All zero at first. */
struct sp_timing {
	struct sp_timing_name *names; /* by node */
	size_t count;
	uint64_t clock_ns; /* of CLOCK_REALTIME when the process's own time was 0 */
};
void sp_timing_free(struct sp_timing *timing);

/* Looks how the process's time stands to the clock on the wall, as it does now while the process runs. Before the first line,
 * and now and then. */
void sp_timing_set_clock(struct sp_timing *timing, const struct sp_snapshot *snapshot);

/* A node's own name, without control characters and what looks like a secret, and the spans that it stands in; a label's is its
 * span's. Valid until sp_timing_free. */
const char *sp_timing_name(struct sp_timing *timing, const struct sp_snapshot *snapshot, uint32_t node,
	unsigned *depth);

/* "kind=get, GET /": the labels of the node, and what the program said of the event (NULL: of nothing); likewise made inert. */
void sp_timing_put_context(struct sp_buffer *out, const struct sp_snapshot *snapshot, uint32_t node,
	const struct sp_span_event *event);

/* The name that a thread has, if its record is still its own: else "". */
const char *sp_timing_thread(const struct sp_snapshot *snapshot, uint32_t record, int tid);

/* A line, with its newline: "[14:02:11.532] [4711/worker]   name: 234.56ms (context)". */
void sp_timing_put(struct sp_buffer *out, struct sp_timing *timing, const struct sp_snapshot *snapshot,
	const struct sp_span_event *event);

/* The same for what has begun and not ended, the outermost first. */
void sp_timing_put_open(struct sp_buffer *out, struct sp_timing *timing, const struct sp_snapshot *snapshot);

/* "=== 2026-11-30 process 4711 (redis-server)" and a newline; the day is that of the time, since the process's start. */
void sp_timing_put_head(struct sp_buffer *out, const struct sp_timing *timing, const struct sp_snapshot *snapshot,
	uint64_t t_ns);

/* How many days had passed where the reader is. */
long sp_timing_day(const struct sp_timing *timing, uint64_t t_ns);

#endif
