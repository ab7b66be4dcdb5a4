/* Looking at a spool again and again. */
#include "profiles/spool/follow.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/spool/section.h"
#include "profiles/spool/spans.h"
#include "symbolize/base/memory.h"

/* --- tables ------------------------------------------------------------------------------------- */

static void add_moved(struct sp_follow_table *t, size_t place, size_t size)
{
	sp_grow(&t->moved, &t->moved_capacity, t->moved_count + 1, sizeof(*t->moved));
	sp_grow(&t->was, &t->was_capacity, t->moved_count + 1, size);
	memcpy((char *)t->was + t->moved_count * size, (char *)t->list + place * size, size);
	t->moved[t->moved_count++] = (uint32_t)place;
}

/* Called with sizes that the compiler knows, a multiple of 8: hundreds of thousands of records are compared a second. */
__attribute__((always_inline)) static inline bool is_same(const void *left, const void *right, size_t size)
{
	const char *a = left, *b = right;
	uint64_t differs = 0, x, y;

	for (size_t i = 0; i < size; i += sizeof(x)) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		differs |= x ^ y;
	}
	return !differs;
}

__attribute__((always_inline)) static inline void take_block(struct sp_follow_table *t, size_t from,
	const char *records, size_t count, size_t size)
{
	size_t had = t->capacity;

	sp_grow(&t->list, &t->capacity, from + count, size);
	memset((char *)t->list + had * size, 0, (t->capacity - had) * size);
	for (size_t i = 0; i < count; i++) {
		char *known = (char *)t->list + (from + i) * size;

		if (is_same(known, records + i * size, size))
			continue;
		add_moved(t, from + i, size);
		memcpy(known, records + i * size, size);
	}
}

static void take_stacks(void *table, size_t from, const void *records, size_t count)
{
	take_block(table, from, records, count, sizeof(struct sp_stack));
}

static void take_sites(void *table, size_t from, const void *records, size_t count)
{
	take_block(table, from, records, count, sizeof(struct sp_site));
}

static void take_live(void *table, size_t from, const void *records, size_t count)
{
	take_block(table, from, records, count, sizeof(struct sp_live));
}

/* again: in place of the last time. */
static int read_table(struct sp_follow *f, struct sp_follow_table *t, enum sp_section which, size_t size,
	sp_section_block_fn *take, bool again, const char **why)
{
	size_t before = t->count;
	int err;

	for (size_t i = 0; again && i < t->moved_count; i++)
		memcpy((char *)t->list + t->moved[i] * size, (char *)t->was + i * size, size);
	t->moved_count = 0;
	err = sp_section_stream(&f->now.is, f->fd, which, size, take, t, &t->count, why);
	if (t->count < before)
		memset((char *)t->list + t->count * size, 0, (before - t->count) * size);
	return err;
}

static void free_table(struct sp_follow_table *t)
{
	free(t->list);
	free(t->moved);
	free(t->was);
}

/* --- looks -------------------------------------------------------------------------------------- */

static int read_heap(struct sp_follow *f, bool again, const char **why)
{
	int err = read_table(f, &f->live, SP_SEC_LIVE, sizeof(struct sp_live), take_live, again, why);

	if (!err)
		err = read_table(f, &f->sites, SP_SEC_SITES, sizeof(struct sp_site), take_sites, again, why);
	f->now.heap = !err;
	return err;
}

static int read_stacks(struct sp_follow *f, bool again, const char **why)
{
	int err = read_table(f, &f->stacks, SP_SEC_STACKS, sizeof(struct sp_stack), take_stacks, again, why);

	f->stacks_are_now = !err;
	return err;
}

