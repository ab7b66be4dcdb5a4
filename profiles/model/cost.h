/* What profiling itself cost the process, from the spool's counters. */
#ifndef SP_PROFILES_COST_H
#define SP_PROFILES_COST_H

#include "profiles/model/model.h"
#include "sampler/cost.h"

/* What one call of malloc, free or their like costs more for passing through the library, and from where to where that
 * went: 0.5 ns in tight loops with everything in the caches, 1.0 and 1.1 on glibc, 1.2 to 2.5 on jemalloc and tcmalloc in a
 * python3 that lists and strings are made in all the time (docs/BENCHMARKS.md). */
#define SP_HOOK_CALL_NS 1.5
#define SP_HOOK_CALL_LEAST_NS 0.5
#define SP_HOOK_CALL_MOST_NS 2.5

/* CPU time. The budget is for the first two together. */
struct sp_cost {
	double cpu_ns;   /* CPU samples: delivery of every clock signal, and the handler */
	double heap_ns;  /* heap samples */
	double waits_ns; /* looking at waits, and sampling them */
	double hooks_ns; /* passing allocations and frees on: an estimate */
	uint64_t hook_calls;
};

struct sp_cost sp_cost_of(const struct sp_profile *profile);

/* What one event's signal cost besides its handler, at the mean interval of the run. */
uint64_t sp_cost_event_ns(const struct sp_cpu_totals *cpu);

/* Share of the process's CPU time in percent; 0 when it used none. */
double sp_cost_percent(const struct sp_profile *profile, double ns);

/* The interval at which samples can come when the governor has set this one: clocks other than
 * events fire at the kernel tick at most. */
uint64_t sp_cost_interval_ns(const struct sp_profile *p, uint64_t set_ns);

/* Runs of the signal handler whose time was taken. */
uint64_t sp_cost_handler_runs(const struct sp_cpu_totals *cpu);

/* Nanoseconds within which at least this share of the handler's runs ended, rounded up to the bound
 * of a class (at most half too long), and never beyond the longest run. */
uint64_t sp_cost_handler_quantile_ns(const struct sp_cpu_totals *cpu, double share);

#endif
