/* The process's running totals in the header. */
#include "sampler/upkeep/totals.h"

/* The totals are as old as this when the process is killed, or older by so many times what reading them takes: the
 * kernel sums up over threads. */
#define TOTALS_US 1000u
#define TOTALS_PRICE 200u

static uint64_t totals_due_tsc, totals_cycles; /* atomic: when the next reading is due, and what one takes */

/* One that took much longer than those before was preempted: the next may come all the same. */
static uint64_t reading_cycles(uint64_t measured, uint64_t per_us)
{
	uint64_t most = 2 * sp_load(&totals_cycles) + per_us;
	uint64_t cycles = measured < most ? measured : most;

	sp_store(&totals_cycles, cycles);
	return cycles;
}

struct sp_usage sp_totals_update(void)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t began = sp_tsc_first(), per_us = sp_load(&sp_agent.tsc_per_us_x1024) / 1024, ended, rest;
	struct sp_usage usage;

	sp_process_usage(&usage);
	ended = sp_tsc();
	rest = TOTALS_PRICE * reading_cycles(ended - began, per_us);
	sp_store(&totals_due_tsc, ended + (rest > TOTALS_US * per_us ? rest : TOTALS_US * per_us));
	sp_store(&h->cpu.self_user_ns, usage.user_ns);
	sp_store(&h->cpu.self_sys_ns, usage.sys_ns);
	if (usage.max_rss_bytes)
		sp_store(&h->max_rss_bytes, usage.max_rss_bytes);
	sp_store(&h->now_ns, sp_now_ns());
	return usage;
}

void sp_totals_follow(uint64_t tsc)
{
	if ((int64_t)(tsc - sp_load(&totals_due_tsc)) >= 0)
		sp_totals_update();
}
