/* `## Threads`: what each used, what samples it, and why some of it is unsampled. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>

#include "profiles/model/build.h"
#include "profiles/model/rank.h"

/* Why a thread's CPU time has no samples, the first that holds. */
enum reason { NO_REASON, STOPPED, BLOCKED, SEALED, NO_CLOCK, NO_TIMER, FOUND_LATE, SHARED_TIMER, SHORT, REASONS };

static const struct {
	const char *cell, *sentence;
} reasons[REASONS] = {
	[NO_REASON] = {"", ""},
	[STOPPED] = {"stopped", "ran while sampling was stopped, as was asked for"},
	[BLOCKED] = {"blocked the signal",
		"blocked the profiling signal; choose one the program leaves alone with SMARTPROF_SIGNAL"},
	[SEALED] = {"seccomp filter", "ran on after a seccomp filter had ended sampling"},
	[NO_CLOCK] = {"no clock available",
		"got no clock; raise the limits on pending signals (ulimit -i), locked memory (ulimit -l) or open "
		"files (ulimit -n)"},
	[NO_TIMER] = {"no timer",
		"got no timer, which would sample system time and keep user time in step; raise "
		"the limit on pending signals (ulimit -i)"},
	[FOUND_LATE] = {"found late", "smartprof did not see start and found later"},
	[SHARED_TIMER] = {"shares a timer", "had to share one timer; raise the limit on pending signals (ulimit -i)"},
	[SHORT] = {"shorter than the interval",
		"ended before a sample was due; a shorter SMARTPROF_CPU_SAMPLING_INTERVAL hits more of them"},
};

/* What was used before the first clock ran has a row of its own; the main thread used it. */
static uint64_t unsampled_ns(const struct sp_profile *p, const struct sp_thread_info *t)
{
	const struct sp_spool_header *h = &p->snapshot->header;
	uint64_t known = t->user_ns + t->sys_ns, used = t->cpu_user_ns + t->cpu_sys_ns;

	if (t->tid == h->pid)
		known += h->cpu.before_user_ns + h->cpu.before_sys_ns;
	return p->cpu_on && used > known ? used - known : 0;
}

static enum reason reason_of(const struct sp_profile *p, const struct sp_thread_info *t)
{
	const struct sp_cpu_totals *cpu = &p->snapshot->header.cpu;
	uint64_t used = t->cpu_user_ns + t->cpu_sys_ns, rest = unsampled_ns(p, t);
	uint64_t interval = cpu->interval_max_ns > cpu->tick_ns ? cpu->interval_max_ns : cpu->tick_ns;
	uint64_t threads = t->merged ? t->merged : 1;

	if (rest <= used / 20)
		return NO_REASON;
	if (t->flags & SP_THREAD_STOPPED || (p->snapshot->header.control.stopped && t->tid))
		return STOPPED;
	if (t->flags & SP_THREAD_BLOCKED)
		return BLOCKED;
	if (used / threads <= interval)
		return SHORT;
	if (rest / threads <= interval)
		return NO_REASON; /* since the last sample */
	if (p->snapshot->header.sealed_ns)
		return SEALED;
	if (!t->clocks && !t->samples)
		return NO_CLOCK;
	if (t->clocks == SP_THREAD_EVENT)
		return NO_TIMER;
	if (t->flags & SP_THREAD_FOUND)
		return FOUND_LATE;
	return t->clocks == SP_THREAD_PROCESS ? SHARED_TIMER : NO_REASON;
}

static const char *clock_of(const struct sp_profile *p, const struct sp_thread_info *t)
{
	static const char *const names[] = {[SP_THREAD_EVENT] = "event",
		[SP_THREAD_TIMER] = "timer",
		[SP_THREAD_EVENT | SP_THREAD_TIMER] = "event, timer",
		[SP_THREAD_PROCESS] = "process timer",
		[SP_THREAD_EVENT | SP_THREAD_PROCESS] = "event, process timer",
		[SP_THREAD_TIMER | SP_THREAD_PROCESS] = "timer, process timer",
		[SP_THREAD_EVENT | SP_THREAD_TIMER | SP_THREAD_PROCESS] = "event, timer, process timer"};

	if (t->clocks)
		return names[t->clocks & (SP_THREAD_EVENT | SP_THREAD_TIMER | SP_THREAD_PROCESS)];
	return p->cpu_on && t->tid && !t->samples ? "none" : "-";
}

