/* Which thread this is. */
#include "sampler/threads/self.h"

#include "sampler/sys.h"
#include "sampler/threads/registry.h"
#include "sampler/threads/task_file.h"
#include "sampler/threads/thread.h"

static struct {
	uint32_t discovered; /* atomic: threads that were discovered and do not own their blocks */
	/* From the kernel's robust list head of a thread of the C library to its thread pointer, and
	 * to its sp_tls. */
	intptr_t to_pointer, to_tls;
	uintptr_t pointer; /* the first such thread's, */
	int tid;           /* and its id */
	intptr_t tls;      /* from any such thread's pointer to its sp_tls */
} self;

/* The thread's list of robust mutexes as the C library has registered it; 0 none. tid 0: the caller. */
static uintptr_t robust_head(int tid)
{
	uintptr_t head = 0;
	size_t length;

	return sp_sys(SYS_get_robust_list, tid, &head, &length) == 0 ? head : 0;
}

void sp_self_init(int tid)
{
	self.pointer = (uintptr_t)sp_thread_pointer();
	self.tls = (intptr_t)((uintptr_t)&sp_tls - self.pointer);
	self.tid = tid;
}

void sp_self_learn(void)
{
	uintptr_t head = self.to_pointer ? 0 : robust_head(self.tid);

	if (!head)
		return;
	self.to_tls = (intptr_t)(self.pointer - head) + self.tls;
	sp_store(&self.to_pointer, (intptr_t)(self.pointer - head));
}

/* Whether the calling thread has thread-local storage of its own, as the C library makes it. */
static bool has_storage(void)
{
	uintptr_t head = robust_head(0);

	sp_self_learn();
	return head && self.to_pointer && head + (uintptr_t)self.to_pointer == sp_thread_pointer_asked();
}

bool sp_self_may_activate(void)
{
	return (int)sp_sys(SYS_gettid) == sp_agent.pid || (!sp_is_single_threaded() && has_storage());
}

struct sp_thread *sp_self_find(bool is_known)
{
	if (sp_likely(is_known && !sp_load(&self.discovered)))
		return sp_tls.thread;
	return sp_registry_find((int)sp_sys(SYS_gettid), NULL);
}

struct sp_thread *sp_self_own(void)
{
	int tid = (int)sp_sys(SYS_gettid);
	struct sp_thread *t = sp_load(&self.discovered) ? sp_registry_find(tid, NULL) : NULL;
	struct sp_task task;

	if (!t || !t->discovered || t->owned || t->foreign)
		return NULL;
	if (!sp_task_read(tid, &task) || task.start_ticks != t->start_ticks)
		return NULL; /* of another thread that had this id */
	sp_thread_own(t);
	sp_add(&self.discovered, -1u);
	return t;
}

bool sp_self_enter(struct sp_thread *t)
{
	if (!t->met)
		t->foreign = !has_storage();
	t->met = true;
	if (t->foreign ? t->inside : sp_tls.guard || sp_tls.dead) {
		sp_drop(SP_DROP_REENTRY);
		return false;
	}
	if (t->foreign) {
		t->inside = true;
		return true;
	}
	t->tls = &sp_tls;
	sp_tls.guard = 1;
	return true;
}

void sp_self_leave(struct sp_thread *t)
{
	if (t->foreign)
		t->inside = false;
	else
		sp_leave(t);
}

bool sp_self_is_leaving(int tid)
{
	uintptr_t head = robust_head(tid);
	struct sp_tls tls;

	return head && self.to_tls && sp_read_memory(&tls, (const void *)(head + (uintptr_t)self.to_tls), sizeof tls) &&
		tls.dead;
}

void sp_self_count_discovered(uint32_t by)
{
	sp_add(&self.discovered, by);
}

uint32_t sp_self_discovered(void)
{
	return sp_load(&self.discovered);
}

SP_AT_FORK void sp_self_forked(void)
{
	self.discovered = 0;
	if (!self.to_pointer)
		sp_self_init(sp_agent.pid);
}
