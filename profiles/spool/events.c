/* Reading the ring. */
#include "profiles/spool/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/time.h"
#include "profiles/spool/section.h"
#include "profiles/spool/spans.h"
#include "symbolize/base/memory.h"

#define BATCH 4096u
#define WAIT_NS 1000000000u /* for an event that a thread has begun to write */

static int read_head(struct sp_snapshot *s, int fd, const char **why)
{
	uint32_t capacity = s->header.sections[SP_SEC_SPAN_EVENTS].capacity;
	int err = sp_section_part(s, fd, SP_SEC_SPAN_EVENTS, sizeof(s->span_log), 0, 1, &s->span_log, why);

	if (capacity > SP_SPAN_EVENTS_MAX)
		capacity = SP_SPAN_EVENTS_MAX;
	if (!err && (s->span_log.size & (s->span_log.size - 1) || s->span_log.size >= capacity))
		s->span_log = (struct sp_span_log){0};
	return err;
}

/* Records [from, from + count) of those numbers, which may go on at the ring's beginning. */
static int copy(struct sp_snapshot *s, int fd, uint64_t from, size_t count, const char **why)
{
	uint64_t size = s->span_log.size, at = from & (size - 1);
	size_t first = count < size - at ? count : size - at;
	int err = sp_section_part(s, fd, SP_SEC_SPAN_EVENTS, sizeof(*s->events), 1 + at, first, s->events, why);

	if (!err && count > first)
		err = sp_section_part(s, fd, SP_SEC_SPAN_EVENTS, sizeof(*s->events), 1, count - first,
			s->events + first, why);
	return err;
}

/* Whether to wait for the event `number`, which is not there. */
static bool is_awaited(const struct sp_snapshot *s, struct sp_events_place *place, uint64_t number)
{
	uint64_t now = sp_time_ns(CLOCK_MONOTONIC);

	if (s->span_log.next - number > s->span_log.size / 2)
		return false;
	if (!place->wait_ns)
		place->wait_ns = now;
	return now < place->wait_ns + WAIT_NS;
}

/* Keeps the whole ones of `count` from number `from` on. */
static void keep_whole(struct sp_snapshot *s, struct sp_events_place *place, uint64_t from, size_t count, bool last)
{
	s->event_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct sp_span_event *e = &s->events[i];
		uint64_t number = from + i;
		bool overwritten = s->span_log.next > number + s->span_log.size;

		if (!overwritten && e->seq != number + 1 && !last && is_awaited(s, place, number))
			return;
		place->next = number + 1;
		place->wait_ns = 0;
		if (!overwritten && e->seq == number + 1)
			s->events[s->event_count++] = *e;
		else
			place->lost++;
	}
}

int sp_events_take(struct sp_snapshot *s, int fd, struct sp_events_place *place, bool last, bool *more,
	const char **why)
{
	uint64_t oldest, count;
	int err;

	s->event_count = 0;
	*more = false;
	err = read_head(s, fd, why);
	if (err || !s->span_log.size)
		return err;
	oldest = s->span_log.next > s->span_log.size ? s->span_log.next - s->span_log.size : 0;
	if (place->begun && place->next < oldest)
		place->lost += oldest - place->next;
	if (!place->begun || place->next < oldest)
		place->next = oldest;
	place->begun = true;
	count = s->span_log.next > place->next ? s->span_log.next - place->next : 0;
	*more = count > BATCH;
	count = *more ? BATCH : count;
	sp_grow(&s->events, &s->event_capacity, count + 1, sizeof(*s->events));
	err = copy(s, fd, place->next, count, why);
	if (!err)
		err = read_head(s, fd, why);
	if (!err)
		keep_whole(s, place, place->next, count, last);
	return err;
}

static bool is_sound(const struct sp_span_event *e)
{
	return e->kind <= SP_EVENT_CHECKPOINT && e->length <= SP_SPAN_TEXT_MAX && e->began_tsc <= e->ended_tsc;
}

