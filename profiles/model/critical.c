/* The critical path of a run of processes. */
#include "profiles/model/critical.h"

#include <stdlib.h>

#include "profiles/model/merge.h"

#define NONE UINT32_MAX
#define SLACK_NS 5000000u /* times of two processes are told to the millisecond */

struct path {
	const struct sp_profile *p;
	uint32_t *order;  /* by parent, then by end, latest first */
	uint32_t *parent; /* of each, NONE: the root */
	size_t *next;     /* of each: in order[], the next of its children to be looked at */
	struct sp_wait *waits;
	size_t count, capacity;
};

/* The item behind the last process is the run as a whole, where its first process has no profile. */
static uint64_t start_ns(const struct path *c, uint32_t i)
{
	uint64_t from = 0, to;

	if (i < c->p->process_count)
		return c->p->processes[i].start_ns;
	sp_processes_span(c->p, &from, &to);
	return from;
}

static uint64_t end_ns(const struct path *c, uint32_t i)
{
	uint64_t from, to = 0;

	if (i < c->p->process_count)
		return c->p->processes[i].start_ns + c->p->processes[i].wall_ns;
	sp_processes_span(c->p, &from, &to);
	return to;
}

static int by_start(const void *a, const void *b, void *context)
{
	const struct sp_member *list = context;
	const struct sp_member *x = &list[*(const uint32_t *)a], *y = &list[*(const uint32_t *)b];

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Process numbers are used again: the parent is the last process of that number to have started by then. */
static uint32_t find_parent(const struct path *c, const uint32_t *by_pid, uint32_t child)
{
	const struct sp_member *list = c->p->processes, *of = &list[child];
	size_t low = 0, high = c->p->process_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct sp_member *at = &list[by_pid[middle]];

		if (at->pid < of->ppid || (at->pid == of->ppid && at->start_ns <= of->start_ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low && list[by_pid[low - 1]].pid == of->ppid ? by_pid[low - 1] : NONE;
}

static void find_parents(struct path *c, uint32_t root)
{
	size_t n = c->p->process_count;
	uint32_t *by_pid = sp_alloc(n, sizeof(*by_pid));

	for (size_t i = 0; i < n; i++)
		by_pid[i] = (uint32_t)i;
	qsort_r(by_pid, n, sizeof(*by_pid), by_start, c->p->processes);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t parent = i == root ? NONE : find_parent(c, by_pid, i);

		c->parent[i] = i == root ? NONE : parent == NONE ? root : parent;
	}
	free(by_pid);
}

static int by_parent(const void *a, const void *b, void *context)
{
	const struct path *c = context;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (c->parent[x] != c->parent[y])
		return c->parent[x] < c->parent[y] ? -1 : 1;
	if (end_ns(c, x) != end_ns(c, y))
		return end_ns(c, x) > end_ns(c, y) ? -1 : 1;
	return x < y ? -1 : 1;
}

static void emit(struct path *c, uint32_t process, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	if (c->count && process < c->p->process_count && c->waits[c->count - 1].process == process &&
		c->waits[c->count - 1].from_ns == to) {
		c->waits[c->count - 1].from_ns = from;
		return;
	}
	sp_grow(&c->waits, &c->capacity, c->count + 1, sizeof(*c->waits));
	c->waits[c->count++] = (struct sp_wait){process < c->p->process_count ? process : SP_NO_PROCESS, from, to};
}

/* The next child that had ended by `now`; NONE. */
static uint32_t child_before(struct path *c, uint32_t process, uint64_t now)
{
	size_t n = c->p->process_count;

	for (; c->next[process] < n; c->next[process]++) {
		uint32_t child = c->order[c->next[process]];

		if (c->parent[child] != process)
			break;
		if (end_ns(c, child) > now + SLACK_NS || start_ns(c, child) >= now)
			continue;
		c->next[process]++;
		return child;
	}
	return NONE;
}

static void walk(struct path *c, uint32_t root)
{
	uint64_t now = end_ns(c, root);
	uint32_t at = root;

	while (at != NONE) {
		uint32_t child = child_before(c, at, now);
		uint64_t until = child != NONE ? end_ns(c, child) : start_ns(c, at);

		if (until < now) {
			emit(c, at, until, now);
			now = until;
		}
		at = child != NONE ? child : c->parent[at];
	}
}

static void reverse(struct path *c)
{
	for (size_t i = 0; i < c->count / 2; i++) {
		struct sp_wait w = c->waits[i];

		c->waits[i] = c->waits[c->count - 1 - i];
		c->waits[c->count - 1 - i] = w;
	}
}

struct sp_wait *sp_critical_path(const struct sp_profile *profile, size_t *count)
{
	struct path c = {.p = profile};
	size_t n = profile->process_count, root;

	*count = 0;
	if (!sp_processes_same_run(profile) || n < 2)
		return NULL;
	root = sp_processes_root(profile);
	root = root == SIZE_MAX ? n : root;
	c.order = sp_alloc(n, sizeof(*c.order));
	c.parent = sp_alloc(n + 1, sizeof(*c.parent));
	c.parent[n] = NONE;
	c.next = sp_alloc(n + 1, sizeof(*c.next));
	find_parents(&c, (uint32_t)root);
	for (size_t i = 0; i < n; i++)
		c.order[i] = (uint32_t)i;
	qsort_r(c.order, n, sizeof(*c.order), by_parent, &c);
	for (size_t i = 0; i <= n; i++)
		c.next[i] = n;
	for (size_t i = n; i-- > 0;)
		if (c.parent[c.order[i]] != NONE)
			c.next[c.parent[c.order[i]]] = i;
	walk(&c, (uint32_t)root);
	reverse(&c);
	free(c.order);
	free(c.parent);
	free(c.next);
	*count = c.count;
	return c.waits;
}
