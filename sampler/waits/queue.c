/* The run queue's part of waits. */
#include "sampler/waits/queue.h"

#include "sampler/clock/governor.h"
#include "sampler/sys.h"
#include "sampler/threads/task_file.h"
#include "sampler/waits/pick.h"

#define ASK_NS 6000u
#define ASK_PART 100u /* what is asked with a lock in hand has taken so many times as long */

#define SHORT_GRACE_PART 4u /* of what may be asked in advance, for short waits */

/* Of one that has told, a failure is of the moment: no descriptor was free. */
enum { UNASKED, TELLS, DOES_NOT };
static uint32_t kernel; /* atomic: whether it tells */

static bool is_free(uint64_t grace_ns)
{
	return sp_load(&sp_agent.spool->waits.queue_look_ns) < grace_ns;
}

static bool is_affordable(const struct sp_thread_waits *w, uint64_t grace_ns)
{
	return is_free(grace_ns) || w->queue_cost_ns + 2 * ASK_NS <= sp_wait_share_ns(w->looked_cpu_ns);
}

/* A wait that is sampled stands for many: what comes before it is asked for, and when it is over. */
static void look_ahead(struct sp_thread_waits *w, uint64_t ns)
{
	uint64_t left_ns = w->left_ns > (int64_t)ns ? (uint64_t)w->left_ns - ns : w->interval_ns;

	w->usual_ns -= w->usual_ns / 8;
	if (ns > w->usual_ns)
		w->usual_ns = ns;
	w->pick_near = w->interval_ns && left_ns <= w->usual_ns;
}

bool sp_wait_queue_is_due(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns)
{
	look_ahead(&t->wait, ns);
	if (sp_load(&kernel) == DOES_NOT)
		return false;
	if (t->wait.pick_near || (t->wait.queue_known && t->wait.left_ns <= (int64_t)ns))
		return true;
	if (!t->wait.queue_known && !is_affordable(&t->wait, sp_wait_grace_ns()))
		return false;
	if ((kind == SP_WAIT_LOCK || kind == SP_WAIT_CONDITION) && ns < ASK_NS * ASK_PART && sp_random(t) % 8)
		return false;
	/* Not in step with what the program does in turn. */
	return t->wait.queue_known || is_free(sp_wait_grace_ns()) || sp_random(t) & 1;
}

static bool ask(struct sp_thread *t, uint64_t *queue_ns)
{
	uint64_t began = sp_tsc(), cost_ns;
	uint32_t unasked = UNASKED;

	if (!sp_task_queue_ns(t->tid, queue_ns)) {
		__atomic_compare_exchange_n(&kernel, &unasked, DOES_NOT, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		return false;
	}
	if (sp_unlikely(sp_load(&kernel) != TELLS))
		sp_store(&kernel, TELLS);
	cost_ns = sp_plausible_cost_ns(sp_tsc_ns(sp_tsc() - began), ASK_NS);
	if (!is_affordable(&t->wait, sp_wait_grace_ns())) {
		sp_pick_cost(cost_ns);
		return true;
	}
	t->wait.queue_cost_ns += cost_ns;
	sp_add(&sp_agent.spool->waits.queue_look_ns, cost_ns);
	return true;
}

bool sp_wait_queue_ask(struct sp_thread *t, uint64_t *queue_ns)
{
	return sp_load(&kernel) != DOES_NOT && is_affordable(&t->wait, sp_wait_grace_ns() / SHORT_GRACE_PART) &&
		ask(t, queue_ns);
}

/* How long a woken thread waits for a CPU does not depend on how long it has slept: waits of one kind are told apart by length. */
static unsigned length_of(uint64_t ns)
{
	static const uint32_t ends_ns[SP_WAIT_LENGTHS - 1] = {128000, 1000000, 8000000};
	unsigned length = 0;

	while (length < SP_WAIT_LENGTHS - 1 && ns >= ends_ns[length])
		length++;
	return length;
}

/* Those of the length that were looked at, else those of the next. */
static unsigned known_length(const struct sp_wait_part *parts, unsigned length)
{
	for (unsigned i = length + 1; i-- > 0;)
		if (parts[i].count)
			return i;
	while (length < SP_WAIT_LENGTHS - 1 && !parts[length].count)
		length++;
	return length;
}

/* Waits of the same length have the same part in the run queue; longer ones, and those without end, have as much of it. */
static uint64_t less_the_usual(const struct sp_wait_part *parts, uint64_t ns)
{
	unsigned length = length_of(ns), known = known_length(parts, length);
	const struct sp_wait_part *part = &parts[known];
	double queue_ns, mean_ns;

	if (!part->count)
		return ns;
	queue_ns = (double)ns * (double)part->queue_ns / (double)part->ns;
	mean_ns = (double)part->queue_ns / (double)part->count;
	if ((length == SP_WAIT_LENGTHS - 1 || known != length) && mean_ns < queue_ns)
		queue_ns = mean_ns;
	return ns - (uint64_t)queue_ns;
}

uint64_t sp_wait_without_queue(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns, uint64_t off_ns, bool due)
{
	struct sp_thread_waits *w = &t->wait;
	struct sp_wait_part *parts = w->parts[kind], *part = &parts[length_of(ns)];
	uint64_t before_ns = w->queue_ns, queue_ns, blocked_ns;
	bool was_known = w->queue_known;

	off_ns += w->queue_off_ns;
	w->queue_off_ns = 0;
	w->queue_known = due && ask(t, &w->queue_ns);
	if (!was_known || !w->queue_known)
		return less_the_usual(parts, ns);
	w->queue_known = w->pick_near || is_affordable(w, sp_wait_grace_ns());
	queue_ns = w->queue_ns - before_ns;
	blocked_ns = off_ns > queue_ns ? off_ns - queue_ns : 0;
	if (blocked_ns > ns)
		blocked_ns = ns;
	part->count++;
	part->ns += ns;
	part->queue_ns += ns - blocked_ns;
	return blocked_ns;
}