bool sp_events_check(struct sp_snapshot *s, bool keep)
{
	size_t kept = 0;
	bool all = true;

	for (size_t i = 0; i < s->event_count; i++) {
		const struct sp_span_event *e = &s->events[i];
		bool known = e->node < s->span_node_count && s->span_nodes[e->node].name;

		all &= known;
		if (known ? is_sound(e) : keep)
			s->events[kept++] = *e;
	}
	s->event_count = kept;
	return all;
}

/* --- again and again ---------------------------------------------------------------------------- */

static int read_names(struct sp_snapshot *s, int fd, const char **why)
{
	struct sp_section_room nodes = {0}, names = {0}, text = {0};
	int err = sp_section_read(s, fd, SP_SEC_SPAN_NODES, sizeof(*s->span_nodes), &s->span_nodes, &s->span_node_count,
		&nodes, why);

	if (!err)
		err = sp_section_read(s, fd, SP_SEC_SPAN_NAMES, sizeof(*s->span_names), &s->span_names,
			&s->span_name_count, &names, why);
	if (!err)
		err = sp_section_read(s, fd, SP_SEC_TEXT, 1, &s->text, &s->text_bytes, &text, why);
	if (!err && s->text_bytes)
		s->text[0] = '\0';
	if (!err)
		sp_spans_check(s);
	return err;
}

static int read_threads(struct sp_snapshot *s, int fd, const char **why)
{
	struct sp_section_room threads = {0}, open = {0};
	int err = sp_section_read(s, fd, SP_SEC_THREADS, sizeof(*s->threads), &s->threads, &s->thread_count, &threads,
		why);

	if (!err)
		err = sp_section_read(s, fd, SP_SEC_SPAN_THREADS, sizeof(*s->span_threads), &s->span_threads,
			&s->span_thread_count, &open, why);
	if (!err)
		sp_snapshot_check_threads(s);
	return err;
}

/* The tables are read again when an event is of a node that they do not have, and in the end. */
int sp_events_look(struct sp_events_follow *f, bool last, const char **why)
{
	struct sp_snapshot *s = &f->is;
	int err = sp_spool_read_header(&s->header, f->fd, why);

	if (!err)
		err = sp_events_take(s, f->fd, &f->place, last, &f->more, why);
	if (!err && (s->event_count || last || !s->threads))
		err = read_threads(s, f->fd, why);
	if (!err && (!sp_events_check(s, true) || last || !s->text))
		err = read_names(s, f->fd, why);
	if (!err) {
		sp_events_check(s, false);
		sp_snapshot_set_time(s, f->fd);
	}
	return err;
}

void sp_events_free(struct sp_events_follow *f)
{
	sp_snapshot_free(&f->is);
}

/* --- the writer --------------------------------------------------------------------------------- */

#define STARTS_NS 1000000000u
#define WRITES_NS 3000000000u
#define NAP_MS 5

static bool is_at_it(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SP_LOCK_LOG, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Whether it may still write something, after so long. */
static bool is_behind(struct sp_snapshot *s, int fd, uint64_t passed_ns)
{
	const char *why;

	if (read_head(s, fd, &why) < 0 || s->span_log.ready >= s->span_log.next)
		return false;
	if (s->span_log.writer == SP_LOG_STARTED)
		return passed_ns < STARTS_NS;
	return s->span_log.writer == SP_LOG_WRITES && passed_ns < WRITES_NS && is_at_it(fd);
}

void sp_events_await_writer(int fd)
{
	struct sp_snapshot s = {0};
	uint64_t began_ns = sp_time_ns(CLOCK_MONOTONIC);
	const char *why;

	if (sp_spool_read_header(&s.header, fd, &why) == 0)
		while (is_behind(&s, fd, sp_time_ns(CLOCK_MONOTONIC) - began_ns))
			sp_nap_ms(NAP_MS);
}
