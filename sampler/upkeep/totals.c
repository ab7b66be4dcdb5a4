/* The process's running totals in the header. */
#include "sampler/upkeep/totals.h"

/* The totals are as old as this when the process is killed, or a 256th of what it has used, up to a kernel's tick, or older by
 * so many times what reading them takes: the kernel sums up over threads. */
#define TOTALS_US 1000u
#define TOTALS_MOST_US 4000u
#define TOTALS_PART 256u
#define TOTALS_PRICE 200u

static uint64_t totals_due_tsc, totals_cycles; /* atomic: when the next reading is due, and what one takes */

static struct {
	uint64_t bytes, tsc; /* atomic */
} most_rss;

/* One that took much longer than those before was preempted: the next may come all the same. */
static uint64_t reading_cycles(uint64_t measured, uint64_t per_us)
{
	uint64_t most = 2 * sp_load(&totals_cycles) + per_us;
	uint64_t cycles = measured < most ? measured : most;

	sp_store(&totals_cycles, cycles);
	return cycles;
}

static uint64_t pause_us(const struct sp_usage *used)
{
	uint64_t us = (used->user_ns + used->sys_ns) / 1000 / TOTALS_PART;

	return us < TOTALS_US ? TOTALS_US : us < TOTALS_MOST_US ? us : TOTALS_MOST_US;
}

static struct sp_usage update(uint64_t began)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t per_us = sp_load(&sp_agent.tsc_per_us_x1024) / 1024, ended, rest, least;
	struct sp_usage usage;

	sp_process_usage(&usage);
	ended = sp_tsc();
	rest = TOTALS_PRICE * reading_cycles(ended - began, per_us);
	sp_raise(&most_rss.bytes, usage.most_rss_bytes);
	__atomic_store_n(&most_rss.tsc, began, __ATOMIC_RELEASE);
	least = pause_us(&usage) * per_us;
	sp_store(&totals_due_tsc, ended + (rest > least ? rest : least));
	sp_store(&h->cpu.self_user_ns, usage.user_ns);
	sp_store(&h->cpu.self_sys_ns, usage.sys_ns);
	if (usage.max_rss_bytes)
		sp_store(&h->max_rss_bytes, usage.max_rss_bytes);
	sp_store(&h->now_ns, sp_now_ns());
	return usage;
}

struct sp_usage sp_totals_update(void)
{
	return update(sp_tsc_first());
}

void sp_totals_follow(uint64_t tsc)
{
	if ((int64_t)(tsc - sp_load(&totals_due_tsc)) >= 0)
		update(tsc);
}

uint64_t sp_totals_most_rss(uint64_t *age_ns)
{
	uint64_t tsc = __atomic_load_n(&most_rss.tsc, __ATOMIC_ACQUIRE);

	int64_t passed = (int64_t)(sp_tsc() - tsc);

	*age_ns = passed > 0 ? sp_tsc_ns((uint64_t)passed) : 0;
	return sp_load(&most_rss.bytes);
}
