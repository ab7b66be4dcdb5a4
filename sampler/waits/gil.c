/* Who has the interpreter's lock: found by the look of what stands before its condition variable, and of what that leads to. */
#include "sampler/waits/gil.h"

#include <string.h>

#include "sampler/threads/holder.h"
#include "sampler/threads/registry.h"

/* Before the condition variable, from CPython 3.2 to 3.13 at least (Python/ceval_gil.h, pycore_gil.h). */
struct gil {
	uint64_t interval_us;
	uint64_t last_holder; /* PyThreadState *; stays when the lock is given up */
	int locked;
	uint64_t switches;
};
#define INTERVAL_MAX_US 60000000u

/* A thread's descriptor in the C library (struct pthread): it begins with a pointer to itself, and has the thread's id here. */
#define TID_AT 720u

/* A PyThreadState has the pthread_t of its thread in one of its first words, which one is another in each version. */
#define STATE_WORDS 32u
static uint32_t self_at; /* atomic: that, once it is known */

static bool read_before(struct gil *to, uint64_t condition)
{
	const struct gil *from = (const struct gil *)condition - 1;

	if (((uint64_t)from ^ condition) >> 12)
		return sp_read_memory(to, from, sizeof *to);
	memcpy(to, from, sizeof *to); /* on the condition's page */
	return true;
}

static bool may_be(const struct gil *g)
{
	return g->locked == 1 && g->interval_us && g->interval_us <= INTERVAL_MAX_US && g->last_holder >= 4096 &&
		g->last_holder % sizeof(void *) == 0;
}

static int tid_of(uint64_t descriptor)
{
	uint64_t first;
	int tid;

	return descriptor >= 4096 && descriptor % 64 == 0 && sp_read_memory(&first, (void *)descriptor, sizeof first) &&
			first == descriptor && sp_read_memory(&tid, (char *)descriptor + TID_AT, sizeof tid)
		? tid
		: 0;
}

static int holder_tid(uint64_t state)
{
	uint64_t words[STATE_WORDS], self;
	uint32_t at = sp_load(&self_at);

	if (at)
		return sp_read_memory(&self, (uint64_t *)state + at, sizeof self) ? tid_of(self) : 0;
	if (!sp_read_memory(words, (void *)state, sizeof words))
		return 0;
	for (at = 1; at < STATE_WORDS; at++) {
		int tid = tid_of(words[at]);

		if (tid <= 0 || !sp_registry_find(tid, NULL))
			continue;
		sp_store(&self_at, at);
		return tid;
	}
	return 0;
}

void sp_gil_ask(struct sp_thread *t, uint64_t condition)
{
	const struct sp_thread_waits *w = &t->wait;
	const struct gil *gil = (const struct gil *)condition - 1;
	struct gil now;
	int tid;

	if (w->left_ns > (int64_t)w->usual_ns || !read_before(&now, condition) || !may_be(&now))
		return;
	if (tid_of((uint64_t)(uintptr_t)sp_thread_pointer()) != t->tid) /* the C library's is laid out otherwise */
		return;
	tid = holder_tid(now.last_holder);
	if (tid <= 0 || tid == t->tid)
		return;
	sp_holder_ask_thread(&t->wait.gil_holder, tid, (const int *)&gil->last_holder, (int)now.last_holder);
	t->wait.gil = condition;
}
