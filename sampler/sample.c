/* CPU samples: from a signal to a weight on a stack.
 *
 * Weights: an event sample stands for one period of user time, corrected a little so that their
 * sum follows the thread's user time as getrusage has it; a tick that finds the thread's system
 * time grown by a tick gives that growth to the interrupted stack, which after a system call is
 * its caller's. With the timer alone a tick carries the growth of both. */
#include "sampler/sample.h"

#include <errno.h>
#include <sys/single_threaded.h>

#include "sampler/clock.h"
#include "sampler/found.h"
#include "sampler/governor.h"
#include "sampler/stacks.h"
#include "sampler/sys.h"
#include "sampler/thread.h"
#include "sampler/tids.h"
#include "sampler/unwind.h"

/* The process's totals are as old as this when it is killed; summing over threads has its price. */
#define TOTALS_NS 10000000u

struct sample {
	struct sp_thread *t;
	const ucontext_t *context;
	enum sp_signal_kind kind;
};

/* libunwind's locks do not lock while the C library believes that there is one thread: it was not asked
 * to make those that another copy of it, or bare clone, has made. */
static bool can_unwind(const struct sp_thread *t)
{
	return t->owned || !(t->foreign || __libc_single_threaded);
}

/* The interrupted instruction: all that can be told without libunwind. */
static void walk_leaf(struct sp_thread *t, const ucontext_t *context, struct sp_walk *walk)
{
	t->frames[0] = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	*walk = (struct sp_walk){.frames = t->frames, .depth = 1, .flags = SP_STACK_BROKEN};
}

/* False when the stack cannot be walked now: its time goes to later samples. */
static bool add_sample(struct sp_thread *t, const ucontext_t *context, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	struct sp_walk walk;

	if (!can_unwind(t))
		walk_leaf(t, context, &walk);
	else if (!sp_unwind(t, context, &walk))
		return false;
	if (walk.flags & (SP_STACK_TRUNCATED | SP_STACK_BROKEN))
		sp_add(&cpu->truncated, 1);
	sp_stacks_add_cpu(sp_stacks_intern(t, &walk), user_ns, sys_ns);
	t->user_assigned_ns += user_ns;
	t->sys_assigned_ns += sys_ns;
	if (user_ns)
		sp_add(&cpu->user_samples, 1);
	if (sys_ns)
		sp_add(&cpu->sys_samples, 1);
	if (t->record) {
		t->record->user_ns = t->user_assigned_ns;
		t->record->sys_ns = t->sys_assigned_ns;
		t->record->user_samples += user_ns != 0;
		t->record->sys_samples += sys_ns != 0;
	}
	return true;
}

/* Part of the drift that one sample of nominal weight may make up for. */
static int64_t take_drift(struct sp_thread *t, int64_t nominal)
{
	int64_t part = t->user_drift_ns / 8;

	if (part < -nominal / 2)
		part = -nominal / 2;
	if (part > nominal * 3)
		part = nominal * 3;
	t->user_drift_ns -= part;
	return part;
}

static void on_event(struct sp_thread *t, const ucontext_t *context)
{
	uint64_t interval = sp_load(&sp_agent.spool->cpu.interval_ns);
	int64_t nominal = (int64_t)(t->first_sample ? t->first_weight_ns : t->period_ns);

	add_sample(t, context, (uint64_t)(nominal + take_drift(t, nominal)), 0);
	if (t->first_sample || t->period_left-- == 0 || t->period_ns < interval / 2 || t->period_ns > interval * 2)
		sp_clock_rearm_event(t);
	t->first_sample = false;
}

