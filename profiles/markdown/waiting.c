/* `# Waiting`: where the time of threads went, and what the verdict says of that. */
#include "profiles/markdown/writer.h"

#define QUEUE_PERCENT 10.0 /* of threads' time in which they wanted a CPU and got none, from which on it is told */
#define QUEUE_ADVICE_PERCENT 25.0
#define BUSY_PERCENT 90.0     /* of a core, from which on the process is not said to have waited */
#define IDLE_PERCENT 10.0     /* of a core, below which waiting is what takes the time */
#define WAITED_NS 1000000000u /* shorter runs mostly wait for their start */

static double busy_percent(const struct sp_profile *p)
{
	return sp_percent(p->cpu_user_ns + p->cpu_sys_ns, p->wall_ns);
}

static double queue_percent(const struct sp_profile *p)
{
	return sp_percent(p->waiting.queue_ns, p->waiting.wall_ns);
}

static void put_row(struct sp_writer *w, const char *what, uint64_t ns)
{
	sp_buffer_printf(&w->out, "| %s | ", what);
	sp_put_duration(&w->out, ns);
	sp_buffer_printf(&w->out, " | %.1f%% |\n", sp_percent(ns, w->profile->waiting.wall_ns));
}

/* What a CPU was used for is known to the tick, how long it was used is known exactly. */
static void put_cpu_rows(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	uint64_t sys_ns = p->cpu_sys_ns < p->waiting.cpu_ns ? p->cpu_sys_ns : p->waiting.cpu_ns;

	put_row(w, "on a CPU, user", p->waiting.cpu_ns - sys_ns);
	put_row(w, "on a CPU, system", sys_ns);
}

void sp_write_waiting(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_waiting *waiting = &p->waiting;

	if (sp_put_written(w, "# Waiting", "# ") || !sp_waiting_matters(p))
		return;
	sp_buffer_printf(&w->out,
		"# Waiting\n\nThe time of %llu thread%s from start to end, added up. Threads has each one's.\n\n"
		"| Where the time went | Time | %% |\n|:---|---:|---:|\n",
		(unsigned long long)p->threads_seen, p->threads_seen == 1 ? "" : "s");
	put_cpu_rows(w);
	if (waiting->queue_known)
		put_row(w, "waiting for a CPU", waiting->queue_ns);
	if (waiting->throttle_known)
		put_row(w, "— of that, for want of quota", waiting->throttled_ns);
	put_row(w, waiting->queue_known ? "\\[blocked elsewhere\\]" : "waiting for a CPU, or \\[blocked elsewhere\\]",
		waiting->blocked_ns);
	put_row(w, "all", waiting->wall_ns);
	sp_buffer_puts(&w->out, "\n");
}

void sp_put_thread_waiting(struct sp_writer *w, const struct sp_waiting *waiting)
{
	const uint64_t times[] = {waiting->wall_ns, waiting->queue_ns, waiting->blocked_ns};

	for (size_t i = 0; i < 3; i++) {
		sp_buffer_puts(&w->out, " ");
		if (waiting->wall_ns && (i != 1 || waiting->queue_known))
			sp_put_duration(&w->out, times[i]);
		sp_buffer_puts(&w->out, " |");
	}
}

void sp_write_waiting_verdict(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_waiting *waiting = &p->waiting;

	if (!sp_waiting_matters(p) || (busy_percent(p) >= BUSY_PERCENT && queue_percent(p) < QUEUE_PERCENT))
		return;
	if (p->threads_seen == 1)
		sp_buffer_puts(&w->out, "It was on a CPU for ");
	else
		sp_buffer_printf(&w->out, "%s %llu threads were on a CPU for ", p->process_count ? "Their" : "Its",
			(unsigned long long)p->threads_seen);
	sp_buffer_printf(&w->out, "%.1f %% of %s time", sp_percent(waiting->cpu_ns, waiting->wall_ns),
		p->threads_seen == 1 ? "its" : "their");
	if (waiting->queue_known)
		sp_buffer_printf(&w->out, ", waited for one for %.1f %%, and %s blocked for %.1f %%. ",
			queue_percent(p), p->threads_seen == 1 ? "was" : "were",
			sp_percent(waiting->blocked_ns, waiting->wall_ns));
	else
		sp_buffer_puts(&w->out, ", and waited for one or for something else for the rest. ");
}

static void advise_on_queue(struct sp_writer *w)
{
	const char *cores = sp_profile_fact(w->profile, "usable_cores");
	const struct sp_waiting *waiting = &w->profile->waiting;

	if (waiting->throttled_ns > waiting->queue_ns / 4) {
		sp_buffer_printf(&w->out,
			"threads could have run for %.0f %% of their time and got no CPU, for the quota of their "
			"control group was used up in %llu of its periods; raise it, or have fewer threads run at a "
			"time.",
			queue_percent(w->profile), (unsigned long long)waiting->throttled_periods);
		return;
	}
	sp_buffer_printf(&w->out,
		"threads could have run for %.0f %% of their time and got no CPU; have fewer of them run at a time, or "
		"give the process more than the %s cores that it may use and maybe shares.",
		queue_percent(w->profile), cores ? cores : "few");
}

bool sp_advise_on_waiting(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	if (p->wall_ns < WAITED_NS)
		return false;
	if (p->waiting.wall_ns && p->waiting.queue_known && queue_percent(p) >= QUEUE_ADVICE_PERCENT) {
		if (p->threads_seen > 1)
			advise_on_queue(w);
		return p->threads_seen > 1; /* what one thread waited for were others' */
	}
	if (busy_percent(p) >= IDLE_PERCENT)
		return false;
	sp_buffer_printf(&w->out,
		"the process mostly waited (it kept a core busy for %.1f %% of the time), so its CPU time is not what "
		"makes it slow; while it waits, `smartprof where PID` shows what each thread waits in.",
		busy_percent(p));
	return true;
}
