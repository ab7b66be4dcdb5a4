/* Waiting: the sum of threads' time. */
#include "profiles/model/waiting.h"

#include "profiles/base/figures.h"
#include "profiles/model/model.h"

#define BUSY 0.9 /* of the time, from which on waiting is no question */

const char *sp_wait_kind_name(enum sp_wait_kind kind)
{
	static const char *const names[SP_WAIT_KINDS] = {
#define X(kind, name) [SP_WAIT_##kind] = name,
		SP_WAIT_KINDS_LIST(X)
#undef X
	};

	return names[kind];
}

const char *sp_wait_kind_fact(enum sp_wait_kind kind)
{
	static const char *const names[SP_WAIT_KINDS] = {
#define X(kind, name) [SP_WAIT_##kind] = "blocked_" name "_seconds",
		SP_WAIT_KINDS_LIST(X)
#undef X
	};

	return names[kind];
}

static double kinds_ns(const struct sp_waiting *w)
{
	double sum = 0;

	for (int i = 0; i < SP_WAIT_KINDS; i++)
		sum += (double)w->kind_ns[i];
	return sum;
}

uint64_t sp_waiting_elsewhere(const struct sp_waiting *w)
{
	double sum = kinds_ns(w);

	return sum < (double)w->blocked_ns ? w->blocked_ns - sp_whole(sum) : 0;
}

/* What a call took has in it the time from its wake-up to its next turn on a CPU, which is the run queue's: if all is more than the
 * thread was blocked for, each has its part of that. */
static void fit_kinds(struct sp_waiting *w)
{
	double sum = kinds_ns(w), part = sum > (double)w->blocked_ns ? (double)w->blocked_ns / sum : 1;

	for (int i = 0; part < 1 && i < SP_WAIT_KINDS; i++)
		w->kind_ns[i] = (uint64_t)((double)w->kind_ns[i] * part);
}

void sp_waiting_close(struct sp_waiting *w)
{
	uint64_t off;

	if (w->wall_ns < w->cpu_ns) /* the two were not read at the same moment */
		w->wall_ns = w->cpu_ns;
	off = w->wall_ns - w->cpu_ns;
	if (!w->queue_known)
		w->queue_ns = 0;
	if (w->queue_ns > off)
		w->queue_ns = off;
	w->blocked_ns = off - w->queue_ns;
	fit_kinds(w);
	if (w->throttled_ns > w->queue_ns)
		w->throttled_ns = w->queue_ns;
}

static uint64_t lived_ns(const struct sp_profile *p, const struct sp_thread_record *r, bool is_sum)
{
	uint64_t end_ns = r->state == 2 && r->end_ns < p->wall_ns ? r->end_ns : p->wall_ns;

	if (is_sum) /* no more than all of them from the process's start to its end */
		return (double)r->lived_ns > (double)r->merged * (double)p->wall_ns ? r->merged * p->wall_ns
										    : r->lived_ns;
	return end_ns > r->start_ns ? end_ns - r->start_ns : 0;
}

struct sp_waiting sp_waiting_of_thread(const struct sp_profile *p, const struct sp_thread_record *r, bool is_sum)
{
	struct sp_waiting w = {
		.wall_ns = lived_ns(p, r, is_sum), .cpu_ns = r->cpu_user_ns + r->cpu_sys_ns, .queue_ns = r->queue_ns};

	/* It was not asked for where a thread was next to never off the CPU. */
	w.queue_known = is_sum || r->queue_at_ns || w.wall_ns < w.cpu_ns + 1000000u;
	w.kinds_known = p->snapshot->header.waits.on != 0 && !p->snapshot->at;
	for (int i = 0; w.kinds_known && i < SP_WAIT_KINDS; i++)
		w.kind_ns[i] = r->waits[i].ns;
	sp_waiting_close(&w);
	/* No hook has seen the end of what it was blocked in at the end. */
	if (w.kinds_known && r->open_wait && r->open_wait <= SP_WAIT_KINDS && r->state == 1 && !is_sum)
		w.kind_ns[r->open_wait - 1] += sp_waiting_elsewhere(&w);
	return w;
}

void sp_waiting_add(struct sp_waiting *sum, const struct sp_waiting *part)
{
	sum->queue_known = part->wall_ns ? (!sum->wall_ns || sum->queue_known) && part->queue_known : sum->queue_known;
	sum->kinds_known = part->wall_ns ? (!sum->wall_ns || sum->kinds_known) && part->kinds_known : sum->kinds_known;
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		sum->kind_ns[i] += part->kind_ns[i];
	sum->wall_ns += part->wall_ns;
	sum->cpu_ns += part->cpu_ns;
	sum->queue_ns += part->queue_ns;
	sum->blocked_ns += part->blocked_ns;
	sum->throttle_known |= part->throttle_known;
	sum->throttled_ns += part->throttled_ns;
	sum->throttled_periods += part->throttled_periods;
}

/* The kernel adds up the time in which a processor had no quota left, and all threads wait that were ready to run there: they are
 * taken to be spread evenly. */
static uint64_t throttled_ns(const struct sp_profile *p, uint64_t denied_ns)
{
	double cores = p->snapshot->header.host_cores ? p->snapshot->header.host_cores : 1, ready;

	if (cores > (double)p->threads_seen)
		cores = p->threads_seen ? (double)p->threads_seen : 1;
	ready = p->wall_ns ? (double)(p->waiting.cpu_ns + p->waiting.queue_ns) / (double)p->wall_ns / cores : 1;
	return sp_whole((double)denied_ns * (ready > 1 ? ready : 1));
}

void sp_waiting_add_up(struct sp_profile *p)
{
	const struct sp_throttle_totals *throttle = &p->snapshot->header.throttle;
	struct sp_waiting *w = &p->waiting;

	*w = (struct sp_waiting){0};
	for (size_t i = 0; i < p->thread_count; i++)
		sp_waiting_add(w, &p->threads[i].waiting);
	w->throttle_known = throttle->known && !p->snapshot->at;
	w->throttled_periods = w->throttle_known ? throttle->periods : 0;
	w->cpu_ns = p->cpu_user_ns + p->cpu_sys_ns; /* of all, those without a record too */
	w->throttled_ns = w->throttle_known ? throttled_ns(p, throttle->ns) : 0;
	sp_waiting_close(w);
}

bool sp_waiting_is_idle(const struct sp_waiting *waiting)
{
	return (double)waiting->kind_ns[SP_WAIT_CONDITION] > 0.95 * (double)waiting->wall_ns;
}

bool sp_waiting_matters(const struct sp_profile *p)
{
	return p->waiting.wall_ns && (double)p->waiting.cpu_ns < BUSY * (double)p->waiting.wall_ns;
}
