/* Who has Python's interpreter lock, which threads wait for by a condition variable: by what stands before that, and what that leads to. */
#include "tools/where/where.h"

#include <string.h>

/* From CPython 3.2 to 3.13 at least (Python/ceval_gil.h, pycore_gil.h). */
struct gil {
	uint64_t interval_us;
	uint64_t last_holder; /* PyThreadState *; stays when the lock is given up */
	int locked;           /* -1 before it is first taken */
	uint64_t switches;
};
#define INTERVAL_MAX_US 60000000u

/* A thread's descriptor in the C library (struct pthread): it begins with a pointer to itself, and has the thread's id here. */
#define TID_AT 720u

/* A PyThreadState has the pthread_t of its thread in one of its first words, which one is another in each version. */
#define STATE_WORDS 32u

/* The words of a condition variable that are waited on, in either of its groups: from glibc 2.41 on the first. */
static const unsigned waited_at[] = {32, 36, 40, 44};

static bool may_be(const struct gil *g)
{
	return g->interval_us && g->interval_us <= INTERVAL_MAX_US && g->last_holder >= 4096 &&
		g->last_holder % sizeof(void *) == 0 && g->locked >= -1 && g->locked <= 1;
}

static bool read_before(struct gil *g, const struct sp_where_process *p, uint64_t condition)
{
	return sp_attach_read(p->pid, condition - sizeof(*g), g, sizeof(*g)) && may_be(g);
}

static int tid_of(const struct sp_where_process *p, uint64_t descriptor)
{
	uint64_t first;
	int tid;

	return descriptor >= 4096 && descriptor % 64 == 0 &&
			sp_attach_read(p->pid, descriptor, &first, sizeof(first)) && first == descriptor &&
			sp_attach_read(p->pid, descriptor + TID_AT, &tid, sizeof(tid))
		? sp_where_outer_tid(p, tid)
		: 0;
}

static int holder_of(const struct sp_where_process *p, uint64_t state)
{
	uint64_t words[STATE_WORDS];
	int tid = 0;

	if (!sp_attach_read(p->pid, state, words, sizeof(words)))
		return 0;
	for (size_t i = 1; i < STATE_WORDS && !tid; i++)
		tid = tid_of(p, words[i]);
	return tid;
}

bool sp_where_gil_again(struct sp_where_lock *lock, const struct sp_where_process *p)
{
	struct gil g;

	if (!p->has_memory || !read_before(&g, p, lock->gil))
		return false;
	lock->holder = g.locked == 1 ? holder_of(p, g.last_holder) : 0;
	lock->is_free = g.locked != 1;
	return true;
}

bool sp_where_gil_read(struct sp_where_lock *lock, const struct sp_where_process *p, uint64_t futex)
{
	for (size_t i = 0; i < sizeof(waited_at) / sizeof(waited_at[0]); i++) {
		struct sp_where_lock found = *lock;

		found.gil = futex - waited_at[i];
		if (found.gil % sizeof(uint64_t) || !sp_where_gil_again(&found, p))
			continue;
		found.kind = "Python's interpreter lock";
		*lock = found;
		return true;
	}
	return false;
}
