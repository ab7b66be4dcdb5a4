/* Picking waits, and what that may cost. */
#include "sampler/waits/pick.h"

#include "sampler/clock/governor.h"
#include "sampler/heap/estimate.h"
#include "sampler/spool/modules.h"
#include "sampler/spool/stacks.h"
#include "sampler/sys.h"
#include "sampler/threads/usage.h"
#include "sampler/walk/stack_read.h"
#include "sampler/walk/unwind.h"

#define BURST 16u
#define STRETCH_MAX 65536u

struct job {
	struct sp_thread *t;
	struct sp_waited *w; /* NULL: a stack is wanted, no more */
	uint64_t caller;     /* 0: the stack is walked */
	uint32_t stack;
};

void sp_pick_configure(void)
{
	struct sp_wait_totals *w = &sp_agent.spool->waits;

	w->requested_ns = w->interval_ns = w->interval_max_ns = sp_agent.config.wait_interval_ns;
	w->threshold_ns = sp_agent.config.wait_threshold_ns;
}

void sp_pick_cost(uint64_t ns)
{
	sp_add(&sp_agent.spool->waits.slow_ns, ns);
}

/* A stack of which no more is known than what has called. */
static uint32_t intern_caller(struct sp_thread *t, const uint64_t *caller)
{
	struct sp_walk walk = {
		.frames = caller, .depth = 1, .flags = SP_STACK_IS_HEAP | SP_STACK_IS_WAIT | SP_STACK_BROKEN};

	return sp_stacks_intern(t, &walk);
}

static uint32_t intern_own(struct sp_thread *t)
{
	struct sp_walk walk;

	sp_unwind(t, NULL, &walk);
	walk.flags |= SP_STACK_IS_WAIT;
	return sp_stacks_intern(t, &walk);
}

/* Runs on the private stack. */
static void record(void *arg)
{
	struct job *j = arg;

	if (!j->stack)
		j->stack = j->caller ? intern_caller(j->t, &j->caller) : intern_own(j->t);
	if (!j->w)
		return;
	if (!j->w->holder && j->w->holder_caller)
		j->w->holder = intern_caller(j->t, &j->w->holder_caller);
	j->w->stack = j->stack;
	sp_wait_sites_add(j->t, j->w);
}

/* Does the job inside the agent, with all signals blocked. A handler that came before may have forked: the thread is another one then, or
 * none. */
static uint32_t run(struct job *j)
{
	uint64_t began = sp_tsc(), mask = sp_block_others(sp_stack_is_own(j->t));
	struct sp_thread *t = sp_enter();

	if (t == j->t)
		sp_on_stack(record, j, sp_thread_stack(t));
	if (t)
		sp_leave(t);
	sp_restore_signals(mask);
	sp_pick_cost(sp_plausible_cost_ns(sp_tsc_ns(sp_tsc() - began), 3000));
	return j->stack;
}

uint32_t sp_pick_stack(struct sp_thread *t)
{
	struct job j = {.t = t};

	return run(&j);
}

/* Every few samples: the interval is doubled where waits have cost more than they may, and halved where they have cost so little, a quarter
 * of that, that it was too wide. */
static void restrain(struct sp_thread *t)
{
	struct sp_wait_totals *w = &sp_agent.spool->waits;
	uint64_t interval = sp_load(&w->interval_ns), allowed;

	if (++t->wait.burst < BURST)
		return;
	t->wait.burst = 0;
	allowed = sp_wait_grace_ns() + sp_wait_share_ns(sp_process_clock_ns());
	if (sp_load(&w->slow_ns) > allowed && interval < w->requested_ns * STRETCH_MAX)
		interval *= 2;
	else if (sp_load(&w->slow_ns) < allowed / 4 && interval >= w->requested_ns * 2)
		interval /= 2;
	sp_store(&w->interval_ns, interval);
	if (interval > w->interval_max_ns)
		w->interval_max_ns = interval;
}

static void draw(struct sp_thread *t)
{
	t->wait.interval_ns = sp_load(&sp_agent.spool->waits.interval_ns);
	t->wait.left_ns = sp_next_pick(sp_random(t), t->wait.interval_ns);
}

static bool is_on(const struct sp_thread *t)
{
	return sp_agent.spool->waits.interval_ns && t->record;
}

void sp_pick_wait(struct sp_thread *t, struct sp_waited *w, uint64_t caller)
{
	struct sp_wait_totals *totals = &sp_agent.spool->waits;
	struct job j = {.t = t, .w = w, .stack = w->stack, .caller = caller};

	if (!is_on(t))
		return;
	if (w->longest_ns < totals->threshold_ns) {
		sp_add(&totals->short_ns[sp_wait_kind_of(w->call)], w->ns);
		return;
	}
	if (!t->wait.interval_ns)
		draw(t);
	if (t->wait.left_ns > (int64_t)w->ns) {
		t->wait.left_ns -= (int64_t)w->ns;
		return;
	}
	w->interval = t->wait.interval_ns;
	run(&j);
	restrain(t);
	draw(t);
}

uint64_t sp_pick_patience(struct sp_thread *t)
{
	uint64_t threshold = sp_agent.spool->waits.threshold_ns;

	if (!is_on(t))
		return UINT64_MAX;
	if (!t->wait.interval_ns)
		draw(t);
	return t->wait.left_ns > (int64_t)threshold ? (uint64_t)t->wait.left_ns : threshold;
}