static int read_spans(struct sp_moment *m, int fd, const char **why)
{
	struct sp_snapshot *s = &m->is;
	int err = sp_section_read(s, fd, SP_SEC_SPAN_COUNTS, sizeof(*s->span_counts), &s->span_counts,
		&s->span_count_count, &m->span_counts, why);

	if (!err)
		err = sp_section_read(s, fd, SP_SEC_SPAN_THREADS, sizeof(*s->span_threads), &s->span_threads,
			&s->span_thread_count, &m->span_threads, why);
	if (!err)
		err = sp_section_read(s, fd, SP_SEC_SPAN_NODES, sizeof(*s->span_nodes), &s->span_nodes,
			&s->span_node_count, &m->span_nodes, why);
	if (!err)
		err = sp_section_read(s, fd, SP_SEC_SPAN_NAMES, sizeof(*s->span_names), &s->span_names,
			&s->span_name_count, &m->span_names, why);
	if (!err)
		err = sp_section_read(s, fd, SP_SEC_TEXT, 1, &s->text, &s->text_bytes, &m->text, why);
	if (!err && s->text_bytes)
		s->text[0] = '\0';
	if (!err)
		sp_spans_check(s);
	m->spans = !err;
	return err;
}

static int read_waits(struct sp_moment *m, int fd, const char **why)
{
	struct sp_snapshot *s = &m->is;
	int err = sp_section_read(s, fd, SP_SEC_WAITS, sizeof(*s->wait_sites), &s->wait_sites, &s->wait_site_count,
		&m->wait_sites, why);

	m->waits = !err;
	return err;
}

/* What refers comes before what is referred to, as in sp_snapshot_read. */
static int read_moment(struct sp_follow *f, unsigned what, bool again, const char **why)
{
	struct sp_moment *m = &f->now;
	struct sp_snapshot *s = &m->is;
	int err = sp_spool_read_header(&s->header, f->fd, why);

	m->heap = m->spans = m->waits = f->stacks_are_now = false;
	s->wait_site_count = 0;
	s->span_count_count = s->span_thread_count = s->span_node_count = s->span_name_count = 0;
	if (!err && (what & SP_FOLLOW_HEAP))
		err = read_heap(f, again, why);
	if (!err && (what & SP_FOLLOW_WAITS))
		err = read_waits(m, f->fd, why);
	if (!err)
		err = sp_section_read(s, f->fd, SP_SEC_THREADS, sizeof(*s->threads), &s->threads, &s->thread_count,
			&m->threads, why);
	if (!err && (what & SP_FOLLOW_STACKS))
		err = read_stacks(f, again, why);
	if (!err && (what & SP_FOLLOW_SPANS))
		err = read_spans(m, f->fd, why);
	if (err)
		return err;
	sp_snapshot_check_threads(s);
	sp_snapshot_set_time(s, f->fd);
	return 0;
}

int sp_follow_look(struct sp_follow *follow, unsigned what, const char **why)
{
	struct sp_moment last = follow->was;
	int err;

	follow->was = follow->now;
	follow->now = last;
	err = read_moment(follow, what, false, why);
	/* It ended while it was read, or since: what it did until then may have been read too early. */
	if (!err && !follow->now.is.running)
		err = read_moment(follow, what, true, why);
	return err;
}

int sp_follow_look_at_heap(struct sp_follow *follow, const char **why)
{
	return follow->now.heap ? 0 : read_heap(follow, false, why);
}

int sp_follow_look_at_spans(struct sp_follow *follow, const char **why)
{
	return follow->now.spans ? 0 : read_spans(&follow->now, follow->fd, why);
}

int sp_follow_look_at_waits(struct sp_follow *follow, const char **why)
{
	return follow->now.waits ? 0 : read_waits(&follow->now, follow->fd, why);
}

int sp_follow_look_at_stacks(struct sp_follow *follow, const char **why)
{
	return read_stacks(follow, false, why);
}

static void keep(void *array, struct sp_section_room *room, const void *from, size_t count, size_t size)
{
	sp_grow(array, &room->capacity, count + 1, size);
	if (count)
		memcpy(*(void **)array, from, count * size);
}

