/* The governor: what a sample costs decides how many there may be. */
#include "sampler/clock/governor.h"

#include <string.h>

#include "sampler/clock/calibrate.h"
#include "sampler/cost.h"

/* CPU time between two looks: closer together at first. */
#define STEP_NS 40000000u
#define FIRST_STEP_NS 8000000u
#define SETTLING_NS 200000000u

#define MAX_INTERVAL_NS 2000000000u
#define MAX_DOUBLINGS 24u
#define FIRST_HANDLER_NS 4000u /* before one has been measured */
#define TYPICAL_INTERVAL_NS 400000u
#define MAX_HANDLER_NS 20000000u
#define MIN_SIGNALS 8u /* fewer tell little about a handler's time */
#define MIN_HEAP_SAMPLES 64u
/* No profile is written of a process that used less CPU: heap samples may spend this time's share
 * in advance, so that what a program allocates while it starts is seen at the interval asked for. */
#define HEAP_GRACE_NS SP_SMALL_CPU_NS
/* A tree's other members are many, and many are short: their budgets pay for what each does once, the spool above all. */
#define MEMBER_NS 300000u

static struct {
	uint32_t busy;      /* sp_try_lock */
	uint64_t looked_ns; /* process CPU time at the last look */
	uint64_t spent_ns;  /* cost of sampling up to then */
	uint64_t signals, ticks, hits, switch_ns, handler_total_ns, heap_ns, heap_samples,
		waits_ns;        /* the header's counters then */
	uint64_t handler_ns;     /* mean time of the handler lately */
	uint64_t calibrated_ns;  /* atomic: since the last look, by measurements inside the handler */
	uint64_t heap_share_ppm; /* of the CPU time lately, spent on heap samples */
} governor;

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t ppm(uint64_t part, uint64_t of)
{
	return part * 1000000 / max64(of, 1);
}

/* A debt is repaid out of a quarter of the budget, which keeps the intervals steady. */
static uint64_t in_debt(uint64_t budget_ppm, bool overdrawn)
{
	return max64(overdrawn ? budget_ppm - budget_ppm / 4 : budget_ppm, 1);
}

uint32_t sp_governor_doublings(uint64_t samples, uint64_t cap)
{
	if (samples <= cap / 2)
		return 0;
	return (uint32_t)min64(1 + (samples - cap / 2) / max64(cap / 16, 1), MAX_DOUBLINGS);
}

uint64_t sp_governor_cpu_interval(const struct sp_cpu_costs *c)
{
	uint64_t budget = in_debt(c->budget_ppm, c->overdrawn);
	uint64_t left = budget > c->fixed_ppm ? budget - c->fixed_ppm : 0;
	uint64_t wanted = c->sample_ns * 1000000 / max64(left, max64(budget / 4, 1));

	wanted = min64(max64(wanted, c->requested_ns << c->doublings), MAX_INTERVAL_NS);
	/* Small moves are noise: they would only make threads open their event again. The end of a debt is a move. */
	if (wanted > c->interval_ns + c->interval_ns / 8 || wanted < c->interval_ns - c->interval_ns / 5)
		return wanted;
	return c->interval_ns;
}

uint64_t sp_governor_heap_interval(const struct sp_heap_costs *c)
{
	uint64_t now = c->interval_bytes, budget = in_debt(c->budget_ppm, c->overdrawn), wanted;

	/* The cost goes with 1 / interval. */
	wanted = now > UINT64_MAX / 1000000 ? now : now * min64(c->share_ppm, 1000000) / budget;
	if (c->overdrawn && wanted > now + now / 8)
		return max64(now, min64(min64(wanted, now * 8), c->ceiling_bytes));
	if (!c->overdrawn && wanted < now - now / 5) /* the end of a debt is a move */
		return max64(max64(wanted, now / 2), c->floor_bytes);
	return max64(now, c->floor_bytes);
}

bool sp_governor_allows_event(bool has, uint64_t switch_ns, uint64_t cpu_ns, uint64_t budget_ppm)
{
	return ppm(switch_ns, max64(cpu_ns, SP_SWITCH_WINDOW_NS)) <= (has ? budget_ppm / 4 : budget_ppm / 8);
}

