/* What threads have waited. */
#include "sampler/waits/waits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "sampler/clock/governor.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/waits/gil.h"
#include "sampler/waits/pick.h"
#include "sampler/waits/queue.h"

struct sp_waits sp_waits;

/* What it takes to look at what a thread has used: a system call, in virtual machines 450 ns. A call that may have
 * blocked is looked at, so that calls shorter than this are not: in them looking would be a large part of the budget. */
#define LOOK_NS 400u
#define LEAST_NS 4000u
#define MOST_NS 50000u

/* A short call is looked at before and after, if that takes no more than the same part. */
#define SHORT_LOOK_NS (2 * LOOK_NS)
#define FREE_LOOKS 64u

/* The cycle counter, by which the thread's time is taken, and the kernel's CPU time differ by less than this part. */
#define DRIFT_PART 4096u

/* A call in which the thread was off the CPU for less than this, and for less than this part of it, has not waited. */
#define RAN_NS 20000u
#define RAN_PART 8u

static uint64_t cycles_of(uint64_t ns)
{
	return sp_scale(ns, sp_load(&sp_agent.tsc_per_us_x1024), 1024000);
}

void sp_waits_start(int (*call_of)(uint64_t hook, uint64_t inner))
{
	sp_waits.call_of = call_of;
	sp_waits.look_cycles = LEAST_NS * 5 / 2; /* until it is known how fast the counter runs */
	sp_store(&sp_waits.least_cycles, sp_waits.look_cycles);
}

void sp_waits_off(void)
{
	sp_store(&sp_waits.least_cycles, 0);
}

/* Of the budget a tenth at the most goes to looking. */
static uint64_t look_ns(void)
{
	uint64_t ns = 10ull * LOOK_NS * 1000 / sp_agent.config.budget_permille;

	return ns < LEAST_NS ? LEAST_NS : ns > MOST_NS ? MOST_NS : ns;
}

static void count(struct sp_wait_count *c, uint64_t ns)
{
	sp_add(&c->ns, ns);
	sp_add(&c->count, 1);
	sp_raise(&c->longest_ns, ns);
}

void sp_waits_configure(struct sp_thread *t, bool on)
{
	sp_store(&sp_waits.look_cycles, cycles_of(look_ns()));
	sp_store(&sp_waits.least_cycles, on ? cycles_of(LEAST_NS) : 0);
	sp_agent.spool->waits.on = on;
	sp_agent.spool->waits.least_ns = on ? LEAST_NS : 0;
	sp_agent.spool->waits.look_ns = on ? look_ns() : 0;
	if (on)
		sp_pick_configure();
	if (on && t && t->record)
		memcpy(t->record->waits, sp_waits.early, sizeof t->record->waits);
}

SP_AT_FORK void sp_waits_forked(void)
{
	memset(sp_waits.early, 0, sizeof sp_waits.early);
	sp_waits.vforked = false;
	sp_wait_sites_forget();
}

/* Whether the thread has gone to sleep since this was last asked. The kernel's answer changes what it tells of user and
 * system time later, so it is asked only of those that were off the CPU. */
static bool has_slept(struct sp_thread_waits *w)
{
	uint64_t before = w->looked_switches;
	struct rusage ru;

	if (sp_sys(SYS_getrusage, RUSAGE_THREAD, &ru) != 0)
		return true;
	w->looked_switches = (uint64_t)ru.ru_nvcsw;
	return w->looked_switches != before;
}

/* How long the thread was not on a CPU since it was last looked at. */
static uint64_t look(struct sp_thread *t, uint64_t now)
{
	struct sp_thread_waits *w = &t->wait;
	uint64_t cpu_ns = sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t wall_ns = sp_tsc_ns(now - w->looked_tsc), used_ns = cpu_ns - w->looked_cpu_ns + w->unlooked_ns;
	uint64_t off = wall_ns + wall_ns / DRIFT_PART;

	off = off > used_ns ? off - used_ns : 0;
	w->looked_tsc = now;
	w->looked_cpu_ns = cpu_ns;
	w->unlooked_ns = 0;
	return off;
}

/* What of `ns` the thread was off the CPU: no more than `off` since it was last looked at. */
static uint64_t was_off(uint64_t ns, uint64_t off)
{
	return off < RAN_NS && off < ns / RAN_PART ? 0 : off < ns ? off : ns;
}

