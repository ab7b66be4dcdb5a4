/* What was read of a spool is made safe to use: what refers to nothing, or was about to be written, is left out. */
#include <math.h>
#include <stdlib.h>

#include "profiles/spool/events.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/read.h"
#include "profiles/spool/section.h"
#include "profiles/spool/spans.h"
#include "profiles/spool/waits.h"

/* Copies the addresses of a stack, which may be in several runs. False when they lead out of the section, or from
 * one jump to the next. */
static bool read_frames(const struct sp_snapshot *s, const struct sp_stack *stack, uint64_t *to)
{
	size_t at = stack->frame;

	for (uint32_t i = 0; i < stack->depth; i++) {
		if (at < s->frame_count && sp_frame_is_jump(s->frames[at]))
			at = (uint32_t)s->frames[at];
		if (at >= s->frame_count || sp_frame_is_jump(s->frames[at]))
			return false;
		to[i] = s->frames[at++];
	}
	return true;
}

/* No agent writes stacks that have more frames together. */
#define FRAMES_MAX ((size_t)1 << 26)

void sp_snapshot_check_stacks(struct sp_snapshot *s)
{
	uint64_t scratch[SP_MAX_DEPTH];

	for (size_t i = 0; i < s->stack_count; i++) {
		struct sp_stack *stack = &s->stacks[i];

		if (stack->depth > SP_MAX_DEPTH || s->depth_sum + stack->depth > FRAMES_MAX ||
			!read_frames(s, stack, scratch)) {
			stack->depth = 0;
			s->damaged++;
		}
		s->depth_sum += stack->depth;
	}
}

void sp_snapshot_stack(const struct sp_snapshot *snapshot, size_t stack, uint64_t *addresses)
{
	read_frames(snapshot, &snapshot->stacks[stack], addresses);
}

static void check_sites(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->site_count; i++) {
		if (s->sites[i].stack < s->stack_count)
			continue;
		s->sites[i].stack = 0;
		s->damaged++;
	}
}

/* Index 0 is never handed out; an entry without a weight was about to be written. The timeline and the marks count those
 * that are kept from then on; a mark that was set when the log was full already is known by a count that is larger than any. */
static void check_log(struct sp_snapshot *s)
{
	size_t kept = 0, point = 0, mark = 0;

	for (size_t i = 1; i < s->log_count; i++) {
		while (point < s->timeline_count && s->timeline[point].logged <= i)
			s->timeline[point++].logged = kept;
		while (mark < s->mark_count && s->marks[mark].logged <= i)
			s->marks[mark++].logged = kept;
		if (!s->log[i].weight)
			continue;
		if (s->log[i].stack < s->stack_count)
			s->log[kept++] = s->log[i];
		else
			s->damaged++;
	}
	while (point < s->timeline_count)
		s->timeline[point++].logged = kept;
	for (; mark < s->mark_count; mark++)
		s->marks[mark].logged = s->marks[mark].logged <= s->log_count ? kept : UINT64_MAX;
	s->log_count = kept;
}

static void check_live(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->live_count; i++) {
		if (!s->live[i].alive)
			continue;
		if (s->live[i].site < s->site_count)
			s->live[kept++] = s->live[i];
		else
			s->damaged++;
	}
	s->live_count = kept;
}

/* Words that lie beyond what was read, as those of a copy that was about to be made may, are none. */
static void check_copies(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->copy_count; i++) {
		const struct sp_copy *copy = &s->copies[i];

		if (copy->ready != 1)
			continue;
		if (copy->stack && copy->stack < s->stack_count && copy->sample && copy->words <= SP_COPY_WORDS_MAX &&
			copy->word <= s->copied_count && copy->words <= s->copied_count - copy->word &&
			copy->low <= UINT64_MAX - copy->words * sizeof(*s->copied))
			s->copies[kept++] = *copy;
		else
			s->damaged++;
	}
	s->copy_count = kept;
}

void sp_snapshot_check_modules(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->module_count; i++) {
		struct sp_module *m = &s->modules[i];

		if (!m->ready || i == 0)
			continue;
		if (m->build_id_bytes > SP_BUILD_ID_MAX || m->path >= s->text_bytes || m->end < m->start) {
			s->damaged++;
			continue;
		}
		s->modules[kept++] = *m;
	}
	s->module_count = kept;
}

/* Figures that no program reaches are damage; without them there is no peak. */
static void check_peak(struct sp_snapshot *s, struct sp_heap_peak *k)
{
	const double bytes[] = {k->smooth, k->largest, k->largest_exact, k->largest_interval, k->largest_unseen,
		k->possible, k->counted};

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		if (fabs(bytes[i]) < 1e18)
			continue;
		*k = (struct sp_heap_peak){.clock = 0};
		s->damaged++;
		return;
	}
}

static int by_seq(const void *left, const void *right)
{
	const struct sp_mark *a = left, *b = right;

	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Two that were set in the same moment may be half in each other's order. */
static void check_marks(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->mark_count; i++) {
		struct sp_mark *m = &s->marks[i];

		if (!m->ready)
			continue;
		m->name[SP_MARK_NAME_BYTES - 1] = '\0';
		if (!sp_name_is_plain(m->name, SP_MARK_NAME_BYTES - 1) || m->kind >= SP_MARK_KINDS || !m->seq) {
			s->damaged++;
			continue;
		}
		s->marks[kept++] = *m;
	}
	s->mark_count = kept;
	qsort(s->marks, kept, sizeof(*s->marks), by_seq);
	for (size_t i = 0; i < kept; i++) {
		check_peak(s, &s->marks[i].heap.peak);
		if (i && s->marks[i].logged < s->marks[i - 1].logged)
			s->marks[i].logged = s->marks[i - 1].logged;
	}
}

static void check_marked(struct sp_snapshot *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->marked_count; i++) {
		if (!s->marked[i].ready)
			continue;
		if (s->marked[i].site < s->site_count)
			s->marked[kept++] = s->marked[i];
		else
			s->damaged++;
	}
	s->marked_count = kept;
}

void sp_snapshot_check_threads(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->thread_count; i++)
		s->threads[i].name[sizeof(s->threads[i].name) - 1] = '\0';
}

void sp_snapshot_check(struct sp_snapshot *s)
{
	sp_snapshot_check_stacks(s);
	check_sites(s);
	check_marks(s);
	check_marked(s);
	check_log(s);
	check_live(s);
	check_copies(s);
	sp_snapshot_check_modules(s);
	sp_spans_check(s);
	sp_events_check(s, false);
	sp_waits_check(s);
	sp_snapshot_check_threads(s);
	check_peak(s, &s->header.heap.peak);
}
