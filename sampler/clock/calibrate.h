/* What a clock signal costs on this machine, besides our handler.
 *
 * The interrupt, the delivery of the signal and the return from it are invisible to the handler.
 * They are measured now and then, on the private stack of a thread that a tick has interrupted:
 * its event is armed at a short period, only our signal is let through, and a loop that reads the
 * cycle counter sees gaps. The median of a few gaps is left in a small file beside the spools, for
 * processes to come. What a signal costs besides, sp_signal_cost_ns, depends on how much code the
 * program runs all over: that is told by how many pages of code the samples are from. */
#ifndef SP_SAMPLER_CLOCK_CALIBRATE_H
#define SP_SAMPLER_CLOCK_CALIBRATE_H

#include <signal.h>
#include <ucontext.h>

#include "sampler/agent.h"
#include "sampler/cost.h"

/* Where the file is: beside `spool_path`, which must stay. Call before sp_calibrate_start. */
void sp_calibrate_place(const char *spool_path) SP_HIDDEN;

/* Fills cpu.signal_gap_ns and its source, and heap.sample_cost_ns, from the file or with typical figures. */
void sp_calibrate_start(void) SP_HIDDEN;

/* Measures if it is time to, `cpu_ns` being the process's CPU time, and puts the calling thread's
 * event back as it was. At most 1 ms. Signal context, on the private stack, all signals blocked. */
void sp_calibrate_step(struct sp_thread *t, uint64_t cpu_ns) SP_HIDDEN;

/* A profiling signal has come in while `t->calibrating`. One that is not ours is put off until the
 * measurement is over, by way of the signal mask in `context`. Signal context. */
void sp_calibrate_signal(struct sp_thread *t, bool is_event, bool is_ours, const siginfo_t *info,
	ucontext_t *context) SP_HIDDEN;

/* The median of these gaps, in cycles, in nanoseconds; 0 when there are too few. Sorts them. */
uint64_t sp_calibrate_gap_ns(uint64_t *gaps, uint32_t n) SP_HIDDEN;

/* A sample found the program at this instruction: keeps cpu.fresh_pages. Threads share the count, and may lose one.
 * Any context. */
void sp_calibrate_code(uint64_t address) SP_HIDDEN;

/* Reads what was measured less than a day before `now_ns` (CLOCK_REALTIME); false when there is no such file, or it does not
 * make sense. Writing fills in magic and check, and replaces the file at once or not at all; it returns 0 or a negative
 * errno. Any context. */
bool sp_cost_read(const char *path, uint64_t now_ns, struct sp_cost_file *f) SP_HIDDEN;
int sp_cost_write(const char *path, struct sp_cost_file *f) SP_HIDDEN;

#endif
