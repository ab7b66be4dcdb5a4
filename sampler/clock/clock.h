/* The CPU clocks.
 *
 * User time: a perf task-clock event that excludes the kernel, so that its signal never lands in
 * (and breaks) a system call; its control page stays mapped, which keeps it alive after its
 * descriptor is closed. System time, and both where events are refused: the per-thread CPU timer,
 * which the kernel runs at its tick and delivers on the way back to user mode. Where that is refused
 * too: one timer on the CPU time of the process, whose signal goes to the thread that runs. */
#ifndef SP_SAMPLER_CLOCK_CLOCK_H
#define SP_SAMPLER_CLOCK_CLOCK_H

#include <signal.h>

#include "sampler/agent.h"

/* One kind of clock. Intervals are nanoseconds of CPU time: the thread's, or for the process clock
 * that of all threads. Functions return 0 or a negative errno; any context. */
struct sp_clock {
	const char *name;
	uint32_t flag; /* SP_THREAD_EVENT, ...: in sp_thread.clocks while it is armed */
	/* Whether this kernel lets us have one: tried on the calling thread. */
	int (*probe)(void);
	/* Arms it for t, the calling thread or another one of this process: first signal after
	 * first_ns. */
	int (*arm)(struct sp_thread *t, uint64_t first_ns, uint64_t interval_ns);
	void (*disarm)(struct sp_thread *t);
	/* Brings an armed one to another interval. The calling thread's. */
	int (*set_interval)(struct sp_thread *t, uint64_t interval_ns);
};
extern const struct sp_clock sp_clock_event SP_HIDDEN;   /* event.c */
extern const struct sp_clock sp_clock_timer SP_HIDDEN;   /* timer.c */
extern const struct sp_clock sp_clock_process SP_HIDDEN; /* process.c */

enum sp_signal_kind {
	SP_SIGNAL_FOREIGN,
	SP_SIGNAL_EVENT,
	SP_SIGNAL_TICK,
	SP_SIGNAL_PROCESS,
	SP_SIGNAL_START,
	SP_SIGNAL_LATE, /* an event's that was under way when the event or its thread was retired */
};

/* Arms a thread's clocks as the header's clock says: the best there are for it; counts what could not
 * be armed. `t` is the calling thread's, or that of a discovered one. While clocks are stopped, they are armed when these are
 * resumed. Any context. */
void sp_clock_arm(struct sp_thread *t) SP_HIDDEN;

/* Whether the calling thread `t` is to have an event at once. Once a thread has had one, the kernel takes 0.2 us longer for
 * each of its switches as long as it lives. So a thread that has shown nothing yet, or blocks the signal, waits for
 * a tick. */
bool sp_clock_wants_event(const struct sp_thread *t) SP_HIDDEN;

/* ... or at least one for a moment, as a probe makes: members of a tree that are spared events can have that. */
bool sp_clock_bears_event(const struct sp_thread *t) SP_HIDDEN;

/* The CPU time by which it has shown enough. */
uint64_t sp_clock_evidence_ns(void) SP_HIDDEN;

/* Stops a thread's clocks. A signal already under way may still arrive. False: somebody else is just arming or stopping them, and
 * will do it; until then the block must not be given back. */
bool sp_clock_disarm(struct sp_thread *t) SP_HIDDEN;

/* Stops the clocks of all threads, which may be sampling at this moment, and the process's; no clock is armed
 * any more until all are resumed. Any context. */
void sp_clock_stop_all(void) SP_HIDDEN;
void sp_clock_resume_all(void) SP_HIDDEN;
bool sp_clock_are_stopped(void) SP_HIDDEN;

/* The same for a while, of which a signal of the process's timer in every 100 ms of CPU time is left, so that somebody looks
 * whether it is over; threads get their events at their first ticks then. Any context. */
void sp_clock_pause(void) SP_HIDDEN;
void sp_clock_unpause(void) SP_HIDDEN;

/* Opens the calling thread's event anew with a period drawn around the interval in force. */
void sp_clock_rearm_event(struct sp_thread *t) SP_HIDDEN;

