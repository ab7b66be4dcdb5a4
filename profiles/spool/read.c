/* Reading a spool; docs/SPOOL.md describes the format. */
#include "profiles/spool/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/spool/events.h"
#include "profiles/spool/find.h"
#include "profiles/spool/section.h"
#include "profiles/spool/spans.h"
#include "symbolize/base/memory.h"

/* Of each section, in their order. */
static const uint32_t records_max[SP_SECTIONS] = {SP_TEXT_MAX, SP_MODULES_MAX, SP_THREADS_MAX, SP_BUCKETS_MAX,
	SP_STACKS_MAX, SP_FRAMES_MAX, SP_SITES_MAX, SP_TIMELINE_MAX, SP_LOG_MAX, SP_LIVE_MAX, SP_COPIES_MAX,
	SP_COPIED_MAX, SP_MARKS_MAX, SP_MARKED_MAX, SP_SPAN_NAMES_MAX, SP_SPAN_NODES_MAX, SP_SPAN_COUNTS_MAX,
	SP_SPAN_THREADS_MAX, SP_CHECKPOINTS_MAX, SP_TRACED_MAX, SP_SPAN_SLOWEST_MAX, SP_SPAN_TAIL_MAX,
	SP_SPAN_EVENTS_MAX, SP_WAIT_SITES_MAX, SP_LOCKS_MAX};

static int fail(const char **why, int error, const char *phrase)
{
	*why = phrase;
	return error;
}