/* ... and asleep. */
static uint64_t slept(struct sp_thread *t, uint64_t ns, uint64_t off)
{
	ns = was_off(ns, off);
	return ns && has_slept(&t->wait) ? ns : 0;
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
	return !sp_tls.guard && !sp_tls.dead && !(sp_waits.vforked && (int)sp_sys(SYS_getpid) != sp_agent.pid);
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

/* How long the call took, without what a signal's handler has waited meanwhile, which is counted already. */
static uint64_t take_time(const struct sp_timed_call *w, uint64_t cycles)
{
	uint64_t inner = (sp_tls.waited - w->inner) & ~SP_LOOK_FIRST;

	cycles = cycles > inner ? cycles - inner : 0;
	sp_tls.waited += cycles;
	sp_tsc_ask();
	return sp_tsc_ns(cycles);
}

static void count_in_thread(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns)
{
	struct sp_thread_record *r = t->record ? t->record : sp_section(SP_SEC_THREADS);

	count(&r->waits[kind], ns);
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

static void ended(struct sp_thread *t, enum sp_wait_call call, uint64_t object, uint64_t ns, uint64_t now,
	uint64_t caller)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	struct sp_waited waited = {.call = call, .object = object};
	uint64_t off;

	tell(t, call, caller);
	if (sp_unlikely(t->wait.gil && t->wait.gil == object))
		take_answer(&waited, &t->wait.gil_holder);
	off = look(t, now);
	waited.ns = slept(t, ns, off);
	sp_pick_cost(LOOK_NS);
	if (!waited.ns) {
		t->wait.queue_known = false;
		return;
	}
	waited.blocked_ns = sp_wait_without_queue(t, kind, waited.ns, off, sp_wait_queue_is_due(t, kind, ns));
	count_in_thread(t, kind, waited.blocked_ns);
	sp_pick_wait(t, &waited, 0);
}

/* --- short calls: those that are looked at tell what part of the others was waiting. Whoever takes the CPU from a thread mostly keeps it
 * for longer, so that they are not asked whether they slept: each time the kernel is, it divides the time since its last tick into user
 * and system time by how all of it was divided, and CPU samples would not tell any more whose the system time is. */

void sp_wait_begin_looked(struct sp_timed_call *w, enum sp_wait_call call)
{
	struct sp_thread *t = sp_tls.thread;

	if (t && t->wait.look_call == call && is_counted() && sampled_thread()) {
		sp_tls.waited &= ~SP_LOOK_FIRST;
		w->inner = sp_tls.waited;
		t->wait.queue_off_ns += look(t, sp_cycles());
		t->wait.short_looks++;
		sp_pick_cost(SHORT_LOOK_NS);
		t->wait.looked_began = w->began = sp_cycles();
		return;
	}
	w->began = sp_cycles();
}

/* The next call of the same function is looked at, or one after it, so that looks are in step with nothing. */
static void look_at_next(struct sp_thread *t, enum sp_wait_call call)
{
	struct sp_thread_waits *w = &t->wait;
	uint64_t budget_ppm = sp_budget_ppm(sp_agent.config.budget_permille) / 10;

	if (w->short_looks >= FREE_LOOKS &&
		(sp_random(t) & 1 || (uint64_t)w->short_looks * SHORT_LOOK_NS > w->short_ns / 1000 * budget_ppm / 1000))
		return;
	w->look_call = call;
	sp_tls.waited |= SP_LOOK_FIRST;
}

static uint64_t short_waited_ns(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns, uint64_t now, bool looked)
{
	struct sp_short_part *part = &t->wait.shorts[kind];
	uint64_t off, waited;

	if (!looked) {
		waited = part->ns ? (uint64_t)((double)ns * (double)part->waited_ns / (double)part->ns) : 0;
		t->wait.unlooked_ns += waited;
		return waited;
	}
	off = look(t, now);
	waited = was_off(ns, off);
	t->wait.queue_off_ns += off - waited;
	part->ns += ns;
	part->waited_ns += waited;
	return waited;
}

static void ended_soon(struct sp_thread *t, enum sp_wait_call call, uint64_t object, uint64_t ns, uint64_t now,
	bool looked)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	struct sp_waited waited = {.call = call, .object = object};

	t->wait.short_ns += ns;
	waited.ns = waited.blocked_ns = short_waited_ns(t, kind, ns, now, looked);
	look_at_next(t, call);
	if (!waited.ns)
		return;
	count_in_thread(t, kind, waited.ns);
	sp_pick_wait(t, &waited, 0);
}

void sp_wait_ended(const struct sp_timed_call *w, enum sp_wait_call call, uint64_t object, uint64_t cycles,
	uint64_t caller)
{
	uint64_t now = w->began + cycles, ns = take_time(w, cycles);
	bool is_short = cycles < sp_load(&sp_waits.look_cycles);
	struct sp_thread *t;
	int saved_errno;

	if (!is_counted())
		return;
	saved_errno = errno;
	t = sampled_thread();
	if (t && is_short)
		ended_soon(t, call, object, ns, now, w->began == t->wait.looked_began);
	else if (t)
		ended(t, call, object, ns, now, caller);
	else if (sp_agent_state() == SP_AGENT_DORMANT)
		count(&sp_waits.early[sp_wait_kind_of(call)], ns);
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
	int saved_errno = errno;

	if (sp_unlikely(sp_load(&sp_agent.tsc_forbidden)))
		return;
	c->stack = sp_tls.thread ? sp_pick_stack(sp_tls.thread) : 0;
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
static uint64_t lock_blocked_ns(struct sp_thread *t, uint64_t ns, uint64_t now)
{
	if (sp_wait_queue_is_due(t, SP_WAIT_LOCK, ns))
		return sp_wait_without_queue(t, SP_WAIT_LOCK, ns, look(t, now), true);
	t->wait.unlooked_ns += ns;
	return sp_wait_without_queue(t, SP_WAIT_LOCK, ns, 0, false);
}

void sp_contention_end(struct sp_contention *c, enum sp_wait_call call)
{
	uint64_t cycles = sp_cycles() - c->call.began, ns = take_time(&c->call, cycles);
	struct sp_waited waited = {.call = call, .stack = c->stack, .object = c->lock, .ns = ns};
	int saved_errno = errno;
	struct sp_thread *t = is_counted() ? sampled_thread() : NULL;

	if (t) {
		sp_wait_locks_count(c->lock, ns);
		if (cycles >= sp_load(&sp_waits.least_cycles)) {
			tell(t, call, c->caller);
			waited.blocked_ns = lock_blocked_ns(t, ns, c->call.began + cycles);
			count_in_thread(t, SP_WAIT_LOCK, waited.blocked_ns);
			take_answer(&waited, &c->holder);
			sp_pick_wait(t, &waited, c->caller);
		}
	}
	errno = saved_errno;
}
