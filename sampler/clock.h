/* The CPU clocks of one thread.
 *
 * User time: a perf task-clock event that excludes the kernel, so that its signal never lands in
 * (and breaks) a system call; its control page stays mapped, which keeps it alive after its
 * descriptor is closed. System time, and both where events are refused: the per-thread CPU timer,
 * which the kernel runs at its tick and delivers on the way back to user mode. */
#ifndef SP_SAMPLER_CLOCK_H
#define SP_SAMPLER_CLOCK_H

#include <signal.h>

#include "sampler/agent.h"

enum sp_signal_kind { SP_SIGNAL_FOREIGN, SP_SIGNAL_EVENT, SP_SIGNAL_TICK, SP_SIGNAL_START };

/* Arms the calling thread's clocks as the header's clock says; falls back to the timer alone and
 * counts what could not be armed. Any context. */
void sp_clock_arm(struct sp_thread *t) SP_HIDDEN;

/* Stops the calling thread's clocks. A signal already under way may still arrive. */
void sp_clock_disarm(struct sp_thread *t) SP_HIDDEN;

/* Opens the event anew with a period drawn around the interval in force. */
void sp_clock_rearm_event(struct sp_thread *t) SP_HIDDEN;

/* Opens it anew with this very period: 0 or a negative errno, and then the thread has none. */
int sp_clock_retime_event(struct sp_thread *t, uint64_t period_ns) SP_HIDDEN;

/* Takes the calling thread's event away; the timer goes on alone. */
void sp_clock_stop_event(struct sp_thread *t) SP_HIDDEN;

/* Tries on the calling thread whether events work here: 0 or a negative errno. */
int sp_clock_probe_event(void) SP_HIDDEN;

/* Starts, or with 0 stops, the one-shot timer that wakes a dormant agent after some CPU time. Returns 0 or a
 * negative errno (-EAGAIN: RLIMIT_SIGPENDING). */
int sp_clock_arm_start(uint64_t cpu_ns) SP_HIDDEN;

/* Whose signal this is. */
enum sp_signal_kind sp_clock_recognize(const struct sp_thread *t, const siginfo_t *info) SP_HIDDEN;

/* Length of the kernel's tick. */
uint64_t sp_clock_tick_ns(void) SP_HIDDEN;

#endif
