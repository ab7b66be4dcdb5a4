/* CPU samples: from a signal to a weight (weights.h) on a stack. */
#include "sampler/cpu/sample.h"

#include <errno.h>

#include "sampler/clock/calibrate.h"
#include "sampler/clock/clock.h"
#include "sampler/clock/governor.h"
#include "sampler/cpu/weights.h"
#include "sampler/spans/slow.h"
#include "sampler/spans/spans.h"
#include "sampler/spans/trace.h"
#include "sampler/spool/copies.h"
#include "sampler/spool/stacks.h"
#include "sampler/sys.h"
#include "sampler/threads/holder.h"
#include "sampler/threads/self.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/control.h"
#include "sampler/upkeep/discovery.h"
#include "sampler/upkeep/totals.h"
#include "sampler/upkeep/unblocked.h"
#include "sampler/upkeep/upkeep.h"
#include "sampler/walk/stack_read.h"
#include "sampler/walk/unwind.h"

#define LATE_TICKS 16u

struct sample {
	struct sp_thread *t;
	const ucontext_t *context;
	enum sp_signal_kind kind;
};

static void add_sample(struct sp_thread *t, const ucontext_t *context, struct sp_weight weight)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	uint32_t stack, samples;
	struct sp_walk walk;
	uint64_t us;

	sp_unwind(t, context, &walk);
	if (walk.flags & SP_STACK_CUT)
		sp_add(&cpu->truncated, 1);
	stack = sp_stacks_intern(t, &walk);
	if (sp_holder_is_asked(t))
		sp_holder_tell(t, stack, 0, 0);
	samples = sp_stacks_add_cpu(stack, sp_thread_record_index(t), weight.user_ns, weight.sys_ns);
	sp_trace_note(t, stack, weight.user_ns + weight.sys_ns);
	if (sp_unlikely(walk.flags & SP_STACK_BROKEN))
		sp_copies_take(t, context, stack, samples);
	us = (weight.user_ns + weight.sys_ns) / 1000;
	sp_span_sampled(t, stack, weight.user_ns + weight.sys_ns, us * us);
	t->user_assigned_ns += weight.user_ns;
	t->sys_assigned_ns += weight.sys_ns;
	sp_add(weight.user_ns ? &cpu->user_samples : &cpu->sys_samples, 1);
	if (t->record) {
		t->record->user_ns = t->user_assigned_ns;
		t->record->sys_ns = t->sys_assigned_ns;
		t->record->user_samples += weight.user_ns != 0;
		t->record->sys_samples += !weight.user_ns;
	}
}

static void enter_event(struct sp_thread *t)
{
	t->user_base_ns = t->user_seen_ns - t->user_assigned_ns;
	t->first_sample = false;
	sp_clock_rearm_event(t);
}

/* A thread that is switched to thousands of times a second pays for its event at every switch, so it has none as
 * long as that lasts. */
static void watch_switches(struct sp_thread *t, uint64_t cpu_ns, uint64_t switches)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	uint64_t passed = cpu_ns - t->window_cpu_ns, grown = switches - t->window_switches;
	uint64_t each = sp_clock_switch_ns();
	bool has = t->event_page != NULL, waits = t->event_waits, allowed;

	if (cpu->clock != SP_CLOCK_EVENT || !(t->clocks & SP_THREAD_TIMER))
		return;
	if (sp_unlikely(sp_agent.attached && !t->window_cpu_ns)) { /* what it did before is not known */
		t->window_cpu_ns = cpu_ns;
		t->window_switches = t->counted_switches = switches;
		return;
	}
	if (has) {
		sp_add(&cpu->switches, switches - t->counted_switches);
		sp_add(&cpu->switch_ns, (switches - t->counted_switches) * each);
	}
	t->counted_switches = switches;
	if (t->event_waits && cpu_ns < sp_clock_evidence_ns())
		return;
	t->event_waits = false;
	allowed = sp_governor_allows_event(has, grown * each, passed, sp_budget_ppm(sp_agent.config.budget_permille));
	if (passed < SP_SWITCH_WINDOW_NS && (has ? allowed : !(waits && allowed)))
		return;
	if (has && !allowed)
		sp_clock_leave_event(t);
	else if (!has && allowed)
		enter_event(t);
	t->window_cpu_ns = cpu_ns;
	t->window_switches = switches;
}

/* What the thread has used, also for its record. */
static void read_usage(struct sp_thread *t, struct sp_usage *usage)
{
	sp_thread_usage(t->tid, usage);
	if (t->record) {
		t->record->cpu_user_ns = usage->user_ns;
		t->record->cpu_sys_ns = usage->sys_ns;
	}
}

