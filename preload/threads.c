/* Threads: from pthread_create to the end of their thread-specific data. */
#include <limits.h>
#include <pthread.h>
#include <threads.h>

#include "preload/agent.h"
#include "preload/export.h"
#include "preload/real.h"
#include "sampler/clock.h"
#include "sampler/heap.h"
#include "sampler/thread.h"

static pthread_key_t exit_key;
static bool has_exit_key;

/* Runs as a destructor of thread-specific data, at the thread's end. The application's destructors
 * may still use CPU and memory, so it asks to be called in a later round as long as it can. */
static void thread_exit(void *arg)
{
	struct sp_thread *t = arg;

	if (t->tls != &sp_tls || sp_agent.sealed)
		return; /* a forked child has taken the block away, or system calls may be deadly */
	if (t->exit_rounds++ < PTHREAD_DESTRUCTOR_ITERATIONS - 2 && pthread_setspecific(exit_key, t) == 0)
		return;
	sp_clock_disarm(t);
	sp_thread_release(t);
}

static bool made;

bool sp_threads_made(void)
{
	return made;
}

/* A block for a thread to be, or NULL: it will not be profiled. */
static struct sp_thread *prepare_thread(void *start, void *arg)
{
	struct sp_thread *t;

	if (!made)
		sp_real_find_all();
	made = true;
	if (sp_unlikely(sp_is_stale_child()))
		sp_agent.forked();
	if (sp_load(&sp_agent.state) == SP_AGENT_DORMANT && !sp_is_vfork_child())
		sp_agent.activate(); /* while there is one thread only */
	if (sp_load(&sp_agent.state) != SP_AGENT_ACTIVE || !(t = sp_thread_take()))
		return NULL;
	t->start = start;
	t->start_arg = arg;
	return t;
}

/* In the new thread, before anything of the application's. */
static void begin_thread(struct sp_thread *t, void *return_address)
{
	t->exit_rounds = 0;
	t->root_pc = (uint64_t)(uintptr_t)return_address;
	sp_thread_adopt(t, (uint64_t)(uintptr_t)t->start);
	if (sp_agent.config.heap)
		sp_heap_start_thread(t);
	if (has_exit_key && pthread_setspecific(exit_key, t) == 0)
		sp_clock_arm(t); /* never without the means to disarm it */
}

/* The start routine is a tail call: it returns to the C library as if it had been called from
 * there, and this frame is never in a stack. */
static void *thread_main(void *arg)
{
	struct sp_thread *t = arg;
	void *(*start)(void *) = (void *(*)(void *))t->start;
	void *start_arg = t->start_arg;

	begin_thread(t, __builtin_return_address(0));
	return start(start_arg);
}

static int thrd_main(void *arg)
{
	struct sp_thread *t = arg;
	thrd_start_t start = (thrd_start_t)t->start;
	void *start_arg = t->start_arg;

	begin_thread(t, __builtin_return_address(0));
	return start(start_arg);
}

void sp_threads_adopt(void)
{
	struct sp_thread *t = sp_thread_take();

	if (!t)
		return;
	t->exit_rounds = 0;
	sp_thread_adopt(t, 0);
	if (has_exit_key && pthread_setspecific(exit_key, t) == 0)
		sp_clock_arm(t);
}

void sp_threads_init(void)
{
	has_exit_key = pthread_key_create(&exit_key, thread_exit) == 0;
}

void sp_threads_own(struct sp_thread *t)
{
	t->exit_rounds = 0;
	if (has_exit_key)
		pthread_setspecific(exit_key, t);
}

SP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	struct sp_thread *t;
	int err;

	t = prepare_thread((void *)start, arg);
	if (!t)
		return SP_REAL(pthread_create)(thread, attr, start, arg);
	err = SP_REAL(pthread_create)(thread, attr, thread_main, t);
	if (err)
		sp_thread_untake(t);
	return err;
}

SP_EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	struct sp_thread *t = prepare_thread((void *)start, arg);
	int result;

	if (!t)
		return SP_REAL(thrd_create)(thread, start, arg);
	result = SP_REAL(thrd_create)(thread, thrd_main, t);
	if (result != thrd_success)
		sp_thread_untake(t);
	return result;
}