void sp_moment_keep(struct sp_moment *copy, const struct sp_moment *moment)
{
	struct sp_snapshot *to = &copy->is;
	const struct sp_snapshot *from = &moment->is;

	to->header = from->header;
	copy->spans = moment->spans;
	copy->waits = moment->waits;
	to->running = from->running;
	to->taken_ns = from->taken_ns;
	keep(&to->threads, &copy->threads, from->threads, from->thread_count, sizeof(*to->threads));
	keep(&to->span_counts, &copy->span_counts, from->span_counts, from->span_count_count, sizeof(*to->span_counts));
	keep(&to->wait_sites, &copy->wait_sites, from->wait_sites, from->wait_site_count, sizeof(*to->wait_sites));
	to->wait_site_count = from->wait_site_count;
	to->thread_count = from->thread_count;
	to->span_count_count = from->span_count_count;
}

void sp_moment_forget(struct sp_moment *moment)
{
	sp_snapshot_free(&moment->is);
	*moment = (struct sp_moment){0};
}

/* --- what somebody asks for ---------------------------------------------------------------------- */

/* A word that was handed out and is not written yet is 0: what follows it is read again. */
static void set_known(struct sp_follow *follow)
{
	const struct sp_snapshot *s = &follow->picked;
	size_t i = follow->frames.known ? follow->frames.known : 1; /* the first is nobody's */

	while (i < s->frame_count && s->frames[i])
		i++;
	follow->frames.known = i;
}

static int read_frames(struct sp_follow *follow, const char **why)
{
	struct sp_snapshot *s = &follow->picked;
	int err = sp_section_read(s, follow->fd, SP_SEC_FRAMES, sizeof(*s->frames), &s->frames, &s->frame_count,
		&follow->frames, why);

	if (!err)
		err = sp_section_read(s, follow->fd, SP_SEC_MODULES, sizeof(*s->modules), &s->modules, &s->module_count,
			&follow->modules, why);
	if (!err)
		err = sp_section_read(s, follow->fd, SP_SEC_TEXT, 1, &s->text, &s->text_bytes, &follow->text, why);
	if (!err && s->text_bytes)
		s->text[0] = '\0';
	return err;
}

/* Of stacks that were just looked at, if all of these have samples; else from the spool. */
static int pick_stacks(struct sp_follow *f, const uint32_t *stacks, size_t count, struct sp_stack *to, const char **why)
{
	const struct sp_stack *list = f->stacks.list;
	bool all = f->stacks_are_now;

	for (size_t i = 0; i < count && all; i++) {
		all = stacks[i] < f->stacks.count && (list[stacks[i]].user_samples || list[stacks[i]].sys_samples);
		if (all)
			to[i] = list[stacks[i]];
	}
	return all ? 0 : sp_section_pick(&f->picked, f->fd, SP_SEC_STACKS, sizeof(*to), stacks, count, to, why);
}

struct sp_snapshot *sp_follow_pick(struct sp_follow *follow, const uint32_t *stacks, size_t count, const char **why)
{
	const struct sp_snapshot *now = &follow->now.is;
	struct sp_snapshot *s = &follow->picked;
	int err;

	s->header = now->header;
	s->running = now->running;
	s->taken_ns = now->taken_ns;
	s->stack_count = s->depth_sum = s->damaged = 0;
	free(s->stacks);
	s->stacks = sp_alloc(count + 1, sizeof(*s->stacks));
	err = pick_stacks(follow, stacks, count, s->stacks, why);
	if (!err)
		err = read_frames(follow, why);
	if (err)
		return NULL;
	set_known(follow);
	s->stack_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct sp_stack *from = &s->stacks[i];

		s->stacks[i] = (struct sp_stack){
			.frame = from->frame, .depth = from->depth, .flags = from->flags, .epoch = from->epoch};
	}
	sp_snapshot_check_stacks(s);
	sp_snapshot_check_modules(s);
	return s;
}

void sp_follow_free(struct sp_follow *follow)
{
	sp_moment_forget(&follow->now);
	sp_moment_forget(&follow->was);
	free_table(&follow->stacks);
	free_table(&follow->sites);
	free_table(&follow->live);
	sp_snapshot_free(&follow->picked);
}
