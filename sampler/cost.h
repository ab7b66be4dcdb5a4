/* What sampling costs: the model that the governor steers by, and that a reader reckons the overhead by. Its constants are
 * fits to measured programs (docs/BENCHMARKS.md). */
#ifndef SP_SAMPLER_COST_H
#define SP_SAMPLER_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/spool.h"

/* The file SP_COST_FILE beside the spools: what sampling was last found to cost here. */
struct sp_cost_file {
	uint64_t magic;
	uint64_t realtime_ns; /* when it was measured */
	uint64_t signal_gap_ns;
	uint64_t heap_cost_ns;    /* of a heap sample */
	uint64_t switch_timer_ns; /* cpu.switch_timer_ns */
	uint64_t check;           /* sp_cost_check */
};

#define SP_COST_FILE "signal-cost"
#define SP_COST_MAGIC 0x335041475053ull /* "SPGAP3" */
#define SP_COST_LEAST_NS 1000u          /* what is outside of this range was not a signal's cost */
#define SP_COST_MOST_NS 1000000u
#define SP_COST_AGE_NS 86400000000000ull
#define SP_GAP_ASSUMED_NS 23000u /* of a signal, where none was measured: virtual machines take 20 to 27 us */

static inline uint64_t sp_cost_check(const struct sp_cost_file *f)
{
	return f->magic ^ f->realtime_ns ^ f->signal_gap_ns ^ f->heap_cost_ns ^ f->switch_timer_ns;
}

/* Whole, believable, and measured less than a day before `now_ns` (CLOCK_REALTIME). */
static inline bool sp_cost_is_good(const struct sp_cost_file *f, uint64_t now_ns)
{
	return f->magic == SP_COST_MAGIC && f->check == sp_cost_check(f) && f->realtime_ns <= now_ns &&
		now_ns - f->realtime_ns <= SP_COST_AGE_NS && f->signal_gap_ns >= SP_COST_LEAST_NS &&
		f->signal_gap_ns <= SP_COST_MOST_NS && f->heap_cost_ns >= SP_COST_LEAST_NS / 2 &&
		f->heap_cost_ns <= SP_COST_MOST_NS && f->switch_timer_ns <= SP_COST_MOST_NS;
}

/* What an armed event adds to a switch of its thread, out and in again. The kernel takes the event off and puts it on again,
 * which takes 1.5 us, and does the same with its timer. If that timer would be the processor's next one, the kernel sets the
 * hardware anew, which in a virtual machine takes 10 us. At an interval finer than the tick's it is the next one most of the
 * time. Measured with two threads that play ping-pong through pipes: 1.6 us at an interval of a second, 4.6 at 4 ms, 12.1 at
 * 400 us. */
#define SP_SWITCH_NS 1500u
#define SP_SWITCH_TIMER_ASSUMED_NS 10000u
static inline uint64_t sp_switch_cost_ns(uint64_t timer_ns, uint64_t interval_ns, uint64_t tick_ns)
{
	return SP_SWITCH_NS + (tick_ns ? timer_ns * tick_ns / (tick_ns + interval_ns) : timer_ns);
}

/* How wide the program's running code is, out of so many samples (cpu.fresh_pages). */
#define SP_FRESH_SAMPLES 64u

/* log2(interval / 250 us), in 64ths, between the next two powers of two a straight line; from -64 to 256. */
static inline int64_t sp_interval_octaves(uint64_t interval_ns)
{
	uint64_t x = interval_ns * 64 / 250000;
	int64_t octaves = 0;

	if (x >= 16 * 64)
		return 4 * 64;
	if (x < 64)
		return x > 32 ? 2 * ((int64_t)x - 64) : -64;
	for (; x >= 128; x /= 2)
		octaves += 64;
	return octaves + (int64_t)x - 64;
}

/* What one event's signal costs a program altogether: the gap that a spinning loop sees, and what the interrupt leaves cold
 * in caches and branch predictors. The second grows with the amount of code that runs, and with how much of that was warm
 * again since the signal before. The fit is to bare events with an empty handler, in pairs, us a signal where
 * the gap was 23 (pages of code under 64 samples in brackets):
 * every 250 us gzip (3) 22.5, python3 (19) 29.2, sqlite3 (21) 28.3, clang (56) 50 and 52, cc1 (59) 48 and 51;
 * every 1000 us sqlite3 29 and 36, cc1 61, 71 and 87; every 2000 us cc1 90;
 * one loop (1) every 100, 350 and 1000 us 24.5, 26.4 and 29. */
static inline uint64_t sp_signal_cost_ns(uint64_t gap_ns, uint32_t fresh_pages, uint64_t interval_ns)
{
	uint64_t octaves = (uint64_t)(sp_interval_octaves(interval_ns) + 64); /* from 125 us */
	uint64_t wide = 1250 * (uint64_t)fresh_pages * fresh_pages / (SP_FRESH_SAMPLES * SP_FRESH_SAMPLES);

	/* In thousandths of the gap. */
	return gap_ns * (1000 + 20 + 85 * octaves / 64 + wide * (64 * 13 + 7 * octaves) / (64 * 20)) / 1000;
}

/* What a tick's signal costs. Its interrupt comes without us: only the signal is ours. A gap with one is 4 to 6 us
 * longer than one without, where an event's is 23. */
static inline uint64_t sp_tick_cost_ns(uint64_t gap_ns)
{
	return gap_ns / 4;
}

/* What an event's timer costs that finds its thread in the kernel: the interrupt alone. 1.5 million system calls of a
 * thread were slowed down by 15 us for each, where the gap was 24. */
static inline uint64_t sp_hit_cost_ns(uint64_t gap_ns)
{
	return gap_ns * 5 / 8;
}

/* What `signals` signals cost, of which `ticks` are the tick clock's and the others an event's at `interval_ns`. */
static inline uint64_t sp_signals_cost_ns(const struct sp_cpu_totals *cpu, uint64_t signals, uint64_t ticks,
	uint64_t interval_ns)
{
	uint64_t events = signals > ticks ? signals - ticks : 0; /* they are counted one after the other */

	return events * sp_signal_cost_ns(cpu->signal_gap_ns, cpu->fresh_pages, interval_ns) +
		ticks * sp_tick_cost_ns(cpu->signal_gap_ns);
}

#endif
