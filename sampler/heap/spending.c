/* What heap samples cost. */
#include "sampler/heap/spending.h"

#include "sampler/clock/governor.h"
#include "sampler/threads/usage.h"
#include "sampler/upkeep/thresholds.h"
#include "sampler/upkeep/upkeep.h"

#define BURST 16u

/* A fifth on top is for what a sample leaves cold: 146,000 samples in a python3 with
 * PYTHONMALLOC=malloc added 154 ms to its CPU time, 128 ms by the cycle counter. */
void sp_spending_add(uint64_t cycles)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_add(&h->slow_ns, sp_plausible_cost_ns(sp_tsc_ns(cycles) * 6 / 5, h->sample_cost_ns));
}

/* Where samples are rare, each leaves more cold, because the program has warmed caches and predictors
 * since the one before. Measured as what a sample added to the CPU time of the same run without samples, beyond what
 * the cycle counter told: 1.6 us with one every 130 us in malloc_loop, 4 us with one every 200 us in heap_truth, 0.1
 * us with one every microsecond. */
#define AFTER_MOST_US 4u
#define AFTER_PART 64u

uint64_t sp_spending_after(uint64_t since)
{
	uint64_t most = AFTER_MOST_US * sp_agent.tsc_per_us_x1024 / 1024;

	return since / AFTER_PART < most ? since / AFTER_PART : most;
}

/* The share that BURST samples have of the time since `burst_began`. They are taken at their usual cost, because the
 * first samples of a process cost more than those that follow. */
static uint64_t burst_share_ppm(const struct sp_thread *t, uint64_t now)
{
	uint64_t cost = BURST * sp_agent.spool->heap.sample_cost_ns;
	uint64_t between = sp_tsc_ns(now - t->burst_began - t->burst_cycles);

	return cost * 1000000 / (between + cost + 1);
}

void sp_spending_restrain(struct sp_thread *t, uint64_t cycles, uint64_t now)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	struct sp_heap_costs c;

	t->burst_cycles += cycles;
	if (++t->burst_samples < BURST)
		return;
	/* The clock is read only when the CPU time that is known already does not cover what was spent. */
	if (t->burst_began &&
		sp_load(&h->slow_ns) >
			sp_governor_heap_allowance_ns(sp_load(&cpu->self_user_ns) + sp_load(&cpu->self_sys_ns)) &&
		sp_load(&h->slow_ns) > sp_governor_heap_allowance_ns(sp_process_clock_ns())) {
		c = (struct sp_heap_costs){.interval_bytes = sp_load(&h->interval_bytes),
			.floor_bytes = sp_load(&h->interval_floor),
			.ceiling_bytes = h->requested_bytes * SP_HEAP_STRETCH_MAX,
			.share_ppm = burst_share_ppm(t, now),
			.budget_ppm = sp_governor_heap_ppm(),
			.overdrawn = true};
		sp_governor_set_heap_interval(sp_governor_heap_interval(&c));
	}
	t->burst_began = now;
	t->burst_cycles = t->burst_samples = 0;
	if (cpu->clock == SP_CLOCK_OFF) /* no tick will do it */
		sp_upkeep_step(t, sp_now_ns());
	else
		sp_thresholds_step(sp_now_ns());
}
