/* The governor: what a sample costs decides how many there may be.
 *
 * A CPU sample costs the handler's own time, which is measured, and the interrupt and signal
 * delivery around it, which the handler cannot see: SIGNAL_COST_NS stands for that (measured on
 * virtual machines at 22 to 30 us, docs/DESIGN.md). A heap sample costs what its path takes. The
 * heap may use up to half of the budget, the CPU clock the rest. */
#include "sampler/governor.h"

#include "sampler/heap.h"

#define SIGNAL_COST_NS 25000u
/* CPU time between two looks: closer together at first. */
#define STEP_NS 40000000u
#define FIRST_STEP_NS 8000000u
#define SETTLING_NS 200000000u
#define MAX_INTERVAL_NS 100000000u

static struct {
	uint32_t busy;      /* atomic try-lock */
	uint64_t looked_ns; /* process CPU time at the last look */
	uint64_t heap_ns;   /* heap.slow_ns then */
	uint32_t thinned;   /* doublings for the sample cap */
} governor;

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Halves the rate each time half of the samples still allowed are used up, so that there is
 * always room for what comes. */
static void thin_out(struct sp_cpu_totals *cpu)
{
	uint64_t samples = sp_load(&cpu->user_samples) + sp_load(&cpu->sys_samples);

	while (governor.thinned < 20 && samples > cpu->sample_cap - (cpu->sample_cap >> (governor.thinned + 1))) {
		governor.thinned++;
		sp_drop(SP_DROP_SAMPLE_CAP);
	}
}

static void govern_cpu(struct sp_cpu_totals *cpu, uint64_t budget_permille)
{
	uint64_t samples = sp_load(&cpu->user_samples) + sp_load(&cpu->sys_samples);
	uint64_t handler = samples ? sp_load(&cpu->handler_ns) / samples : 2000;
	uint64_t wanted, now = sp_load(&cpu->interval_ns);

	thin_out(cpu);
	cpu->sample_cost_ns = SIGNAL_COST_NS + handler;
	wanted = max64(cpu->requested_ns << governor.thinned, cpu->sample_cost_ns * 1000 / max64(budget_permille, 1));
	if (wanted > MAX_INTERVAL_NS)
		wanted = MAX_INTERVAL_NS;
	/* Small moves are noise: they would only make threads open their event again. */
	if (wanted > now + now / 8 || wanted < now - now / 4)
		sp_store(&cpu->interval_ns, wanted);
	cpu->interval_max_ns = max64(cpu->interval_max_ns, sp_load(&cpu->interval_ns));
}

/* Doubles or halves the heap interval; returns the permille of CPU time the heap has just used. */
static uint64_t govern_heap(struct sp_heap_totals *heap, uint64_t cpu_ns, uint64_t budget_permille)
{
	uint64_t spent = sp_load(&heap->slow_ns), now = sp_load(&heap->interval_bytes);
	uint64_t permille = (spent - governor.heap_ns) * 1000 / max64(cpu_ns, 1);
	uint64_t step = permille / max64(budget_permille, 1) + 1;

	governor.heap_ns = spent;
	if (permille > budget_permille && now < heap->requested_bytes * SP_HEAP_STRETCH_MAX)
		now *= step > 8 ? 8 : step;
	else if (permille < budget_permille / 3 && now > heap->interval_floor)
		now = max64(now / 2, heap->interval_floor);
	sp_heap_set_interval(now);
	return permille;
}

void sp_governor_step(struct sp_thread *t)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t budget = sp_agent.config.budget_permille, used = 0, cpu_ns;

	(void)t;
	if (__atomic_exchange_n(&governor.busy, 1, __ATOMIC_ACQUIRE))
		return;
	cpu_ns = sp_load(&h->cpu.self_user_ns) + sp_load(&h->cpu.self_sys_ns);
	if (cpu_ns < governor.looked_ns ||
		cpu_ns - governor.looked_ns > (cpu_ns < SETTLING_NS ? FIRST_STEP_NS : STEP_NS)) {
		if (cpu_ns < governor.looked_ns) /* a forked child starts again */
			governor.looked_ns = governor.heap_ns = governor.thinned = 0;
		sp_calibrate_tsc();
		if (h->heap.on)
			used = govern_heap(&h->heap, cpu_ns - governor.looked_ns, budget / 2);
		govern_cpu(&h->cpu, used > budget / 2 ? budget / 2 : budget - used);
		governor.looked_ns = cpu_ns;
	}
	__atomic_store_n(&governor.busy, 0, __ATOMIC_RELEASE);
}
