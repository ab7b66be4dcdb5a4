/* Steers the cost of sampling towards the budget, and keeps the samples under the cap.
 *
 * The budget is a share of the CPU time the process would use without sampling. What sampling
 * costs is known as it goes: every clock signal costs what cost.h makes of the measured gap (sp_signals_cost_ns) and
 * what the handler measures itself to take; a heap sample what its path takes and leaves cold; a switch to or from
 * a thread with an event sp_switch_cost_ns(); waits what looks at them and their stacks take (waits/pick.c). Heap
 * samples may use half of the budget, the CPU clock what they and waits leave. Where there is no clock the other half is for
 * what is no sample's: making the spool, the first touch of tables, frees of other blocks, countdowns. The decisions are pure functions of such figures. */
#ifndef SP_SAMPLER_CLOCK_GOVERNOR_H
#define SP_SAMPLER_CLOCK_GOVERNOR_H

#include "sampler/agent.h"

/* Costs as parts per million of the CPU time, sampling included: of a budget of 10 % these are
 * 90,909. */
static inline uint64_t sp_budget_ppm(uint32_t budget_permille)
{
	return 1000000ull * budget_permille / (1000 + budget_permille);
}

/* What of a time by the cycle counter is taken for cost, `mean_ns` being usual: the rest of a long
 * one was another thread's, to which the CPU went meanwhile. */
static inline uint64_t sp_plausible_cost_ns(uint64_t ns, uint64_t mean_ns)
{
	uint64_t most = 4 * mean_ns + 20000;
	return ns < most ? ns : most;
}

struct sp_cpu_costs {
	uint64_t requested_ns; /* interval asked for */
	uint64_t interval_ns;  /* in force */
	uint64_t sample_ns;    /* cost of one sample, signal included */
	uint64_t budget_ppm;   /* for all of CPU sampling */
	uint64_t fixed_ppm;    /* of that, spent whatever the interval: ticks, switches, waits */
	uint32_t doublings;    /* for the cap on samples */
	bool overdrawn;        /* more than the budget has been spent so far: less until it is repaid */
};

/* The interval to put in force: the one in force while the difference would be noise. */
uint64_t sp_governor_cpu_interval(const struct sp_cpu_costs *c) SP_HIDDEN;

struct sp_heap_costs {
	uint64_t interval_bytes; /* in force */
	uint64_t floor_bytes, ceiling_bytes;
	uint64_t share_ppm;  /* of the CPU time since the last look, spent on heap samples */
	uint64_t budget_ppm; /* for heap samples */
	bool overdrawn;
};
uint64_t sp_governor_heap_interval(const struct sp_heap_costs *c) SP_HIDDEN;

/* How often the interval has doubled when `samples` of a cap have been taken: once at half of the
 * cap, and again each time another sixteenth is used. A doubling lasts twice as long as the one
 * before, so that the rate falls like 1 / time and the cap is reached after 65 times the first half. */
uint32_t sp_governor_doublings(uint64_t samples, uint64_t cap) SP_HIDDEN;

/* CPU time over which a thread's switches are counted; less is enough where they cost too much for all of it. */
#define SP_SWITCH_WINDOW_NS 20000000u

/* Whether a thread whose switches have cost `switch_ns`, or would have with an event, in `cpu_ns` may have an
 * event (`has`: has one now). Without one the tick clock samples its user time too. */
bool sp_governor_allows_event(bool has, uint64_t switch_ns, uint64_t cpu_ns, uint64_t budget_ppm) SP_HIDDEN;

/* Puts the first intervals in force, from what is known before anything is measured. Once in every
 * process, before its clocks are armed. */
void sp_governor_start(void) SP_HIDDEN;

/* Looks at what sampling has cost so far and moves both intervals; does nothing when another
 * thread is at it or it was looked at a moment ago. `t` is the calling thread: its event may be
 * borrowed to measure the cost of a signal. Signal context, on the private stack. */
void sp_governor_step(struct sp_thread *t) SP_HIDDEN;

/* The mean time of the handler lately. Any context. */
uint64_t sp_governor_handler_ns(void) SP_HIDDEN;

/* So much of a handler's time was a measurement: it counts as spent, but not as what a handler usually takes. */
void sp_governor_calibrated(uint64_t ns) SP_HIDDEN;

/* Heap sampling's interval asked for is widened by no more than this. */
#define SP_HEAP_STRETCH_MAX 4096u

/* Puts an interval of heap sampling in force: each thread's next countdown is drawn at it. Any context. */
void sp_governor_set_heap_interval(uint64_t bytes) SP_HIDDEN;

/* The part of the budget that heap samples may use. Any context. */
uint64_t sp_governor_heap_ppm(void) SP_HIDDEN;

/* What heap samples may have cost altogether after `cpu_ns` of the process's CPU time. Any context. */
uint64_t sp_governor_heap_allowance_ns(uint64_t cpu_ns) SP_HIDDEN;

#endif