static void on_tick(struct sp_thread *t, const ucontext_t *context)
{
	uint64_t tick = sp_agent.spool->cpu.tick_ns, user, sys, user_grown = 0, sys_grown;

	sp_thread_cpu(&user, &sys);
	if (t->record) {
		t->record->cpu_user_ns = user;
		t->record->cpu_sys_ns = sys;
	}
	sys_grown = sys - t->sys_seen_ns;
	if (t->event_page) {
		t->user_drift_ns = (int64_t)(user - t->user_base_ns - t->user_assigned_ns);
		/* Less than half a tick is the kernel's rounding: it waits for the next one. */
		if (sys_grown < tick / 2)
			return;
	} else {
		user_grown = user > t->user_seen_ns ? user - t->user_seen_ns : 0;
	}
	if ((!user_grown && !sys_grown) || !add_sample(t, context, user_grown, sys_grown))
		return;
	t->user_seen_ns = user;
	t->sys_seen_ns = sys;
}

void sp_sample_update_totals(void)
{
	struct sp_spool_header *h = sp_agent.spool;
	uint64_t user, sys, rss;

	sp_process_cpu(&user, &sys, &rss);
	sp_store(&h->cpu.self_user_ns, user);
	sp_store(&h->cpu.self_sys_ns, sys);
	sp_store(&h->max_rss_bytes, rss);
	sp_store(&h->now_ns, sp_now_ns());
}

static void take_sample(void *arg)
{
	struct sample *s = arg;

	sp_thread_flush(s->t, false);
	if (s->kind == SP_SIGNAL_EVENT)
		on_event(s->t, s->context);
	else if (s->kind == SP_SIGNAL_TICK || !(s->t->clocks & SP_THREAD_TIMER))
		on_tick(s->t, s->context);
	if (s->kind == SP_SIGNAL_EVENT && s->t->clocks & SP_THREAD_TIMER)
		return; /* the ticks see to the rest */
	sp_clock_follow(s->t);
	if (sp_now_ns() - sp_load(&sp_agent.spool->now_ns) > TOTALS_NS)
		sp_sample_update_totals();
	sp_timeline_step(false);
	sp_found_check();
	sp_governor_step(s->t);
}

static void count_handler(uint64_t ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	sp_add(&cpu->handler_ns, ns);
	if (ns > sp_load(&cpu->handler_max_ns))
		sp_store(&cpu->handler_max_ns, ns);
}

/* On the thread that t belongs to. A thread without thread-local storage of its own has no errno
 * either: nothing that is done for it sets one. */
static void handle(struct sample *s, uint64_t began)
{
	struct sp_thread *t = s->t;
	int saved_errno = 0;

	if (!t->armed || !(t->owned ? sp_enter() != NULL : sp_found_enter(t)))
		return;
	if (!t->foreign)
		saved_errno = errno;
	sp_on_stack(take_sample, s, sp_thread_stack(t));
	count_handler(sp_tsc_ns(sp_tsc() - began));
	if (!t->foreign)
		errno = saved_errno;
	if (t->owned)
		sp_leave(t);
	else
		sp_found_leave(t);
}

bool sp_sample_signal(const siginfo_t *info, void *context)
{
	bool active = sp_load(&sp_agent.state) == SP_AGENT_ACTIVE;
	struct sample s = {.context = context};
	uint64_t began = sp_tsc();
	int saved_errno;

	if (active && (info->si_code == SI_TIMER || info->si_code == POLL_IN))
		s.t = sp_tids_find((int)sp_sys(SYS_gettid), NULL);
	s.kind = sp_clock_recognize(s.t, info);
	if (s.kind == SP_SIGNAL_FOREIGN) {
		/* An event signal that was under way when its event or thread was retired. */
		return info->si_code == POLL_IN && info->si_fd >= 0 && sp_load(&sp_agent.state) >= SP_AGENT_ACTIVE;
	}
	if (s.kind == SP_SIGNAL_START) {
		saved_errno = errno;
		sp_agent.activate();
		errno = saved_errno;
	} else if (s.t) {
		if (info->si_code == SI_TIMER && info->si_overrun > 0)
			sp_add(&sp_agent.spool->cpu.lost_signals, (uint64_t)info->si_overrun);
		handle(&s, began);
	} else if (active) {
		sp_drop(SP_DROP_NO_THREAD);
	}
	return true;
}