/* The event's timer runs in system calls too. */
static void count_hits(struct sp_thread *t, uint64_t sys_ns)
{
	uint64_t interval = sp_load(&sp_agent.spool->cpu.interval_ns);

	if (!t->event_page || !interval)
		return;
	t->counted_sys_ns += sys_ns - t->sys_tick_ns;
	sp_add(&sp_agent.spool->cpu.kernel_hits, t->counted_sys_ns / interval);
	t->counted_sys_ns %= interval;
}

/* What the kernel has charged a rare tick to is told by the times before and after it, with no other tick in between. */
static void look_before_tick(struct sp_thread *t)
{
	struct sp_usage usage;

	t->since_tick_ns += t->period_ns;
	if (t->looked || !(t->clocks & SP_THREAD_TIMER) || t->since_tick_ns + sp_agent.spool->cpu.tick_ns < t->timer_ns)
		return;
	read_usage(t, &usage);
	count_hits(t, usage.sys_ns);
	sp_weight_look(t, &usage);
}

static void on_event(struct sp_thread *t, const ucontext_t *context)
{
	if (!t->event_page) /* it was under way when the event was given up: ticks account for this time */
		return;
	if (t->calm)
		look_before_tick(t);
	sp_calibrate_code(sp_context_ip(context));
	add_sample(t, context, sp_weight_event(t));
	if (t->first_sample || t->period_left-- == 0 || t->drawn_ns != sp_load(&sp_agent.spool->cpu.interval_ns))
		sp_clock_rearm_event(t);
	t->first_sample = false;
}

/* A tick comes with each tick of a running thread: one that comes much later was blocked, and the stack that is there
 * now has not used the time. */
static bool was_blocked(const struct sp_thread *t, const struct sp_usage *usage)
{
	uint64_t passed = usage->user_ns + usage->sys_ns - t->user_tick_ns - t->sys_tick_ns;
	uint64_t most = LATE_TICKS * (uint64_t)sp_agent.spool->cpu.tick_ns;

	return t->clocks & SP_THREAD_TIMER && passed > most && passed > 4 * t->timer_ns;
}

static void on_tick(struct sp_thread *t, const ucontext_t *context)
{
	uint64_t interval = sp_load(&sp_agent.spool->cpu.interval_ns), tick = sp_agent.spool->cpu.tick_ns;
	struct sp_usage usage;
	struct sp_weight weight;

	read_usage(t, &usage);
	if (sp_unlikely(t->stops != sp_load(&sp_agent.stops))) {
		t->stops = sp_load(&sp_agent.stops);
		sp_thread_skip(t, &usage, SP_THREAD_STOPPED);
	}
	count_hits(t, usage.sys_ns);
	if (was_blocked(t, &usage))
		sp_thread_skip(t, &usage, SP_THREAD_BLOCKED);
	/* At a long interval less than half of it is not worth a sample: it waits for the next tick. */
	weight = sp_weight_tick(t, &usage, context, interval > tick ? interval / 2 : 1);
	if (weight.user_ns + weight.sys_ns) {
		add_sample(t, context, weight);
		sp_weight_given(t, &usage);
	}
	if (t->event_page && t->event_shared)
		sp_clock_rearm_event(t);
	sp_weight_judge(t, &usage);
	watch_switches(t, usage.user_ns + usage.sys_ns, usage.switches);
}

static void take_sample(void *arg)
{
	struct sample *s = arg;
	uint64_t now;

	sp_thread_flush(s->t, false);
	if (sp_unlikely(s->t->span_framed) && sp_stack_top(s->t, sp_context_sp(s->context)) != UINT64_MAX)
		sp_span_unwound(s->t, sp_context_sp(s->context));
	if (s->kind == SP_SIGNAL_EVENT)
		on_event(s->t, s->context);
	else if (s->kind == SP_SIGNAL_TICK || !(s->t->clocks & SP_THREAD_TIMER))
		on_tick(s->t, s->context);
	if (s->kind == SP_SIGNAL_EVENT && s->t->clocks & SP_THREAD_TIMER) {
		sp_totals_follow(sp_tsc());
		return; /* the ticks see to the rest */
	}
	sp_clock_follow(s->t);
	now = sp_now_ns();
	sp_thread_follow_queue(s->t, now);
	sp_clock_sentinel(now);
	sp_discovery_check(now);
	sp_unblocked_look(now);
	sp_upkeep_step(s->t, now);
}

/* Class of a time: two for each power of two (SP_TIME_CLASSES). */
static uint32_t time_class(uint64_t ns)
{
	uint32_t k, class;

	if (ns < 2)
		return 0;
	k = 63 - (uint32_t)__builtin_clzll(ns);
	class = 2 * k + (ns >> (k - 1) & 1);
	return class < SP_TIME_CLASSES ? class : SP_TIME_CLASSES - 1;
}

