/* What threads have waited. */
#include "sampler/waits/waits.h"

#include <errno.h>
#include <string.h>

#include "sampler/clock/governor.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/waits/gil.h"
#include "sampler/waits/look.h"
#include "sampler/waits/pick.h"
#include "sampler/waits/queue.h"

struct sp_waits sp_waits;

/* A call that may have blocked is looked at, so that calls shorter than this are not: in them looking would be a large part
 * of the budget. */
#define LOOK_LEAST_NS 4000u
#define LOOK_MOST_NS 50000u
#define LOOKS_BURST 64u

/* What is shorter than this has not blocked; a lock, whose holder should not be kept, and what is never looked at. */
#define LEAST_NS 1000u
#define BLIND_LEAST_NS 4000u

void sp_waits_start(int (*call_of)(uint64_t hook, uint64_t inner))
{
	sp_waits.call_of = call_of;
	sp_waits.look_cycles = BLIND_LEAST_NS * 5 / 2; /* until it is known how fast the counter runs */
	sp_store(&sp_waits.least_cycles, sp_waits.look_cycles);
}

void sp_waits_off(void)
{
	sp_store(&sp_waits.least_cycles, 0);
}

/* Of the budget a tenth at the most goes to looking at threads that are on a CPU between their waits. */
static uint64_t look_ns(void)
{
	uint64_t ns = 10ull * SP_LOOK_NS * 1000 / sp_agent.config.budget_permille;

	return ns < LOOK_LEAST_NS ? LOOK_LEAST_NS : ns > LOOK_MOST_NS ? LOOK_MOST_NS : ns;
}

static void count_early(enum sp_wait_kind kind, uint64_t ns)
{
	struct sp_wait_count *c = &sp_waits.early[kind];

	sp_add(&c->ns, ns);
	sp_add(&c->count, 1);
	sp_raise(&c->longest_ns, ns);
}

void sp_waits_configure(struct sp_thread *t, bool on)
{
	sp_store(&sp_waits.look_cycles, sp_tsc_cycles(look_ns()));
	sp_store(&sp_waits.least_cycles, on ? sp_tsc_cycles(LEAST_NS) : 0);
	sp_agent.spool->waits.on = on;
	sp_agent.spool->waits.least_ns = on ? LEAST_NS : 0;
	sp_agent.spool->waits.look_ns = on ? look_ns() : 0;
	sp_wait_sites_begin();
	if (on)
		sp_pick_configure();
	if (on && t && t->record)
		memcpy(t->record->waits, sp_waits.early, sizeof t->record->waits);
}

SP_AT_FORK void sp_waits_forked(void)
{
	memset(sp_waits.early, 0, sizeof sp_waits.early);
	sp_waits.cloned = sp_tls.vforked = false;
	sp_tls.waited &= ~SP_LOOK_FIRST; /* the call that was to be looked at is forgotten */
	sp_wait_sites_forget();
}

/* Another process in our memory, or a vfork's child. The latter's parent does not go on before that has ended, or runs another program:
 * a thread that is found to be the parent's need not be asked again. */
static bool is_in_our_memory(void)
{
	if (sp_likely(!sp_tls.vforked && !sp_waits.cloned))
		return false;
	if ((int)sp_sys(SYS_getpid) != sp_agent.pid)
		return true;
	sp_tls.vforked = false;
	return false;
}

/* Whether this process, and this thread of it, is one that is counted. What has waited since before a seccomp filter was there
 * must make no system call. */
static bool is_counted(void)
{
	if (sp_unlikely(sp_load(&sp_agent.tsc_forbidden)))
		return false;
	if (sp_unlikely(sp_is_stale_child())) {
		sp_agent.forked();
		return false;
	}
	return !sp_tls.guard && !sp_tls.dead && !is_in_our_memory();
}

/* The thread, if it is sampled. */
static struct sp_thread *sampled_thread(void)
{
	if (sp_agent_state() != SP_AGENT_ACTIVE)
		return NULL;
	if (!sp_tls.thread)
		sp_agent.adopt(); /* a thread made behind our back */
	return sp_load(&sp_agent.stopped) ? NULL : sp_tls.thread;
}

