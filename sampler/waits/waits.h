/* Waiting: calls that block are timed, and what a thread has waited is counted by kind. Exact: a hook takes the time of a
 * call by the cycle counter, and what took long enough to have blocked is held against the CPU time that the thread has used
 * meanwhile. */
#ifndef SP_SAMPLER_WAITS_WAITS_H
#define SP_SAMPLER_WAITS_WAITS_H

#include "sampler/agent.h"
#include "sampler/threads/holder.h"
#include "sampler/wait_calls.h"
#include "sampler/waits/shorts.h"

/* Of this process, or of its parent. */
enum { SP_SITES_NONE, SP_SITES_USED, SP_SITES_LEFT };

struct sp_waits {
	uint64_t least_cycles; /* atomic: what takes less has not blocked; 0: nothing is timed */
	uint64_t look_cycles;  /* atomic: what takes so long, doubled look_doublings times, is looked at each */
	int (*call_of)(uint64_t hook, uint64_t inner); /* preload's: sp_blocking_call_of */
	uint32_t cloned; /* a call may be that of a process in our memory, which is nobody's */
	uint8_t sites;   /* what is in sites.c's tables */
	struct sp_wait_count early[SP_WAIT_KINDS]; /* atomic: before there was a spool */
};
extern struct sp_waits sp_waits SP_HIDDEN;

/* A call under way. Nothing has to be undone if it never returns: a handler's longjmp, or the thread's cancellation. */
struct sp_timed_call {
	uint64_t began;
	uint64_t inner; /* sp_tls.waited then */
};

/* From the constructor: waits count from now on. */
void sp_waits_start(int (*call_of)(uint64_t hook, uint64_t inner)) SP_HIDDEN;

/* The process's settings are known: `on`, or nothing is timed any more. With the calling thread's record made. */
void sp_waits_configure(struct sp_thread *t, bool on) SP_HIDDEN;

/* Nothing is timed any more. Any context. */
void sp_waits_off(void) SP_HIDDEN;

/* In a forked child. */
void sp_waits_forked(void) SP_HIDDEN;

/* SP_LOOK_FIRST is set: looks at the thread first if `call` is the one, and begins. */
void sp_wait_begin_looked(struct sp_timed_call *w, enum sp_wait_call call) SP_HIDDEN __attribute__((cold));

/* False: the call is not to be timed. */
static inline __attribute__((always_inline)) bool sp_wait_begin(struct sp_timed_call *w, enum sp_wait_call call)
{
	if (sp_unlikely(!sp_load(&sp_waits.least_cycles) || sp_load(&sp_agent.tsc_forbidden)))
		return false;
	w->inner = sp_tls.waited;
	if (sp_unlikely(w->inner & SP_LOOK_FIRST))
		sp_wait_begin_looked(w, call);
	else
		w->began = sp_cycles();
	return true;
}

/* The call, made from `caller`, took `cycles`, long enough to have blocked. object: what it waited for, 0: nothing that has
 * an address. Keeps errno. Normal context, or an application's signal handler. */
void sp_wait_ended(const struct sp_timed_call *w, enum sp_wait_call call, uint64_t object, uint64_t cycles,
	uint64_t caller) SP_HIDDEN;

/* Both return the cycles it took. */
static inline uint64_t sp_wait_end_of(const struct sp_timed_call *w, enum sp_wait_call call, uint64_t object,
	uint64_t caller)
{
	uint64_t cycles = sp_cycles() - w->began;

	if (sp_unlikely(cycles >= sp_load(&sp_waits.least_cycles)))
		sp_wait_ended(w, call, object, cycles, caller);
	return cycles;
}

static inline __attribute__((always_inline)) uint64_t sp_wait_end(const struct sp_timed_call *w, enum sp_wait_call call,
	uint64_t object)
{
	return sp_wait_end_of(w, call, object, (uint64_t)(uintptr_t)__builtin_return_address(0));
}

/* Before a call with a condition, that may be how an interpreter's lock is waited for. Keeps errno. */
void sp_wait_ask_gil(uint64_t condition) SP_HIDDEN;

/* The value of `expression`, a call of a function that may block: it is timed. */
#define SP_TIMED(call, object, expression) \
	({ \
		struct sp_timed_call wait_; \
		bool timed_ = sp_wait_begin(&wait_, call); \
		__typeof__(expression) result_ = (expression); \
\
		if (timed_) \
			sp_wait_end(&wait_, call, object); \
		result_; \
	})

/* A lock that is not free is waited for. Its stack is taken before it is got, so that nobody waits longer because of that:
 * at once where the thread's next sample is due soon, else after `patience`, for which the lock is tried first. */
struct sp_contention {
	struct sp_timed_call call;
	struct sp_holder holder;
	uint64_t lock, caller; /* address; what has called for it */
	uint64_t patience_ns;  /* 0: the stack is taken; UINT64_MAX: none is wanted */
	uint32_t stack;        /* that; 0: none was taken */
};

/* owner: the word that names the thread that has it, NULL: there is none. May be followed by sp_contention_look, and
 * must by sp_contention_end. False: the call is not to be timed. */
bool sp_contention_begin(struct sp_contention *c, uint64_t lock, const int *owner, uint64_t caller,
	bool may_try) SP_HIDDEN;
void sp_contention_look(struct sp_contention *c, const int *owner) SP_HIDDEN;
void sp_contention_end(struct sp_contention *c, enum sp_wait_call call) SP_HIDDEN;

#endif
