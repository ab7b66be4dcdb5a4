/* The timing log as lines. */
#include "profiles/spool/spans.h"
#include "tools/log/log.h"

static void put_lost(struct sp_buffer *out, struct sp_log_text *log, uint64_t lost)
{
	if (lost > log->lost)
		sp_buffer_printf(out,
			"=== %llu lines are missing here: spans ended faster than lines could be written\n",
			(unsigned long long)(lost - log->lost));
	log->lost = lost;
}

static void look_at_day(struct sp_buffer *out, struct sp_log_text *log, const struct sp_snapshot *s, uint64_t t_ns)
{
	long day = sp_timing_day(&log->timing, t_ns);

	if (log->begun && day == log->day)
		return;
	if (log->begun || !log->headed)
		sp_timing_put_head(out, &log->timing, s, t_ns);
	log->day = day;
	log->begun = true;
}

void sp_log_text_put(struct sp_buffer *out, struct sp_log_text *log, const struct sp_snapshot *s, uint64_t lost)
{
	sp_timing_set_clock(&log->timing, s);
	put_lost(out, log, lost);
	for (size_t i = 0; i < s->event_count; i++) {
		look_at_day(out, log, s, sp_spans_time_ns(&s->header, s->events[i].ended_tsc));
		sp_timing_put(out, &log->timing, s, &s->events[i]);
	}
}

bool sp_log_is_over(const struct sp_events_follow *f)
{
	return !f->is.running || f->is.header.state == SP_STATE_ENDED;
}