/* The cycles without those that a signal's handler has waited meanwhile, which are counted already. */
static uint64_t own_cycles(const struct sp_timed_call *w, uint64_t cycles)
{
	uint64_t inner = (sp_tls.waited - w->inner) & ~SP_LOOK_FIRST;

	cycles = cycles > inner ? cycles - inner : 0;
	sp_tls.waited += cycles;
	return cycles;
}

/* How long the thread was not on a CPU since it was last looked at, and did not wait in calls that are counted. */
static uint64_t look(struct sp_thread *t)
{
	sp_short_settle(t);
	return sp_wait_look(t);
}

/* A thread that uses little CPU time between its waits is looked at after longer ones only. */
static void restrain_looks(struct sp_thread_waits *w)
{
	if (++w->looks % LOOKS_BURST)
		return;
	if (w->looks * SP_EACH_NS > sp_look_allowance_ns(w) && w->look_doublings < SP_LOOK_DOUBLINGS)
		w->look_doublings++;
	else
		sp_look_relax(w);
}

/* A holder of a lock that has waited in a call is told of by the call alone: walking its stack would keep the lock. */
static void tell(struct sp_thread *t, enum sp_wait_call call, uint64_t caller)
{
	if (sp_holder_is_asked(t))
		sp_holder_tell(t, 0, 1 + (uint32_t)call, caller);
}

/* What the holder has told. */
static void take_answer(struct sp_waited *waited, struct sp_holder *h)
{
	sp_holder_answer(h);
	waited->holder = h->stack;
	waited->holder_call = h->call;
	waited->holder_caller = h->call ? h->caller : 0;
	waited->holder_span = h->span;
}

static void ended(struct sp_thread *t, enum sp_wait_call call, uint64_t object, uint64_t ns, uint64_t caller)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	struct sp_waited waited = {.call = call, .object = object, .count = 1};
	uint64_t off;

	tell(t, call, caller);
	if (sp_unlikely(t->wait.gil && t->wait.gil == object))
		take_answer(&waited, &t->wait.gil_holder);
	off = look(t);
	waited.ns = waited.longest_ns = sp_wait_slept(t, ns, off);
	sp_pick_cost(SP_EACH_NS);
	restrain_looks(&t->wait);
	if (!waited.ns) {
		t->wait.queue_known = false;
		return;
	}
	waited.blocked_ns = sp_wait_without_queue(t, kind, waited.ns, off, sp_wait_queue_is_due(t, kind, ns));
	sp_wait_count(t, kind, waited.blocked_ns, 1, waited.blocked_ns);
	sp_pick_wait(t, &waited, 0);
}

void sp_wait_begin_looked(struct sp_timed_call *w, enum sp_wait_call call)
{
	struct sp_thread *t = sp_tls.thread;

	if (t && t->wait.look_call == call && is_counted() && sampled_thread()) {
		if (!--t->wait.look_tries)
			sp_tls.waited &= ~SP_LOOK_FIRST;
		sp_short_look(t);
		w->inner = sp_tls.waited;
		t->wait.looked_began = w->began = sp_cycles();
		return;
	}
	w->began = sp_cycles();
}

/* Whether a short call's time is only added up: the thread is sampled, and was not looked at before. What a vfork's child does in
 * its parent's name until it is another program is too little to ask who it is. */
static bool is_plain(const struct sp_timed_call *w, const struct sp_thread *t)
{
	return t && w->began != t->wait.looked_began && !sp_tls.guard && !sp_is_stale_child() &&
		sp_agent_state() == SP_AGENT_ACTIVE && !sp_load(&sp_agent.stopped);
}

static void short_ended(const struct sp_timed_call *w, struct sp_thread *t, enum sp_wait_call call, uint64_t object,
	uint64_t cycles)
{
	bool looked = w->began == t->wait.looked_began;

	if (looked)
		sp_tls.waited &= ~SP_LOOK_FIRST;
	sp_short_ended(t, call, object, cycles, looked);
}