uint64_t sp_governor_handler_ns(void)
{
	return governor.handler_ns;
}

void sp_governor_calibrated(uint64_t ns)
{
	sp_add(&governor.calibrated_ns, ns);
}

uint64_t sp_governor_heap_ppm(void)
{
	return sp_budget_ppm(sp_agent.config.budget_permille) / 2;
}

uint64_t sp_governor_heap_allowance_ns(uint64_t cpu_ns)
{
	bool is_root = sp_agent.spool->is_root;
	uint64_t ns = (cpu_ns + (is_root ? HEAP_GRACE_NS : 0u)) / 1000 * sp_governor_heap_ppm() / 1000;

	return ns - min64(ns, is_root ? 0u : MEMBER_NS);
}

void sp_governor_set_heap_interval(uint64_t bytes)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	sp_store(&h->interval_bytes, bytes);
	if (bytes > h->interval_max_bytes)
		h->interval_max_bytes = bytes;
}

static uint64_t tick_cost_ns(const struct sp_cpu_totals *cpu)
{
	return sp_tick_cost_ns(cpu->signal_gap_ns) + governor.handler_ns;
}

/* What a sample is taken to cost, with an eighth more: a signal's cost is a fit to seven programs, one of which costs a
 * third more than it says (docs/BENCHMARKS.md). */
static uint64_t sample_cost_ns(const struct sp_cpu_totals *cpu)
{
	uint64_t ns;

	if (cpu->clock != SP_CLOCK_EVENT)
		return tick_cost_ns(cpu);
	ns = sp_signal_cost_ns(cpu->signal_gap_ns, sp_load(&cpu->fresh_pages), sp_load(&cpu->interval_ns)) +
		governor.handler_ns;
	return ns + ns / 8;
}

void sp_governor_start(void)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t budget = sp_budget_ppm(sp_agent.config.budget_permille);
	struct sp_cpu_costs c = {.requested_ns = h->cpu.requested_ns, .interval_ns = h->cpu.requested_ns};

	memset(&governor, 0, sizeof governor);
	governor.looked_ns = h->cpu.before_user_ns + h->cpu.before_sys_ns;
	governor.handler_ns = FIRST_HANDLER_NS;
	governor.spent_ns = h->is_root ? 0 : MEMBER_NS;
	sp_calibrate_start();
	h->cpu.interval_ns = max64(h->cpu.requested_ns, TYPICAL_INTERVAL_NS);
	c.sample_ns = sample_cost_ns(&h->cpu);
	c.budget_ppm = h->heap.on ? budget - sp_governor_heap_ppm() : budget;
	h->cpu.interval_ns = h->cpu.interval_max_ns = sp_governor_cpu_interval(&c);
}

static void thin_out(struct sp_cpu_totals *cpu)
{
	uint32_t n = sp_governor_doublings(sp_load(&cpu->user_samples) + sp_load(&cpu->sys_samples), cpu->sample_cap);

	while (cpu->thinned < n) {
		cpu->thinned++;
		sp_drop(SP_DROP_SAMPLE_CAP);
	}
}

/* The mean handler time follows changes within a few looks. */
static void learn_handler(uint64_t handler_ns, uint64_t signals)
{
	if (signals >= MIN_SIGNALS)
		governor.handler_ns = (governor.handler_ns + min64(handler_ns / signals, MAX_HANDLER_NS)) / 2;
}

static void learn_heap(struct sp_heap_totals *heap, uint64_t spent_ns, uint64_t samples)
{
	if (samples >= MIN_HEAP_SAMPLES)
		heap->sample_cost_ns = (heap->sample_cost_ns + min64(spent_ns / samples, MAX_HANDLER_NS)) / 2;
}

static void govern_cpu(struct sp_cpu_totals *cpu, uint64_t budget_ppm, uint64_t fixed_ppm, bool overdrawn)
{
	struct sp_cpu_costs c = {.requested_ns = cpu->requested_ns,
		.interval_ns = sp_load(&cpu->interval_ns),
		.budget_ppm = budget_ppm,
		.fixed_ppm = fixed_ppm,
		.overdrawn = overdrawn};

	thin_out(cpu);
	c.doublings = cpu->thinned;
	c.sample_ns = sample_cost_ns(cpu);
	c.interval_ns = sp_governor_cpu_interval(&c);
	sp_store(&cpu->interval_ns, c.interval_ns);
	cpu->interval_max_ns = max64(cpu->interval_max_ns, c.interval_ns);
}

