/* The lines of `# Data Quality` about clocks, intervals, and what sampling cost. */
#include "profiles/markdown/writer.h"

#include "profiles/model/build.h"
#include "profiles/model/cost.h"

#define COURSE_STEPS 6u    /* at most, in the course of the interval */
#define COURSE_STEADY 1.25 /* values this close together are one step */

static void write_clock(struct sp_writer *w)
{
	static const char *const clocks[] = {[SP_CLOCK_OFF] = "off",
		[SP_CLOCK_EVENT] = "per-thread events for user time, kernel tick for system time",
		[SP_CLOCK_TIMER] = "kernel tick alone",
		[SP_CLOCK_PROCESS] = "one timer for all threads, at the kernel tick"};
	static const char *const hints[] = {[SP_CLOCK_TIMER] = "- The tick is coarse and keeps step with periodic "
							       "work; `sysctl kernel.perf_event_paranoid=2` (or "
							       "lower), or CAP\\_PERFMON, gives the finer clock.\n",
		[SP_CLOCK_PROCESS] =
			"- One timer hits whichever thread is running: shares between threads are rough. Threads have "
			"timers of their own where the limit on pending signals (`ulimit -i`) and seccomp filters "
			"allow.\n"};
	const struct sp_spool_header *h = &w->profile->snapshot->header;
	const char *why = sp_snapshot_text(w->profile->snapshot, h->text.clock_reason);
	bool known = h->cpu.clock <= SP_CLOCK_PROCESS;

	sp_buffer_printf(&w->out, "- CPU clock: %s", known ? clocks[h->cpu.clock] : "unknown");
	if (*why) {
		sp_buffer_puts(&w->out, "; ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, why);
	}
	sp_buffer_puts(&w->out, ".\n");
	if (known && hints[h->cpu.clock])
		sp_buffer_puts(&w->out, hints[h->cpu.clock]);
}

/* A stretch of the run during which the interval stayed between two values. */
struct step {
	uint64_t from_ns, least_ns, most_ns;
};

static double spread(const struct step *a, const struct step *b)
{
	uint64_t least = a->least_ns < b->least_ns ? a->least_ns : b->least_ns;
	uint64_t most = a->most_ns > b->most_ns ? a->most_ns : b->most_ns;

	return (double)most / (double)least;
}

/* Joins the neighbours that differ least until only real changes, and few of them, are left. */
static size_t join(struct step *steps, size_t count)
{
	while (count > 1) {
		size_t best = 0;

		for (size_t i = 1; i + 1 < count; i++)
			if (spread(&steps[i], &steps[i + 1]) < spread(&steps[best], &steps[best + 1]))
				best = i;
		if (count <= COURSE_STEPS && spread(&steps[best], &steps[best + 1]) > COURSE_STEADY)
			break;
		if (steps[best + 1].least_ns < steps[best].least_ns)
			steps[best].least_ns = steps[best + 1].least_ns;
		if (steps[best + 1].most_ns > steps[best].most_ns)
			steps[best].most_ns = steps[best + 1].most_ns;
		for (size_t i = best + 1; i + 1 < count; i++)
			steps[i] = steps[i + 1];
		count--;
	}
	return count;
}

static void write_course(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	struct step steps[SP_TIMELINE_MAX];
	size_t count = 0;

	for (size_t i = 0; i < s->timeline_count && count < SP_TIMELINE_MAX; i++) {
		uint64_t ns = sp_cost_interval_ns(w->profile, s->timeline[i].cpu_interval_ns);

		if (ns)
			steps[count++] = (struct step){s->timeline[i].t_ns, ns, ns};
	}
	count = join(steps, count);
	if (!count)
		return;
	sp_buffer_puts(&w->out, "- CPU interval over time: ");
	for (size_t i = 0; i < count; i++) {
		double least = (double)steps[i].least_ns / 1e3, most = (double)steps[i].most_ns / 1e3;

		if (most - least < 1)
			sp_buffer_printf(&w->out, "%s%.0f µs", i ? " → " : "", most);
		else
			sp_buffer_printf(&w->out, "%s%.0f–%.0f µs", i ? " → " : "", least, most);
		if (i)
			sp_buffer_printf(&w->out, " from %.2f s", (double)steps[i].from_ns / 1e9);
	}
	sp_buffer_puts(&w->out, count > 1 ? ".\n" : " throughout.\n");
}

static double tenths_of_us(uint64_t ns)
{
	return (double)((ns + 50) / 100) / 10;
}

static void write_intervals(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_spool_header *h = &p->snapshot->header;
	const char *achieved = sp_profile_fact(p, "cpu_interval_achieved_us");

	if (p->cpu_on && achieved)
		sp_buffer_printf(&w->out,
			"- CPU interval: %.10g µs asked for, %s µs achieved, at most %.10g µs in force.\n",
			tenths_of_us(h->cpu.requested_ns), achieved,
			tenths_of_us(sp_cost_interval_ns(p, h->cpu.interval_max_ns)));
	if (p->cpu_on)
		write_course(w);
	if (h->cpu.thinned)
		sp_buffer_printf(&w->out,
			"- The interval doubled %u times so that the cap on samples (%u) lasts; raise "
			"SMARTPROF_CPU_MAX_SAMPLES for finer results.\n",
			h->cpu.thinned, h->cpu.sample_cap);
	if (p->heap_on)
		sp_buffer_printf(&w->out,
			"- Heap interval: %llu bytes asked for, at most %llu bytes in force; %llu samples.\n",
			(unsigned long long)h->heap.requested_bytes, (unsigned long long)h->heap.interval_max_bytes,
			(unsigned long long)h->heap.samples);
}

/* The governor needs some CPU time to learn what a sample costs. */
static const char *over_budget(const struct sp_profile *p, const struct sp_cost *cost)
{
	uint32_t permille = p->snapshot->header.cpu.budget_permille;

	if (!permille || 10 * sp_cost_percent(p, cost->cpu_ns + cost->heap_ns + cost->waits_ns) < permille + 0.5)
		return "";
	if (p->cpu_user_ns + p->cpu_sys_ns < 1000000000u)
		return ", which is over the budget: the governor had no time to settle in a run this short";
	return cost->cpu_ns > cost->heap_ns
		? ", which is over the budget: a longer SMARTPROF_CPU_SAMPLING_INTERVAL costs less"
		: ", which is over the budget: a larger SMARTPROF_HEAP_INTERVAL costs less";
}

static void write_shares(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_spool_header *h = &p->snapshot->header;
	const struct sp_cost cost = sp_cost_of(p);
	const char *between = ": ";

	if (p->cpu_user_ns + p->cpu_sys_ns == 0)
		return;
	sp_buffer_printf(&w->out, "- Sampling cost %.1f %% of the CPU time",
		sp_cost_percent(p, cost.cpu_ns + cost.heap_ns + cost.waits_ns));
	if (h->cpu.budget_permille)
		sp_buffer_printf(&w->out, " (budget %g %%)", (double)h->cpu.budget_permille / 10);
	if (p->cpu_on) {
		sp_buffer_printf(&w->out, "%s%.1f %% the CPU's (", between, sp_cost_percent(p, cost.cpu_ns));
		if (h->cpu.signals > h->cpu.ticks)
			sp_buffer_printf(&w->out, "%llu signals of %.1f µs, ",
				(unsigned long long)(h->cpu.signals - h->cpu.ticks),
				(double)sp_cost_event_ns(&h->cpu) / 1e3);
		if (h->cpu.kernel_hits)
			sp_buffer_printf(&w->out, "%llu interrupts of system calls of %.1f µs, ",
				(unsigned long long)h->cpu.kernel_hits,
				(double)sp_hit_cost_ns(h->cpu.signal_gap_ns) / 1e3);
		sp_buffer_printf(&w->out, "%llu ticks of %.1f µs, ", (unsigned long long)h->cpu.ticks,
			(double)sp_tick_cost_ns(h->cpu.signal_gap_ns) / 1e3);
		if (h->cpu.switches)
			sp_buffer_printf(&w->out, "%llu switches between threads of %.1f µs, ",
				(unsigned long long)h->cpu.switches,
				(double)h->cpu.switch_ns / 1e3 / (double)h->cpu.switches);
		sp_buffer_puts(&w->out, "and ");
		sp_put_duration(&w->out, h->cpu.handler_ns);
		sp_buffer_puts(&w->out, " in the handler)");
		between = ", ";
	}
	if (p->heap_on) {
		sp_buffer_printf(&w->out, "%s%.1f %% the heap's (%llu samples, ", between,
			sp_cost_percent(p, cost.heap_ns), (unsigned long long)h->heap.samples);
		sp_put_duration(&w->out, h->heap.slow_ns);
		sp_buffer_puts(&w->out, ")");
		between = ", ";
	}
	if (h->waits.on && h->waits.slow_ns) {
		sp_buffer_printf(&w->out, "%s%.1f %% that of waits (%llu samples, ", between,
			sp_cost_percent(p, cost.waits_ns), (unsigned long long)h->waits.samples);
		sp_put_duration(&w->out, sp_whole(cost.waits_ns));
		sp_buffer_puts(&w->out, ")");
	}
	sp_buffer_printf(&w->out, "%s.\n", over_budget(p, &cost));
	sp_buffer_printf(&w->out,
		"- The hooks alone cost about %.2f %% more (%.2f to %.2f), outside of the budget: %llu calls of "
		"malloc, free and "
		"their like at %.1f ns (%.1f to %.1f, the more the fuller the caches and the faster the allocator).\n",
		sp_cost_percent(p, cost.hooks_ns), sp_cost_percent(p, (double)cost.hook_calls * SP_HOOK_CALL_LEAST_NS),
		sp_cost_percent(p, (double)cost.hook_calls * SP_HOOK_CALL_MOST_NS), (unsigned long long)cost.hook_calls,
		SP_HOOK_CALL_NS, SP_HOOK_CALL_LEAST_NS, SP_HOOK_CALL_MOST_NS);
}

static void write_signal(struct sp_writer *w)
{
	static const char *const sources[] = {
		[SP_COST_ASSUMED] = "assumed, because nothing was measured in a run this short or restricted",
		[SP_COST_CACHED] = "measured in an earlier process of this user",
		[SP_COST_MEASURED] = "measured in this process"};
	const struct sp_cpu_totals *cpu = &w->profile->snapshot->header.cpu;
	uint64_t runs = sp_cost_handler_runs(cpu);

	if (cpu->signal_gap_ns) {
		sp_buffer_printf(&w->out,
			"- A clock signal takes %.1f µs besides its handler (interrupt, delivery, return), %s",
			(double)cpu->signal_gap_ns / 1e3,
			cpu->signal_cost_source <= SP_COST_MEASURED ? sources[cpu->signal_cost_source]
								    : "source unknown");
		if (cpu->fresh_pages)
			sp_buffer_printf(&w->out,
				"; %.1f µs with what it leaves cold here, where %u samples are on %u page%s of code",
				(double)sp_cost_event_ns(cpu) / 1e3, SP_FRESH_SAMPLES, cpu->fresh_pages,
				cpu->fresh_pages == 1 ? "" : "s");
		sp_buffer_puts(&w->out, ".\n");
	}
	if (runs)
		sp_buffer_printf(&w->out,
			"- The handler took %.1f µs on average, at most %.1f µs in 99.9 %% of %llu runs, %.1f µs at "
			"the "
			"longest.\n",
			(double)cpu->handler_ns / 1e3 / (double)runs,
			(double)sp_cost_handler_quantile_ns(cpu, 0.999) / 1e3, (unsigned long long)runs,
			(double)cpu->handler_max_ns / 1e3);
}

void sp_write_cost(struct sp_writer *w)
{
	write_clock(w);
	write_intervals(w);
	write_shares(w);
	if (w->profile->cpu_on)
		write_signal(w);
	if (w->profile->snapshot->header.agent_bytes) {
		sp_buffer_puts(&w->out, "- smartprof took ");
		sp_put_size(&w->out, w->profile->snapshot->header.agent_bytes);
		sp_buffer_puts(&w->out, " of memory in the process, of at most ");
		sp_put_size(&w->out, w->profile->snapshot->header.agent_bytes_max);
		sp_buffer_puts(&w->out, ".\n");
	}
}
