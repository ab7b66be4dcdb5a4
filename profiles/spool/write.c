/* Writing a snapshot. */
#include "profiles/spool/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

#define ALIGN 64u

static int write_all(int fd, const void *data, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The next section. skipped: its record 0, which is nobody's and was left out when it was read, is put in again. */
static int put(struct sp_spool_header *h, int fd, enum sp_section which, size_t stride, const void *records,
	size_t count, bool skipped)
{
	struct sp_section_entry *e = &h->sections[which];
	uint64_t at = (h->total_bytes + ALIGN - 1) / ALIGN * ALIGN, first = skipped ? stride : 0;
	uint32_t all = (uint32_t)(count + skipped);
	int err = write_all(fd, records, count * stride, at + first);

	*e = (struct sp_section_entry){
		.offset = at, .stride = (uint32_t)stride, .capacity = all, .used = all, .committed = all};
	h->total_bytes = at + all * (uint64_t)stride;
	return err;
}

/* As the agent counts them, from record 1 on. */
static int put_timeline(struct sp_spool_header *h, int fd, const struct sp_snapshot *s)
{
	struct sp_timepoint *points = sp_alloc(s->timeline_count + 1, sizeof(*points));
	int err;

	for (size_t i = 0; i < s->timeline_count; i++) {
		points[i] = s->timeline[i];
		points[i].logged++;
	}
	err = put(h, fd, SP_SEC_TIMELINE, sizeof(*points), points, s->timeline_count, false);
	free(points);
	return err;
}

/* As the agent counts them, too. */
static int put_marks(struct sp_spool_header *h, int fd, const struct sp_snapshot *s)
{
	struct sp_mark *marks = sp_alloc(s->mark_count + 1, sizeof(*marks));
	int err;

	for (size_t i = 0; i < s->mark_count; i++) {
		marks[i] = s->marks[i];
		marks[i].logged += marks[i].logged != UINT64_MAX;
	}
	err = put(h, fd, SP_SEC_MARKS, sizeof(*marks), marks, s->mark_count, true);
	free(marks);
	return err;
}

/* Each in the place that it had in the ring. */
static int put_events(struct sp_spool_header *h, int fd, const struct sp_snapshot *s)
{
	uint64_t size = s->span_log.size;
	struct sp_span_event *ring;
	int err;

	if (!size)
		return put(h, fd, SP_SEC_SPAN_EVENTS, sizeof(*ring), NULL, 0, true);
	ring = sp_alloc(size + 1, sizeof(*ring));
	memcpy(ring, &s->span_log, sizeof(*ring));
	for (size_t i = 0; i < s->event_count; i++)
		ring[1 + ((s->events[i].seq - 1) & (size - 1))] = s->events[i];
	err = put(h, fd, SP_SEC_SPAN_EVENTS, sizeof(*ring), ring, size + 1, false);
	free(ring);
	return err;
}

#define PUT(which, array, count, skipped) \
	if (!err) \
	err = put(&h, fd, which, sizeof(*s->array), s->array, s->count, skipped)

int sp_snapshot_write(const struct sp_snapshot *s, int fd)
{
	struct sp_spool_header h = s->header;
	int err = 0;

	h.snapshot_ns = s->taken_ns ? s->taken_ns : 1;
	h.snapshot_running = s->running;
	h.snapshot_damaged = s->damaged;
	h.locked = 0;
	h.total_bytes = sizeof(h);
	memset(h.sections, 0, sizeof(h.sections));
	PUT(SP_SEC_TEXT, text, text_bytes, false);
	PUT(SP_SEC_MODULES, modules, module_count, true);
	PUT(SP_SEC_THREADS, threads, thread_count, false);
	PUT(SP_SEC_STACKS, stacks, stack_count, false);
	PUT(SP_SEC_FRAMES, frames, frame_count, false);
	PUT(SP_SEC_SITES, sites, site_count, false);
	if (!err)
		err = put_timeline(&h, fd, s);
	PUT(SP_SEC_LOG, log, log_count, true);
	PUT(SP_SEC_LIVE, live, live_count, true);
	PUT(SP_SEC_COPIES, copies, copy_count, true);
	PUT(SP_SEC_COPIED, copied, copied_count, false);
	if (!err)
		err = put_marks(&h, fd, s);
	PUT(SP_SEC_MARKED, marked, marked_count, true);
	PUT(SP_SEC_SPAN_NAMES, span_names, span_name_count, false);
	PUT(SP_SEC_SPAN_NODES, span_nodes, span_node_count, false);
	PUT(SP_SEC_SPAN_COUNTS, span_counts, span_count_count, false);
	PUT(SP_SEC_SPAN_THREADS, span_threads, span_thread_count, false);
	PUT(SP_SEC_CHECKPOINTS, checkpoints, checkpoint_count, false);
	PUT(SP_SEC_WAITS, wait_sites, wait_site_count, false);
	PUT(SP_SEC_LOCKS, locks, lock_count, false);
	PUT(SP_SEC_TRACED, traced, traced_count, true);
	PUT(SP_SEC_SPAN_SLOWEST, span_slowest, span_slowest_count, false);
	PUT(SP_SEC_SPAN_TAIL, span_tail, span_tail_count, false);
	if (!err)
		err = put_events(&h, fd, s);
	if (!err && ftruncate(fd, (off_t)h.total_bytes) < 0)
		err = -errno;
	return err ? err : write_all(fd, &h, sizeof(h), 0);
}