static void govern_heap(struct sp_heap_totals *heap, uint64_t share_ppm, uint64_t cpu_ns)
{
	struct sp_heap_costs c = {.interval_bytes = sp_load(&heap->interval_bytes),
		.floor_bytes = sp_load(&heap->interval_floor),
		.ceiling_bytes = heap->requested_bytes * SP_HEAP_STRETCH_MAX,
		.share_ppm = share_ppm,
		.budget_ppm = sp_governor_heap_ppm(),
		.overdrawn = sp_load(&heap->slow_ns) > sp_governor_heap_allowance_ns(cpu_ns)};

	sp_governor_set_heap_interval(sp_governor_heap_interval(&c));
}

static void look(struct sp_spool_header *h, uint64_t cpu_ns)
{
	struct sp_cpu_totals *cpu = &h->cpu;
	uint64_t budget = sp_budget_ppm(sp_agent.config.budget_permille), passed = cpu_ns - governor.looked_ns;
	uint64_t signals = sp_load(&cpu->signals), ticks = sp_load(&cpu->ticks), hits = sp_load(&cpu->kernel_hits);
	uint64_t handler = sp_load(&cpu->handler_ns), switches = sp_load(&cpu->switch_ns);
	uint64_t heap = sp_load(&h->heap.slow_ns), heap_samples = sp_load(&h->heap.samples),
		 waits = sp_load(&h->waits.slow_ns) + sp_load(&h->waits.queue_look_ns),
		 fixed = switches - governor.switch_ns + waits - governor.waits_ns, heap_share;

	learn_handler(handler - governor.handler_total_ns -
			__atomic_exchange_n(&governor.calibrated_ns, 0, __ATOMIC_RELAXED),
		signals - governor.signals);
	learn_heap(&h->heap, heap - governor.heap_ns, heap_samples - governor.heap_samples);
	/* Without events it is the ticks that follow the interval. */
	if (cpu->clock == SP_CLOCK_EVENT)
		fixed += (ticks - governor.ticks) * tick_cost_ns(cpu);
	fixed = ppm(fixed, passed);
	heap_share = ppm(heap - governor.heap_ns, passed);
	governor.spent_ns += sp_signals_cost_ns(cpu, signals - governor.signals, ticks - governor.ticks,
				     sp_load(&cpu->interval_ns)) +
		(hits - governor.hits) * sp_hit_cost_ns(cpu->signal_gap_ns) + handler - governor.handler_total_ns +
		switches - governor.switch_ns + heap - governor.heap_ns + waits - governor.waits_ns;
	if (h->heap.on)
		govern_heap(&h->heap, heap_share, cpu_ns);
	governor.heap_share_ppm = (governor.heap_share_ppm * 3 + heap_share) / 4;
	govern_cpu(cpu, budget - min64(governor.heap_share_ppm, sp_governor_heap_ppm()), fixed,
		governor.spent_ns > cpu_ns / 1000 * budget / 1000);
	governor.looked_ns = cpu_ns;
	governor.signals = signals;
	governor.ticks = ticks;
	governor.hits = hits;
	governor.handler_total_ns = handler;
	governor.switch_ns = switches;
	governor.waits_ns = waits;
	governor.heap_ns = heap;
	governor.heap_samples = heap_samples;
}

void sp_governor_step(struct sp_thread *t)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t cpu_ns;

	if (!sp_try_lock(&governor.busy))
		return;
	cpu_ns = sp_load(&h->cpu.self_user_ns) + sp_load(&h->cpu.self_sys_ns);
	if (cpu_ns > governor.looked_ns + (cpu_ns < SETTLING_NS ? FIRST_STEP_NS : STEP_NS)) {
		sp_calibrate_tsc();
		sp_calibrate_step(t, cpu_ns);
		look(h, cpu_ns);
	}
	sp_unlock(&governor.busy);
}
