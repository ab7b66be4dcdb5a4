/* What the agent saw between two looks of the guardian: it marks the moment in which a threshold is crossed, and the heap of that
 * moment can be told later. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/spool/find.h"
#include "profiles/spool/marks.h"
#include "tools/guard/guard.h"
#include "tools/live.h"
#include "tools/snapshots.h"

#define MARKS_NS 1000000000u /* between two looks for what the agent has marked */
#define LATE_NS 5000000000u  /* so much later than the agent a guardian on a busy machine may be, its window apart */

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* When the mark was set, by the clock of events. */
static struct timespec moment_of(const struct sp_snapshot *s, const struct sp_mark *mark)
{
	struct timespec wall, monotonic;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	ns = ns_of(&wall) - ns_of(&monotonic) + (int64_t)(s->header.start_monotonic_ns + mark->t_ns);
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static bool is_of(const struct sp_mark *mark, enum sp_guard_rule_id rule)
{
	if (rule == SP_GUARD_RESPONSE)
		return mark->kind == SP_MARK_RESPONSE;
	return mark->kind == SP_MARK_MEMORY && mark->memory_bytes && strcmp(mark->name, sp_guard_rule_names[rule]) == 0;
}

/* Whether the event is what the guardian made of this crossing. */
static bool is_same(const struct sp_guard_target *t, const struct sp_guard_event *e, const struct timespec *at)
{
	int64_t later_ns = ns_of(&e->fired_at) - ns_of(at);

	return later_ns >= 0 && later_ns <= (int64_t)(2 * t->rules.window_ns + LATE_NS);
}

const struct sp_mark *sp_guard_mark_of(const struct sp_guard_target *t, const struct sp_guard_event *e,
	const struct sp_snapshot *s, struct timespec *at)
{
	for (size_t i = 0; i < s->mark_count && e->rule != SP_GUARD_CPU && !e->again; i++) {
		*at = moment_of(s, &s->marks[i]);
		if (is_of(&s->marks[i], e->rule) && is_same(t, e, at))
			return &s->marks[i];
	}
	return NULL;
}

static bool is_known(const struct sp_guard_target *t, const struct timespec *at, enum sp_guard_rule_id rule)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].rule == rule && is_same(t, &t->events[i], at))
			return true;
	return false;
}

static int by_time(const void *left, const void *right)
{
	int64_t a = ns_of(&((const struct sp_guard_event *)left)->at),
		b = ns_of(&((const struct sp_guard_event *)right)->at);

	return a < b ? -1 : a > b;
}

/* The snapshot as it was then goes to a file, as those of captures do. */
static void add(struct sp_guard_target *t, enum sp_guard_rule_id rule, struct sp_snapshot *s,
	const struct sp_mark *mark)
{
	struct sp_guard_event *e = &t->events[t->event_count];
	struct sp_guard_rule *r = &t->rules.rule[rule];
	char path[PATH_MAX];

	*e = (struct sp_guard_event){.rule = rule,
		.again = r->high != 0,
		.seen_by_agent = true,
		.at = moment_of(s, mark),
		.memory = mark->memory_bytes,
		.needed = mark->threshold,
		.rss = mark->rss_bytes,
		.cpu = SP_GUARD_UNKNOWN};
	e->fired_at = e->at;
	r->high = e->memory;
	t->event_count++;
	if (!sp_guard_may_capture(&t->rules, rule, e->again, sp_guard_now_ns())) {
		snprintf(e->why, sizeof(e->why), "there were %u in this sequence", SP_GUARD_SEQUENCE_CAPTURES);
		return;
	}
	sp_guard_snapshot_path(t, SP_GUARD_EVENTS + mark->seq, path);
	sp_mark_rewind(s, mark);
	unlink(path);
	if (sp_snapshot_save(s, path) == 0)
		e->snapshot = strdup(path);
}

/* --- slow spans */

static void tell_slow(struct sp_guard_target *t, const struct sp_guard_wish *wish, const struct sp_snapshot *s,
	const struct sp_mark *mark)
{
	struct sp_guard_event *e = sp_guard_event_add(t);

	sp_guard_tell(t, "response: %llu spans took longer than %.4g ms", (unsigned long long)mark->value,
		(double)mark->threshold / 1e6);
	if (!e)
		return;
	*e = (struct sp_guard_event){.rule = SP_GUARD_RESPONSE,
		.seen_by_agent = true,
		.t_ns = sp_guard_now_ns(),
		.at = moment_of(s, mark),
		.memory = mark->memory_bytes,
		.rss = mark->rss_bytes,
		.cpu = SP_GUARD_UNKNOWN};
	clock_gettime(CLOCK_REALTIME, &e->fired_at);
	sp_guard_event_act(t, wish, (size_t)(e - t->events), false);
}

static void take_marks(struct sp_guard_target *t, const struct sp_guard_wish *wish, int fd)
{
	struct sp_snapshot s = {0};
	const char *why;

	if (sp_snapshot_read(&s, fd, &why) == 0) {
		for (size_t i = 0; i < s.mark_count; i++)
			if (s.marks[i].seq > t->marks_seen && s.marks[i].kind == SP_MARK_RESPONSE)
				tell_slow(t, wish, &s, &s.marks[i]);
		t->marks_seen = s.header.mark_seq;
	}
	sp_snapshot_free(&s);
}

void sp_guard_responses_look(struct sp_guard_target *t, const struct sp_guard_wish *wish)
{
	uint64_t now_ns = sp_guard_now_ns();
	char path[PATH_MAX];
	uint32_t seq = 0;
	int fd;

	if (!t->with_agent || now_ns < t->next_marks_ns)
		return;
	t->next_marks_ns = now_ns + MARKS_NS;
	fd = sp_guard_spool(t, path) ? sp_spool_open(path) : -ENOENT;
	if (fd < 0)
		return;
	if (pread(fd, &seq, sizeof(seq), offsetof(struct sp_spool_header, mark_seq)) == (ssize_t)sizeof(seq) &&
		seq != t->marks_seen)
		take_marks(t, wish, fd);
	close(fd);
}

/* --- what was over before it was seen */

/* Takes the first mark from *next on that is news, after which the snapshot is another one; false: there was none. */
static bool take_next(struct sp_guard_target *t, struct sp_snapshot *s, size_t *next)
{
	for (; *next < s->mark_count; ++*next)
		for (unsigned rule = 0; rule < SP_GUARD_MEMORY_RULES; rule++) {
			struct sp_mark *mark = &s->marks[*next];
			struct timespec at = moment_of(s, mark);

			if (is_of(mark, rule) && !is_known(t, &at, rule)) {
				++*next;
				add(t, rule, s, mark);
				return true;
			}
		}
	return false;
}

void sp_guard_marks_take(struct sp_guard_target *t, const char *spool)
{
	int fd = spool ? sp_spool_open(spool) : -ENOENT;
	const char *why = "";
	bool more = fd >= 0 && t->event_count < SP_GUARD_EVENTS;

	for (size_t next = 0; more;) {
		struct sp_snapshot s = {0}; /* anew each time: it is not the same after it was rewound */

		more = sp_snapshot_read(&s, fd, &why) == 0 && take_next(t, &s, &next) &&
			t->event_count < SP_GUARD_EVENTS;
		sp_snapshot_free(&s);
	}
	if (fd >= 0)
		close(fd);
	qsort(t->events, t->event_count, sizeof(t->events[0]), by_time);
}
