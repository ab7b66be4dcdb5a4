/* The profiler's own cost. */
#include "profiles/model/cost.h"

#include "profiles/model/build.h"

/* The interval that the cost of a signal goes by: the mean of the run. */
static uint64_t mean_interval_ns(const struct sp_cpu_totals *cpu)
{
	if (cpu->signals <= cpu->ticks || cpu->self_user_ns <= cpu->before_user_ns)
		return cpu->interval_ns;
	return (cpu->self_user_ns - cpu->before_user_ns) / (cpu->signals - cpu->ticks);
}

uint64_t sp_cost_event_ns(const struct sp_cpu_totals *cpu)
{
	return sp_signal_cost_ns(cpu->signal_gap_ns, cpu->fresh_pages, mean_interval_ns(cpu));
}

struct sp_cost sp_cost_of(const struct sp_profile *profile)
{
	const struct sp_spool_header *h = &profile->snapshot->header;
	uint64_t calls = profile->heap_allocations + profile->heap_frees;

	return (struct sp_cost){
		.cpu_ns = (double)sp_signals_cost_ns(&h->cpu, h->cpu.signals, h->cpu.ticks, mean_interval_ns(&h->cpu)) +
			(double)h->cpu.handler_ns + (double)h->cpu.switch_ns +
			(double)h->cpu.kernel_hits * (double)sp_hit_cost_ns(h->cpu.signal_gap_ns),
		.heap_ns = (double)h->heap.slow_ns,
		.waits_ns = (double)h->waits.slow_ns + (double)h->waits.queue_look_ns,
		.hooks_ns = (double)calls * SP_HOOK_CALL_NS,
		.hook_calls = calls,
	};
}

double sp_cost_percent(const struct sp_profile *profile, double ns)
{
	double used_ns = (double)profile->cpu_user_ns + (double)profile->cpu_sys_ns;

	return used_ns > 0 ? 100 * ns / used_ns : 0;
}

uint64_t sp_cost_handler_runs(const struct sp_cpu_totals *cpu)
{
	uint64_t runs = 0;

	for (unsigned i = 0; i < SP_TIME_CLASSES; i++)
		runs += cpu->handler_class[i];
	return runs;
}

/* Where class i begins, as spool.h has it. */
static uint64_t class_start_ns(unsigned i)
{
	return i % 2 ? (3ull << i / 2) / 2 : 1ull << i / 2;
}

uint64_t sp_cost_handler_quantile_ns(const struct sp_cpu_totals *cpu, double share)
{
	double wanted = share * (double)sp_cost_handler_runs(cpu);
	uint64_t seen = 0;

	for (unsigned i = 0; i + 1 < SP_TIME_CLASSES; i++) {
		seen += cpu->handler_class[i];
		if ((double)seen >= wanted && class_start_ns(i + 1) < cpu->handler_max_ns)
			return class_start_ns(i + 1);
		if ((double)seen >= wanted)
			break;
	}
	return cpu->handler_max_ns;
}

uint64_t sp_cost_interval_ns(const struct sp_profile *p, uint64_t set_ns)
{
	const struct sp_cpu_totals *cpu = &p->snapshot->header.cpu;

	return cpu->clock != SP_CLOCK_EVENT && set_ns && set_ns < cpu->tick_ns ? cpu->tick_ns : set_ns;
}
