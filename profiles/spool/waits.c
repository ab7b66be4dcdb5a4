/* Checking and subtracting the tables of waits. */
#include "profiles/spool/waits.h"

#include <string.h>

#include "profiles/spool/window.h"

static bool is_good(const struct sp_snapshot *s, const struct sp_wait_site *w)
{
	return w->stack < s->stack_count && w->holder < s->stack_count && w->call < SP_WAIT_CALLS &&
		w->holder_call <= SP_WAIT_CALLS && w->lock < SP_LOCKS_MAX;
}

void sp_waits_check(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->wait_site_count; i++) {
		struct sp_wait_site *w = &s->wait_sites[i];

		if (i && w->ready && is_good(s, w)) {
			w->lock = w->lock < s->lock_count ? w->lock : 0;
			w->holder_span = w->holder_span < s->span_node_count ? w->holder_span : 0;
			continue;
		}
		s->damaged += i && w->ready;
		w->samples = i ? 0 : w->samples;
		w->stack = w->lock = w->holder = w->call = w->holder_call = w->holder_span = 0;
	}
}

void sp_waits_unknown(struct sp_snapshot *s)
{
	s->wait_site_count = s->lock_count = 0;
}

void sp_window_wait(struct sp_wait_site *is, const struct sp_wait_site *was)
{
	is->ns = sp_window_since(is->ns, was->ns);
	is->count = sp_window_since(is->count, was->count);
	is->samples = sp_window_since(is->samples, was->samples);
	is->variance_us2 = sp_window_since(is->variance_us2, was->variance_us2);
	is->sq_us2 = sp_window_since(is->sq_us2, was->sq_us2);
}

void sp_waits_take(struct sp_snapshot *s, const struct sp_snapshot *before)
{
	struct sp_wait_totals *is = &s->header.waits;
	const struct sp_wait_totals *was = &before->header.waits;

	if (before->at) {
		sp_waits_unknown(s);
		return;
	}
	is->samples = sp_window_since(is->samples, was->samples);
	is->slow_ns = sp_window_since(is->slow_ns, was->slow_ns);
	is->queue_look_ns = sp_window_since(is->queue_look_ns, was->queue_look_ns);
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		is->short_ns[i] = sp_window_since(is->short_ns[i], was->short_ns[i]);
	for (size_t i = 0; i < before->wait_site_count && i < s->wait_site_count; i++)
		sp_window_wait(&s->wait_sites[i], &before->wait_sites[i]);
	for (size_t i = 0; i < before->lock_count && i < s->lock_count; i++) {
		s->locks[i].contentions = sp_window_since(s->locks[i].contentions, before->locks[i].contentions);
		s->locks[i].ns = sp_window_since(s->locks[i].ns, before->locks[i].ns);
	}
}
