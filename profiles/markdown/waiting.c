/* `# Waiting`: where the time of threads went, and what the verdict says of that. */
#include "profiles/markdown/writer.h"

#include <stdio.h>

#define QUEUE_PERCENT 10.0 /* of threads' time in which they wanted a CPU and got none, from which on it is told */
#define QUEUE_ADVICE_PERCENT 25.0
#define LOCK_PERCENT 20.0     /* the same for one lock */
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

static void put_kind_rows(struct sp_writer *w)
{
	const struct sp_waiting *waiting = &w->profile->waiting;

	for (int i = 0; i < SP_WAIT_KINDS; i++) {
		char what[48];

		snprintf(what, sizeof(what), "blocked: %s", sp_wait_kind_name(i));
		if (waiting->kind_ns[i])
			put_row(w, what, waiting->kind_ns[i]);
	}
	put_row(w, waiting->queue_known ? "\\[blocked elsewhere\\]" : "waiting for a CPU, or \\[blocked elsewhere\\]",
		sp_waiting_elsewhere(waiting));
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
	put_kind_rows(w);
	put_row(w, "all", waiting->wall_ns);
	sp_buffer_puts(&w->out, "\n");
}

/* The kind that is more than half of what the thread was blocked for. */
static void put_main_kind(struct sp_writer *w, const struct sp_waiting *waiting)
{
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		if (waiting->kinds_known && waiting->kind_ns[i] > waiting->blocked_ns / 2)
			sp_buffer_printf(&w->out, ", %.0f %% %s", sp_percent(waiting->kind_ns[i], waiting->blocked_ns),
				sp_wait_kind_name(i));
}

void sp_put_thread_waiting(struct sp_writer *w, const struct sp_waiting *waiting)
{
	const uint64_t times[] = {waiting->wall_ns, waiting->queue_ns, waiting->blocked_ns};

	for (size_t i = 0; i < 3; i++) {
		sp_buffer_puts(&w->out, " ");
		if (waiting->wall_ns && (i != 1 || waiting->queue_known))
			sp_put_duration(&w->out, times[i]);
		if (i == 2 && waiting->wall_ns)
			put_main_kind(w, waiting);
		sp_buffer_puts(&w->out, " |");
	}
}

/* Shares of the time below this are not named. */
#define NAMED_PERCENT 3.0

static void put_kinds(struct sp_writer *w)
{
	const struct sp_waiting *waiting = &w->profile->waiting;
	const char *before = ": ";

	for (int i = 0; i < SP_WAIT_KINDS; i++) {
		double share = sp_percent(waiting->kind_ns[i], waiting->wall_ns);

		if (share < NAMED_PERCENT)
			continue;
		sp_buffer_printf(&w->out, "%s%.1f %% (%s)", before, share, sp_wait_kind_name(i));
		before = ", ";
	}
}

/* What those wait in most that are not idle; SP_WAIT_KINDS: in no known kind for half of the time they are blocked. */
static enum sp_wait_kind main_kind(const struct sp_profile *p)
{
	struct sp_waiting sum = {0};

	for (size_t i = 0; i < p->thread_count; i++)
		if (!sp_waiting_is_idle(&p->threads[i].waiting))
			sp_waiting_add(&sum, &p->threads[i].waiting);
	if (!sum.blocked_ns || !sum.kinds_known)
		sum = p->waiting;
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		if (sum.kind_ns[i] > sum.blocked_ns / 2)
			return (enum sp_wait_kind)i;
	return SP_WAIT_KINDS;
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
		sp_buffer_printf(&w->out, ", waited for one for %.1f %%, and %s blocked for %.1f %%", queue_percent(p),
			p->threads_seen == 1 ? "was" : "were", sp_percent(waiting->blocked_ns, waiting->wall_ns));
	else
		sp_buffer_puts(&w->out, ", and waited for one or for something else for the rest");
	put_kinds(w);
	sp_buffer_puts(&w->out, ". ");
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

static void advise_on_kind(struct sp_writer *w)
{
	static const char *const advices[SP_WAIT_KINDS + 1] = {
		[SP_WAIT_LOCK] =
			"threads wait for locks; hold them for less time, take them less often, or give each thread "
			"data of its own; while it waits, `smartprof where PID` names the lock and who holds it.",
		[SP_WAIT_CONDITION] = "its threads wait for work or for each other; see what those do that make it, or "
				      "whether there are more threads than work.",
		[SP_WAIT_READ] =
			"it waits for data; see what sends it, or ask for more at a time and before it is needed.",
		[SP_WAIT_WRITE] = "it waits for room for what it writes; see what reads it, or write more at a time.",
		[SP_WAIT_SYNC] = "it waits for data to reach the disk; sync less often and more at a time.",
		[SP_WAIT_POLL] =
			"it waits for requests or answers; if it was slow to give them, see who was slow to ask "
			"or to answer it.",
		[SP_WAIT_SLEEP] = "it sleeps of its own accord; wait for what it waits for instead, or for less time.",
		[SP_WAIT_CHILD] = "it waits for processes it has started; see their profiles.",
		[SP_WAIT_OTHER] = "while it waits, `smartprof where PID` shows what each thread waits in.",
		[SP_WAIT_KINDS] = "while it waits, `smartprof where PID` shows what each thread waits in."};
	const struct sp_profile *p = w->profile;
	enum sp_wait_kind kind = main_kind(p);

	sp_buffer_printf(&w->out,
		"the process mostly waited (it kept a core busy for %.1f %% of the time), so its CPU time is not what "
		"makes it slow: %s",
		busy_percent(p), advices[kind]);
	sp_put_main_wait(w, kind);
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
	if (sp_advise_on_lock(w, LOCK_PERCENT))
		return true;
	if (busy_percent(p) < IDLE_PERCENT)
		advise_on_kind(w);
	return busy_percent(p) < IDLE_PERCENT;
}
