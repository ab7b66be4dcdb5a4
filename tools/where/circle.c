/* Threads that wait for each other: a circle that was seen thread by thread is looked at once more, as one whole. */
#include "tools/where/where.h"

#include <stdlib.h>

#include "symbolize/base/memory.h"

#define TRIES 3 /* a signal's handler may run in a thread that waits */

struct graph {
	const struct sp_where_process *p;
	const struct sp_where_thread *threads;
	size_t *next; /* the one that it waits for; p->count: none */
	size_t *seen; /* 1 + the start of the walk that came by */
};

static size_t index_of(const struct sp_where_process *p, int tid)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->tasks[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->count && p->tasks[low].tid == tid ? low : p->count;
}

/* The circle that the walk from `start` ends in, unless one before has come there. */
static size_t walk(struct graph *g, size_t start, const struct sp_where_thread **to)
{
	size_t at = start, n = 0, first;

	while (at < g->p->count && !g->seen[at]) {
		g->seen[at] = start + 1;
		at = g->next[at];
	}
	if (at >= g->p->count || g->seen[at] != start + 1)
		return 0;
	first = at;
	do {
		to[n++] = &g->threads[at];
		at = g->next[at];
	} while (at != first);
	return n;
}

/* Each waits where it was found, for what the next one has. */
static bool is_closed(const struct sp_where_process *p, const struct sp_where_thread *const *circle, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sp_where_task task = *circle[i]->task;
		struct sp_where_lock lock = circle[i]->wait.lock;

		if (!sp_where_again(p, &task))
			return false;
		sp_where_lock_again(&lock, p);
		if (lock.holder != circle[(i + 1) % n]->task->tid)
			return false;
	}
	return true;
}

/* Who waits for the interpreter lock wakes up now and then: it must be held by one that does not. */
static bool is_one_moment(const struct sp_where_process *p, const struct sp_where_thread *const *circle, size_t n)
{
	uint64_t *switches = sp_alloc(n, sizeof(*switches));
	bool is = true;

	for (size_t i = 0; i < n && is; i++) {
		switches[i] = sp_where_switches(p, circle[i]->task->tid);
		is = !circle[i]->wait.lock.gil || !circle[(i + 1) % n]->wait.lock.gil;
	}
	/* Twice, as those that wake up may give a lock away between the first reading of it and of where they are. */
	is = is && is_closed(p, circle, n) && is_closed(p, circle, n);
	for (size_t i = 0; i < n && is; i++)
		is = circle[i]->wait.lock.gil || switches[i] == sp_where_switches(p, circle[i]->task->tid);
	free(switches);
	return is;
}

static bool is_deadlock(const struct sp_where_process *p, const struct sp_where_thread *const *circle, size_t n)
{
	for (int i = 0; n && i < TRIES; i++)
		if (is_one_moment(p, circle, n))
			return true;
	return false;
}

size_t sp_where_circle(const struct sp_where_process *p, const struct sp_where_thread *threads,
	const struct sp_where_thread **to)
{
	struct graph g = {p, threads, sp_alloc(p->count, sizeof(*g.next)), sp_alloc(p->count, sizeof(*g.seen))};
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		g.next[i] = threads[i].moved || !threads[i].wait.lock.holder ? p->count
									     : index_of(p, threads[i].wait.lock.holder);
	for (size_t i = 0; i < p->count && !n; i++) {
		n = walk(&g, i, to);
		n = is_deadlock(p, to, n) ? n : 0;
	}
	free(g.next);
	free(g.seen);
	return n;
}