/* Takes the calling thread's event away: from here on its ticks give user time as well. */
void sp_clock_leave_event(struct sp_thread *t) SP_HIDDEN;

/* What an armed event adds to one switch of its thread at the interval in force. Any context. */
uint64_t sp_clock_switch_ns(void) SP_HIDDEN;

/* Stops and starts the timer behind an event of the calling thread of this period, `n` times: how many cycles each
 * took. False when there is no event to be had. */
bool sp_clock_event_restarts(uint64_t period_ns, uint64_t *cycles, uint32_t n) SP_HIDDEN;

/* Lets the calling thread's timer follow the interval in force. */
void sp_clock_follow(struct sp_thread *t) SP_HIDDEN;

/* Starts, or with 0 stops, the one-shot timer that wakes a dormant agent after some CPU time. Returns 0 or a
 * negative errno (-EAGAIN: RLIMIT_SIGPENDING). */
int sp_clock_arm_start(uint64_t cpu_ns) SP_HIDDEN;

/* The dormant agent's timer has gone off in a thread where the agent cannot be activated, or may go off in one that blocks its
 * signal: from now on it counts the main thread's CPU time alone. */
void sp_clock_start_later(void) SP_HIDDEN;
bool sp_clock_starts_later(void) SP_HIDDEN;

/* Stops the timer of the process, even if threads rely on it: sampling is over. */
void sp_clock_stop_process(void) SP_HIDDEN;

/* Gives the timer of the process back to the kernel: the agent begins anew in this process. */
void sp_clock_drop_process(void) SP_HIDDEN;

/* Puts the sentinel off: it is a timer whose signal goes to the running thread when no known thread has ticked for 100 ms of
 * the process's CPU time. `now` is sp_now_ns(). Any context. */
void sp_clock_sentinel(uint64_t now) SP_HIDDEN;

/* The sentinel, although no thread ticks that would put it off. Any context. */
void sp_clock_watch(void) SP_HIDDEN;

/* Holds the timer of the process while the calling thread has all signals blocked, or lets it go on. */
void sp_clock_hold_process(bool hold) SP_HIDDEN;

/* From now on threads may run with the signal blocked: gives up the timer of the process for good, both as the sentinel and for
 * the threads that rely on it. Any context. */
void sp_clock_give_up_process(void) SP_HIDDEN;
bool sp_clock_has_given_up_process(void) SP_HIDDEN;

/* In a forked child: timers are its parent's. */
void sp_clock_forked(void) SP_HIDDEN;
void sp_clock_process_forked(void) SP_HIDDEN; /* of sp_clock_forked */

/* Whether the signal of a process's timer goes to the running thread. */
bool sp_clock_prefers_running_thread(void) SP_HIDDEN;

/* Whose signal this is; `t` is the thread that got it, or NULL. */
enum sp_signal_kind sp_clock_recognize(const struct sp_thread *t, const siginfo_t *info) SP_HIDDEN;

/* Whether an event of ours has had this descriptor number when its signals were routed. */
bool sp_clock_event_had(int fd) SP_HIDDEN;

/* Length of the kernel's tick. */
uint64_t sp_clock_tick_ns(void) SP_HIDDEN;

static inline bool sp_clock_is_callers(const struct sp_thread *t)
{
	return !t->discovered && t == sp_tls.thread;
}

/* Creates a CPU timer, unarmed, whose signal carries `cookie`: `tid` gets it, or with 0 the process.
 * For the three clocks. */
int sp_clock_create_timer(int32_t clock, int tid, void *cookie, int *timer) SP_HIDDEN;
int sp_clock_set_timer(int timer, uint64_t first_ns, uint64_t interval_ns) SP_HIDDEN;

/* sival_ptr of our timers: no application can have these addresses. */
#define SP_COOKIE_TICK ((void *)&sp_agent.state)
#define SP_COOKIE_START ((void *)&sp_agent.pid)
#define SP_COOKIE_PROCESS ((void *)&sp_agent.spool)

#endif