void sp_wait_ended(const struct sp_timed_call *w, enum sp_wait_call call, uint64_t object, uint64_t cycles,
	uint64_t caller)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	struct sp_thread *t = sp_tls.thread;
	bool is_short = cycles < sp_load(&sp_waits.look_cycles) << (t ? t->wait.look_doublings : 0);
	int saved_errno;

	cycles = own_cycles(w, cycles);
	if (is_short && is_plain(w, t) && sp_short_add(t, kind, cycles))
		return;
	if (sp_tls.guard) /* the agent's own: it reads files while it makes the spool */
		return;
	sp_tsc_ask();
	if (!is_counted())
		return;
	saved_errno = errno;
	t = sampled_thread();
	if (t && is_short)
		short_ended(w, t, call, object, cycles);
	else if (t)
		ended(t, call, object, sp_tsc_ns(cycles), caller);
	else if (sp_agent_state() == SP_AGENT_DORMANT)
		count_early(kind, sp_tsc_ns(cycles));
	errno = saved_errno;
}

void sp_wait_ask_gil(uint64_t condition)
{
	int saved_errno = errno;
	struct sp_thread *t = sp_load(&sp_waits.least_cycles) && is_counted() ? sampled_thread() : NULL;

	if (t) {
		t->wait.gil = 0;
		sp_gil_ask(t, condition);
	}
	errno = saved_errno;
}

/* --- locks */

/* What comes within this time is worth a stack at once. A later one is worth a timer, which costs little when it is later
 * than the kernel's next tick. */
#define SOON_NS 5000000u

void sp_contention_look(struct sp_contention *c, const int *owner)
{
	struct sp_thread *t = sp_tls.thread;
	int saved_errno = errno;

	if (sp_unlikely(sp_load(&sp_agent.tsc_forbidden)))
		return;
	c->stack = t ? sp_pick_stack(t) : 0;
	if (owner)
		sp_holder_ask(&c->holder, owner);
	errno = saved_errno;
}

bool sp_contention_begin(struct sp_contention *c, uint64_t lock, const int *owner, uint64_t caller, bool may_try)
{
	int saved_errno = errno;
	struct sp_thread *t;

	if (!sp_wait_begin(&c->call, SP_WAIT_CALLS))
		return false;
	c->holder = (struct sp_holder){0};
	c->lock = lock;
	c->caller = caller;
	c->stack = 0;
	t = is_counted() ? sampled_thread() : NULL;
	c->patience_ns = t ? sp_pick_patience(t) : UINT64_MAX;
	if (c->patience_ns != UINT64_MAX && (c->patience_ns < SOON_NS || !may_try)) {
		c->patience_ns = 0;
		sp_contention_look(c, owner);
	}
	errno = saved_errno;
	return true;
}

/* Looking at a thread keeps the lock that it has got: only when it is worth the look. */
static uint64_t lock_blocked_ns(struct sp_thread *t, uint64_t ns)
{
	if (sp_wait_queue_is_due(t, SP_WAIT_LOCK, ns))
		return sp_wait_without_queue(t, SP_WAIT_LOCK, ns, look(t), true);
	t->wait.unlooked_ns += ns;
	return sp_wait_without_queue(t, SP_WAIT_LOCK, ns, 0, false);
}

void sp_contention_end(struct sp_contention *c, enum sp_wait_call call)
{
	uint64_t cycles = sp_cycles() - c->call.began, ns = sp_tsc_ns(own_cycles(&c->call, cycles));
	struct sp_waited waited = {
		.call = call, .stack = c->stack, .object = c->lock, .ns = ns, .longest_ns = ns, .count = 1};
	int saved_errno = errno;
	struct sp_thread *t;

	sp_tsc_ask();
	t = is_counted() ? sampled_thread() : NULL;
	if (t) {
		sp_wait_locks_count(c->lock, ns);
		if (ns >= BLIND_LEAST_NS && sp_load(&sp_waits.least_cycles)) {
			tell(t, call, c->caller);
			waited.blocked_ns = lock_blocked_ns(t, ns);
			sp_wait_count(t, SP_WAIT_LOCK, waited.blocked_ns, 1, waited.blocked_ns);
			take_answer(&waited, &c->holder);
			sp_pick_wait(t, &waited, c->caller);
		}
	}
	errno = saved_errno;
}
