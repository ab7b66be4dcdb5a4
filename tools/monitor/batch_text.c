/* What a batch shows. */
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/time.h"
#include "tools/monitor/batch.h"
#include "tools/monitor/line.h"

#define BAR 24u
#define FAILED_SHOWN 20u
#define TOP_SHOWN 3u

/* --- while it runs */

static const char *running_command(const struct sp_batch *b)
{
	for (unsigned i = 0; i < b->session->watches.count; i++)
		if (!sp_watch_is_free(&b->session->watches.items[i]))
			return b->session->watches.items[i].run->command;
	return "";
}

void sp_batch_show(struct sp_watches *watches, void *context)
{
	struct sp_batch *b = context;
	size_t all = b->plan->count - b->skipped_count, full = all ? BAR * b->done / all : BAR;
	uint64_t took = sp_time_ns(CLOCK_MONOTONIC) - b->began_ns, left_s;
	struct sp_buffer text = {0};

	(void)watches;
	sp_buffer_puts(&text, "[");
	for (size_t i = 0; i < BAR; i++)
		sp_buffer_puts(&text, i < full ? "#" : "-");
	sp_buffer_printf(&text, "] %zu of %zu", b->done, all);
	if (b->failed)
		sp_buffer_printf(&text, ", %zu failed", b->failed);
	if (b->done && b->done < all) {
		left_s = took / 1000000000u * (all - b->done) / b->done;
		sp_buffer_printf(&text, ", %llu:%02llu left", (unsigned long long)(left_s / 60),
			(unsigned long long)(left_s % 60));
	}
	sp_buffer_printf(&text, "  %s", running_command(b));
	sp_line_show(text.data);
	sp_buffer_free(&text);
}

/* --- at the end */

static void put_command(struct sp_buffer *out, const struct sp_monitor_run *run)
{
	sp_escape(out, SP_ESCAPE_PLAIN, run->command, strlen(run->command));
}

static void put_states(struct sp_buffer *out, const struct sp_batch *b)
{
	size_t counts[SP_MONITOR_STATES] = {0};

	for (size_t i = 0; i < b->plan->count; i++)
		if (sp_batch_last(b, i))
			counts[sp_batch_last(b, i)->state]++;
	sp_buffer_printf(out, "%zu job%s in ", b->plan->count, b->plan->count == 1 ? "" : "s");
	sp_put_duration(out, sp_time_ns(CLOCK_MONOTONIC) - b->began_ns);
	for (unsigned state = 0, any = 0; state < SP_MONITOR_STATES; state++)
		if (counts[state])
			sp_buffer_printf(out, "%s%zu %s", any++ ? ", " : ": ", counts[state],
				sp_monitor_state_names[state]);
	if (b->skipped_count)
		sp_buffer_printf(out, "; %zu done before", b->skipped_count);
	sp_buffer_puts(out, "\n");
}

/* Those that failed, and those that left something. */
static void put_trouble(struct sp_buffer *out, const struct sp_batch *b)
{
	size_t shown = 0, all = 0;

	for (size_t i = 0; i < b->plan->count; i++) {
		const struct sp_monitor_run *run = sp_batch_last(b, i);

		if (!run || run->state == SP_MONITOR_OK || (run->state == SP_MONITOR_NOT_STARTED && !run->exec_errno))
			continue;
		if (all++ >= FAILED_SHOWN)
			continue;
		shown++;
		sp_buffer_printf(out, "  %-12s ", sp_monitor_state_names[run->state]);
		put_command(out, run);
		sp_buffer_puts(out, ": ");
		sp_monitor_put_ending(out, run);
		if (run->attempt > 1)
			sp_buffer_printf(out, " after %u attempts", run->attempt);
		sp_buffer_puts(out, "\n");
		if (b->tails[i])
			sp_monitor_put_tail(out, b->tails[i]);
	}
	if (all > shown)
		sp_buffer_printf(out, "  … %zu more\n", all - shown);
}

/* The job with the largest value that is not among the first `count` of `before`; the number of jobs: there is none. */
static size_t find_largest(const struct sp_batch *b, enum sp_monitor_metric metric, const size_t *before,
	unsigned count)
{
	size_t best = b->plan->count;

	for (size_t i = 0; i < b->plan->count; i++) {
		const struct sp_monitor_run *run = sp_batch_last(b, i);
		bool taken = !run || run->state == SP_MONITOR_NOT_STARTED;

		for (unsigned k = 0; k < count; k++)
			taken = taken || before[k] == i;
		if (!taken &&
			(best == b->plan->count ||
				sp_monitor_value(run, metric) > sp_monitor_value(sp_batch_last(b, best), metric)))
			best = i;
	}
	return best;
}

static void put_top(struct sp_buffer *out, const struct sp_batch *b, const char *label, enum sp_monitor_metric metric)
{
	size_t shown[TOP_SHOWN];

	for (unsigned n = 0; n < TOP_SHOWN; n++) {
		const struct sp_monitor_run *run;

		shown[n] = find_largest(b, metric, shown, n);
		if (shown[n] == b->plan->count)
			return;
		run = sp_batch_last(b, shown[n]);
		sp_buffer_printf(out, "  %-12s ", n ? "" : label);
		sp_monitor_put_value(out, metric, sp_monitor_value(run, metric));
		sp_buffer_puts(out, "  ");
		put_command(out, run);
		sp_buffer_puts(out, "\n");
	}
}

void sp_batch_put(struct sp_buffer *out, const struct sp_batch *b)
{
	put_states(out, b);
	put_trouble(out, b);
	put_top(out, b, "slowest", SP_MONITOR_WALL);
	put_top(out, b, "hungriest", SP_MONITOR_PEAK);
	if (b->session->terms.jobs > 1)
		sp_buffer_printf(out,
			"  up to %u ran at a time, and disturbed each other: these times are not to be compared\n",
			b->session->terms.jobs);
}