static void count_handler(uint64_t ns, uint64_t calibration_ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	if (calibration_ns > ns)
		calibration_ns = ns;
	ns -= calibration_ns;
	if (sp_unlikely(calibration_ns))
		sp_governor_calibrated(calibration_ns);
	sp_add(&cpu->handler_ns, calibration_ns + sp_plausible_cost_ns(ns, sp_governor_handler_ns()));
	sp_add(&cpu->handler_class[time_class(ns)], 1);
	sp_raise(&cpu->handler_max_ns, ns);
}

/* On the thread that t belongs to. A thread without thread-local storage of its own has no errno
 * either: nothing that is done for it sets one. */
static void handle(struct sample *s, uint64_t began)
{
	/* Upkeep may sleep in the kernel or lose the processor. It is done at ticks, and there reading the thread's
	 * own clock is worth its price. */
	bool tick = s->kind != SP_SIGNAL_EVENT;
	uint64_t used = tick ? sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
	struct sp_thread *t = s->t;
	int saved_errno = 0;

	sp_add(&sp_agent.spool->cpu.signals, 1);
	if (tick)
		sp_add(&sp_agent.spool->cpu.ticks, 1);
	if (!sp_load(&t->armed) || !(t->owned ? sp_enter() != NULL : sp_self_enter(t)))
		return;
	if (!t->foreign)
		saved_errno = errno;
	t->calibration_cycles = 0;
	sp_on_stack(take_sample, s, sp_thread_stack(t));
	used = tick ? sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - used : sp_tsc_ns(sp_tsc() - began);
	count_handler(used, sp_tsc_ns(t->calibration_cycles));
	sp_span_disturbed(t, used + sp_agent.spool->cpu.signal_gap_ns);
	if (!t->foreign)
		errno = saved_errno;
	if (t->owned)
		sp_leave(t);
	else
		sp_self_leave(t);
}

/* A timer finer than the tick overruns at every one. */
static void count_lost_ticks(const struct sp_thread *t, const siginfo_t *info)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	uint64_t expirations = 1 + (info->si_overrun > 0 ? (uint64_t)info->si_overrun : 0);
	uint64_t signals = expirations * t->timer_ns / (t->timer_ns < cpu->tick_ns ? cpu->tick_ns : t->timer_ns);

	if (signals > 1)
		sp_add(&cpu->lost_signals, signals - 1);
}

/* Any handler that finds the command's wish ends the sampling of all threads. */
static bool is_detached(void)
{
	if (sp_likely(!sp_agent.attached || !sp_load(&sp_agent.spool->detach)))
		return false;
	sp_clock_stop_all();
	sp_store(&sp_agent.state, SP_AGENT_STOPPED);
	sp_store(&sp_agent.spool->detached, 1);
	return true;
}

bool sp_sample_signal(const siginfo_t *info, void *context)
{
	bool active = sp_agent_state() == SP_AGENT_ACTIVE && !is_detached();
	struct sample s = {.context = context};
	uint64_t began = sp_tsc_first();
	int saved_errno;

	if (active && (info->si_code == SI_TIMER || info->si_code == POLL_IN))
		s.t = sp_self_find(info->si_code != SI_TIMER || info->si_value.sival_ptr == SP_COOKIE_TICK);
	s.kind = sp_clock_recognize(s.t, info);
	if (sp_unlikely(s.t && sp_load(&s.t->calibrating))) {
		sp_calibrate_signal(s.t, s.kind == SP_SIGNAL_EVENT, s.kind != SP_SIGNAL_FOREIGN, info, context);
		return true;
	}
	if (s.kind == SP_SIGNAL_FOREIGN) {
		if (s.t && info->si_code == POLL_IN && info->si_fd == s.t->event_fd)
			s.t->event_shared = true;
		return false;
	}
	if (s.kind == SP_SIGNAL_LATE)
		return true;
	if (active)
		sp_control_look();
	if (active && sp_load(&sp_agent.stopped)) {
		sp_totals_follow(sp_tsc());
		return true;
	}
	if (s.kind == SP_SIGNAL_START && !sp_self_may_activate()) {
		sp_clock_start_later();
	} else if (s.kind == SP_SIGNAL_START) {
		saved_errno = errno;
		sp_agent.activate();
		errno = saved_errno;
	} else if (s.t) {
		if (s.kind == SP_SIGNAL_TICK)
			count_lost_ticks(s.t, info);
		handle(&s, began);
	} else if (active && s.kind == SP_SIGNAL_PROCESS) {
		sp_discovery_on_unknown();
	} else if (active) {
		sp_drop(SP_DROP_NO_THREAD);
	}
	return true;
}
