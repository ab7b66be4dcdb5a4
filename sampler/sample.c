/* CPU samples: from a signal to a weight on a stack.
 *
 * Weights: an event sample stands for one period of user time, corrected a little so that their
 * sum follows the thread's user time as getrusage has it; a tick that found the thread in the
 * kernel gives what its system time has grown to the interrupted stack, which after a system call
 * is its caller's. With the timer alone a tick carries the growth of both. */
#include "sampler/sample.h"

#include <errno.h>

#include "sampler/clock.h"
#include "sampler/governor.h"
#include "sampler/stacks.h"
#include "sampler/sys.h"
#include "sampler/thread.h"
#include "sampler/unwind.h"

/* The process's totals are as old as this when it is killed; summing over threads has its price. */
#define TOTALS_NS 10000000u

struct sample {
	struct sp_thread *t;
	const ucontext_t *context;
	enum sp_signal_kind kind;
};

/* False when the stack cannot be walked now: its time goes to later samples. */
static bool add_sample(struct sp_thread *t, const ucontext_t *context, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	struct sp_walk walk;

	if (!sp_unwind(t, context, &walk))
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
	int64_t nominal = (int64_t)(t->first_sample ? interval : t->period_ns);

	add_sample(t, context, (uint64_t)(nominal + take_drift(t, nominal)), 0);
	if (t->first_sample || t->period_left-- == 0 || t->period_ns < interval / 2 || t->period_ns > interval * 2)
		sp_clock_rearm_event(t);
	t->first_sample = false;
}

/* Whether this tick found the thread in the kernel. The kernel charges a tick to the mode it finds and
 * then scales both sums to the exact run time, so that under preemption either may grow a little at any
 * tick: the one that grew more since the last tick was charged. */
static bool in_kernel(struct sp_thread *t, uint64_t user, uint64_t sys)
{
	bool answer = sys - t->sys_tick_ns > user - t->user_tick_ns;

	t->user_tick_ns = user;
	t->sys_tick_ns = sys;
	return answer;
}

static void on_tick(struct sp_thread *t, const ucontext_t *context)
{
	uint64_t user, sys, user_grown = 0, sys_grown;
	bool kernel;

	sp_thread_cpu(&user, &sys);
	kernel = in_kernel(t, user, sys);
	if (t->record) {
		t->record->cpu_user_ns = user;
		t->record->cpu_sys_ns = sys;
	}
	sys_grown = sys - t->sys_seen_ns;
	if (t->event_page) {
		t->user_drift_ns = (int64_t)(user - t->user_base_ns - t->user_assigned_ns);
		if (!kernel)
			return;
	} else {
		user_grown = user - t->user_seen_ns;
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
	else
		on_tick(s->t, s->context);
	if (s->kind == SP_SIGNAL_EVENT && s->t->has_timer)
		return; /* the ticks see to the rest */
	if (sp_now_ns() - sp_load(&sp_agent.spool->now_ns) > TOTALS_NS)
		sp_sample_update_totals();
	sp_timeline_step(false);
	sp_governor_step(s->t);
}

static void count_handler(uint64_t ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	sp_add(&cpu->handler_ns, ns);
	if (ns > sp_load(&cpu->handler_max_ns))
		sp_store(&cpu->handler_max_ns, ns);
}

bool sp_sample_signal(const siginfo_t *info, void *context)
{
	struct sp_thread *t = sp_tls.thread;
	struct sample s = {.context = context, .kind = sp_clock_recognize(t, info)};
	uint64_t began = sp_tsc();
	int saved_errno = errno;

	if (s.kind == SP_SIGNAL_FOREIGN) {
		/* An event signal that was under way when its event or thread was retired. */
		return info->si_code == POLL_IN && info->si_fd >= 0 && sp_load(&sp_agent.state) >= SP_AGENT_ACTIVE;
	}
	if (s.kind == SP_SIGNAL_START) {
		sp_agent.activate();
	} else if (!t) {
		sp_drop(SP_DROP_NO_THREAD);
	} else if (t->armed && (s.t = sp_enter())) {
		sp_on_stack(take_sample, &s, sp_thread_stack(t));
		count_handler(sp_tsc_ns(sp_tsc() - began));
		sp_leave(t);
	}
	errno = saved_errno;
	return true;
}