/* Reads exactly `size` bytes. */
static int read_at(int fd, void *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

int sp_spool_read_header(struct sp_spool_header *header, int fd, const char **why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(why, -errno, "cannot be examined");
	if (!S_ISREG(st.st_mode))
		return fail(why, -EINVAL, "is not a regular file");
	/* What it is, and of which version, stands first: another one's may be shorter than our header, or larger than our spools. */
	if (read_at(fd, header, offsetof(struct sp_spool_header, total_bytes), 0) < 0)
		return fail(why, -EINVAL, "is too short for a spool");
	if (header->magic != SP_SPOOL_MAGIC)
		return fail(why, -EINVAL, "is not a spool (wrong magic number)");
	if (header->version != SP_SPOOL_VERSION || header->header_bytes != sizeof(*header))
		return fail(why, -EPROTO, "was written by another version of smartprof, whose own command can read it");
	if ((uint64_t)st.st_size > SP_SPOOL_MAX_BYTES)
		return fail(why, -EFBIG, "is larger than any spool");
	if (read_at(fd, header, sizeof(*header), 0) < 0)
		return fail(why, -EINVAL, "is too short for a spool");
	if (header->total_bytes > (uint64_t)st.st_size)
		return fail(why, -EINVAL, "has been cut short");
	header->total_bytes = (uint64_t)st.st_size;
	return 0;
}

/* The directory entry is read again because the sections are read one after the other while the target may still be
 * filling them. */
static int read_entry(struct sp_section_entry *entry, const struct sp_snapshot *s, int fd, enum sp_section which,
	size_t size, const char **why)
{
	uint64_t entry_at = offsetof(struct sp_spool_header, sections) + which * sizeof(struct sp_section_entry);
	uint64_t file_bytes = s->header.total_bytes;

	if (read_at(fd, entry, sizeof(*entry), entry_at) < 0)
		return fail(why, -EINVAL, "has been cut short");
	if (entry->stride != size || entry->offset > file_bytes || entry->offset < sizeof(s->header))
		return fail(why, -EINVAL, "has a damaged section directory");
	if ((uint64_t)entry->stride * entry->capacity > file_bytes - entry->offset)
		return fail(why, -EINVAL, "has a section that does not fit into the file");
	if (entry->capacity > records_max[which])
		return fail(why, -EFBIG, "has a section that is larger than any agent makes");
	return 0;
}

static size_t visible(const struct sp_section_entry *entry)
{
	size_t count = entry->used < entry->committed ? entry->used : entry->committed;

	return count > entry->capacity ? entry->capacity : count;
}

static char *make_room(struct sp_section_room *room, char *old, size_t count, size_t size)
{
	char *array = old;

	if (room->known > count)
		room->known = count;
	if (array && count < room->capacity)
		return array;
	room->capacity = count + count / 8 + 1;
	array = sp_alloc(room->capacity, size);
	if (room->known)
		memcpy(array, old, room->known * size);
	free(old);
	return array;
}

int sp_section_read(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, void *array, size_t *count,
	struct sp_section_room *room, const char **why)
{
	struct sp_section_entry entry;
	size_t from, end;
	char *copy;
	int err = read_entry(&entry, s, fd, which, size, why);

	*count = 0;
	if (err)
		return err;
	end = visible(&entry);
	copy = make_room(room, *(char **)array, end, size);
	*(void **)array = copy;
	from = room->known * size;
	if (read_at(fd, copy + from, end * size - from, entry.offset + from) < 0)
		return fail(why, -EINVAL, "has been cut short");
	copy[end * size] = '\0';
	*count = end;
	return 0;
}

int sp_section_pick(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, const uint32_t *places,
	size_t count, void *records, const char **why)
{
	struct sp_section_entry entry;
	int err = read_entry(&entry, s, fd, which, size, why);

	for (size_t i = 0; !err && i < count; i++) {
		if (places[i] >= visible(&entry))
			continue;
		if (read_at(fd, (char *)records + i * size, size, entry.offset + places[i] * size) < 0)
			err = fail(why, -EINVAL, "has been cut short");
	}
	return err;
}

#define BLOCK_BYTES (64u << 10)

int sp_section_stream(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size,
	sp_section_block_fn *take, void *context, size_t *count, const char **why)
{
	struct sp_section_entry entry;
	size_t most = BLOCK_BYTES / size;
	char *block;
	int err = read_entry(&entry, s, fd, which, size, why);

	*count = 0;
	if (err)
		return err;
	block = sp_alloc_bytes(most * size);
	for (size_t end = visible(&entry), n; !err && *count < end; *count += n) {
		n = end - *count < most ? end - *count : most;
		if (read_at(fd, block, n * size, entry.offset + *count * size) < 0)
			err = fail(why, -EINVAL, "has been cut short");
		else
			take(context, *count, block, n);
	}
	free(block);
	return err;
}

int sp_section_part(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, uint64_t from,
	size_t count, void *records, const char **why)
{
	struct sp_section_entry entry;
	int err = read_entry(&entry, s, fd, which, size, why);
	size_t there;

	memset(records, 0, count * size);
	if (err || from >= visible(&entry))
		return err;
	there = count < visible(&entry) - from ? count : visible(&entry) - from;
	if (read_at(fd, records, there * size, entry.offset + from * size) < 0)
		return fail(why, -EINVAL, "has been cut short");
	return 0;
}

static int read_section(const struct sp_snapshot *s, int fd, enum sp_section which, size_t size, void *array,
	size_t *count, const char **why)
{
	struct sp_section_room room = {0};

	return sp_section_read(s, fd, which, size, array, count, &room, why);
}

/* Copies and their words. A record that is used again meanwhile is not what its words are of. */
static int read_copies(struct sp_snapshot *s, int fd, const char **why)
{
	struct sp_copy *again = NULL;
	size_t count = 0;
	int err = read_section(s, fd, SP_SEC_COPIES, sizeof(*s->copies), &s->copies, &s->copy_count, why);

	if (!err)
		err = read_section(s, fd, SP_SEC_COPIED, sizeof(*s->copied), &s->copied, &s->copied_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_COPIES, sizeof(*again), &again, &count, why);
	for (size_t i = 0; !err && i < s->copy_count; i++)
		if (i >= count || memcmp(&again[i], &s->copies[i], sizeof(*again)) != 0)
			s->copies[i].ready = 0;
	free(again);
	return err;
}

/* All that are there. */
static int read_events(struct sp_snapshot *s, int fd, const char **why)
{
	struct sp_snapshot part = {.header = s->header};
	struct sp_events_place place = {0};
	size_t capacity = 0;
	bool more = true;
	int err = 0;

	while (more && !err && s->event_count < SP_SPAN_EVENTS_MAX) {
		err = sp_events_take(&part, fd, &place, true, &more, why);
		if (!part.event_count)
			continue;
		sp_grow(&s->events, &capacity, s->event_count + part.event_count, sizeof(*s->events));
		memcpy(s->events + s->event_count, part.events, part.event_count * sizeof(*s->events));
		s->event_count += part.event_count;
	}
	s->span_log = part.span_log;
	free(part.events);
	return err;
}

/* What refers to threads, stacks and nodes. */
static int read_span_records(struct sp_snapshot *s, int fd, const char **why)
{
	int err = read_events(s, fd, why);

	if (!err)
		err = read_section(s, fd, SP_SEC_SPAN_THREADS, sizeof(*s->span_threads), &s->span_threads,
			&s->span_thread_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_CHECKPOINTS, sizeof(*s->checkpoints), &s->checkpoints,
			&s->checkpoint_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_SPAN_SLOWEST, sizeof(*s->span_slowest), &s->span_slowest,
			&s->span_slowest_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_SPAN_TAIL, sizeof(*s->span_tail), &s->span_tail, &s->span_tail_count,
			why);
	if (!err)
		err = read_section(s, fd, SP_SEC_SPAN_COUNTS, sizeof(*s->span_counts), &s->span_counts,
			&s->span_count_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_TRACED, sizeof(*s->traced), &s->traced, &s->traced_count, why);
	return err;
}

/* What stacks and those refer to. */
static int read_span_names(struct sp_snapshot *s, int fd, const char **why)
{
	int err = read_section(s, fd, SP_SEC_SPAN_NODES, sizeof(*s->span_nodes), &s->span_nodes, &s->span_node_count,
		why);

	if (!err)
		err = read_section(s, fd, SP_SEC_SPAN_NAMES, sizeof(*s->span_names), &s->span_names,
			&s->span_name_count, why);
	return err;
}

/* The NUL behind the last byte ends any text that does not end by itself. */
static int read_text(struct sp_snapshot *s, int fd, const char **why)
{
	int err = read_section(s, fd, SP_SEC_TEXT, 1, &s->text, &s->text_bytes, why);

	if (err == 0 && s->text_bytes)
		s->text[0] = '\0';
	return err;
}

/* An idle process leaves no events behind, so while it runs the present is its end. The spool's start may come from
 * another boot or be damaged: never earlier than the last event. */
static uint64_t time_of(const struct sp_snapshot *s)
{
	const struct sp_spool_header *h = &s->header;
	uint64_t last_ns = h->end_ns ? h->end_ns : h->now_ns, now_ns;

	if (h->snapshot_ns)
		return h->snapshot_ns;
	if (h->state != SP_STATE_RUNNING || !s->running)
		return last_ns;
	now_ns = sp_time_ns(CLOCK_MONOTONIC);
	if (now_ns > h->start_monotonic_ns && now_ns - h->start_monotonic_ns > h->now_ns)
		return now_ns - h->start_monotonic_ns;
	return last_ns;
}

void sp_snapshot_set_time(struct sp_snapshot *s, int fd)
{
	s->running = s->header.snapshot_ns ? s->header.snapshot_running : sp_spool_is_live(fd, &s->header);
	s->taken_ns = time_of(s);
}

/* A pause that goes on is told as one that ended now. */
static void settle_pause(struct sp_snapshot *s)
{
	struct sp_control *c = &s->header.control;
	uint64_t user_ns, sys_ns;

	if (!c->stopped || s->header.snapshot_ns)
		return;
	sp_snapshot_cpu(s, &user_ns, &sys_ns);
	if (s->taken_ns > c->stopped_at_ns)
		c->stopped_ns += s->taken_ns - c->stopped_at_ns;
	if (user_ns + sys_ns > c->stopped_at_cpu_ns)
		c->stopped_cpu_ns += user_ns + sys_ns - c->stopped_at_cpu_ns;
}

int sp_snapshot_peek(struct sp_snapshot *snapshot, int fd, const char **why)
{
	int err;

	*snapshot = (struct sp_snapshot){0};
	err = sp_spool_read_header(&snapshot->header, fd, why);
	return err ? err : read_text(snapshot, fd, why);
}

/* What refers comes before what is referred to: a record that is complete when it is read then
 * finds its targets complete too. */
int sp_snapshot_read(struct sp_snapshot *snapshot, int fd, const char **why)
{
	struct sp_snapshot *s = snapshot;
	int err;

	*s = (struct sp_snapshot){0};
	err = sp_spool_read_header(&s->header, fd, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_MARKS, sizeof(*s->marks), &s->marks, &s->mark_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_LOG, sizeof(*s->log), &s->log, &s->log_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_LIVE, sizeof(*s->live), &s->live, &s->live_count, why);
	if (!err)
		err = read_copies(s, fd, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_SITES, sizeof(*s->sites), &s->sites, &s->site_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_MARKED, sizeof(*s->marked), &s->marked, &s->marked_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_WAITS, sizeof(*s->wait_sites), &s->wait_sites, &s->wait_site_count,
			why);
	if (!err)
		err = read_section(s, fd, SP_SEC_LOCKS, sizeof(*s->locks), &s->locks, &s->lock_count, why);
	if (!err)
		err = read_span_records(s, fd, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_THREADS, sizeof(*s->threads), &s->threads, &s->thread_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_STACKS, sizeof(*s->stacks), &s->stacks, &s->stack_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_FRAMES, sizeof(*s->frames), &s->frames, &s->frame_count, why);
	if (!err)
		err = read_span_names(s, fd, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_MODULES, sizeof(*s->modules), &s->modules, &s->module_count, why);
	if (!err)
		err = read_section(s, fd, SP_SEC_TIMELINE, sizeof(*s->timeline), &s->timeline, &s->timeline_count, why);
	if (!err)
		err = read_text(s, fd, why);
	if (err)
		return err;
	sp_snapshot_set_time(s, fd);
	s->damaged = s->header.snapshot_ns ? s->header.snapshot_damaged : 0;
	settle_pause(s);
	sp_snapshot_check(s);
	return 0;
}

void sp_snapshot_free(struct sp_snapshot *snapshot)
{
	free(snapshot->text);
	free(snapshot->modules);
	free(snapshot->threads);
	free(snapshot->stacks);
	free(snapshot->frames);
	free(snapshot->sites);
	free(snapshot->timeline);
	free(snapshot->log);
	free(snapshot->live);
	free(snapshot->copies);
	free(snapshot->copied);
	free(snapshot->marks);
	free(snapshot->marked);
	free(snapshot->span_names);
	free(snapshot->span_nodes);
	free(snapshot->span_counts);
	free(snapshot->span_threads);
	free(snapshot->checkpoints);
	free(snapshot->traced);
	free(snapshot->span_slowest);
	free(snapshot->span_tail);
	free(snapshot->events);
	free(snapshot->wait_sites);
	free(snapshot->locks);
	free(snapshot->growth);
	*snapshot = (struct sp_snapshot){0};
}

const char *sp_snapshot_text(const struct sp_snapshot *snapshot, uint32_t offset)
{
	return offset && offset < snapshot->text_bytes ? snapshot->text + offset : "";
}

void sp_snapshot_cpu(const struct sp_snapshot *s, uint64_t *user_ns, uint64_t *sys_ns)
{
	uint64_t user = 0, sys = 0;

	*user_ns = s->header.cpu.self_user_ns;
	*sys_ns = s->header.cpu.self_sys_ns;
	if (s->header.end_ns)
		return;
	for (size_t i = 0; i < s->thread_count; i++) {
		if (i && s->threads[i].state == 0)
			continue; /* given back: record 0 has it */
		user += s->threads[i].cpu_user_ns;
		sys += s->threads[i].cpu_sys_ns;
	}
	if (user + sys > *user_ns + *sys_ns) {
		*user_ns = user;
		*sys_ns = sys;
	}
}

bool sp_snapshot_is_root(const struct sp_snapshot *snapshot)
{
	const struct sp_spool_header *h = &snapshot->header;

	return h->is_root || (h->pid > 0 && atoi(sp_snapshot_text(snapshot, h->text.tree)) == h->pid);
}