static uint64_t rank_thread(const struct sp_profile *p, size_t i)
{
	return p->threads[i].cpu_user_ns + p->threads[i].cpu_sys_ns + p->threads[i].alloc_bytes / 1000 + 1;
}

static void write_thread(struct sp_writer *w, const struct sp_thread_info *t)
{
	const struct sp_profile *p = w->profile;
	uint64_t cpu_ns = t->cpu_user_ns + t->cpu_sys_ns, rest = unsampled_ns(p, t);

	sp_buffer_printf(&w->out, "| %.1f%% | ", sp_percent(cpu_ns, p->cpu_user_ns + p->cpu_sys_ns));
	sp_put_duration(&w->out, t->cpu_user_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, t->cpu_sys_ns);
	sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)t->samples);
	if (t->tid)
		sp_escape_name(&w->out, SP_ESCAPE_CELL, *t->name ? t->name : "?");
	else
		sp_buffer_printf(&w->out, "%llu short threads", (unsigned long long)t->merged);
	sp_buffer_puts(&w->out, t->flags & SP_THREAD_FOUND ? " [found] | " : " | ");
	if (t->tid)
		sp_buffer_printf(&w->out, "%d", t->tid);
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, t->start ? t->start : "");
	sp_buffer_puts(&w->out, " | ");
	sp_put_size(&w->out, t->alloc_bytes);
	sp_buffer_printf(&w->out, " | %s | ", clock_of(p, t));
	if (rest)
		sp_put_duration(&w->out, rest);
	sp_buffer_printf(&w->out, " | %s |", reasons[reason_of(p, t)].cell);
	sp_put_thread_waiting(w, &t->waiting);
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_threads(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	uint32_t *order;

	if (p->process_count) {
		sp_write_merged_threads(w);
		return;
	}
	if (sp_put_written(w, "## Threads", "#"))
		return;
	order = sp_rank(p->thread_count, &count, rank_thread, p);
	shown = count < w->limits.threads ? count : w->limits.threads;
	sp_buffer_puts(&w->out,
		"## Threads\n\n"
		"| CPU% | User | System | Samples | Thread | TID | Start | Allocated | Clock | Unsampled | Why | Lived "
		"| For a CPU | Blocked |\n"
		"|---:|---:|---:|---:|:---|---:|:---|---:|:---|---:|:---|---:|---:|---:|\n");
	for (size_t i = 0; i < shown; i++)
		write_thread(w, &p->threads[order[i]]);
	sp_put_cut(&w->out, shown, count, "threads", "All threads");
	sp_buffer_puts(&w->out, "\n");
	free(order);
}

/* How many threads each kind of clock samples, when it is not the same for all. */
static void write_clock_mix(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t event = 0, tick = 0, process = 0, none = 0;

	for (size_t i = 0; i < p->thread_count; i++) {
		const struct sp_thread_info *t = &p->threads[i];

		if (!t->tid)
			continue;
		event += (t->clocks & SP_THREAD_EVENT) != 0;
		tick += (t->clocks & (SP_THREAD_EVENT | SP_THREAD_TIMER)) == SP_THREAD_TIMER;
		process += t->clocks == SP_THREAD_PROCESS;
		none += !t->clocks && !t->samples;
	}
	if ((event > 0) + (tick > 0) + (process > 0) + (none > 0) < 2)
		return;
	sp_buffer_printf(&w->out,
		"- Threads sampled by an event: %zu; by the kernel tick alone: %zu; by the process's timer: %zu; not "
		"at all: %zu.\n",
		event, tick, process, none);
}

void sp_write_unsampled_threads(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	uint64_t ns[REASONS] = {0}, threads[REASONS] = {0};

	if (!p->cpu_on)
		return;
	write_clock_mix(w);
	for (size_t i = 0; i < p->thread_count; i++) {
		enum reason reason = reason_of(p, &p->threads[i]);

		ns[reason] += unsampled_ns(p, &p->threads[i]);
		threads[reason] += p->threads[i].merged ? p->threads[i].merged : 1;
	}
	for (int r = NO_REASON + 1; r < REASONS; r++) {
		if (sp_percent(ns[r], p->total_ns) < 0.5)
			continue;
		sp_buffer_printf(&w->out, "- %.1f %% of the CPU time (", sp_percent(ns[r], p->total_ns));
		sp_put_duration(&w->out, ns[r]);
		sp_buffer_printf(&w->out, ") is unsampled in %llu thread%s that %s.\n", (unsigned long long)threads[r],
			threads[r] == 1 ? "" : "s", reasons[r].sentence);
	}
}
